"""ragas beside ours: results as its dataset, its dataset as samples, its metrics run without its reports.

ragas sends a report of each use to its makers unless the process's environment forbids it. Nothing is sent
from here, and what is run under `untracked` sends nothing either.

Source: ragas 0.4.3, Apache-2.0 (Es et al. 2024).
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from rag.errors import InputError, JudgeFailed, MissingExtra
from rag.eval.metrics.answers import answer_words
from rag.eval.questions import Question
from rag.eval.report import Row
from rag.eval.sample import Sample

if TYPE_CHECKING:
    from ragas import EvaluationDataset, SingleTurnSample

VERSION = "0.4.3"
_INSTALL = "pip install 'spanrag[ragas]'"
_untracking = threading.RLock()


def require_ragas() -> None:
    """See that ragas is there, and the one version that this was held against.

    Raises:
        MissingExtra: it is not installed, is another version, or cannot be imported.
    """
    try:
        version = metadata.version("ragas")
    except metadata.PackageNotFoundError as error:
        raise MissingExtra(f"ragas is not installed: {_INSTALL}") from error
    if version != VERSION:
        raise MissingExtra(f"ragas is {version}, and {VERSION} is what can be used: {_INSTALL}")
    try:
        import_module("ragas")
    except ImportError as error:  # with another langchain-community than 0.4.1
        raise MissingExtra(f"ragas {VERSION} cannot be imported ({error}): {_INSTALL}") from error


@contextmanager
def untracked() -> Iterator[None]:
    """While this is open, ragas sends no reports, keeps none for later, and writes no user id to disk.

    The environment is left alone, and ragas is as it was afterwards. Other threads that use ragas
    meanwhile are not reported either; another thread that opens this waits.

    Raises:
        MissingExtra: as `require_ragas`.
    """
    require_ragas()
    analytics: Any = import_module("ragas._analytics")
    with _untracking:
        before = analytics.do_not_track, analytics.user_data_dir
        events = list(analytics._analytics_batcher.buffer)
        known = analytics.get_userid.cache_info().currsize
        analytics.do_not_track, analytics.user_data_dir = _yes, _nowhere
        try:
            yield
        finally:
            batcher = analytics._analytics_batcher
            with batcher.lock:  # reports are also kept, to be sent in the background or at exit
                batcher.buffer = [each for each in batcher.buffer if any(each is old for old in events)]
            analytics.do_not_track, analytics.user_data_dir = before
            if not known:
                analytics.get_userid.cache_clear()


def to_ragas(results: Iterable[Row | Sample]) -> EvaluationDataset:
    """Rows of an evaluation, or samples, as ragas's dataset, in order.

    A refusal's response is its words. What is not known is None.

    Raises:
        MissingExtra: as `require_ragas`.
    """
    require_ragas()
    from ragas import EvaluationDataset

    return EvaluationDataset(samples=[_single_turn(each) for each in results])


def from_ragas(dataset: EvaluationDataset) -> tuple[Sample, ...]:
    """Samples of ragas's dataset, in order; the question's id is its place: `row-1`.

    Raises:
        InputError: a sample is a conversation, or has no question.
    """
    return tuple(_sample(each, number) for number, each in enumerate(dataset, 1))


def ragas_scores(
    results: Iterable[Row | Sample], metrics: Sequence[Any]
) -> list[dict[str, float | str | None]]:
    """What ragas's own metrics, of either of its kinds, give each result, by their names; nothing is sent.

    None where ragas gives NaN or refuses the sample (an empty response, no passages), and where a judge of
    ours failed. To be called
    outside of an event loop.

    Raises:
        MissingExtra: as `require_ragas`.
        InputError: two metrics have one name, or one is no metric of ragas.
    """
    other = next((each for each in metrics if not hasattr(each, "name")), None)
    if other is not None:
        raise InputError(
            f"{other!r} is no metric of ragas: give its objects, as ragas.metrics.RougeScore(). The metrics "
            "of this package go by their names: rag.evaluate(kb, questions, metrics=['rouge_score'])"
        )
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        raise InputError(f"two metrics have one name: give each its own (name=...), of {', '.join(names)}")
    dataset = to_ragas(results)
    with untracked():
        return asyncio.run(_score(list(dataset), metrics))


async def _score(samples: Sequence[Any], metrics: Sequence[Any]) -> list[dict[str, float | str | None]]:
    return [{metric.name: await _score_one(sample, metric) for metric in metrics} for sample in samples]


async def _score_one(sample: Any, metric: Any) -> float | str | None:
    try:
        if hasattr(metric, "single_turn_ascore"):  # the older kind takes the sample
            value = await metric.single_turn_ascore(sample)
        else:
            value = (await metric.ascore(**_arguments(sample, metric))).value
    except (ValueError, AssertionError, JudgeFailed):  # the first two: how ragas refuses a sample
        return None
    if isinstance(value, str):
        return value
    return None if value is None or math.isnan(value) else float(value)


def _arguments(sample: Any, metric: Any) -> dict[str, Any]:
    import inspect

    wanted = inspect.signature(metric.ascore).parameters
    return {name: getattr(sample, name) for name in wanted if hasattr(sample, name)}


def _single_turn(result: Row | Sample) -> SingleTurnSample:
    from ragas import SingleTurnSample

    question, answer = result.question, result.answer
    if isinstance(result, Row):
        given = result.hits if answer is None else answer.contexts
        contexts, ids = [hit.chunk.text for hit in given], [hit.chunk.id for hit in given]
        response = None if answer is None else answer_words(answer)
    else:
        contexts, ids = list(result.retrieved_contexts), list(result.retrieved_context_ids)
        response = answer_words(answer) if answer is not None and result.abstained else result.response
    return SingleTurnSample(
        user_input=question.user_input,
        response=response,
        retrieved_contexts=contexts,
        retrieved_context_ids=list(ids),
        reference=next(iter(question.answers), None),
        reference_contexts=list(question.reference_contexts) or None,
        reference_context_ids=list(question.reference_context_ids) or None,
    )


def _sample(given: Any, number: int) -> Sample:
    if not isinstance(given.user_input, str) or not given.user_input.strip():
        raise InputError(f"sample {number} of ragas's dataset has no single question: give it user_input")
    return Sample(
        Question(
            id=f"row-{number}",
            user_input=given.user_input,
            reference=given.reference,
            reference_contexts=tuple(given.reference_contexts or ()),
            reference_context_ids=tuple(map(str, given.reference_context_ids or ())),
        ),
        response=given.response or "",
        retrieved_contexts=tuple(given.retrieved_contexts or ()),
        retrieved_context_ids=tuple(map(str, given.retrieved_context_ids or ())),
    )


def _yes() -> bool:
    return True


def _nowhere(*_: object, **__: object) -> str:
    raise LookupError("no user id is kept")
