"""Where a claim and its evidence are nearly the same, do they say yes to the same thing?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.generation.wording import FUNCTION, content_words, stem, words
from rag.sentences import sentence_spans

_NEGATORS = frozenset(
    "not no never none nobody nothing neither nor without cannot prohibited forbidden".split()
)
_NEARLY = frozenset(
    "lack lacks lacked lacking fail fails failed unable hardly except unless rather instead refuse refused "
    "refuses excluded exempt absent deficient free nowhere few little only".split()
)
"""Words that may say no in another way: where one stands, nothing is said to be turned round."""

_BOUND = re.compile(
    r"\b(?:no|not) (?:later|more|less|fewer|longer|earlier|only|just|least|merely|necessarily) ?(?:than)?\b"
    r"|\bno\. ?\d|\bwithout (?:delay|exception|limit)\b|\bwhether or not\b",
    re.IGNORECASE,
)
_OPPOSITES = (
    "increase/decrease increased/decreased increases/decreases increasing/decreasing higher/lower "
    "highest/lowest more/less most/least before/after raised/lowered raise/lower rose/fell rise/fall "
    "rises/falls won/lost wins/loses positive/negative allowed/forbidden permitted/prohibited "
    "required/optional mandatory/optional mandatory/voluntary always/never includes/excludes "
    "include/exclude included/excluded activates/inhibits activate/inhibit activation/inhibition "
    "activated/inhibited promotes/prevents promote/prevent early/late earlier/later larger/smaller "
    "largest/smallest large/small male/female men/women north/south northern/southern east/west "
    "eastern/western inside/outside above/below upper/lower longer/shorter longest/shortest older/younger "
    "oldest/youngest better/worse best/worst open/closed opens/closes accepted/rejected accepts/rejects "
    "accept/reject stronger/weaker many/few majority/minority minimum/maximum chronic/acute common/rare "
    "improved/worsened improves/worsens gain/loss gains/losses gained/lost legal/illegal safe/dangerous "
    "safe/unsafe successful/unsuccessful possible/impossible internal/external domestic/foreign "
    "with/without paid/unpaid upregulated/downregulated upregulates/downregulates sensitive/resistant "
    "weekly/monthly daily/weekly daily/monthly annual/monthly buy/sell bought/sold import/export "
    "imports/exports hot/cold wet/dry summer/winter morning/evening day/night left/right first/last "
    "oldest/newest public/private manual/automatic indoors/outdoors husband/wife father/mother "
    "son/daughter brother/sister"
).split()
OPPOSITE: dict[str, frozenset[str]] = {}
for _pair in _OPPOSITES:
    _one, _other = _pair.split("/")
    OPPOSITE[_one] = OPPOSITE.get(_one, frozenset()) | {_other}
    OPPOSITE[_other] = OPPOSITE.get(_other, frozenset()) | {_one}

_APART = _NEGATORS | OPPOSITE.keys()
NEAR = 0.75
"""The share of a claim's words that a sentence must hold for the two to be compared word for word."""

SAME = 0.9
"""The share from which two opposites need not even stand beside the same word."""


def reversals(said: str, evidence: Sequence[str]) -> Iterator[str]:
    """Say what of `said` its evidence turns round, in the sentence that has most of its words."""
    own = _topic(said)
    if len(own) < 2:
        return
    best, share = "", 0.0
    for text in evidence:
        for span in sentence_spans(text):
            sentence = text[span.start : span.end]
            held = _topic(sentence)
            now = len(own & held) / len(own)
            if now > share:
                best, share = sentence, now
    if share < NEAR:
        return
    mine, theirs = words(said), words(best)
    for word in sorted(set(mine) - set(theirs)):
        against = OPPOSITE.get(word, frozenset()) & set(theirs) - set(mine)
        if against and (share >= SAME or _same_place(mine, theirs, word, against)):
            yield f"it says “{word}” where what it cites says “{min(against)}”"
            return
    no, their_no = _denied(said), _denied(best)
    shared = content_words(said) & content_words(best)
    unclear = _NEARLY & {*mine, *theirs}
    if bool(no) != bool(their_no) and not unclear and (no or their_no) <= shared:
        yield "what it cites says the opposite: a “not” stands in only one of the two"


def _same_place(mine: list[str], theirs: list[str], word: str, against: frozenset[str]) -> bool:
    """Whether the opposites stand beside the same word."""
    around = _beside(mine, {word})
    return bool(around & _beside(theirs, against))


def _beside(text: list[str], targets: set[str] | frozenset[str]) -> set[str]:
    found: set[str] = set()
    for at, word in enumerate(text):
        if word in targets:
            found.update(text[max(0, at - 1) : at], text[at + 1 : at + 2])
    return found


def _topic(text: str) -> set[str]:
    """The stems of what a text is about; words that have an opposite are left out."""
    return content_words(" ".join(word for word in words(text) if word not in _APART))


def _denied(text: str) -> set[str]:
    """The stems of the two words of content behind each negation."""
    said = words(_BOUND.sub(" ", text))
    found: set[str] = set()
    for at, word in enumerate(said):
        if word in _NEGATORS or word.endswith("n't"):
            behind = [stem(other) for other in said[at + 1 :] if other not in FUNCTION]
            found |= set(behind[:2]) or {"not"}
    return found
