"""A question as the page shows it whole: its answer, the verdicts on it, and its contexts, marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import PurePath

from rag.eval.questions import Place
from rag.eval.report import Row
from rag.eval.reports.findings import is_small, mean_score
from rag.eval.reports.showing import one_line, visible
from rag.eval.sample import Score
from rag.types import Answer, Hit, Span

LONGEST_TEXT = 4_000
MOST_GROUNDS = 40
MOST_GOLD = 4


def card(row: Row, anchor: str, lower_is_better: frozenset[str]) -> dict[str, object]:
    """What the page shows of a row, every text of it visible."""
    question, answer = row.question, row.answer
    mean = mean_score(row, lower_is_better)
    gold = f"{sum(_is_gold(row, hit) for hit in answer.contexts)} with gold" if answer and _spans(row) else ""
    return {
        "anchor": anchor,
        "id": one_line(question.id, 80),
        "asked": one_line(question.user_input, 400),
        "kind": one_line(question.kind, 60),
        "mean": "" if mean is None else f"{mean:.2f}",
        "failure": one_line(row.failure, 1000),
        "diagnosis": diagnosis(row),
        "confidence": "" if answer is None else f"{answer.confidence:.2f}",
        "sentences": [] if answer is None else _sentences(answer),
        "said": said(row),
        "reference": reference(row),
        "gold_texts": [one_line(each, 600) for each in question.reference_contexts[:MOST_GOLD]],
        "scores": [
            (one_line(name, 60), f"{value:.2f}", _score_tone(name, value, lower_is_better))
            for name, value in row.scores.items()
        ],
        "judged": [_judged(name, score, row.scores) for name, score in row.judged.items()],
        "contexts": [] if answer is None else [_context(row, hit, answer) for hit in answer.contexts],
        "gold": gold,
    }


def diagnosis(row: Row) -> dict[str, str] | None:
    """The diagnosis of a row."""
    found = row.diagnosis
    if found is None:
        return None
    return {"mode": found.mode.words, "reason": one_line(found.reason, 1000), "fix": found.fix}


def said(row: Row) -> str:
    """The words of an answer."""
    if row.answer is None:
        return "No answer."
    return text(row.answer.text)


def reference(row: Row) -> str:
    """What was to be said."""
    if row.question.answerable is False:
        return "None: the documents do not answer it."
    return text("\n".join(row.question.answers)) or "Not given."


def text(raw: str) -> str:
    """A text fit to be shown, a very long one cut."""
    return visible(raw if len(raw) <= LONGEST_TEXT else f"{raw[:LONGEST_TEXT]}…")


def _sentences(answer: Answer) -> list[dict[str, object]]:
    return [
        {
            "text": text(each.text),
            "marks": each.citations,
            "supported": each.supported,
            "faults": one_line("; ".join(each.faults), 400),
        }
        for each in answer.sentences
    ]


def _judged(name: str, score: Score, scores: Mapping[str, float]) -> dict[str, object]:
    return {
        "name": one_line(name, 60),
        "value": f"{scores.get(name, score.value):.2f}",
        "count": len(score.grounds),
        "missed": [one_line(reason, 300) for reason in score.missed],
        "grounds": [
            {
                "text": one_line(ground.text, 500),
                "reason": one_line(ground.judgement.reason, 300),
                "value": "none" if ground.judgement.value is None else f"{ground.judgement.value:.2f}",
                "tone": "none" if ground.judgement.value is None else _tone(ground.judgement.value),
            }
            for ground in score.grounds[:MOST_GROUNDS]
        ],
    }


def _context(row: Row, hit: Hit, answer: Answer) -> dict[str, object]:
    chunk, scores = hit.chunk, hit.scores
    stages = {"bm25": scores.bm25, "dense": scores.dense, "rerank": scores.rerank}
    cited = [
        Span(each.start, each.end)
        for each in answer.citations
        if each.document_id == chunk.document_id and 0 <= each.start < each.end
    ]
    gold = [span for source, span in _spans(row) if source.is_in(hit.source, chunk.document_id)]
    return {
        "rank": hit.rank,
        "source": one_line(PurePath(hit.source).name or hit.source, 120),
        "page": chunk.page,
        "section": one_line(chunk.section, 160),
        "stages": ", ".join(f"{name} {value:.2f}" for name, value in stages.items() if value is not None),
        "parts": parts(chunk.text, chunk.start, cited, gold),
    }


def parts(raw: str, start: int, cited: Sequence[Span], gold: Sequence[Span]) -> list[tuple[str, str]]:
    """A text that begins at `start`, cut where a span does: each part `c`ited, `g`old, `cg` or `""`."""
    cuts = {0, len(raw)}
    for span in (*cited, *gold):
        cuts |= {min(max(at - start, 0), len(raw)) for at in (span.start, span.end)}
    edges = sorted(cuts)
    found = []
    for begin, end in pairwise(edges):
        here = Span(start + begin, start + end)
        kind = "".join(
            name for name, spans in (("c", cited), ("g", gold)) if any(span.overlaps(here) for span in spans)
        )
        found.append((kind, visible(raw[begin:end])))
    return found


def _spans(row: Row) -> list[tuple[Place, Span]]:
    return [(place, place.span) for place in row.question.documents if place.span is not None]


def _is_gold(row: Row, hit: Hit) -> bool:
    return any(
        place.is_in(hit.source, hit.chunk.document_id) and span.overlaps(hit.chunk.span)
        for place, span in _spans(row)
    )


def _score_tone(name: str, value: float, lower_is_better: frozenset[str]) -> str:
    return "" if is_small(name) else _tone(1 - value if name in lower_is_better else value)


def _tone(value: float) -> str:
    return "low" if value < 0.5 else "high" if value >= 0.8 else ""
