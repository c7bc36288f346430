"""How well the verifier tells what passages prove, on sets judged by people, beside plain baselines.

    RAG_DATA=... python tests/bench/bench_verifier.py [--store docs/verifier.json]

No threshold is chosen here: the verifier's is the shipped one, and the baselines' are those with the best F1
on a third of the verifier's own training claims (SciFact's, half of BEGIN). The best F1 over all
thresholds stands beside each, marked as such. Intervals are 95 % bootstrap. WiCE, QAGS and
mtrag-human were never learnt from.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from rag.generation.verify import BIAS, THRESHOLD, WEIGHTS, WORD_BIAS, WORD_WEIGHTS, default_verifier
from rag.generation.windows import sentences_of, windows
from rag.generation.wording import content_words, words
from rag.index.analyzer import english
from rag.index.encoder import resolve_encoder
from rag.index.encoder_folder import bundled_folder
from rag.sentences import sentence_spans
from rag.types import Claim

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from verifier_pairs import begin, lines

PUBLISHED = {
    "wice, oracle": "T5-3B fine-tuned on ANLI .618, GPT-4 .61 (Kamoi et al. 2023, test split, oracle chunks)"
}
RESAMPLES = 1000

Floats = npt.NDArray[np.float64]
Method = Callable[[Sequence[Claim]], Floats]


@dataclass(frozen=True, slots=True)
class Judged:
    """Claims and whether people found them supported."""

    claims: list[Claim]
    supported: npt.NDArray[np.bool_]


def judged(rows: list[dict], claim: str, evidence: Callable[[dict], str]) -> Judged:
    labels = np.array([row["label"] == "supported" for row in rows])
    return Judged([Claim(row[claim], (evidence(row),)) for row in rows], labels)


def whole(row: dict) -> str:
    return row["context"]


def abstract(row: dict) -> str:
    return row["context"].replace("\n", " ")


def oracle(row: dict) -> str:
    """The sentences that support a claim of WiCE, the first set of them, each with its neighbours.

    A claim without any gets the five neighbouring sentences that share most words with it.
    """
    text = row["context"].split("\n")
    sets = [each for each in row["supporting_sentences"] if each]
    if sets:
        near = {at + step for at in sets[0] for step in (-1, 0, 1)}
        return "\n".join(text[at] for at in sorted(near) if 0 <= at < len(text))
    said = set(words(row["claim"]))
    centre = max(
        range(len(text)), key=lambda at: len(said & set(words(" ".join(text[max(0, at - 2) : at + 3]))))
    )
    return "\n".join(text[max(0, centre - 2) : centre + 3])


def evaluation_sets(data: Path) -> dict[str, Judged]:
    metrics = data / "metrics"
    wice = lines(metrics / "wice.jsonl")
    scifact = [row for row in lines(metrics / "scifact-claims.jsonl") if row["split"] == "test"]
    return {
        "wice, oracle": judged(wice, "claim", oracle),
        "wice, whole page": judged(wice, "claim", whole),
        "begin, dev half": judged(begin(data, training=False), "response", whole),
        "scifact, test": judged(scifact, "claim", abstract),
        "qags, sentences": judged(lines(metrics / "qags-cnndm.jsonl"), "claim", whole),
    }


def training_sets(data: Path) -> list[Judged]:
    """A third of the verifier's training claims: enough to choose a threshold for a baseline."""
    scifact = [r for r in lines(data / "metrics" / "scifact-claims.jsonl") if r["split"] == "train"][::3]
    return [judged(scifact, "claim", abstract), judged(begin(data, training=True)[::3], "response", whole)]


# ------------------------------------------------------------------------------------------------ baselines


def word_coverage(claims: Sequence[Claim]) -> Floats:
    """The share of a claim's words that its evidence holds."""
    found = []
    for claim in claims:
        own = content_words(claim.text)
        found.append(len(own & content_words("\n".join(claim.evidence))) / max(1, len(own)))
    return np.array(found)


def rouge_l(claims: Sequence[Claim]) -> Floats:
    """The longest common subsequence with three neighbouring sentences, as a share of the claim's words."""
    found = []
    for claim in claims:
        own = words(claim.text)
        sentences = [words(each) for each in sentences_of(claim.evidence)]
        trios = [list(chain(*sentences[at : at + 3])) for at in range(max(1, len(sentences) - 2))]
        best = max((common(own, trio) for trio in trios if set(own) & set(trio)), default=0)
        found.append(best / max(1, len(own)))
    return np.array(found)


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        last = 0
        for at, there in enumerate(other, start=1):
            kept = row[at]
            row[at] = last + 1 if word == there else max(row[at], row[at - 1])
            last = kept
    return row[-1]


def cosine() -> Method:
    """The best cosine of a claim and a window of its evidence, by the bundled encoder."""
    encoder = resolve_encoder(threads=1)

    def score(claims: Sequence[Claim]) -> Floats:
        found = []
        for claim in claims:
            vectors = encoder.encode([claim.text, *windows(claim, english)])
            found.append(float((vectors[1:] @ vectors[0]).max()))
        return np.array(found)

    return score


def probability(*, sense: bool) -> Method:
    verifier = default_verifier(english, bundled_folder if sense else None)
    return lambda claims: np.array([each.probability for each in verifier(claims)])


# ------------------------------------------------------------------------------------------------- figures


def f1(supported: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float:
    return 2 * float((supported & said).sum()) / max(1, int(supported.sum() + said.sum()))


def best_f1(supported: npt.NDArray[np.bool_], scores: Floats) -> tuple[float, float]:
    return max((f1(supported, scores >= each), float(each)) for each in np.unique(np.round(scores, 3)))


def threshold_of(training: Sequence[Judged], scores: Sequence[Floats]) -> float:
    """The threshold of best mean F1 over the training sets."""
    tried = np.unique(np.round(np.concatenate(scores), 3))
    means = [np.mean([f1(s.supported, x >= t) for s, x in zip(training, scores, strict=True)]) for t in tried]
    return float(tried[int(np.argmax(means))])


def calibration_error(supported: npt.NDArray[np.bool_], scores: Floats) -> float:
    tenths = np.minimum((10 * scores).astype(int), 9)
    parts = [tenths == each for each in range(10) if (tenths == each).any()]
    return float(sum(abs(supported[p].mean() - scores[p].mean()) * p.mean() for p in parts))


def interval(supported: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The 95 % bootstrap interval of F1."""
    random = np.random.default_rng(0)
    rows = random.integers(0, len(said), (RESAMPLES, len(said)))
    values = [f1(supported[each], said[each]) for each in rows]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def figures(one: Judged, scores: Floats, threshold: float, *, calibrated: bool) -> dict[str, object]:
    said = scores >= threshold
    best, _ = best_f1(one.supported, scores)
    found: dict[str, object] = {
        "auroc": round(float(roc_auc_score(one.supported, scores)), 3) if len(set(scores)) > 1 else 0.5,
        "f1": round(f1(one.supported, said), 3),
        "f1_95": [round(each, 3) for each in interval(one.supported, said)],
        "precision": round(float((one.supported & said).sum() / max(1, said.sum())), 3),
        "recall": round(float((one.supported & said).sum() / one.supported.sum()), 3),
        "balanced_accuracy": round(float(balanced_accuracy_score(one.supported, said)), 3),
        "best_f1_on_this_set": round(best, 3),
    }
    if calibrated:
        found["calibration_error"] = round(calibration_error(one.supported, scores), 3)
    return found


def conversations(data: Path, method: Method) -> dict[str, float]:
    """Answers of several sentences: the mean and the least over an answer's sentences, against judges."""
    rows = [r for r in lines(data / "metrics" / "mtrag-human.jsonl") if r["label"]]
    means, least, faithful = [], [], []
    for row in rows:
        text = row["response"]
        parts = [text[span.start : span.end] for span in sentence_spans(text)]
        said = [part for part in parts if len(re.findall(r"\w+", part)) > 2] or [text]
        scores = method([Claim(part, tuple(row["contexts"]), row["user_input"]) for part in said])
        means.append(float(scores.mean()))
        least.append(float(scores.min()))
        faithful.append(statistics.median(row["raw_label"]["faithfulness"]))
    supported = np.array([row["label"] == "supported" for row in rows])
    return {
        "answers": len(rows),
        "spearman_mean": round(float(spearmanr(means, faithful).statistic), 3),
        "spearman_least": round(float(spearmanr(least, faithful).statistic), 3),
        "auroc_mean": round(float(roc_auc_score(supported, means)), 3),
        "auroc_least": round(float(roc_auc_score(supported, least)), 3),
    }


def milliseconds(method: Method, claims: Sequence[Claim]) -> float:
    """The median time of one claim by itself."""
    method(claims[:3])
    taken = []
    for claim in claims[:100]:
        started = time.perf_counter()
        method([claim])
        taken.append(1e3 * (time.perf_counter() - started))
    return round(statistics.median(taken), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="write the figures here, as JSON, beside those there")
    parser.add_argument("--methods", nargs="*", help="measure these alone")
    asked = parser.parse_args()
    data = Path(os.environ["RAG_DATA"])
    sets, training = evaluation_sets(data), training_sets(data)
    methods: dict[str, tuple[Method, float | None]] = {
        "verifier": (probability(sense=True), THRESHOLD),
        "verifier without the encoder": (probability(sense=False), THRESHOLD),
        "everything is supported": (lambda claims: np.ones(len(claims)), 0.5),
        "word coverage": (word_coverage, None),
        "encoder cosine": (cosine(), None),
        "ROUGE-L recall": (rouge_l, None),
    }
    result: dict[str, dict[str, object]] = {
        "sets": {name: len(one.claims) for name, one in sets.items()},
        "weights": {"words": [*WORD_WEIGHTS, WORD_BIAS], "words and sense": [*WEIGHTS, BIAS]},
    }
    for name, (method, shipped) in methods.items():
        if asked.methods and name not in asked.methods:
            continue
        threshold = shipped or threshold_of(training, [method(each.claims) for each in training])
        found: dict[str, object] = {"threshold": round(threshold, 3)}
        for label, one in sets.items():
            found[label] = figures(one, method(one.claims), threshold, calibrated="verifier" in name)
            print(f"{name:28} {label:17} {found[label]}", flush=True)
        if "verifier" in name:
            found["ms_a_sentence"] = milliseconds(method, sets["begin, dev half"].claims)
            print(f"{name:28} {found['ms_a_sentence']} ms a sentence", flush=True)
            found["mtrag-human"] = conversations(data, method)
            print(f"{name:28} mtrag-human {found['mtrag-human']}", flush=True)
        result[name] = found
    print("published:", PUBLISHED)
    if asked.store:
        if asked.store.exists():
            result = json.loads(asked.store.read_text(encoding="utf-8")) | result
        asked.store.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
