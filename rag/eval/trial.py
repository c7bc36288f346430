"""One question put to a system and measured; what an earlier run found out already is not done again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol, TypeVar

from rag.errors import JudgeFailed
from rag.eval.arguments import NotOfTheProtocol, checked_answer, checked_hits
from rag.eval.failures.diagnosis import Diagnosed, diagnosed
from rag.eval.journal import NOTHING, Entry, Keys, Known
from rag.eval.keys import digest
from rag.eval.metric import Metric
from rag.eval.metrics.answers import answer_words
from rag.eval.metrics.remembered import remembered
from rag.eval.metrics.set_metric import SetMetric
from rag.eval.questions import Question
from rag.eval.report import Row
from rag.eval.sample import Sample, Score
from rag.protocols import Judge
from rag.types import Answer, Hit

_T = TypeVar("_T")
_D = TypeVar("_D")
DIAGNOSIS = "diagnosis"
"""The name under which the journal has a diagnosis, among the scores."""


class KnowledgeBase(Protocol):
    """What is measured.

    One that also has `document(id) -> Document` gets its citations checked. One that has `state() -> str`,
    a digest of all that its answers depend on, or `""` where it cannot tell, can be resumed: what was found
    out at another state is not used. One that has `trace(question) -> Trace` has its wrong answers diagnosed
    by what its index holds. Of one that has `documents() -> Iterable[Document]` is said which gold is in
    none of them. One that has a `judge` is judged by that where no other is given. One that has
    `describe()` has that written beside the results. Where `search` takes `syntax`, that is False: a
    question is text, and its quotes and signs are no conditions.
    """

    def search(self, question: str, /, *, k: int = 10) -> Sequence[Hit]:
        """Return at most k hits, best first."""
        ...

    def ask(self, question: str, /) -> Answer:
        """Answer, or abstain."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with every question. `state` is that of the system and the code, `""` where unknown."""

    kb: KnowledgeBase
    metrics: tuple[Metric, ...]
    set_metrics: tuple[SetMetric, ...]
    k: int
    judge: Judge | None = None
    state: str = ""

    def needs(self, stage: str) -> bool:
        """Whether a metric needs that stage; those of the whole set need answers."""
        asked = stage == "answer" and bool(self.set_metrics)
        return asked or any(stage in metric.needs for metric in self.metrics)

    @property
    def depth(self) -> int:
        """How many hits are searched for: k, or the deepest metric's cutoff where that is more."""
        return max([self.k, *(metric.depth for metric in self.metrics)])


@dataclass(frozen=True, slots=True)
class Ran:
    """A question's row, whether any of it was found out just now, and what of that is to be kept."""

    row: Row
    fresh: bool
    entry: Entry | None


def keys_of(plan: Plan, question: Question) -> Keys:
    """The keys of what a question needs; none where the plan has no state to tell them by."""
    if not plan.state:
        return Keys()
    asked = question.user_input
    search = digest("search", plan.state, asked, plan.depth) if plan.needs("search") else ""
    ask = digest("ask", plan.state, asked) if plan.needs("answer") else ""
    about = digest(search, ask, question, plan.k)
    judge = plan.judge.name if plan.judge else ""
    return Keys(
        search,
        ask,
        {
            metric.name: digest("score", about, metric.name, judge if "judge" in metric.needs else "")
            for metric in plan.metrics
        }
        | ({DIAGNOSIS: digest("diagnosis", about, judge)} if ask else {}),
    )


def run_question(plan: Plan, question: Question, keys: Keys, known: Known = NOTHING) -> Ran:
    """Search, ask and measure, each only where a metric needs it and it is not known.

    An exception of the system is a failure of the question, and is tried again by the next run; so is a
    score for which a verdict is missing.

    Raises:
        NotOfTheProtocol: the system returns what is no hits, or no answer.
    """
    stages = _Stages()
    hits: Sequence[Hit] = ()
    answer = None
    if plan.needs("search"):
        if (row := known.searches.get(keys.search)) is not None:
            hits = stages.recall("search", row, row.hits)
        else:
            hits = stages.attempt("search", lambda: checked_hits(_search(plan, question)), ())
    if plan.needs("answer"):
        if (row := known.answers.get(keys.ask)) is not None:
            answer = stages.recall("ask", row, row.answer)
        else:
            answer = stages.attempt("ask", lambda: checked_answer(plan.kb.ask(question.user_input)), None)
    sample = sample_of(question, hits, answer, getattr(plan.kb, "document", None))
    # what one metric asks of the judge another may too; for longer it would only take up room
    judge = remembered(plan.judge) if plan.judge else None
    scores: dict[str, Score | None] = {}
    measured: list[str] = []
    for metric in plan.metrics:
        key = keys.scores.get(metric.name, "")
        if key in known.scores and not stages.failures:
            scores[metric.name] = known.score(metric.name, key)
        else:
            scores[metric.name] = _measured(metric, sample, judge)
            measured.append(metric.name)
    told = _recalled(sample, keys, known)
    if told is None:
        told = diagnosed(sample, getattr(plan.kb, "trace", None), judge)
        measured.append(DIAGNOSIS)
    row = replace(_row(question, hits, answer, scores, stages), right=told.right, diagnosis=told.diagnosis)
    fresh = bool(stages.run or stages.failures or measured)
    # one that was made without its judge or trace is made again by the next run
    whole = [name for name in measured if not (name == DIAGNOSIS and told.missed)]
    return Ran(row, fresh, _entry(row, keys, stages, whole))


class _Stages:
    """What became of the stages of one question: times in ms, failures, and which were run just now."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}
        self.failures: list[str] = []
        self.run: list[str] = []

    def recall(self, stage: str, row: Row, value: _T) -> _T:
        if stage in row.timings_ms:
            self.timings[stage] = row.timings_ms[stage]
        return value

    def attempt(self, stage: str, call: Callable[[], _T], instead: _D) -> _T | _D:
        start = perf_counter()
        try:
            value = call()
            self.run.append(stage)
            return value
        except (MemoryError, NotOfTheProtocol):
            raise
        except Exception as error:  # a system may be anybody's, and may raise anything
            self.failures.append(f"{stage}: {type(error).__name__}: {error}")
            return instead
        finally:
            self.timings[stage] = (perf_counter() - start) * 1000


def _search(plan: Plan, question: Question) -> Sequence[Hit]:
    search: Callable[..., Sequence[Hit]] = plan.kb.search
    plain = {"syntax": False} if _takes_syntax(search) else {}
    return search(question.user_input, k=plan.depth, **plain)


def _takes_syntax(search: Callable[..., object]) -> bool:
    try:
        return "syntax" in inspect.signature(search).parameters
    except (TypeError, ValueError):
        return False


def sample_of(
    question: Question, hits: Sequence[Hit], answer: Answer | None, document: Callable[..., object] | None
) -> Sample:
    """What metrics measure; where nothing was answered the hits are the contexts."""
    given = hits if answer is None else answer.contexts
    return Sample(
        question,
        response="" if answer is None or answer.abstained else answer_words(answer),
        retrieved_contexts=tuple(hit.chunk.text for hit in given),
        retrieved_context_ids=tuple(hit.chunk.id for hit in given),
        abstained=answer is not None and answer.abstained,
        confidence=None if answer is None else answer.confidence,
        hits=tuple(hits),
        answer=answer,
        document=document,  # type: ignore[arg-type] # taken from the system, as its protocol says
    )


def _measured(metric: Metric, sample: Sample, judge: Judge | None) -> Score | None:
    try:
        return metric.measure(sample, judge if "judge" in metric.needs else None)
    except JudgeFailed as error:
        return Score(0.0 if metric.higher_is_better else 1.0, missed=(str(error),))


def _recalled(sample: Sample, keys: Keys, known: Known) -> Diagnosed | None:
    """What is known of whether the answer is right, and why not; None where it is to be found out."""
    if sample.answer is None:
        return Diagnosed()
    row = known.scores.get(keys.scores.get(DIAGNOSIS, ""))
    return None if row is None else Diagnosed(row.right, row.diagnosis)


def _row(
    question: Question,
    hits: Sequence[Hit],
    answer: Answer | None,
    scores: Mapping[str, Score | None],
    stages: _Stages,
) -> Row:
    given = {name: score for name, score in scores.items() if score is not None}
    return Row(
        question=question,
        hits=tuple(hits),
        answer=answer,
        scores={name: score.value for name, score in given.items()},
        judged={name: score for name, score in given.items() if score.grounds or score.missed},
        failure="; ".join(stages.failures),
        timings_ms=stages.timings,
    )


def _entry(row: Row, keys: Keys, stages: _Stages, measured: Sequence[str]) -> Entry | None:
    """What of a row is to be kept: what was done just now, and came to something."""
    sure = () if stages.failures else measured
    whole = [name for name in sure if name not in row.judged or not row.judged[name].missed]
    kept = Keys(
        keys.search if "search" in stages.run else "",
        keys.ask if "ask" in stages.run else "",
        {name: keys.scores[name] for name in whole if name in keys.scores},
    )
    if not any(kept):
        return None
    part = replace(
        row,
        hits=row.hits if kept.search else (),
        answer=row.answer if kept.ask else None,
        scores={name: value for name, value in row.scores.items() if name in kept.scores},
        judged={name: score for name, score in row.judged.items() if name in kept.scores},
        diagnosis=row.diagnosis if DIAGNOSIS in kept.scores else None,
        right=row.right if DIAGNOSIS in kept.scores else None,
        failure="",
    )
    return Entry(kept, part)
