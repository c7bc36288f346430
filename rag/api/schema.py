"""The JSON that the command line prints and the service returns, made in one place for both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypeAlias

from rag.eval.report import Evaluation
from rag.eval.reports.results import summary_json
from rag.generation.proof import Verdict
from rag.index.quality import Quality
from rag.index.tune import Tuned
from rag.reembed import Reembedded
from rag.sync import SyncReport
from rag.types import (
    AddReport,
    Answer,
    Citation,
    Conflict,
    Document,
    Hit,
    LedgerEntry,
    Request,
    Sentence,
    Stats,
)

Json: TypeAlias = Mapping[str, object]


def search_json(query: str, hits: Sequence[Hit], timings_ms: Mapping[str, float]) -> Json:
    """What `search` found."""
    return {"query": query, "hits": [hit_json(hit) for hit in hits], "timings_ms": _rounded(timings_ms)}


def hit_json(hit: Hit) -> Json:
    """A hit. `section` is `""` and `page` null where there is none."""
    return {
        "rank": hit.rank,
        "score": _number(hit.score),
        "chunk_id": hit.chunk.id,
        "document_id": hit.chunk.document_id,
        "source": hit.source,
        "title": hit.title,
        "page": hit.chunk.page,
        "last_page": hit.chunk.last_page,
        "section": hit.chunk.section,
        "start": hit.chunk.start,
        "end": hit.chunk.end,
        "text": hit.chunk.text,
        "scores": {
            name: None if score is None else _number(score) for name, score in asdict(hit.scores).items()
        },
    }


def answer_json(answer: Answer) -> Json:
    """An answer with all that proves it."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "sentences": [sentence_json(sentence) for sentence in answer.sentences],
        "citations": [citation_json(citation) for citation in answer.citations],
        "contexts": [hit_json(hit) for hit in answer.contexts],
        "model": answer.model,
        "index_commit": answer.index_commit,
        "conflicts": [conflict_json(conflict) for conflict in answer.conflicts],
        "queries": list(answer.queries),
        "usage": asdict(answer.usage) if answer.usage else None,
        "request": request_json(answer.request) if answer.request else None,
        "seal": answer.seal,
        "timings_ms": _rounded(answer.timings_ms),
    }


def sentence_json(sentence: Sentence) -> Json:
    """A sentence of an answer, with the numbers of the citations that prove it."""
    return asdict(sentence) | {"citations": list(sentence.citations), "faults": list(sentence.faults)}


def verdict_json(verdict: Verdict) -> Json:
    """Whether a part of a saved answer is right, and why not."""
    return {"what": verdict.what, "proven": verdict.proven, "reason": verdict.reason}


def request_json(request: Request) -> Json:
    """How an answer was asked for."""
    messages = [asdict(message) for message in request.messages]
    return asdict(request) | {"messages": messages, "documents": list(request.documents)}


def conflict_json(conflict: Conflict) -> Json:
    """Citations that disagree, newest first, each with its date."""
    return {
        "citations": list(conflict.citations),
        "dates": list(conflict.dates),
        "about": conflict.about,
    }


def citation_json(citation: Citation) -> Json:
    """A citation: the place of the quote, and the quote."""
    return asdict(citation)


def add_json(report: AddReport) -> Json:
    """What became of every input, counted and listed."""
    return {
        "indexed": len(report.indexed),
        "unchanged": len(report.unchanged),
        "skipped": len(report.skipped),
        "failed": len(report.failed),
        "chunks": report.chunks,
        "chunks_embedded": report.chunks_embedded,
        "files": [_entry_json(entry) for entry in report.entries],
        "seconds": round(report.seconds, 3),
        "stage_seconds": _rounded(report.stage_seconds),
    }


def sync_json(report: SyncReport) -> Json:
    """What a sync did, or would do: after a dry run the plan alone."""
    plan = asdict(report.plan) | {"moved": [{"from": old, "to": new} for old, new in report.plan.moved]}
    done = {} if report.added is None else add_json(report.added)
    return {**done, "dry_run": report.added is None, "plan": plan}


def _entry_json(entry: LedgerEntry) -> Json:
    return {
        "source": entry.source,
        "status": entry.status.value,
        "reason": entry.reason,
        "document_id": entry.document_id,
        "chunks": entry.chunks,
    }


def document_json(document: Document) -> Json:
    """A document without its text."""
    return {
        "id": document.id,
        "source": document.source,
        "title": document.title,
        "metadata": dict(document.metadata),
        "left_out": list(document.left_out),
    }


def whole_document_json(document: Document) -> Json:
    """A document with its text, and where its pages and sections lie in that."""
    return {
        **document_json(document),
        "text": document.text,
        "pages": [{"number": page.number, **asdict(page.span)} for page in document.pages],
        "sections": [
            {"level": each.level, "title": each.title, **asdict(each.span)} for each in document.sections
        ],
    }


def stats_json(stats: Stats, tenants: Sequence[str]) -> dict[str, object]:
    """The size of an index, and whose documents it has."""
    return asdict(stats) | {"tenants": list(tenants)}


def quality_json(quality: Quality) -> Json:
    """How well an index is searched, and each of its segments."""
    return asdict(quality) | {"queries_per_second": round(quality.queries_per_second, 1)}


def tuned_json(recall: float, tuned: Mapping[str, Tuned]) -> dict[str, object]:
    """What was wanted, and for each kind of structure the least effort that finds it and the curve."""
    return {"recall": recall, "tuned": {kind: asdict(each) for kind, each in tuned.items()}}


def reembedded_json(encoder: str, found: Reembedded) -> Json:
    """What a change to `encoder` did."""
    return {"encoder": encoder} | asdict(found) | {"seconds": round(found.seconds, 3)}


def evaluation_json(found: Evaluation) -> Json:
    """What an evaluation found, as its `summary.json` has it, and the means of a baseline where there is one.

    `difference` is of the means by metric; what of it can be claimed stands in `comparison`.
    """
    if found.comparison is None:
        return summary_json(found)
    means = {name: mean for name, mean in found.comparison.means.items() if name in found.summary}
    difference = {name: _number(found.summary[name].mean - mean) for name, mean in means.items()}
    return {**summary_json(found), "baseline": dict(found.comparison.means), "difference": difference}


def _number(value: float) -> float | None:
    """A number that JSON can hold: null for one that is none."""
    return value if math.isfinite(value) else None


def error_json(error: Exception) -> Json:
    """An error, as the one JSON object that a command prints instead of its result."""
    return {"error": {"type": type(error).__name__, "message": str(error)}}


def _rounded(times: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in times.items()}
