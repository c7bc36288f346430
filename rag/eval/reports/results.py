"""The folder that an evaluation leaves: a line a question, the summary, the times, and the reports.

Every file appears whole or not at all. `summary.json` goes first and comes last, with the digests of the
other files: a folder that has one is complete, and of one run.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rag.errors import InputError
from rag.eval.arguments import checked_folder
from rag.eval.failures.diagnosis import count_failures
from rag.eval.journal import JOURNAL
from rag.eval.keys import file_digest
from rag.eval.questions import Place, Question
from rag.eval.report import Comparison, Evaluation, Row
from rag.eval.retrieval import gold_places
from rag.eval.sample import Score
from rag.eval.statistics.bootstrap import METHOD, RESAMPLES, SEED, Estimate
from rag.eval.statistics.comparison import Difference
from rag.types import Answer, Hit

RESULTS = "results.jsonl"
SUMMARY = "summary.json"
TIMINGS = "timings.jsonl"
PAGE = "report.html"
MARKDOWN = "report.md"


def read_setup(folder: Path) -> Mapping[str, object] | None:
    """Make a folder for results, and read the setup of those it has already; None where it has none.

    Raises:
        InputError: it cannot be made, has a `summary.json` that no evaluation wrote, or holds nothing of an
            evaluation but other things.
    """
    checked_folder(folder, (RESULTS, SUMMARY, TIMINGS, PAGE, MARKDOWN, JOURNAL))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; name a folder") from error
    path = folder / SUMMARY
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _foreign(path) from error
    setup = found.get("setup", {}) if isinstance(found, dict) else None
    if not isinstance(setup, dict) or not isinstance(found.get("metrics"), dict):
        raise _foreign(path)
    return setup


def _foreign(path: Path) -> InputError:
    return InputError(f"{path} is no evaluation's; name another folder, or move it")


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write what an evaluation found to a folder, in place of what another left there.

    Equal results give equal bytes in all but `timings.jsonl`. A number that does not exist is null.

    Raises:
        OSError: the folder cannot be written to.
    """
    from rag.eval.reports.markdown import markdown_report
    from rag.eval.reports.page import html_report

    (folder / SUMMARY).unlink(missing_ok=True)
    _write(folder / TIMINGS, _lines({"id": r.question.id, **r.timings_ms} for r in evaluation.rows))
    _write(folder / RESULTS, _lines(result_json(row, evaluation.setup) for row in evaluation.rows))
    _write(folder / PAGE, html_report(evaluation))
    _write(folder / MARKDOWN, markdown_report(evaluation))
    written = {RESULTS: file_digest(folder / RESULTS)}
    summary = summary_json(evaluation) | {"files": written}
    _write(folder / SUMMARY, json.dumps(summary, ensure_ascii=False, indent=2) + "\n")


def summary_json(evaluation: Evaluation) -> dict[str, object]:
    """All of an evaluation but its rows, as `summary.json` and `rag eval --json` have it."""
    comparison = evaluation.comparison
    return {
        "metrics": estimates_json(evaluation.summary),
        "statistics": estimates_json(evaluation.statistics),
        "by_kind": {kind: estimates_json(each) for kind, each in evaluation.by_kind.items()},
        "by_document": {source: _means(each) for source, each in evaluation.by_document.items()},
        "counts": dict(evaluation.counts),
        "failures": count_failures(row.diagnosis for row in evaluation.rows),
        "interval": {"level": 0.95, "method": METHOD, "resamples": RESAMPLES, "seed": SEED},
        "setup": dict(evaluation.setup),
        "notes": list(evaluation.notes),
        "problems": list(evaluation.problems),
        **({"comparison": comparison_json(comparison)} if comparison else {}),
    }


def estimates_json(estimates: Mapping[str, Estimate]) -> dict[str, object]:
    """Estimates by name; what is no number is null."""
    return {name: _finite(asdict(estimate)) for name, estimate in estimates.items()}


def _means(estimates: Mapping[str, Estimate]) -> dict[str, object]:
    """Estimates by name, with an interval where there are enough questions for one."""
    return {
        name: _finite(asdict(each))
        if each.reliable
        else {"mean": each.mean, "n": each.n, "missed": each.missed}
        for name, each in estimates.items()
    }


def comparison_json(comparison: Comparison) -> dict[str, object]:
    """What differs from an earlier run, with the means of that."""
    return {
        "baseline": comparison.name,
        "means": _finite(comparison.means),
        "differences": [_difference(each) for each in comparison.differences],
        "notes": list(comparison.notes),
    }


def _difference(difference: Difference) -> dict[str, object]:
    return _finite(asdict(difference))


def _finite(values: Mapping[str, object]) -> dict[str, object]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def result_json(row: Row, setup: Mapping[str, object]) -> dict[str, object]:
    """A row with everything needed to argue about it, as a line of `results.jsonl`."""
    question, answer = row.question, row.answer
    judge, judged = setup.get("judge"), _judged(setup)
    return {
        "id": question.id,
        "kind": question.kind,
        "split": question.split,
        "user_input": question.user_input,
        "reference": question.reference,
        "references": list(question.references),
        "reference_contexts": list(question.reference_contexts),
        "answerable": question.answerable,
        "gold": _gold(question, row.hits, () if answer is None else answer.contexts),
        **_answer(answer),
        "hits": [_hit(hit) for hit in row.hits],
        "scores": dict(row.scores),
        "grounds": {
            name: {**_score(score), "judge": judge if name in judged else None}
            for name, score in row.judged.items()
        },
        "failure": row.failure or None,
        "right": row.right,
        "diagnosis": None if row.diagnosis is None else asdict(row.diagnosis),
    }


def _judged(setup: Mapping[str, object]) -> frozenset[str]:
    """The names of the metrics that a judge has a part in."""
    metrics = setup.get("metrics")
    told = metrics.items() if isinstance(metrics, Mapping) else ()
    return frozenset(name for name, each in told if each.get("judged"))


def _answer(answer: Answer | None) -> dict[str, object]:
    if answer is None:
        names = ("response", "abstained", "confidence", "model", "index_commit")
        lists = ("queries", "sentences", "citations", "contexts")
        return {**dict.fromkeys(names), **{name: [] for name in lists}}
    return {
        "response": answer.text,
        "abstained": answer.abstained,
        "confidence": float(answer.confidence),
        "model": answer.model,
        "index_commit": answer.index_commit,
        "queries": list(answer.queries),
        "sentences": [asdict(sentence) for sentence in answer.sentences],
        "citations": [asdict(citation) for citation in answer.citations],
        "contexts": [_hit(hit) for hit in answer.contexts],
    }


def _hit(hit: Hit) -> dict[str, object]:
    chunk = hit.chunk
    stages = {name: None if value is None else float(value) for name, value in asdict(hit.scores).items()}
    return {
        "rank": hit.rank,
        "score": float(hit.score),
        "chunk_id": chunk.id,
        "document_id": chunk.document_id,
        "source": hit.source,
        "title": hit.title,
        "page": chunk.page,
        "section": chunk.section,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "scores": stages,
    }


def _score(score: Score) -> dict[str, object]:
    grounds = [
        {"text": each.text, "value": each.judgement.value, "reason": each.judgement.reason}
        for each in score.grounds
    ]
    return {"grounds": grounds, "missed": list(score.missed)}


def _gold(question: Question, hits: Sequence[Hit], contexts: Sequence[Hit]) -> list[dict[str, object]]:
    """Each gold place, with the rank at which a search found it and that among the contexts, null if not."""
    named = _place_names(question)
    return [
        {
            **place,
            "rank": next((hit.rank for hit in hits if finds(hit)), None),
            "context_rank": next((at for at, hit in enumerate(contexts, 1) if finds(hit)), None),
        }
        for place, finds in zip(named, gold_places(question), strict=True)
    ]


def _place_names(question: Question) -> list[dict[str, object]]:
    """The gold places in the order of `gold_places`, which has them by the first of its rules."""
    if question.answerable is False:
        return []
    if question.reference_context_ids:
        return [{"chunk_id": each} for each in dict.fromkeys(question.reference_context_ids)]
    places = tuple(dict.fromkeys(question.documents))
    located = [place for place in places if place.span is not None or place.page is not None]
    texts = dict.fromkeys(" ".join(text.split()) for text in question.reference_contexts)
    if not located and any(texts):
        return [{"text": text} for text in texts if text]
    return [_place(place) for place in located or places]


def _place(place: Place) -> dict[str, object]:
    span = place.span
    start, end = (None, None) if span is None else (span.start, span.end)
    return {"source": place.source, "page": place.page, "start": start, "end": end}


_LINE_ENDS = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"})
"""What some readers take for the end of a line, as escapes, which JSON may have anywhere in its strings."""


def _lines(rows: Iterable[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False).translate(_LINE_ENDS) + "\n" for row in rows)


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
