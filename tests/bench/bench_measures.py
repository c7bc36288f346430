"""Whether our measures equal those of the programs that defined them: the largest difference, by measure.

    RAG_DATA=... python tests/bench/bench_measures.py

Retrieval measures are held against pytrec_eval on a BM25 run (rank-bm25, depth 1,000) of every split of
SciFact, Cranfield and CACM. That run has scores cut to one digit beside it, so that it is full of ties, and
one that lacks every third query. Span measures are held against sets of characters on
qa/chunking, cut into passages of four sizes with and without overlap. Both should print 0 or about 1e-16.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytrec_eval
from rank_bm25 import BM25Okapi

from rag.eval.collections import Collection, read_collection
from rag.eval.measures import Qrels, Run, measure_run
from rag.eval.questions import Question, read_questions
from rag.eval.spans import SPAN_MEASURES, measure_spans, precision_omega
from rag.types import Chunk, Hit, Span

NAMES = {"nDCG": "ndcg_cut", "AP": "map_cut", "Recall": "recall", "P": "P", "Success": "success"}
WHOLE = {"nDCG": "ndcg", "AP": "map", "RR": "recip_rank", "Bpref": "bpref"}
CUTOFFS = (1, 3, 5, 10, 20, 100, 1000)
SPLITS = ("scifact/test", "scifact/train", "cranfield/test", "cranfield/dev", "cacm/test", "cacm/dev")


def main() -> None:
    data = Path(os.environ["RAG_DATA"])
    for name in SPLITS:
        folder, split = name.split("/")
        collection = read_collection(data / "retrieval" / folder, split)
        run = bm25_run(collection)
        rounded = {q: {d: round(score, 1) for d, score in scores.items()} for q, scores in run.items()}
        thinned = {query: scores for at, (query, scores) in enumerate(run.items()) if at % 3}
        for kind, each in (("", run), (", ties", rounded), (", queries lacking", thinned)):
            worst = largest_differences(each, collection.qrels)
            where, most = max(worst.items(), key=lambda pair: pair[1])
            print(f"{name}{kind}: {len(each)} queries, {len(worst)} measures, largest {most:.1e} ({where})")
    for line in span_lines(data / "qa" / "chunking"):
        print(line, flush=True)


def bm25_run(collection: Collection, depth: int = 1000) -> dict[str, dict[str, float]]:
    words = [re.findall(r"\w+", f"{each.title} {each.text}".lower()) for each in collection.documents]
    names = [each.id for each in collection.documents]
    search = BM25Okapi(words, k1=0.9, b=0.4)
    run = {}
    for query, text in collection.queries.items():
        scores = search.get_scores(re.findall(r"\w+", text.lower()))
        first = np.argsort(-scores, kind="stable")[:depth]
        run[query] = {names[at]: float(scores[at]) for at in first}
    return run


def largest_differences(run: Run, qrels: Qrels) -> dict[str, float]:
    """The largest difference to pytrec_eval over the queries that the run has, by measure."""
    cut = {f"{theirs}.{','.join(map(str, CUTOFFS))}" for theirs in NAMES.values()}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, cut | set(WHOLE.values())).evaluate(run)
    short = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"})
    measures = {f"{ours}@{k}": f"{name}_{k}" for ours, name in NAMES.items() for k in CUTOFFS} | WHOLE
    found = measure_run(run, qrels, [*measures, "RR@10"])
    worst = {
        ours: max(abs(found[ours][query] - values[name]) for query, values in theirs.items())
        for ours, name in measures.items()
    }
    # recip_rank has no cutoff: the run is cut as trec_eval ranks it
    first = {q: dict(sorted(s.items(), key=lambda p: (np.float32(p[1]), p[0]))[-10:]) for q, s in run.items()}
    cut_rank = short.evaluate(first)
    worst["RR@10"] = max(abs(found["RR@10"][q] - values["recip_rank"]) for q, values in cut_rank.items())
    return worst


def span_lines(folder: Path) -> Iterator[str]:
    sizes = {path.name: len(path.read_bytes().decode()) for path in sorted((folder / "corpora").iterdir())}
    questions = read_questions(folder / "questions.jsonl")
    draw = random.Random(0)
    for size, step in ((200, 200), (400, 200), (800, 800), (1600, 1200)):
        cuts = [(n, at, min(at + size, long)) for n, long in sizes.items() for at in range(0, long, step)]
        worst = dict.fromkeys((*SPAN_MEASURES, "precision-omega"), 0.0)
        means = dict.fromkeys(worst, 0.0)
        for question in questions:
            gold = [(Path(p.source).name, p.span.start, p.span.end) for p in question.documents if p.span]
            near = [c for c in cuts if any(c[0] == d and c[2] > s and c[1] < e for d, s, e in gold)]
            taken = draw.sample(near, min(len(near), 3)) + draw.sample(cuts, 2)
            for name, (ours, theirs) in compare_spans(question, gold, taken, near, cuts).items():
                worst[name] = max(worst[name], abs(ours - theirs))
                means[name] += ours / len(questions)
        shown = ", ".join(f"{name} {value:.1e} (mean {means[name]:.3f})" for name, value in worst.items())
        yield f"chunking, {size} characters every {step}: {len(questions)} questions, largest {shown}"


def compare_spans(
    question: Question,
    gold: list[tuple[str, int, int]],
    taken: list[tuple[str, int, int]],
    near: list[tuple[str, int, int]],
    cuts: list[tuple[str, int, int]],
) -> dict[str, tuple[float, float]]:
    """Ours and the definition over sets of characters, by measure."""
    wanted = characters(gold)
    bag = [each for part in taken for each in characters([part])]
    shared = wanted & set(bag)
    theirs = {
        "SpanRecall": len(shared) / len(wanted),
        "SpanPrecision": len(shared) / len(bag),
        "SpanIoU": len(shared) / (len(bag) + len(wanted) - len(shared)),
    }
    sources = {cut[0]: f"corpora/{cut[0]}" for cut in cuts}
    chunks = [Chunk(name, Span(start, end), "") for name, start, end in taken]
    hits = [Hit(n, 1 / n, chunk, sources[chunk.document_id], "") for n, chunk in enumerate(chunks, 1)]
    pairs = {name: (measure_spans(name, hits, question) or 0.0, value) for name, value in theirs.items()}
    every = [Chunk(name, Span(start, end), "") for name, start, end in cuts]
    omega = precision_omega(every, question, sources) or 0.0
    pairs["precision-omega"] = (omega, len(wanted & characters(near)) / len(wanted | characters(near)))
    return pairs


def characters(ranges: list[tuple[str, int, int]]) -> set[tuple[str, int]]:
    return {(name, at) for name, start, end in ranges for at in range(start, end)}


if __name__ == "__main__":
    main()
