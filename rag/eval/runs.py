"""A run of any system measured against judgments, without an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.errors import InputError
from rag.eval.measures import Measure, Qrels, Run, measure_run, rank_documents
from rag.eval.questions import Place, Question
from rag.eval.report import Evaluation, Row
from rag.eval.statistics.bootstrap import estimate_mean
from rag.types import Chunk, Hit, Span

RUN_MEASURES = ("nDCG@10", "Recall@100", "RR@10", "AP", "Bpref", "P@10", "Success@10")
_SHOWN = 10


def score_run(
    run: Run,
    qrels: Qrels,
    measures: Sequence[str | Measure] = RUN_MEASURES,
    *,
    queries: Mapping[str, str] | None = None,
) -> Evaluation:
    """Measure a run as an evaluation: a row for every judged query, means with 95 % intervals.

    A query that the run lacks counts 0. A row's hits are the first 10 documents, which have no text;
    `queries` are the words of the queries, their ids unless given. `counts` has `questions` and
    `missing`, the judged queries that the run lacks.

    Raises:
        InputError: no measure is named, no query is judged, no query of the run is, a measure's name is
            wrong, or a score is not a number.
    """
    if not measures:
        raise InputError("no measure is named: name one, or leave the names out for those that are usual")
    judged = [query for query, grades in qrels.items() if grades]
    if not judged:
        raise InputError("no query is judged, so there is nothing to take a mean of: give other qrels")
    missing = [query for query in judged if query not in run]
    if len(missing) == len(judged):
        raise InputError("the run has none of the judged queries: give the run and the judgments of one set")
    scores = measure_run(run, qrels, measures)
    return Evaluation(
        summary={name: estimate_mean([*values.values()]) for name, values in scores.items()},
        by_kind={},
        counts={"questions": len(judged), "missing": len(missing)},
        rows=tuple(
            Row(
                question=Question(
                    id=query,
                    user_input=(queries or {}).get(query, query),
                    documents=tuple(Place(document) for document, grade in qrels[query].items() if grade > 0),
                ),
                hits=_hits(run.get(query, {})),
                answer=None,
                scores={name: values[query] for name, values in scores.items()},
            )
            for query in judged
        ),
    )


def _hits(scores: Mapping[str, float]) -> tuple[Hit, ...]:
    first = rank_documents(scores)[:_SHOWN]
    return tuple(
        Hit(rank, scores[document], Chunk(document, Span(0, 0), ""), source=document, title="")
        for rank, document in enumerate(first, 1)
    )
