"""How well judges and metrics of answers agree with people, on the sets of RAG_DATA/metrics.

    RAG_DATA=... python tests/bench/bench_judges.py [--store docs/judges.json] [--keep FOLDER]

Each judge answers for every metric that fits a set. AUROC, Pearson and Spearman need no threshold;
F1, balanced accuracy and kappa have one, of best balanced accuracy on rows that are not reported
(`rated_answers.Rated.dev`). Intervals are 95 % bootstrap over questions, articles or conversations.
With `--keep`, verdicts and vectors are kept there for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bench_verifier import word_coverage
from rated_answers import Rated, read_sets
from scipy.stats import rankdata

from rag.eval.catalogue import METRICS
from rag.eval.judges.local import local_judge
from rag.eval.sample import Sample
from rag.eval.statistics.bootstrap import estimate_statistic
from rag.generation.verify import THRESHOLD, default_verifier
from rag.index.analyzer import english
from rag.index.encoder import resolve_encoder
from rag.index.encoder_folder import bundled_folder
from rag.protocols import Judge, Verifier
from rag.types import Claim, Fingerprint, Support, Vectors

Floats = npt.NDArray[np.float64]
FAITHFUL = ("faithfulness", "response_support")
CORRECT = (
    "reference_support",
    "answer_correctness",
    "factual_correctness",
    "semantic_similarity",
)
WORDS = ("token_f1", "exact_match", "rouge_score", "rouge_score_recall", "string_present")
FITTING = {
    "openqa": (*CORRECT, *WORDS),
    "begin": FAITHFUL,
    "wice": FAITHFUL,
    "qags": FAITHFUL,
    "qags summaries": FAITHFUL,
    "hotpotqa passages": ("useful",),
    "nq passages": ("useful",),
    "financebench refusals": ("noncommittal",),
    "mtrag faithfulness": (*FAITHFUL, "context_utilization", "context_recall", "answer_relevancy"),
    "mtrag appropriateness": (
        *FAITHFUL,
        "answer_relevancy",
        "reference_support",
        "answer_correctness",
        "semantic_similarity",
        "token_f1",
        "rouge_score",
    ),
    "mtrag completeness": (
        "answer_relevancy",
        "context_recall",
        "context_utilization",
        "reference_support",
        "answer_correctness",
        "factual_correctness_recall",
        "semantic_similarity",
        "token_f1",
        "rouge_score",
    ),
    "mtrag naturalness": ("answer_relevancy", "semantic_similarity", "token_f1"),
    "financebench": (*CORRECT, *WORDS),
}
"""Which metrics are held against which label. A metric that needs no judge is one of "no judge"."""
PUBLISHED = {
    "RAGAS, ChatGPT as judge, WikiEval, agreement in pairs (Es et al. 2023)": {
        "faithfulness": 0.95,
        "answer relevance": 0.78,
        "context relevance": 0.70,
    },
    "token F1 without a language model, RAGChecker's preferences, Pearson (Ru et al. 2024)": {
        "token_f1": 0.53
    },
    "T5-3B fine-tuned on ANLI, WiCE claims, test split, F1 (Kamoi et al. 2023)": {"faithfulness": 0.618},
}


# --------------------------------------------------------------------------------------------------- judges


class Kept:
    """Texts encoded once, and claims judged once, also between runs where there is a folder."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self._path = folder / f"{name}.pickle" if folder else None
        self.known: dict = {}
        if self._path and self._path.exists():
            self.known = pickle.loads(self._path.read_bytes())

    def store(self) -> None:
        if self._path:
            part = self._path.with_suffix(".part")
            part.write_bytes(pickle.dumps(self.known))
            part.replace(self._path)

    def verifier(self, verifier: Verifier) -> Verifier:
        return _Once(verifier, self.known)

    def encode(self, texts: Sequence[str], encode: Callable[[Sequence[str]], Vectors]) -> Vectors:
        new = sorted({text for text in texts if text not in self.known}, key=len)
        if new:
            self.known.update(zip(new, encode(new), strict=True))
        return np.stack([self.known[text] for text in texts])


class _Once:
    """A verifier that judges each claim once."""

    def __init__(self, verifier: Verifier, known: dict) -> None:
        self.name = verifier.name
        self._verifier, self._known = verifier, known

    def __call__(self, claims: Sequence[Claim]) -> list[Support]:
        new = [claim for claim in dict.fromkeys(claims) if claim not in self._known]
        if new:
            self._known.update(zip(new, self._verifier(new), strict=True))
        return [self._known[claim] for claim in claims]


class Meaning:
    """The bundled encoder."""

    def __init__(self, kept: Kept) -> None:
        self._encoder = resolve_encoder(threads=1)
        self._kept = kept
        self.fingerprint = self._encoder.fingerprint

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        return self._kept.encode(texts, self._encoder.encode)


class BagOfWords:
    """Counts of stems, in place of an encoder: the cosine of two texts is that of their words."""

    fingerprint = Fingerprint("bag of words", "1", 4096)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        rows = np.zeros((len(texts), 4096), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for term in english(text):
                row[zlib.crc32(term.encode()) % 4096] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def covered(claims: Sequence[Claim]) -> list[Support]:
    return [Support(float(each)) for each in word_coverage(claims)]


def everything(claims: Sequence[Claim]) -> list[Support]:
    return [Support(1.0)] * len(claims)


def judges(folder: Path | None) -> tuple[dict[str, Judge], list[Kept]]:
    kept = [Kept(folder, name) for name in ("vectors", "verdicts", "verdicts_by_words")]
    meaning, words = Meaning(kept[0]), BagOfWords()
    full = kept[1].verifier(default_verifier(english, bundled_folder))
    lexical = kept[2].verifier(default_verifier(english, None))
    return {
        "local": local_judge(full, meaning, threshold=THRESHOLD),
        "local without the encoder": local_judge(lexical, words, threshold=THRESHOLD),
        "word overlap": local_judge(covered, words, threshold=OVERLAP),
        "everything supported": local_judge(everything, words),
    }, kept


OVERLAP = 0.75
"""The share of words from which word overlap says yes."""


def score_of(name: str, sample: Sample, judge: Judge) -> float:
    """What a metric gives a sample; 0 where it does not bear on it."""
    if name == "noncommittal":
        asked = judge.questions(sample.response, 3)
        return float(np.mean([each.noncommittal for each in asked])) if asked else 1.0
    if name == "useful":
        (verdict,) = judge.useful(sample.question.user_input, sample.response, sample.retrieved_contexts)
        return verdict.value or 0.0
    metric = METRICS[name]
    score = metric.measure(sample, judge if "judge" in metric.needs else None)
    return 0.0 if score is None else score.value


# -------------------------------------------------------------------------------------------------- figures


def auroc(rows: Floats) -> float | None:
    good = rows[:, 0] > 0
    if good.all() or not good.any():
        return None
    ranks = rankdata(rows[:, 2])
    positives = int(good.sum())
    return float(
        (ranks[good].sum() - positives * (positives + 1) / 2) / (positives * (len(good) - positives))
    )


def counts(rows: Floats) -> tuple[float, float, float, float]:
    good, said = rows[:, 0] > 0, rows[:, 3] > 0
    both, neither = float((good & said).sum()), float((~good & ~said).sum())
    return both, float((~good & said).sum()), float((good & ~said).sum()), neither


def f1(rows: Floats) -> float | None:
    right, wrong, lacking, _ = counts(rows)
    return 2 * right / (2 * right + wrong + lacking) if right + wrong + lacking else None


def balanced(rows: Floats) -> float | None:
    right, wrong, lacking, rest = counts(rows)
    if not (right + lacking) or not (wrong + rest):
        return None
    return 0.5 * (right / (right + lacking) + rest / (wrong + rest))


def kappa(rows: Floats) -> float | None:
    right, wrong, lacking, rest = counts(rows)
    n = len(rows)
    chance = ((right + wrong) * (right + lacking) + (rest + wrong) * (rest + lacking)) / n**2
    return ((right + rest) / n - chance) / (1 - chance) if chance < 1 else None


def pearson(rows: Floats) -> float | None:
    x, y = rows[:, 1], rows[:, 2]
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) > 0 and np.ptp(y) > 1e-12 else None


def spearman(rows: Floats) -> float | None:
    ranked = rows.copy()
    ranked[:, 1], ranked[:, 2] = rankdata(rows[:, 1]), rankdata(rows[:, 2])
    return pearson(ranked)


BOUNDS = {
    "auroc": (auroc, (0.0, 1.0)),
    "f1": (f1, (0.0, 1.0)),
    "balanced_accuracy": (balanced, (0.0, 1.0)),
    "kappa": (kappa, (-1.0, 1.0)),
    "pearson": (pearson, (-1.0, 1.0)),
    "spearman": (spearman, (-1.0, 1.0)),
}


def threshold_of(good: npt.NDArray[np.bool_], scores: Floats) -> float:
    """The threshold of best balanced accuracy, the highest of equals."""
    tried = np.unique(scores)
    tried = tried[:: max(1, len(tried) // 400)]
    middle = np.concatenate([tried[:1], (tried[1:] + tried[:-1]) / 2])
    table = [np.stack([good, good, scores, scores >= each], axis=1).astype(float) for each in middle]
    found = [balanced(each) or 0.0 for each in table]
    return float(max(zip(found, middle, strict=True))[1])


def figures(rows: list[Rated], scores: Floats, threshold: float) -> dict[str, object]:
    """Agreement on the rows that are reported: value, low and high of each."""
    table = np.array(
        [[x.good, x.rating, s, s >= threshold] for x, s in zip(rows, scores, strict=True)], np.float64
    )
    names = {name: at for at, name in enumerate(dict.fromkeys(x.cluster for x in rows))}
    clusters = [names[x.cluster] for x in rows]
    found: dict[str, object] = {"threshold": round(threshold, 4)}
    graded = len(set(table[:, 1])) > 2
    for name, (function, bounds) in BOUNDS.items():
        if function(table) is None or (name in ("pearson", "spearman") and not graded):
            continue
        got = estimate_statistic(table, function, clusters, bounds=bounds)
        found[name] = [round(each, 3) for each in (got.mean, got.low, got.high)]
    return found


def machine_figures(rows: list[Rated]) -> dict[str, object]:
    """What BEM and GPT-4 said of the same answers."""
    return {
        name: figures(rows, np.array([x.machines[at] for x in rows]), 0.5)
        for at, name in enumerate(("BEM", "GPT-4"))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="write the figures here, as JSON, beside those there")
    parser.add_argument("--keep", type=Path, help="a folder for verdicts and vectors")
    parser.add_argument("--sets", nargs="*", help="measure these alone")
    parser.add_argument("--judges", nargs="*", help="measure these alone")
    parser.add_argument("--dev", action="store_true", help="report the rows that thresholds are fitted on")
    parser.add_argument("--quick", action="store_true", help="AUROC and Spearman alone, without intervals")
    asked = parser.parse_args()
    sets = read_sets(Path(os.environ["RAG_DATA"]))
    every, kept = judges(asked.keep)
    result: dict[str, object] = {
        "sets": {
            name: {"rows": sum(not x.dev for x in rows), "good": sum(x.good and not x.dev for x in rows)}
            for name, rows in sets.items()
            if name != "training"
        },
        "published": PUBLISHED,
        "judges": {name: judge.name for name, judge in every.items()},
        "machines": {"openqa": machine_figures([x for x in sets["openqa"] if not x.dev])},
    }
    before = (
        json.loads(asked.store.read_text(encoding="utf-8")) if asked.store and asked.store.exists() else {}
    )
    agreement: dict[str, dict[str, dict[str, object]]] = before.get("agreement", {})
    for label, metrics in FITTING.items():
        if asked.sets and label not in asked.sets:
            continue
        done: set[tuple[str, str]] = set()
        for name, judge in every.items():
            if asked.judges and name not in asked.judges:
                continue
            for metric in metrics:
                judged = metric not in METRICS or "judge" in METRICS[metric].needs
                who = name if judged else "no judge"
                if (who, metric) in done:
                    continue
                done.add((who, metric))
                found = measured(sets, label, metric, judge, asked)
                agreement.setdefault(label, {}).setdefault(metric, {})[who] = found
                print(label, "|", metric, "|", who, found, flush=True)
            for each in kept:
                each.store()
        result["agreement"] = agreement
        if asked.store:
            asked.store.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measured(
    sets: dict[str, list[Rated]], label: str, metric: str, judge: Judge, asked: argparse.Namespace
) -> dict[str, object]:
    rows = sets[label]
    if not any(x.dev for x in rows):
        rows = [*sets["training"], *rows]
    if metric in (*CORRECT, *WORDS, "context_recall"):
        rows = [x for x in rows if x.sample.question.answers]
    scores = np.array([score_of(metric, x.sample, judge) for x in rows])
    dev = np.array([x.dev for x in rows])
    good = np.array([x.good for x in rows])
    shown = dev if asked.dev else ~dev
    if asked.quick:
        table = np.array([[x.good, x.rating, s, 0] for x, s in zip(rows, scores, strict=True)], np.float64)
        found = {"auroc": auroc(table[shown]), "spearman": spearman(table[shown])}
        return {name: None if value is None else round(value, 3) for name, value in found.items()}
    threshold = threshold_of(good[dev], scores[dev])
    return figures([x for x, yes in zip(rows, shown, strict=True) if yes], scores[shown], threshold)


if __name__ == "__main__":
    main()
