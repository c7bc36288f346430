"""What each judged metric costs and gives with the engine's own judge.

    RAG_DATA=... python tests/bench/bench_metrics.py [--questions 40]

The passages of ClapNQ's answerable questions (qa/clapnq, the half for development) are indexed and the first
questions asked. A metric's CPU milliseconds a question are those of it alone; the last rows are of the
default ones, and of all, with what they ask in common asked for once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import rag
from rag.eval.catalogue import METRICS, default_metrics
from rag.eval.metrics.answers import answer_words
from rag.eval.metrics.remembered import remembered
from rag.eval.questions import read_questions
from rag.eval.sample import Sample
from rag.protocols import Judge
from rag.types import Document


def ask(kb: rag.Engine, questions: Sequence[rag.Question]) -> list[Sample]:
    samples = []
    for question in questions:
        answer = kb.ask(question.user_input)
        samples.append(
            Sample(
                question,
                response="" if answer.abstained else answer_words(answer),
                retrieved_contexts=tuple(hit.chunk.text for hit in answer.contexts),
                retrieved_context_ids=tuple(hit.chunk.id for hit in answer.contexts),
                abstained=answer.abstained,
                confidence=answer.confidence,
                answer=answer,
            )
        )
    return samples


def measure(names: Sequence[str], samples: Sequence[Sample], judge: Judge) -> None:
    values: list[float] = []
    missed = 0
    start = process_time()
    for sample in samples:
        once = remembered(judge)
        for name in names:
            score = METRICS[name].measure(sample, once)
            values += [] if score is None else [score.value]
            missed += 0 if score is None else len(score.missed)
    took = 1000 * (process_time() - start) / len(samples)
    label = names[0] if len(names) == 1 else f"{len(names)} metrics"
    mean = sum(values) / len(values) if len(names) == 1 and values else float("nan")
    print(f"{label:34}{len(values):6}{missed:8}{mean:8.3f}{took:12.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=40)
    count = parser.parse_args().questions
    data = Path(os.environ["RAG_DATA"])
    questions = [
        each
        for each in read_questions(data / "qa/clapnq/questions.jsonl")
        if each.answerable and each.split == "dev"
    ]
    texts = dict.fromkeys(text for each in questions for text in each.extra["contexts"])
    documents = [Document(f"{at:064x}", f"{at}.txt", "", text) for at, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        kb = rag.open(folder)
        kb.add(documents)
        samples = ask(kb, questions[:count])
        refused = sum(sample.abstained for sample in samples)
        passages = sum(len(sample.retrieved_contexts) for sample in samples) / len(samples)
        print(
            f"{len(documents)} documents, {count} questions, {refused} refused, {passages:.1f} passages each"
        )
        print(kb.judge.name)
        judged = [name for name, metric in METRICS.items() if "judge" in metric.needs]
        print(f"{'metric':34}{'n':>6}{'missed':>8}{'mean':>8}{'CPU ms':>12}")
        measure(judged[:1], samples[:3], kb.judge)  # models are loaded
        for name in judged:
            measure([name], samples, kb.judge)
        measure([name for name in default_metrics() if name in judged], samples, kb.judge)
        measure(judged, samples, kb.judge)
        kb.close()


if __name__ == "__main__":
    main()
