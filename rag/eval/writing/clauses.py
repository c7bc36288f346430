"""A sentence taken apart: what stands before its subject, subject, verb, and the rest of its main clause.

There is no parser here, only words and their order, so that most sentences are refused: one that is taken
apart wrongly becomes a bad question, one that is refused becomes none.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

from rag.eval.writing.verbs import AUXILIARIES, FINITE, PLAIN, Form, is_participle

FEWEST_WORDS = 5
MOST_WORDS = 40
LONGEST_SUBJECT = 9  # words

POINTING = frozenset(
    "this these those such it they he she them him we us our i my me former latter above below following "
    "here there other others another same also then however instead therefore thus latter itself themselves "
    "himself herself earlier later again else likewise similarly moreover furthermore".split()
)
"""Words that point to what stands elsewhere: a question with one of them cannot be understood alone."""

OWNING = frozenset("its their his her your".split())
DETERMINERS = frozenset(
    "the a an all each every both most some no any many few several one two three four five six seven "
    "eight nine ten you your its their his her either neither".split()
)
PREPOSITIONS = frozenset(
    "of in on at by for from with to into onto over under about after before between through during within "
    "without against among across until since as than per near behind beside beyond toward towards upon via "
    "around above below along off out up down".split()
)
_JOINING = frozenset(
    "and or but that which who whom whose when where while if because although though whether how what why "
    "unless so to than as , ; :".split()
)
_LEAD_WORDS = (
    "In|On|At|During|Since|After|Before|By|Until|From|For|Under|Within|With|Between|Throughout|Among|Below"
    "|Above|If|When|Where"
)
_LEAD = re.compile(rf"((?:{_LEAD_WORDS})\b[^,;:()]{{2,80}}), (?=\S)")
_CONNECTIVE = re.compile(
    r"^(?:However|For example|For instance|In addition|In fact|In particular|Moreover"
    r"|Furthermore|Additionally|Consequently|Thus|Finally|Similarly|Nevertheless|Nonetheless"
    r"|Of course|In general|Generally|Also), "
)
"""What ties a sentence to the one before and says nothing itself."""
_CUT = re.compile(
    r"\s*(?:;|:|\sbut\b|\s[–—-]\s|,? \(|,? (?:although|though|whereas|while|because|even if)\b"
    r"|, (?:and|but|so|or|which|who|whom|whose|where|when|with|then|as|nor|yet|including|such|not)\b"
    r"|, \w+ing\b)"
)
_WORD = re.compile(r"(?:[^\s,;:]|(?<=\d)[,:](?=\d))+|[,;:]")
_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)|\\(?=[^\w\s])")
_NO_SENTENCE = re.compile(r"[|{}<>=@#\[\]\\]|\.{3}|…|https?:|www\.|\?|!|\bunless\b")


@dataclass(frozen=True, slots=True)
class Clause:
    """The parts of a main clause. All are as they stand, the sentence's first capital taken off."""

    lead: str
    subject: str
    verb: str
    rest: str
    form: Form | None = None

    @property
    def question_verb(self) -> tuple[str, str]:
        """What stands before the subject in a question, and what of the verb stays behind it."""
        return (self.form.support, self.form.base) if self.form else (self.verb, "")


def plain_text(text: str) -> str:
    """A stretch of a document on one line, without marks of emphasis."""
    return " ".join(_MARKUP.sub("", text).split())


def parse_clause(sentence: str, common: Set[str]) -> Clause | None:
    """Take a sentence of plain text apart; None where that is not safe.

    `common` are words that the document has in lower case, so that a sentence's first word is known for
    a name or not.
    """
    words = sentence.split()
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS or not sentence.endswith("."):
        return None
    starts_well = sentence[0].isupper() or sentence[0].isdigit() or sentence[0] in "€$£"
    if not starts_well or _NO_SENTENCE.search(sentence) or not _balanced(sentence):
        return None
    body = _CONNECTIVE.sub("", sentence[:-1])
    if not body or (not body[0].isupper() and not body[0].isdigit()):
        body = body[:1].upper() + body[1:]
    lead = _LEAD.match(body)
    if lead:
        body = body[lead.end() :]
    main = _main(body)
    found = _find_verb(main)
    if found is None:
        return None
    subject, verb, rest, form = found
    rest = _first_predicate(rest)
    if rest.split()[:1] in (["and"], ["or"]):
        return None
    if not _is_subject(subject) or not rest:
        return None
    subject = subject if lead else _without_capital(subject, common)
    opening = _without_capital(lead[1], common) if lead else ""
    return Clause(opening, subject, verb, rest, form)


def _main(body: str) -> str:
    """The main clause up to what is joined to it. A list keeps its last `, and`."""
    for cut in _CUT.finditer(body):
        is_list = cut[0] in (", and", ", or") and "," in body[: cut.start()]
        if not is_list:
            return body[: cut.start()]
    return body


def _balanced(text: str) -> bool:
    pairs = (("(", ")"), ("“", "”"), ("[", "]"))
    return text.count('"') % 2 == 0 and all(text.count(a) == text.count(b) for a, b in pairs)


def _find_verb(main: str) -> tuple[str, str, str, Form | None] | None:
    """The subject, the verb, the rest, and the verb's form where a question needs `do` for it."""
    words = [(match[0], match.start(), match.end()) for match in _WORD.finditer(main)]
    candidates = [at for at, (word, _, _) in enumerate(words) if at and _may_be_verb(words, at, word)]
    if not candidates:
        return None
    first = candidates[0]
    word, start, end = words[first]
    for other in candidates[1:]:
        between = {each.lower() for each, _, _ in words[first + 1 : other]}
        if not between & _JOINING and not (word in AUXILIARIES and is_participle(words[other][0])):
            return None
        break
    behind = words[first + 1][0] if first + 1 < len(words) else ""
    rest = main[end:].strip()
    if word in ("has", "have", "had"):
        if is_participle(behind) or behind in ("been", "to", "not"):
            return (main[:start].strip(), word, rest, None) if is_participle(behind) else None
        form = PLAIN[word] if word == "have" else FINITE[word]
    elif word in AUXILIARIES:
        return main[:start].strip(), word, rest, None
    else:
        form = FINITE.get(word) or PLAIN[word]
    return main[:start].strip(), word, rest, form


def _first_predicate(rest: str) -> str:
    """The rest of a clause up to where a second verb of the same subject, or a second clause, begins.

    It is empty where that may as well be the end of a list.
    """
    for match in re.finditer(r",? (?:and|or|but|nor) ", rest):
        behind = [word.strip(",").lower() for word in rest[match.end() :].split()[:5]]
        for word in behind:
            if word in _JOINING or word in PREPOSITIONS:
                break
            if word in AUXILIARIES or word in FINITE:
                is_list = match[0].startswith(",") and "," in rest[: match.start()]
                return "" if is_list else rest[: match.start()]
    return rest


def _may_be_verb(words: list[tuple[str, int, int]], at: int, word: str) -> bool:
    if word in AUXILIARIES or word in FINITE:
        return words[at - 1][0].lower() not in ("the", "a", "an", "to", "of", "and", "or", "no")
    before = words[at - 1][0].lower()
    plural = before == "you" or before in ("people", "staff", "children", "women", "men")
    return word in PLAIN and (plural or (before.endswith("s") and not before.endswith("ss")))


def _is_subject(text: str) -> bool:
    words = text.split()
    lower = [word.lower() for word in words]
    if not words or len(words) > LONGEST_SUBJECT or set(lower) & (POINTING | _JOINING - {"and", "to"}):
        return False
    if lower[0] in PREPOSITIONS or lower[0] in OWNING or lower[-1] in PREPOSITIONS | DETERMINERS - {"you"}:
        return False
    if lower[-1] in ("first", "second", "third", "last", "next", "only", "just", "best", "rest"):
        return False
    if lower[-1].endswith("ly") and lower[-1] not in ("family", "assembly", "supply", "italy", "july"):
        return False
    inside = [
        at for at, word in enumerate(lower) if at and word in ("the", "a", "an", "each", "every", "you")
    ]
    if any(lower[at - 1] not in PREPOSITIONS | {"and", "or", "all", "both"} for at in inside):
        return False
    if lower[0] in (
        "whoever",
        "whatever",
        "there's",
        "as",
        "how",
        "what",
        "not",
        "even",
        "just",
        "but",
        "last",
    ):
        return False
    if ", " in text or (words[0].endswith("ing") and words[0][0].isupper() and "and" in lower):
        return False
    one_noun = len(words) > 1 or words[0][0].isupper() or lower[0] == "you"
    return one_noun and any(any(letter.isalpha() for letter in word) for word in words)


def _without_capital(text: str, common: Set[str]) -> str:
    first = re.match(r"[^\W\d_]+", text)
    if first is None:
        return text
    word = first[0]
    # of a name of several words the first may be a common one: Viscount Threnhold, Soldier's Peak
    named = any(part[0].isupper() for part in text.split()[1:2])
    small = word.lower()
    is_common = small in DETERMINERS | PREPOSITIONS | _JOINING or (small in common and not named)
    lowered = word in ("A", "You") or (is_common and word[1:].islower())
    return text[0].lower() + text[1:] if lowered else text


def parse_lead(lead: str, common: Set[str]) -> str | None:
    """The question answered by the list that `lead`, without its colon, introduces; None where unclear."""
    words = re.sub(r"\s+(?:the )?following(?: \w+)?$|, in this order$", "", lead)
    found = _find_verb(words)
    if found is None:
        return None
    subject, verb, rest, form = found
    if (
        not _is_subject(subject)
        or len(rest.split()) > 2
        or set(rest.lower().split()) & (POINTING | _JOINING - {"to"})
    ):
        return None
    subject = _without_capital(subject, common)
    if form is not None:
        question = f"What {form.support} {subject} {form.base}" + (f" {rest}" if rest else "")
    elif verb in ("is", "are", "was", "were") and not rest:
        question = f"What {verb} {subject}"
    elif verb not in ("is", "are", "was", "were") and rest:
        question = f"What {verb} {subject} {rest}"
    else:
        return None
    return f"{question}?"
