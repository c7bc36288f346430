"""Whether a text says what another says, told by its words and numbers alone.

The rules are lenient where they look for agreement and strict where they look for contradiction, so that
what they call wrong is seldom right. Stop words and number words are English; other languages are compared
word by word.
"""

from __future__ import annotations

import re

from rag.sentences import sentence_spans

LEAST_SAID = 0.5
"""The share of a reference's words and numbers that a text must have to say it."""
SAME_SUBJECT = 0.5
"""The share of a sentence's words that one on the same subject has too."""

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’]t)?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_STOP = frozenset(
    "a an the of in on at by for from with as to and or but is are was were be been being it its this that "
    "these those there their they he she his her you your we our i one's do does did has have had will would "
    "may might can could should must which who whom what when where how than then so such if also into per "
    "only own under about over up out".split()
)
_NEGATIONS = frozenset(
    "not no never none nobody nothing neither nor without cannot isn't aren't wasn't weren't don't doesn't "
    "didn't won't can't hasn't haven't shouldn't mustn't couldn't wouldn't".split()
)
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
_NUMBERS = {word: str(value) for value, word in enumerate(_SMALL)} | {
    word: str(10 * tens)
    for tens, word in enumerate("thirty forty fifty sixty seventy eighty ninety".split(), 3)
}
_NUMBERS |= {"hundred": "100", "half": "0.5", "first": "1st", "second": "2nd", "third": "3rd"}
_STEM = 6  # characters; longer words are told apart by their beginning, for want of a stemmer


def words_of(text: str) -> list[str]:
    """The words and numbers of a text: lower case, `1,140` and `fourteen` as digits, articles left out."""
    found = []
    for token in _TOKEN.findall(text.lower().replace("’", "'")):
        if token[0].isdigit():
            whole = re.sub(r",(?=\d{3}(?:\D|$))", "", token)
            found.append(whole.rstrip(".,:"))
        elif token not in ("a", "an", "the"):
            found.append(_NUMBERS.get(token, token))
    return found


def numbers_of(text: str) -> set[str]:
    """The numbers of a text, as digits."""
    return {word for word in words_of(text) if word[0].isdigit()}


def subjects_of(text: str) -> set[str]:
    """The beginnings of the words of a text that carry meaning, numbers and negations left out."""
    return {
        word.removesuffix("s")[:_STEM] if len(word) > 3 else word
        for word in words_of(text)
        if word not in _STOP and word not in _NEGATIONS and word != "yes" and not word[0].isdigit()
    }


def says(text: str, reference: str) -> bool:
    """Whether a text says a reference: its words in a row, or all its numbers and half of its words.

    Years may be missing where the reference has other numbers: they often say since when it is so.
    """
    said, wanted = words_of(text), words_of(reference)
    if not wanted:
        return False
    if f" {' '.join(wanted)} " in f" {' '.join(said)} ":
        return True
    numbers = numbers_of(reference)
    needed = {number for number in numbers if not _YEAR.fullmatch(number)} or numbers
    if not needed <= set(said):
        return False
    telling = subjects_of(reference) | numbers
    common = telling & (subjects_of(text) | set(said))
    return bool(telling) and len(common) >= LEAST_SAID * len(telling)


def contradiction(sentence: str, gold: str, reference: str = "") -> str:
    """What of a sentence contradicts the gold text, for a reader; `""` where nothing does.

    Each sentence of the gold is looked at by itself. Two sentences are on one subject where half of the
    words of the one given, and of the shorter, are in the other. They contradict where a number is asked
    for, so that the reference (or, without one, the gold) has some, and the sentence has others alone; or
    where one denies and the other does not, and most words are common.
    """
    parts = [gold[span.start : span.end] for span in sentence_spans(gold)] or [gold]
    return next(filter(None, (_contradiction(sentence, part, reference) for part in parts)), "")


def _contradiction(sentence: str, gold: str, reference: str) -> str:
    mine, other = subjects_of(sentence), subjects_of(gold)
    least = min(len(mine), len(other))
    common = len(mine & other)
    if least < 2 or common < SAME_SUBJECT * max(least, len(mine)):
        return ""
    wanted = numbers_of(reference or gold)
    wrong = numbers_of(sentence) - numbers_of(gold) - numbers_of(reference)
    if wrong and wanted and not wanted & numbers_of(sentence):
        return f"it says {_listed(wrong)} where the gold says {_listed(wanted)}"
    denies = [bool(_NEGATIONS & set(words_of(text))) for text in (sentence, gold)]
    if denies[0] != denies[1] and common >= 0.75 * max(len(mine), len(other)):
        return "it denies what the gold says" if denies[0] else "it says what the gold denies"
    return ""


def _listed(numbers: set[str]) -> str:
    return ", ".join(sorted(numbers)[:4])
