"""Find the gold passages of `source/questions_source.jsonl` in the documents as the loaders read them.

A source line states the question, the answer and, for each gold passage, the file, the page (stated
by hand for PDF, null elsewhere) and the words. `questions.jsonl` gets the offsets. A passage that is
not found, is found twice, or stands on another page than stated, stops the build.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from rag.ingestion.load import load
from rag.types import Document, Span

DATA = Path(__file__).parent


@cache
def document(name: str) -> Document:
    """Load a file of the handbook."""
    return load(DATA / "handbook" / name)


def find(quote: str, text: str) -> list[Span]:
    """Find a quote; runs of white space are equal, and so are the marks between the cells of a table row."""
    cells = [r"\s+".join(map(re.escape, cell.split())) for cell in quote.strip("| ").split("|")]
    return [Span(*match.span()) for match in re.finditer(r"[\s|]+".join(cells), text)]


def gold(name: str, page: int | None, quote: str) -> tuple[dict[str, Any], str]:
    """Locate one gold passage: its entry in `documents`, and its text as it stands there.

    Raises:
        ValueError: If it is not found once, or stands on another page.
    """
    loaded = document(name)
    spans = find(quote, loaded.text)
    if len(spans) != 1:
        raise ValueError(f"{name}: found {len(spans)} times, not once: {quote}")
    start, end = spans[0].start, spans[0].end
    pages = {loaded.page_at(start), loaded.page_at(end - 1)}
    if pages != {page}:
        raise ValueError(f"{name}: on page {pages}, not {page}: {quote}")
    return {"source": name, "page": page, "start": start, "end": end}, loaded.text[start:end]


def question(line: dict[str, Any]) -> dict[str, Any]:
    """Turn a line of the source into a line of the question set."""
    found = [gold(*entry) for entry in line["gold"]]
    half = hashlib.sha256(line["id"].encode()).digest()[0] % 2
    return {
        "id": line["id"],
        "user_input": line["question"],
        "reference": line["answer"],
        "reference_contexts": [text for _, text in found],
        "reference_context_ids": [],
        "answerable": line["answer"] is not None,
        "documents": [place for place, _ in found],
        "kind": line["kind"],
        "split": ("dev", "test")[half],
    }


def source_lines() -> list[dict[str, Any]]:
    """Read the questions as they were written."""
    text = (DATA / "source" / "questions_source.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def built_questions() -> str:
    """Build the text of `questions.jsonl`.

    Raises:
        SystemExit: If a gold passage is not where it is stated to be; every such passage is named.
    """
    lines, errors = [], []
    for line in source_lines():
        try:
            lines.append(json.dumps(question(line), ensure_ascii=False) + "\n")
        except ValueError as error:
            errors.append(f"{line['id']}: {error}")
    if errors:
        raise SystemExit("\n".join(errors))
    return "".join(lines)
