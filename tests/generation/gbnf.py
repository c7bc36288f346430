"""A reader of GBNF that shares nothing with what writes it: it draws random texts, and accepts texts.

It knows of GBNF rules, literals, classes, groups, `|`, `*`, `+`, `?` and `{m,n}`, and no more.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[a-z][a-z0-9-]*)(?P<is>\s*::=)?|(?P<text>"(?:\\.|[^"\\])*")|(?P<set>\[(?:\\.|[^\]\\])*\])"""
    r"""|(?P<times>[*+?]|\{\d+(?:,\d*)?\})|(?P<sign>[()|]))""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)


@dataclass(frozen=True)
class Grammar:
    """The rules, each as a regular expression's source: none of the grammars here is recursive."""

    pattern: str

    def accepts(self, text: str) -> bool:
        return re.fullmatch(self.pattern, text, re.DOTALL) is not None


def read(grammar: str) -> Grammar:
    """The grammar whose start is `root`; raise where a line is no rule."""
    rules: dict[str, list[tuple[str, str]]] = {}
    for line in filter(None, grammar.splitlines()):
        name, _, body = line.partition(" ::= ")
        if not body or name in rules:
            raise ValueError(f"no rule: {line}")
        rules[name] = _tokens(body)
    return Grammar(_pattern("root", rules, ()))


def _tokens(body: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(body):
        token = _TOKEN.match(body, at)
        if token is None or token["is"]:
            raise ValueError(f"no grammar: {body[at:]}")
        found.append((str(token.lastgroup), token[0].strip()))
        at = token.end()
    return found


def _pattern(name: str, rules: dict[str, list[tuple[str, str]]], within: tuple[str, ...]) -> str:
    if name in within:
        raise ValueError(f"{name} is recursive")
    parts = []
    for kind, token in rules[name]:
        if kind == "name":
            parts.append(f"(?:{_pattern(token, rules, (*within, name))})")
        elif kind == "text":
            parts.append(f"(?:{re.escape(_plain(token[1:-1]))})")
        elif kind == "set":
            parts.append(_set(token[1:-1]))
        elif token == "(":
            parts.append("(?:")
        else:
            parts.append(token)
    return "".join(parts)


def _plain(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    return chr(int(code, 16)) if code else {"n": "\n", "t": "\t", "r": "\r"}.get(found[4], found[4])


def _set(body: str) -> str:
    """The class of Python that is that of GBNF: every character by its number."""
    negated, body = body.startswith("^"), body.removeprefix("^")
    out, at = "", 0
    while at < len(body):
        found = _ESCAPE.match(body, at)
        character = _character(found) if found else body[at]
        at = found.end() if found else at + 1
        ends_range = out and body[at - 1] == "-" and found is None and at < len(body)
        out += "-" if ends_range else f"\\U{ord(character):08x}"
    return f"[{'^' if negated else ''}{out}]"


def draw(pattern: str, choose: random.Random) -> str:
    """A random text that the pattern accepts; loops go on with one chance in two."""
    return "".join(_drawn(_parsed(pattern), choose))


@lru_cache
def _parsed(pattern: str) -> object:
    import re._parser as parser  # the only reader of patterns that there is

    return parser.parse(pattern, re.DOTALL)


_ALPHABET = [
    *map(chr, range(0x20, 0x17F)),
    *"「」【】［］〔〕。！１２३٣…“”‘’«»«\n\t\u200b\u00a0\u2028\\[]()<>|",
]


def _drawn(parsed: object, choose: random.Random) -> list[str]:
    out: list[str] = []
    for operation, argument in parsed:  # type: ignore[attr-defined]
        match str(operation):
            case "LITERAL":
                out.append(chr(argument))
            case "NOT_LITERAL":
                out.append(choose.choice([each for each in _ALPHABET if ord(each) != argument]))
            case "IN":
                out.append(choose.choice(_allowed(tuple(argument))))
            case "BRANCH":
                out += _drawn(choose.choice(argument[1]), choose)
            case "SUBPATTERN":
                out += _drawn(argument[-1], choose)
            case "MAX_REPEAT":
                least, most, inner = argument
                times = least
                while times < min(most, least + 12) and choose.random() < 0.5:
                    times += 1
                for _ in range(times):
                    out += _drawn(inner, choose)
            case other:
                raise ValueError(f"cannot draw {other}")
    return out


@lru_cache
def _allowed(items: tuple[tuple[object, object], ...]) -> list[str]:
    return [each for each in _ALPHABET if _within(ord(each), items)]


def _within(code: int, items: tuple[tuple[object, object], ...]) -> bool:
    inside, negated = False, False
    for kind, argument in items:
        match str(kind):
            case "NEGATE":
                negated = True
            case "LITERAL":
                inside = inside or code == argument
            case "RANGE":
                inside = inside or argument[0] <= code <= argument[1]  # type: ignore[index]
    return inside != negated
