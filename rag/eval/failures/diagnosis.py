"""Why an answer is wrong: the first stage at which what it should have said was lost.

`rightness` says what is wrong, and when that cannot be told; then there is no diagnosis, nor where the
system raised an error. Of the gold places that the answer does not cite, the one that was lost first is
named. Where its contexts hold them all (or one of them, and the words of an accepted answer), nothing was
lost, and the answer itself is at fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from rag.errors import RagError
from rag.eval.failures.rightness import Rightness, cited_by, cites, is_cited, rightness
from rag.eval.failures.trace import Trace, TracedPlace, flat, is_reached, places_of
from rag.eval.failures.wording import contradiction, says
from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.protocols import Judge
from rag.types import Answer, Citation

DEFAULT_K = 10


class FailureMode(StrEnum):
    """Where an answer went wrong, in the order of the pipeline; `contradicted` is tried before `ignored`.

    not_parsed: no document that may be read holds the gold: its file is not in the index, or its text,
        as it was read, lacks it.
    not_chunked: a document holds it, but no chunk holds half of it, or 500 characters of a long one.
    not_retrieved: no such chunk is among the candidates (100) of any stage of the search.
    demoted: one is a candidate, but fusing, reranking or a small k left it below the k hits.
    not_in_context: one is among the k hits, but what the answer was made from does not hold it.
    ignored: the answer had it in its contexts, and says something else.
    contradicted: it had it, and says what it, or the reference, contradicts: other numbers, a denial, or a
        sentence that cites it and that the verifier found fault with.
    wrongly_refused: it had it, and abstained.
    wrongly_answered: an unanswerable question was answered.
    """

    NOT_PARSED = "not_parsed"
    NOT_CHUNKED = "not_chunked"
    NOT_RETRIEVED = "not_retrieved"
    DEMOTED = "demoted"
    NOT_IN_CONTEXT = "not_in_context"
    IGNORED = "ignored"
    CONTRADICTED = "contradicted"
    WRONGLY_REFUSED = "wrongly_refused"
    WRONGLY_ANSWERED = "wrongly_answered"

    @property
    def words(self) -> str:
        """The mode as it is said."""
        return self.value.replace("_", " ")


FIXES = {
    FailureMode.NOT_PARSED: "Look up the file in what `rag add` says of it: add it, or mend how it is read "
    "(a scan needs text recognition, an odd layout another loader).",
    FailureMode.NOT_CHUNKED: "Make an index of larger chunks (`rag add --setting size_tokens=400`), or of "
    "chunks that overlap more (`overlap_tokens`), so that one holds the passage.",
    FailureMode.NOT_RETRIEVED: "Question and passage share too few words, and too little meaning for this "
    "encoder: try another (`--encoder`), or give the passage a heading that names what it is of.",
    FailureMode.DEMOTED: "Answer from more hits (`-k`), or let a reranker order them (`--reranker`; where "
    "one did, try without it).",
    FailureMode.NOT_IN_CONTEXT: "Compare the contexts of the answer with its hits. A model with a short "
    "context takes fewer passages: load it with more `context_tokens` (`rag.open_model`).",
    FailureMode.IGNORED: "The generator had the passage. Look at what it quotes in its place; fewer passages "
    "(`-k`) distract less, `rag.extractive(most_sentences=9)` quotes more, and a model (`--model`) reads.",
    FailureMode.CONTRADICTED: "Look whether the documents disagree, and delete the outdated one. If the "
    "sentence is not proven, let it be dropped (`--policy drop`, the default).",
    FailureMode.WRONGLY_REFUSED: "An extractive answer is refused below a confidence of .33: "
    "`rag.extractive(least_confidence=.2)` refuses less. Of a model all sentences were dropped as unproven: "
    "look at them with `--policy flag`.",
    FailureMode.WRONGLY_ANSWERED: "`rag.extractive(least_confidence=.5)` refuses more than the default of "
    ".33 does. Of a model see what the sentences cite: none of it answers the question.",
}
_ORDER = tuple(FailureMode)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The mode of a failure, what was looked at to say so, and the fix that it suggests."""

    mode: FailureMode
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """What can be said of an answer: whether it is right, None where that cannot be told, and why not.

    `missed` says what failed that was needed for it, a judge or the trace: another time it may be otherwise.
    """

    right: bool | None = None
    diagnosis: Diagnosis | None = None
    missed: str = ""


def diagnosed(
    sample: Sample, trace: Callable[[Question], Trace] | None = None, judge: Judge | None = None
) -> Diagnosed:
    """The diagnosis of a sample. The index is traced, where `trace` is given, for a wrong answer alone."""
    if sample.answer is None:
        return Diagnosed()
    question = sample.question
    places: tuple[TracedPlace, ...] = _untraced(question)
    told = rightness(sample, places, judge)
    traced, missed = None, ""
    if trace is not None and places and _is_failure(sample, told):
        try:
            traced = trace(question)
        except RagError as error:
            missed = f"the index could not be looked into: {error}"
        else:
            places = traced.places
            # what was said is said; what it cites can be told better now
            told = told if question.answers else rightness(sample, places)
    found = _why(sample, sample.answer, places, traced) if _is_failure(sample, told) else None
    return Diagnosed(told.right, found, told.missed or missed)


def diagnose(sample: Sample, trace: Trace | None = None, *, judge: Judge | None = None) -> Diagnosis | None:
    """Why the answer of a sample is wrong; None where it is right, or that cannot be told.

    Without a trace the hits and contexts alone are looked at: a place that neither holds is called
    `not_retrieved`, whatever became of it before. A system that gives no `Answer` gets no diagnosis.
    """
    if sample.answer is None:
        return None
    places = trace.places if trace else _untraced(sample.question)
    if not _is_failure(sample, rightness(sample, places, judge)):
        return None
    return _why(sample, sample.answer, places, trace)


def _untraced(question: Question) -> tuple[TracedPlace, ...]:
    return tuple(TracedPlace(gold) for gold in places_of(question))


def _is_failure(sample: Sample, told: Rightness) -> bool:
    """Whether there is something to diagnose: a wrong answer, or a refusal of what has an answer."""
    return sample.question.answerable is not False if sample.abstained else told.right is False


def _why(
    sample: Sample, answer: Answer, places: Sequence[TracedPlace], trace: Trace | None
) -> Diagnosis | None:
    """Why an answer that is wrong is so; None where no gold place is known, nor what it should have said."""
    question = sample.question
    if question.answerable is False:
        sure = "" if sample.confidence is None else f" with confidence {sample.confidence:.2f}"
        return _diagnosis(FailureMode.WRONGLY_ANSWERED, f"nothing answers it, and it was answered{sure}")
    lost = [
        place
        for place in places
        if (sample.abstained or not is_cited(sample, place)) and not is_reached(place, answer.contexts)
    ]
    had = [place for place in places if place not in lost]
    said = any(says(text, each) for each in question.answers for text in sample.retrieved_contexts)
    if (said and (had or not places)) or (places and not lost):
        return _at_fault(sample, answer, had, places)
    modes = [_lost(place, sample, answer, trace) for place in lost]
    return min(modes, key=lambda found: _ORDER.index(found.mode), default=None)


def count_failures(diagnoses: Iterable[Diagnosis | None]) -> dict[str, int]:
    """How many failures there are of each mode that there is, in the order of the pipeline."""
    counted = Counter(each.mode for each in diagnoses if each is not None)
    return {mode.value: counted[mode] for mode in FailureMode if counted[mode]}


def _at_fault(
    sample: Sample, answer: Answer, reached: Sequence[TracedPlace], places: Sequence[TracedPlace]
) -> Diagnosis:
    """What an answer made of a gold that it had."""
    names = ", ".join(place.gold.name for place in reached) or "an accepted answer"
    where = f"its {len(answer.contexts)} contexts hold {names}"
    if answer.abstained:
        return _diagnosis(
            FailureMode.WRONGLY_REFUSED, f"{where}; it abstained with confidence {answer.confidence:.2f}"
        )
    wrong = _contradicted(sample, answer, reached, places)
    if wrong:
        return _diagnosis(FailureMode.CONTRADICTED, f"{where}; {wrong}")
    cited = ", ".join(dict.fromkeys(_place(citation) for citation in answer.citations))
    told = f"it cites {cited}" if cited else "it cites nothing"
    return _diagnosis(FailureMode.IGNORED, f"{where}; {told}, and does not say it")


def _contradicted(
    sample: Sample, answer: Answer, reached: Sequence[TracedPlace], places: Sequence[TracedPlace]
) -> str:
    """What of the answer the gold or the reference contradicts, `""` where nothing does."""
    question = sample.question
    reference = question.reference or ""
    texts = [place.text or place.gold.text for place in reached]
    texts += [f"{question.user_input} {reference}"] if reference else []
    # what is quoted of a gold place word for word does not contradict it
    quoted = {flat(c.quote) for c in answer.citations for place in places if cites(c, place)}
    sentences = [each for each in answer.sentences if flat(each.text) not in quoted]
    for sentence in sentences:
        for_gold = any(cites(c, place) for c in cited_by(sentence, answer.citations) for place in reached)
        if for_gold and not sentence.supported and sentence.faults:
            return f"of what it says with that proof, {'; '.join(sentence.faults)}"
    found = (contradiction(each.text, gold, reference) for each in sentences for gold in texts)
    return next(filter(None, found), "")


def _lost(place: TracedPlace, sample: Sample, answer: Answer, trace: Trace | None) -> Diagnosis:
    """At which stage the answer's contexts came to lack a place."""
    k = answer.request.k if answer.request else len(answer.contexts) or DEFAULT_K
    name = place.gold.name
    if trace is None:
        return _lost_of_hits(place, sample, k)
    if not place.document_id:
        return _diagnosis(FailureMode.NOT_PARSED, f"{name}: {place.problem}")
    if not place.chunks:
        return _diagnosis(FailureMode.NOT_CHUNKED, f"{name}: {place.problem}")
    if not place.ranks:
        return _diagnosis(
            FailureMode.NOT_RETRIEVED,
            f"{name}: not among the {trace.depth} best of {_and(trace.stages)}",
        )
    last = place.ranks.get(trace.stages[-1])
    ranks = ", ".join(f"{stage} rank {place.ranks[stage]}" for stage in trace.stages if stage in place.ranks)
    if last is None or last > k:
        return _diagnosis(FailureMode.DEMOTED, f"{name}: {ranks}; the answer was made from the {k} best")
    return _diagnosis(
        FailureMode.NOT_IN_CONTEXT,
        f"{name}: {ranks}, within the {k} best, but not in the {len(answer.contexts)} contexts",
    )


def _lost_of_hits(place: TracedPlace, sample: Sample, k: int) -> Diagnosis:
    name = place.gold.name
    rank = next((hit.rank for hit in sample.hits if is_reached(place, (hit,))), None)
    if rank is None:
        looked = f"not among the {len(sample.hits)} hits and the contexts; the index was not looked into"
        return _diagnosis(FailureMode.NOT_RETRIEVED, f"{name}: {looked}")
    if rank > k:
        return _diagnosis(FailureMode.DEMOTED, f"{name}: rank {rank}; the answer was made from the {k} best")
    return _diagnosis(FailureMode.NOT_IN_CONTEXT, f"{name}: rank {rank}, but not in the contexts")


def _diagnosis(mode: FailureMode, reason: str) -> Diagnosis:
    return Diagnosis(mode, reason, FIXES[mode])


def _and(stages: Sequence[str]) -> str:
    return " and ".join(stages)


def _place(citation: Citation) -> str:
    page = "" if citation.page is None else f", page {citation.page}"
    return f"{PurePath(citation.source).name or citation.document_id[:12]}{page}"
