"""The JSON that the command line prints and the service returns, made in one place for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypeAlias

from rag.types import AddReport, Answer, Citation, Document, Hit, LedgerEntry, Sentence, Stats

Json: TypeAlias = Mapping[str, object]


def search_json(query: str, hits: Sequence[Hit], timings_ms: Mapping[str, float]) -> Json:
    """What `search` found."""
    return {"query": query, "hits": [hit_json(hit) for hit in hits], "timings_ms": _rounded(timings_ms)}


def hit_json(hit: Hit) -> Json:
    """A hit. `section` is `""` and `page` null where there is none."""
    return {
        "rank": hit.rank,
        "score": hit.score,
        "chunk_id": hit.chunk.id,
        "document_id": hit.chunk.document_id,
        "source": hit.source,
        "title": hit.title,
        "page": hit.chunk.page,
        "section": hit.chunk.section,
        "start": hit.chunk.start,
        "end": hit.chunk.end,
        "text": hit.chunk.text,
        "scores": asdict(hit.scores),
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
        "timings_ms": _rounded(answer.timings_ms),
    }


def sentence_json(sentence: Sentence) -> Json:
    """A sentence of an answer, with the numbers of the citations that prove it."""
    return asdict(sentence) | {"citations": list(sentence.citations)}


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


def stats_json(stats: Stats) -> Json:
    """The size of an index."""
    return asdict(stats)


def error_json(error: Exception) -> Json:
    """An error, as the one JSON object that a command prints instead of its result."""
    return {"error": {"type": type(error).__name__, "message": str(error)}}


def _rounded(times: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in times.items()}
