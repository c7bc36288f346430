"""How good written question sets are where there is an oracle: passages of XQuAD with people's questions.

Run `RAG_DATA=... python tests/bench/bench_writing.py [COUNT]`. It indexes the English passages, writes a set,
and prints how often a question finds its passage first (it is among the first ten by construction, so that
only the rank tells), how often `ask` gives the reference, and the same for as many questions of people,
dev split only.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rag.api.sets import write_questions
from rag.eval.metrics.answers import answer_words, normalize
from rag.eval.questions import Question, read_questions
from rag.eval.retrieval import measure_retriever
from rag.pipeline import Engine
from rag.types import Document

XQUAD = Path(os.environ["RAG_DATA"]) / "retrieval" / "xquad" / "en"


def passages() -> list[Document]:
    """The passages, each a document of its own."""
    rows = [json.loads(line) for line in (XQUAD / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        Document(hashlib.sha256(row["text"].encode()).hexdigest(), row["_id"], row["title"], row["text"])
        for row in rows
    ]


def measured(engine: Engine, questions: Sequence[Question]) -> dict[str, float]:
    """Ranks of the passages, and how many answers hold a reference, word for word."""
    answerable = [question for question in questions if question.answerable is not False]
    with engine.view() as view:
        ranks = measure_retriever(engine.retriever(view), answerable, ("Success@1", "Success@3", "RR@10"))
    means = {name: sum(values.values()) / max(1, len(values)) for name, values in ranks.items()}
    answers = [(question, engine.ask(question.user_input)) for question in questions]
    given = [(q, a) for q, a in answers if q.answerable is not False and not a.abstained]
    right = sum(
        any(f" {normalize(gold)} " in f" {normalize(answer_words(answer))} " for gold in question.answers)
        for question, answer in given
    )
    without = [answer.abstained for question, answer in answers if question.answerable is False]
    return means | {
        "questions": len(answerable),
        "answered": len(given) / max(1, len(answerable)),
        "right of answered": right / max(1, len(given)),
        "unanswerable": len(without),
        "refused of unanswerable": sum(without) / max(1, len(without)),
    }


def main(count: int = 200) -> None:
    """Print both sets' figures."""
    with tempfile.TemporaryDirectory() as folder, Engine(folder) as engine:
        engine.add(passages())
        started = time.perf_counter()
        found = write_questions(engine, count)
        seconds = time.perf_counter() - started
        print(f"{len(found.questions)} written of {found.drafts} drafts in {seconds:.1f} s; dropped")
        print(found.dropped)
        print(Counter(question.kind for question in found.questions))
        print("written", measured(engine, found.questions))
        people = [each for each in read_questions(XQUAD / "questions.jsonl") if each.split == "dev"]
        print("people ", measured(engine, people[: len(found.questions)]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
