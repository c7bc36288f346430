"""A run of any system measured against judgments, without an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rag.errors import InputError
from rag.eval.baseline import read_baseline
from rag.eval.keys import code_digest, digest, package_version
from rag.eval.measures import Measure, Qrels, Run, measure_run, rank_documents
from rag.eval.metric import Metric
from rag.eval.pairing import compare_rows, refuse_overwriting, refuse_unrelated, refuse_untested
from rag.eval.questions import Place, Question
from rag.eval.report import Evaluation, Row
from rag.eval.reports.results import read_setup, write_evaluation
from rag.eval.sample import Sample, Score
from rag.eval.statistics.bootstrap import estimate_mean
from rag.protocols import Judge
from rag.types import Chunk, Hit, Span

RUN_MEASURES = ("nDCG@10", "Recall@100", "RR@10", "AP", "Bpref", "P@10", "Success@10")
_SHOWN = 10


def score_run(
    run: Run,
    qrels: Qrels,
    measures: Sequence[str | Measure] = RUN_MEASURES,
    *,
    queries: Mapping[str, str] | None = None,
    out: str | Path | None = None,
    baseline: str | Path | None = None,
    name: str = "",
) -> Evaluation:
    """Measure a run as an evaluation: a row for every judged query, means with 95 % intervals.

    A query that the run lacks counts 0. A row's hits are the first 10 documents, which have no text;
    `queries` are the words of the queries, their ids unless given. `counts` has `questions` and
    `missing`, the judged queries that the run lacks. `out` is a folder for what was found, `baseline` what
    an earlier one holds, to compare with, and `name` what the queries are called in reports.

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
    earlier = read_baseline(Path(baseline)) if baseline is not None else None
    folder = Path(out) if out is not None else None
    if baseline is not None:
        refuse_overwriting(Path(baseline), folder)
    if folder is not None:
        read_setup(folder)
    scores = measure_run(run, qrels, measures)
    found = Evaluation(
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
        notes=(_lacking(missing),) if missing else (),
        setup={
            "rag": {"version": package_version(), "code": code_digest()},
            "questions": {"file": name or None, "digest": digest(*qrels.items()), "count": len(judged)},
            "metrics": {each: {"formula": "", "judged": False, "higher_is_better": True} for each in scores},
        },
    )
    if earlier is not None:
        metrics = [Metric(each, _measured, frozenset()) for each in scores]
        refuse_unrelated([row.question for row in found.rows], metrics, earlier)
        comparison = compare_rows(found.rows, metrics, found.setup, earlier)
        refuse_untested(comparison, earlier)
        found = replace(found, comparison=comparison)
    if folder is not None:
        write_evaluation(found, folder)
    return found


def _measured(sample: Sample, judge: Judge | None) -> Score | None:
    raise AssertionError("the measures of a run are of the run as a whole")


def _lacking(queries: Sequence[str]) -> str:
    more = f" and {len(queries) - _SHOWN} more" if len(queries) > _SHOWN else ""
    count = "counts" if len(queries) == 1 else "count"
    named = f"{', '.join(queries[:_SHOWN])}{more}"
    return f"the run lacks {len(queries)} of the judged queries, which {count} 0: {named}"


def _hits(scores: Mapping[str, float]) -> tuple[Hit, ...]:
    first = rank_documents(scores)[:_SHOWN]
    return tuple(
        Hit(rank, scores[document], Chunk(document, Span(0, 0), ""), source=document, title="")
        for rank, document in enumerate(first, 1)
    )
