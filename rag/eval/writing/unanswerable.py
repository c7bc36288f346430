"""Questions that look like the others and that no document answers.

A name, a year or a number of a good question is put out for one of the same kind from elsewhere, or a row
of a table is asked for a column that only another table has, by itself or against a row that has it. That no
document answers is checked like the rest.

Source: Rajpurkar et al. 2018, Know What You Don't Know: Unanswerable Questions for SQuAD, for questions
that are near to a passage and have no answer in it.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace

from rag.eval.writing.checks import Alike
from rag.eval.writing.clauses import PREPOSITIONS
from rag.eval.writing.draft import Draft, Kind
from rag.eval.writing.drafting import YEAR, Drafted
from rag.eval.writing.shapes import is_person, is_year
from rag.eval.writing.tabular import cell_question, greater_question, is_figure, is_measured, row_name
from rag.eval.writing.verbs import AUXILIARIES, PLAIN, is_participle
from rag.types import Document, Span

SWAPS = 2
"""Names that are tried in the place of one: those nearest to it in meaning."""
NEAREST = 0.5
"""The cosine from which two names may be of one kind."""

LAST_YEAR = 2027
_WHOLE = (Kind.COMPARISON, Kind.MULTI_DOCUMENT, Kind.LIST)
_NUMBERED = re.compile(r"\b([A-Za-z]{4,}) (\d{1,3})\b(?![.,:]\d)")
_MEASURING = PREPOSITIONS | frozenset(
    "about almost exactly least less more most nearly only over than".split()
)
_BEFORE_VERBS = AUXILIARIES | {"did", "does", "do"}


def draft_unanswerable(
    drafted: Drafted, documents: Iterable[Document], alike: Alike, seed: int
) -> list[Draft]:
    """Drafts with one thing changed that no text has beside the rest, in an order by the seed.

    Rows and columns of tables whose first columns are of another sort come last: those are the sillier ones.
    `alike` tells how near names are to each other in meaning: what is put in is near to what it replaces.
    """
    chance = random.Random(seed)
    texts = [each.text for each in documents]
    years = {year for text in texts for year in YEAR.findall(text)}
    numbered = {match[0].casefold() for text in texts for match in _NUMBERED.finditer(text)}
    swappable = [draft for draft in drafted.drafts if draft.kind not in _WHOLE]
    pools = _pools(swappable, drafted.things)
    columns = _columns(swappable)
    nearest = _Nearest(alike)
    found = list[Draft]()
    for draft in swappable:
        found += _other_column(draft, columns, nearest)
        found += _swapped(draft, pools, columns, nearest, years, chance)
        found += _renumbered(draft, numbered, chance)
    chance.shuffle(found)
    sorts = _sorts(swappable)
    return sorted(found, key=lambda each: _is_odd(each, sorts, nearest))


def _sorts(drafts: Sequence[Draft]) -> dict[str, set[str]]:
    """The names of first columns by each row, and by each other column, that stands beside them."""
    sorts = defaultdict[str, set[str]](set)
    for draft in drafts:
        if draft.kind is Kind.TABLE:
            for name in draft.names[:2]:
                sorts[name].add(draft.names[2])
    return sorts


def _is_odd(draft: Draft, sorts: dict[str, set[str]], nearest: _Nearest) -> bool:
    """Whether a row of one sort is asked for what only rows of another sort have."""
    if draft.kind is not Kind.TABLE:
        return False
    rows, columns = (sorts.get(name, set()) for name in draft.names[:2])
    return not rows & columns and not any(nearest(one, sorted(columns)) for one in sorted(rows) if one)


class _Nearest:
    """The names nearest to one, worked out once each."""

    def __init__(self, alike: Alike) -> None:
        self._alike = alike
        self._known = dict[tuple[str, tuple[str, ...]], list[str]]()

    def __call__(self, name: str, others: Sequence[str]) -> list[str]:
        key = name, tuple(others)
        if key not in self._known:
            scores = self._alike(name, others) if others else ()
            ranked = sorted(zip(scores, others, strict=True), key=lambda each: (-each[0], each[1]))
            self._known[key] = [other for score, other in ranked[:SWAPS] if score >= NEAREST]
        return self._known[key]


def _pools(drafts: Sequence[Draft], things: Sequence[str]) -> dict[str, list[str]]:
    """The names by what they look like, each once."""
    pools = defaultdict[str, dict[str, None]](dict)
    for draft in drafts:
        for name in _swappable(draft):
            pools[_look(name, draft.kind)][name] = None
    for thing in things:
        pools[_look(thing, None)][thing] = None
    return {look: list(names) for look, names in pools.items()}


def _swappable(draft: Draft) -> list[str]:
    """The names in a question that stand for one thing: no adjectives, no parts of other names."""
    if draft.kind is Kind.TABLE:
        return [draft.names[0]]
    return [
        name for name in draft.names if is_year(name) or name.islower() or _stands_alone(draft.question, name)
    ]


def _stands_alone(question: str, name: str) -> bool:
    at = question.find(name)
    before = question[:at].split()[-1:]
    behind = question[at + len(name) :].lstrip("?").split()[:1]
    end = not behind or name.endswith(",") or question[at + len(name)] in ",?" or behind[0] in PREPOSITIONS
    verb = behind[:1] and (behind[0] in PLAIN or is_participle(behind[0]))
    return (
        bool(before)
        and not name.endswith(("’s", "'s"))
        and ((end and before[0] in PREPOSITIONS) or (bool(verb) and before[0] in _BEFORE_VERBS))
    )


def _look(name: str, kind: Kind | None) -> str:
    if is_year(name):
        return "year"
    if is_person(name):
        return "person"
    if kind is Kind.TABLE:
        return "row"
    if name.islower():
        return "things" if name.endswith("s") else "thing"
    return "capitals" if name.isupper() else "name"


def _swapped(
    draft: Draft,
    pools: dict[str, list[str]],
    columns: dict[str, dict[str, str]],
    nearest: _Nearest,
    years: Set[str],
    chance: random.Random,
) -> Iterator[Draft]:
    for name in _swappable(draft):
        if is_year(name):
            near = [str(int(name) + step) for step in (-9, -7, -4, -3, 3, 4, 7, 9)]
            others = [year for year in near if year not in years and int(year) < LAST_YEAR]
            others = chance.sample(others, min(1, len(others)))
        else:
            others = nearest(name, [each for each in pools[_look(name, draft.kind)] if each != name])
        for other in others:
            if draft.kind is Kind.TABLE and row_name(other) in columns[draft.names[1]]:
                continue
            changed = _with(draft, name, other)
            if changed is not None:
                yield changed
                yield from _against(changed, name, draft.answer)


def _against(asked: Draft, peer: str, value: str) -> Iterator[Draft]:
    """The draft of a missing cell, as which of it and another row's cell of that column is the greater."""
    if asked.kind is not Kind.TABLE or not is_figure(value) or not is_measured(asked.names[1]):
        return
    if all(name[0].isupper() and not re.search(r"\d", name) for name in (asked.names[0], peer)):
        yield replace(asked, question=greater_question(asked.names[1], asked.names[0], peer))


def _renumbered(draft: Draft, numbered: Set[str], chance: random.Random) -> Iterator[Draft]:
    """The draft about another one of numbered things, as frame 48: one that no text names."""
    if draft.kind is Kind.TABLE:
        return
    for match in _NUMBERED.finditer(draft.question):
        if match[1].casefold() in _MEASURING:
            continue
        others = [f"{match[1]} {int(match[2]) + step}" for step in range(1, 10)]
        others = [other for other in others if other.casefold() not in numbered]
        for other in chance.sample(others, min(1, len(others))):
            changed = _with(draft, match[0], other)
            if changed is not None:
                yield changed


def _with(draft: Draft, name: str, other: str) -> Draft | None:
    """The draft about another name, where the statement has the name outside of its answer."""
    at = draft.statement.find(name)
    hole = draft.hole
    if at < 0 or hole is None or Span(at, at + len(name)).overlaps(hole) or other in draft.question:
        return None
    moved = len(other) - len(name) if at < hole.start else 0
    return replace(
        draft,
        question=draft.question.replace(name, other),
        statement=f"{draft.statement[:at]}{other}{draft.statement[at + len(name) :]}",
        hole=Span(hole.start + moved, hole.end + moved),
        names=tuple(other if each == name else each for each in draft.names),
        missing=other,
    )


def _columns(drafts: Sequence[Draft]) -> dict[str, dict[str, str]]:
    """The names of columns, each with the rows that it has, and what stands there."""
    columns = defaultdict[str, dict[str, str]](dict)
    for draft in drafts:
        if draft.kind is Kind.TABLE:
            columns[draft.names[1]][row_name(draft.names[0])] = draft.answer
    return columns


def _other_column(draft: Draft, columns: dict[str, dict[str, str]], nearest: _Nearest) -> Iterator[Draft]:
    """A row of a table, asked for what only other tables tell of their rows."""
    if draft.kind is not Kind.TABLE:
        return
    row, column, first = draft.names[:3]
    elsewhere = [name for name, rows in columns.items() if row_name(row) not in rows]
    # A column whose rows are of another sort would be a silly thing to ask for.
    like = [name for name in elsewhere if nearest(row_name(row), list(columns[name]))]
    for other in nearest(column, like):
        value = next(iter(columns[other].values()))
        front = f"{row}, {other}: "
        asked = replace(
            draft,
            question=cell_question(other, row, value, first),
            names=(row, other, first),
            statement=f"{front}{value}",
            hole=Span(len(front), len(front) + len(value)),
            missing=other,
        )
        yield asked
        peer, figure = next(iter(columns[other].items()))
        yield from _against(asked, peer, figure)
