"""Output that cannot hurt: no link, image, HTML or hidden character that its cited spans do not hold.

A filter by rules, for any answer, whoever wrote it. It runs behind `grounded`: what is allowed in a
sentence is what stands, as the same link or the same tag, in a quote that is known to be one. Quotes
themselves are data and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.generation.extractive import NO_ANSWER
from rag.generation.links import INVISIBLE, links_in, without_links
from rag.generation.marks import composed, flat, says
from rag.types import Answer, Sentence

REMOVED = "(link removed)"

LINK_FAULT = "a link that it does not cite was removed"
MARKUP_FAULT = "markup or an image that it does not cite was removed"
HIDDEN_FAULT = "hidden characters were removed"
FAULTS = (LINK_FAULT, MARKUP_FAULT, HIDDEN_FAULT)

_WORD = re.compile(r"\S+")

_TERMINAL = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]{0,8}[0-~]?"
)
_ODD_SPACE = re.compile("[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_TAG = re.compile(r"<[!?/]?[A-Za-z\[-][^<>]{0,9999}>")
_TAG_START = re.compile(r"<(?=[A-Za-z/!?])")
_LABELLED = re.compile(
    r"!?\[([^\[\]\x00]{0,999})\]\([^()\x00]{0,4096}(?:\([^()\x00]{0,999}\)[^()\x00]{0,999}){0,9}\)"
)
_LABEL_END = re.compile(r"\](?=[(:])")
_KEPT = re.compile("\x00(\\d+)\x00")

_DEEPEST = 8
"""As often what was removed may leave something to remove; as many labels in labels are taken apart."""


def safe(answer: Answer, *, strict: bool = False) -> Answer:
    """The answer with sentences and text that are safe to show, what was removed noted as faults.

    A sentence that is a quote it cites stays to the letter. In any other, links (written out, bare
    domains, mail addresses, other schemes, look-alikes) and images stay where a citation of
    the sentence holds the very same. Elsewhere a link leaves `(link removed)`, markup leaves its words, and
    either an unsupported sentence. A tag of HTML that is cited is named, `‹b›`. Characters
    that are not seen go where their word is not of a cited quote, sequences that steer a terminal always.

    Args:
        answer: What `grounded` has held against its hits.
        strict: Whether HTML, images and hidden characters go from quotes as well, for whoever renders
            the text as Markdown or HTML.
    """
    quotes = {citation.number: citation.quote for citation in answer.citations}
    found = (
        _safe(each, [quotes[number] for number in each.citations if number in quotes], strict=strict)
        for each in answer.sentences
    )
    sentences = tuple(sentence for sentence in found if sentence.text)
    conflicts = tuple(
        replace(each, about=cleaned(each.about, tuple(quotes.values()))[0]) for each in answer.conflicts
    )
    text, abstained = answer.text, answer.abstained
    if not sentences:
        text = cleaned(text, (), strict=strict)[0] if abstained else NO_ANSWER
        abstained = True
    elif sentences != answer.sentences or not says(text, sentences):
        text = composed(sentences)
    shown = replace(answer, text=text, sentences=sentences, conflicts=conflicts, abstained=abstained)
    return answer if shown == answer else shown


def _safe(sentence: Sentence, quotes: Sequence[str], *, strict: bool) -> Sentence:
    body = flat(sentence.text)
    if not strict and any(body == flat(quote) for quote in quotes):
        return sentence
    text, faults = cleaned(sentence.text, quotes, strict=strict)
    if text == sentence.text:
        return sentence
    supported = sentence.supported and set(faults) <= {HIDDEN_FAULT}
    new = tuple(fault for fault in faults if fault not in sentence.faults)
    return replace(sentence, text=text, supported=supported, faults=(*sentence.faults, *new))


def cleaned(text: str, quotes: Sequence[str], *, strict: bool = False) -> tuple[str, tuple[str, ...]]:
    """The text without what the quotes do not hold, and the faults that it had."""
    held = "\n".join(quotes)
    links, tags = links_in(held), frozenset(_TAG.findall(held))
    labels = frozenset(label[0] for label in _LABELLED.finditer(held) if not (strict and label[0][0] == "!"))
    found: set[str] = set()
    for _ in range(_DEEPEST):
        seen = _without_hidden(text, frozenset() if strict else frozenset(held.split()))
        named = _TAG.sub(lambda tag: f"‹{tag[0][1:-1]}›" if tag[0] in tags else tag[0], seen)
        words, kept = _without_markup(named, labels)
        shown = without_links(words, links, REMOVED)
        there = (shown != words, _restored(words, kept) != named, seen != text)
        if named == seen and not any(there):
            break
        found.update(fault for fault, changed in zip(FAULTS, there, strict=True) if changed)
        text = flat(_restored(shown, kept))
    return text, tuple(fault for fault in FAULTS if fault in found)


def _without_hidden(text: str, cited: frozenset[str]) -> str:
    """The text without sequences for a terminal, and hidden characters but in cited words."""
    text = _ODD_SPACE.sub(" ", _TERMINAL.sub("", text.replace("\0", "")))
    if not INVISIBLE.search(text):
        return text
    return _WORD.sub(lambda word: word[0] if word[0] in cited else INVISIBLE.sub("", word[0]), text)


def _without_markup(text: str, labels: frozenset[str]) -> tuple[str, list[str]]:
    """The text without HTML, images and labelled links, and with places for those of `labels`, in order."""
    kept: list[str] = []

    def taken(label: re.Match[str]) -> str:
        if label[0] not in labels:
            return label[1]
        kept.append(label[0])
        return f"\0{len(kept) - 1}\0"

    text = _TAG.sub("", text)
    for _ in range(_DEEPEST):
        before = text
        text = _LABELLED.sub(taken, text)
        if text == before:
            break
    return _TAG_START.sub("‹", _LABEL_END.sub("] ", text)), kept


def _restored(text: str, kept: Sequence[str]) -> str:
    """The text with what was kept in its places, a space apart from what would make it something else."""
    first, *others = _KEPT.split(text)
    pieces = [first]
    for place, after in zip(others[::2], others[1::2], strict=True):
        before = pieces[-1][-1:]
        apart = " " if before and not before.isspace() else ""
        pieces.append(apart + kept[int(place)])
        if after:
            pieces.append(after if after[0].isspace() or after[0] in ".,;!?" else f" {after}")
    return "".join(pieces)
