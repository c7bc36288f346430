r"""What a person types into a search box -> what is scored, what must be there, and what must not.

    "exact phrase"  must be there, word by word      -"exact phrase"  must not
    +word           must be there                    -word            must not

An operator counts only where a person would mean it: at the start of a token,
directly before a letter, a digit or a quote. A minus before a number is the
number's own. Quotes are `"..."` and typographic double ones; a quote that is not
closed, an apostrophe and `\"` are text. So is all the rest: any text is a query.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.index.analyzer import Analyzer

_OPERATOR = re.compile(
    r"""(?<!\S)                                          # at the start of a token
    (?P<sign>[+-]?)
    (?: "(?P<straight>(?:[^"\\]|\\.)*+)"
      | [“„‟”](?P<curly>(?:[^“„”‟\\]|\\.)*+)[“”‟]
      | (?<=[+-])(?!(?<=-)\d[\d.,:/-]*+(?![^\W_]))(?P<word>[^\W_]\S*+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart. Without operators `plain` is the text as it was, and nothing is required.

    `plain` is the text to encode: without what is excluded, signs and quotes. `phrases`
    and `required` are parts of it that a hit must hold, `excluded` words and phrases that
    it must not.
    """

    plain: str
    phrases: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The text that BM25 scores: plain words, required words and the words of phrases."""
        return self.plain

    @property
    def scores_nothing(self) -> bool:
        """Whether there is nothing to score, as where all is excluded: such a query has no hits."""
        return not self.plain.strip()


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the terms of a hit must and must not hold, each a phrase of one term or more.

    A None in a phrase stands for one place that any word may take.
    """

    required: tuple[tuple[str | None, ...], ...] = ()
    excluded: tuple[tuple[str | None, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.required or self.excluded)

    def met_by(self, positions: Sequence[str | None]) -> bool:
        """Whether a text meets them, given as the analyzer's `positions`."""
        return all(holds(positions, phrase) for phrase in self.required) and not any(
            holds(positions, phrase) for phrase in self.excluded
        )


def parse_query(text: str) -> Query:
    """Take a query apart. It never fails: what is not an operator is text.

    >>> query = parse_query('"sick leave" +parental pay -unpaid')
    >>> query.plain, query.phrases, query.required, query.excluded
    ('sick leave parental pay', ('sick leave',), ('parental',), ('unpaid',))
    """
    phrases: list[str] = []
    required: list[str] = []
    excluded: list[str] = []
    plain: list[str] = []
    behind = 0
    for found in _OPERATOR.finditer(text):
        sign, word = found["sign"], found["word"]
        part = (word or found["straight"] or found["curly"] or "").strip()
        if not _LETTER_OR_DIGIT.search(part):
            continue
        if word:
            part = word.rstrip(".,;:!?)]}")
        between = text[behind : found.start()]
        behind = found.end()
        if sign == "-":
            excluded.append(part)
            plain.append(between.rstrip())
        else:
            (required if word else phrases).append(part)
            plain += [between, word or part]
        if _LETTER_OR_DIGIT.match(text, behind):
            plain.append(" ")  # "one"two are two words
    if not behind:
        return Query(text)
    plain.append(text[behind:])
    return Query("".join(plain).strip(), tuple(phrases), tuple(required), tuple(excluded))


def terms_of_phrase(text: str, analyzer: Analyzer) -> tuple[str | None, ...]:
    """The terms of a phrase at their places, None where a stop word was left out.

    Stop words at either end are dropped, so a phrase of nothing else has no terms.
    """
    places = analyzer.positions(text)
    terms = [at for at, term in enumerate(places) if term is not None]
    return tuple(places[terms[0] : terms[-1] + 1]) if terms else ()


def conditions(query: Query, analyzer: Analyzer) -> Conditions:
    """The conditions of a query in the terms of an index.

    A word or phrase of stop words alone is no condition: no index could tell whether it is met.
    """

    def phrases(parts: Sequence[str]) -> tuple[tuple[str | None, ...], ...]:
        return tuple(dict.fromkeys(filter(None, (terms_of_phrase(part, analyzer) for part in parts))))

    return Conditions(phrases((*query.phrases, *query.required)), phrases(query.excluded))


def holds(positions: Sequence[str | None], phrase: Sequence[str | None]) -> bool:
    """Whether the terms of a phrase stand in a text of these positions; those of no terms do."""
    if not phrase:
        return True
    last = len(positions) - len(phrase)
    if last < 0:
        return False
    at = -1
    while True:
        try:
            at = positions.index(phrase[0], at + 1, last + 1)
        except ValueError:
            return False
        if all(term is None or positions[at + step] == term for step, term in enumerate(phrase)):
            return True
