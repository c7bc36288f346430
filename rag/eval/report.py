"""What an evaluation found, and the files that keep it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rag.eval.bootstrap import RESAMPLES, SEED, Estimate
from rag.eval.questions import Question
from rag.eval.sample import Score
from rag.types import Answer, Hit


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one question.

    `hits` is empty where no metric asked for a search, `answer` None where none asked for
    an answer or it failed. `scores` lacks the metrics that the question does not bear on.
    `failure` is the reason where the system raised an error, else `""`. `judged` has the grounds of the
    scores that a judge had a part in.
    """

    question: Question
    hits: tuple[Hit, ...]
    answer: Answer | None
    scores: Mapping[str, float]
    failure: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    judged: Mapping[str, Score] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found.

    `summary` has an estimate for every metric, over the questions that it bears on (n may be
    0); `by_kind` the same for each kind of question. `counts` has `questions`, `failed`,
    `answered`, `abstained`, `right_refusals` (abstained, unanswerable), `wrong_refusals`
    (abstained, answerable) and `wrong_answers` (answered, unanswerable).
    """

    summary: Mapping[str, Estimate]
    by_kind: Mapping[str, Mapping[str, Estimate]]
    counts: Mapping[str, int]
    rows: tuple[Row, ...]


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write `results.jsonl` (a row a question), `timings.jsonl` and `summary.json` to a folder.

    Each file appears whole or not at all, the summary last. Equal results give equal bytes
    in all but `timings.jsonl`. A number that does not exist is null.

    Raises:
        OSError: the folder cannot be written to.
    """
    _write(folder / "results.jsonl", _lines(_result(row) for row in evaluation.rows))
    _write(folder / "timings.jsonl", _lines({"id": r.question.id, **r.timings_ms} for r in evaluation.rows))
    summary = {
        "metrics": {name: _estimate(estimate) for name, estimate in evaluation.summary.items()},
        "by_kind": {
            kind: {name: _estimate(estimate) for name, estimate in estimates.items()}
            for kind, estimates in evaluation.by_kind.items()
        },
        "counts": evaluation.counts,
        "interval": {"level": 0.95, "method": "bootstrap percentile", "resamples": RESAMPLES, "seed": SEED},
    }
    _write(folder / "summary.json", json.dumps(summary, ensure_ascii=False, indent=2) + "\n")


def _result(row: Row) -> dict[str, object]:
    answer = row.answer
    return {
        "id": row.question.id,
        "kind": row.question.kind,
        "split": row.question.split,
        "user_input": row.question.user_input,
        "reference": row.question.reference,
        "answerable": row.question.answerable,
        "response": None if answer is None else answer.text,
        "abstained": None if answer is None else answer.abstained,
        "confidence": None if answer is None else float(answer.confidence),
        "citations": [] if answer is None else [asdict(citation) for citation in answer.citations],
        "hits": [_hit(hit) for hit in row.hits],
        "scores": row.scores,
        "failure": row.failure or None,
    }


def _hit(hit: Hit) -> dict[str, object]:
    where = {"chunk_id": hit.chunk.id, "source": hit.source, "page": hit.chunk.page}
    return {"rank": hit.rank, "score": float(hit.score), **where}


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in asdict(estimate).items()}


def _lines(rows: Iterable[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # JSON may hold half a surrogate pair, which UTF-8 cannot: back to the escape it came as
        with part.open("wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
