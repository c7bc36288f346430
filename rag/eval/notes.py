"""What a reader of the means has to know of them: verdicts that are missing, gold that is nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rag.errors import RagError
from rag.eval.failures.diagnosis import FailureMode
from rag.eval.failures.trace import span_of_chunk
from rag.eval.questions import Place, Question
from rag.eval.report import Row
from rag.types import Document

NAMED = 5
"""So many sources or questions are named, the others counted."""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on the means; `grave` where some of them say nothing of the system because of it."""

    words: str
    grave: bool = False


def failure_notes(rows: Sequence[Row]) -> list[Note]:
    """A note where every question failed, with the reason that comes most often."""
    if not all(row.failure for row in rows):
        return []
    why = _commonest([Counter(row.failure for row in rows)])
    return [Note(f"every question failed: {why}. The means say nothing of the answers", grave=True)]


def verdict_notes(rows: Sequence[Row]) -> list[Note]:
    """One note for the metrics that lack all verdicts, one for those that lack most, with why most often."""
    given, missing = Counter[str](), Counter[str]()
    reasons: dict[str, Counter[str]] = {}
    for row in rows:
        for name, value in row.scores.items():
            score = row.judged.get(name)
            if score is None:  # a cosine has no grounds, and neither has what needed no judge
                given[name] += value > 0
                continue
            given[name] += sum(each.judgement.value is not None for each in score.grounds)
            missing[name] += len(score.missed)
            reasons.setdefault(name, Counter()).update(score.missed)
    wholly = [name for name in missing if missing[name] and not given[name]]
    mostly = [name for name in missing if missing[name] > given[name] > 0]
    notes = []
    if wholly:
        why = _commonest(reasons[name] for name in wholly)
        words = (
            f"the judge gave no verdict for {_listed(wholly)}: {why}. The means say nothing of the answers"
        )
        notes.append(Note(words, grave=True))
    if mostly:
        why = _commonest(reasons[name] for name in mostly)
        counts = [f"{name} ({missing[name]} of {missing[name] + given[name]})" for name in mostly]
        words = f"most verdicts are missing for {', '.join(counts)}: mostly, {why}"
        notes.append(Note(f"{words}. Each counts as the worst"))
    return notes


def _commonest(counted: Iterable[Counter[str]]) -> str:
    whole = Counter[str]()
    for each in counted:
        whole.update(each)
    return " ".join(whole.most_common(1)[0][0].split()).rstrip(".")


def gold_notes(
    rows: Sequence[Row],
    documents: Callable[[], Iterable[Document]] | None = None,
    document: Callable[[str], Document] | None = None,
) -> list[Note]:
    """Which questions have gold that no document of the index can match, so that it counts as missed.

    Args:
        rows: The rows of a run.
        documents: Every document of the index, their texts left out; where nobody can tell, the diagnoses
            of the rows are gone by.
        document: The document of an id, with its text, by which places beyond its end are found.
    """
    asked = [row.question for row in rows if row.question.answerable is not False]
    if documents is None:
        lost = [r.question.id for r in rows if r.diagnosis and r.diagnosis.mode is FailureMode.NOT_PARSED]
        return [Note(f"the gold of {_questions(lost)} is in no document of the index")] if lost else []
    found = _Found(documents())
    gold = {question.id: dict.fromkeys(_sources(question)) for question in asked}
    missing = {name: [each for each in sources if not found.of(each)] for name, sources in gold.items()}
    absent = [name for name, sources in missing.items() if sources]
    notes = []
    if absent:
        named = _listed(list(dict.fromkeys(each for name in absent for each in missing[name])))
        if all(missing[name] == [*sources] for name, sources in gold.items() if sources):
            words = f"none of the gold documents is in this index: {named}. {found.instead}"
            return [Note(f"{words} Measures of places are 0 for that, and say nothing", grave=True)]
        words = f"the gold of {_questions(absent)} is in no document of this index: {named}"
        notes.append(Note(f"{words}. It counts as missed"))
    behind = [] if document is None else [*_behind(asked, found, document)]
    if behind:
        words = f"the gold of {_questions(behind)} is behind the end of its document"
        notes.append(Note(f"{words}: its offsets are of another text. It counts as missed"))
    return notes


class _Found:
    """The documents of an index by their ids, and by every end of the path of their source."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._ids: dict[str, str] = {}
        self._ends: dict[tuple[str, ...], str] = {}
        self._first = ""
        for document in documents:
            self._first = self._first or document.source
            self._ids[document.id] = document.id
            parts = _parts(document.source)
            for at in range(len(parts)):
                self._ends.setdefault(parts[at:], document.id)

    def of(self, source: str) -> str:
        """The id of the document that a place of that source is in, as `Place.is_in`; `""` without one."""
        return self._ids.get(source) or self._ends.get(_parts(source), "")

    @property
    def instead(self) -> str:
        """What there is."""
        return f"It has, for one, {self._first}." if self._first else "It is empty."


def _parts(source: str) -> tuple[str, ...]:
    return PurePosixPath(source.replace("\\", "/")).parts


def _sources(question: Question) -> Iterator[str]:
    if question.reference_context_ids and not question.documents:
        for chunk_id in question.reference_context_ids:
            document_id, span = span_of_chunk(chunk_id)
            if span is not None:
                yield document_id
    for place in question.documents:
        yield place.source


def _behind(
    questions: Sequence[Question], found: _Found, document: Callable[[str], Document]
) -> Iterator[str]:
    lengths: dict[str, int] = {}

    def is_behind(place: Place) -> bool:
        held = found.of(place.source)
        if place.span is None or not held:
            return False
        if held not in lengths:
            try:
                lengths[held] = len(document(held).text)
            except RagError:  # deleted meanwhile
                return False
        return place.span.end > lengths[held]

    for question in questions:
        if any(map(is_behind, question.documents)):
            yield question.id


def _questions(names: Sequence[str]) -> str:
    return f"{len(names)} question{'' if len(names) == 1 else 's'} ({_listed(names)})"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
