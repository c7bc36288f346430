"""Ingest real filings and find the pages that answer: pages a second by stage, and page hits by mode.

    RAG_DATA=... python tests/bench/bench_financebench.py

The 20 PDFs (1,321 pages) and 55 questions of FinanceBench are data for evaluation alone (CC BY-NC 4.0).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import rag
from rag.eval.questions import read_questions
from rag.eval.retrieval import measure_retriever

MEASURES = ("PageSuccess@5", "PageSuccess@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, help="keep the index here, and use the one that is there")
    parser.add_argument("--split", choices=("dev", "test"), help="ask the questions of one split alone")
    asked = parser.parse_args()
    folder = Path(os.environ["RAG_DATA"]) / "qa" / "financebench"
    with (
        tempfile.TemporaryDirectory() as temporary,
        rag.open(asked.index or Path(temporary) / "index") as kb,
    ):
        ingest(kb, folder / "pdfs")
        find(kb, folder / "questions.jsonl", asked.split)


def ingest(kb: rag.Engine, pdfs: Path) -> None:
    report = kb.add(pdfs)
    pages = sum(len(kb.document(document.id).pages) for document in kb.documents())
    print(f"{len(report.indexed)} indexed, {len(report.unchanged)} unchanged, {len(report.failed)} failed")
    print(f"{pages} pages, {report.chunks} chunks, {report.chunks_embedded} embedded, {report.seconds:.1f} s")
    for stage, seconds in report.stage_seconds.items():
        print(f"  {stage:8} {seconds:7.1f} s  {pages / seconds:9.1f} pages/s")
    started = time.perf_counter()
    again = kb.add(pdfs)
    print(f"again: {again.chunks_embedded} chunks embedded in {time.perf_counter() - started:.2f} s")
    print(kb.stats())


def find(kb: rag.Engine, questions: Path, split: str | None) -> None:
    wanted = [each for each in read_questions(questions) if split in (None, each.split)]
    print(f"\n{len(wanted)} questions   " + "  ".join(MEASURES))
    for mode in ("lexical", "dense", "hybrid"):
        values = measure_retriever(_searcher(kb, mode), wanted, MEASURES)
        means = [f"{sum(values[name].values()) / len(values[name]):{len(name)}.3f}" for name in MEASURES]
        print(f"{mode:12}   " + "  ".join(means))


def _searcher(kb: rag.Engine, mode: str) -> Callable[..., list[rag.Hit]]:
    def search(query: str, *, k: int = 10, where: object = None) -> list[rag.Hit]:
        return kb.search(query, k=k, mode=mode, where=where)

    return search


if __name__ == "__main__":
    main()
