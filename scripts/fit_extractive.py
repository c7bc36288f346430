"""Fit the weights of the extractive generator on development questions, and print them.

Two models. Of a sentence: how likely it overlaps what answers. Of the likeliest sentence: how likely
there is an answer at all, from questions that have one in what is shown and as many that have none.
The figures are those of five folds, each with the weights of the other four; the weights printed last
are of all. Data: the handbook of this repository; ClapNQ (Apache-2.0), XQuAD (CC BY-SA 4.0), Natural
Questions (MIT; text CC BY-SA 3.0), HotpotQA (CC BY-SA 4.0), MTRAG-UN (Apache-2.0), TAT-QA (CC BY 4.0).

    RAG_DATA=... python scripts/fit_extractive.py
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "bench"))
from answer_sets import Case, Remembering, cases

from rag.generation.abstain import SIGNS, signs
from rag.generation.candidates import find_candidates
from rag.generation.evidence import FEATURES, Evidence, weigh
from rag.generation.tables import settle_rows
from rag.index.analyzer import english
from rag.index.encoder import resolve_encoder

MOST = {"nq": 300}
SHARES = {
    "clapnq": 1.0,
    "xquad": 1.0,
    "nq": 1.0,
    "handbook": 0.4,
    "hotpotqa": 0.4,
    "mtrag": 0.5,
    "tatqa": 0.4,
}
"""What a set counts in the model of answers, where some have hundreds of questions and some dozens.

TAT-QA counts for sentences alone: with the right row taken away, the other rows of a statement of account
look just like it, and teach that no row answers.
"""

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """A case with what speaks for each candidate, and which of them are right."""

    case: Case
    evidence: Evidence
    right: npt.NDArray[np.bool_]

    @property
    def fold(self) -> int:
        return int(hashlib.sha256(self.case.id.encode()).hexdigest(), 16) % FOLDS

    @property
    def group(self) -> tuple[str, str]:
        """The set, and whether it was searched or shown one passage."""
        return self.case.collection, "searched" if self.case.setting in ("whole", "without") else "shown"


def main() -> None:
    trials = _trials()
    logits, chances = np.empty(len(trials), object), np.zeros(len(trials))
    for fold in range(FOLDS):
        model, answers = _fit([trial for trial in trials if trial.fold != fold])
        for at, trial in enumerate(trials):
            if trial.fold == fold:
                logits[at] = _logits(model, trial)
                chances[at] = answers.predict_proba([_signs(model, trial)])[0, 1]
    _report_sentences(trials, logits)
    _report_answers(trials, chances)
    model, answers = _fit(trials)
    print(f"\nsentences: WEIGHTS = {_shown(model.coef_[0])}, BIAS = {model.intercept_[0]:.3f}  # {FEATURES}")
    scale, regression = answers[0], answers[1]
    weights = regression.coef_[0] / scale.scale_
    bias = regression.intercept_[0] - weights @ scale.mean_
    print(f"answers: WEIGHTS = {_shown(weights)}, BIAS = {bias:.3f}  # {SIGNS}")


def _shown(weights: Sequence[float]) -> list[float]:
    return [round(float(weight), 3) for weight in weights]


def _trials() -> list[Trial]:
    encoder = Remembering(resolve_encoder())
    found = []
    for collection in SHARES:
        for case in cases(collection, "dev", encoder, MOST.get(collection)):
            if candidates := find_candidates(case.hits):
                evidence = weigh(case.question, candidates, case.hits, encoder, english)
                right = [
                    any(
                        case.hits[each.context].source == gold.source
                        and each.start < gold.end
                        and gold.start < each.end
                        for gold in case.gold
                    )
                    for each in evidence.candidates
                ]
                found.append(Trial(case, evidence, np.array(right)))
        print(collection, len(found), file=sys.stderr, flush=True)
    return found


def _logits(model: LogisticRegression, trial: Trial) -> npt.NDArray[np.float64]:
    return trial.evidence.features @ model.coef_[0] + model.intercept_[0]


def _signs(model: LogisticRegression, trial: Trial) -> npt.NDArray[np.float64]:
    likelihood = 1 / (1 + np.exp(-_logits(model, trial)))
    settled = settle_rows(trial.case.question, trial.evidence, likelihood)
    return signs(trial.evidence, int(settled.argmax()))


def _fit(trials: Sequence[Trial]):
    """The model of sentences, and that of the likeliest one, in which each group of sets counts its share."""
    known = [trial for trial in trials if trial.right.any()]
    model = LogisticRegression(C=10, max_iter=3000).fit(
        np.concatenate([trial.evidence.features for trial in known]),
        np.concatenate([trial.right for trial in known]),
    )
    count = Counter((trial.group, trial.case.answerable) for trial in trials)
    share = [SHARES[trial.case.collection] / count[trial.group, trial.case.answerable] for trial in trials]
    measured = [_signs(model, trial) for trial in trials]
    answers = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    answers.fit(
        measured,
        [trial.case.answerable for trial in trials],
        logisticregression__sample_weight=np.array(share) * len(trials) / sum(share),
    )
    return model, answers


def _report_sentences(trials: Sequence[Trial], logits: Sequence) -> None:
    print("\nright sentence first, and among three")
    for group in sorted({trial.group for trial in trials}):
        firsts = [
            trial.right[np.argsort(-each, kind="stable")[:3]]
            for trial, each in zip(trials, logits, strict=True)
            if trial.group == group and trial.right.any()
        ]
        if firsts:
            first, three = np.mean([each[0] for each in firsts]), np.mean([each.any() for each in firsts])
            print(f"  {group[0]:9} {group[1]:9} {first:.3f} {three:.3f}  ({len(firsts)})")


def _report_answers(trials: Sequence[Trial], chances: npt.NDArray[np.float64]) -> None:
    print("\nAUROC; abstaining below each: refusals' precision, recall, answerable kept")
    answerable = np.array([trial.case.answerable for trial in trials])
    for collection in SHARES:
        settings = sorted({trial.case.setting for trial in trials if trial.case.collection == collection})
        for positive, negative in [(a, b) for a in ("shown", "whole") if a in settings for b in settings]:
            mask = np.array(
                [
                    trial.case.collection == collection
                    and trial.case.setting == (positive if trial.case.answerable else negative)
                    for trial in trials
                ]
            )
            right, chance = answerable[mask], chances[mask]
            if len(set(right)) == 2:
                print(f"  {collection:9} {positive}/{negative:8} {roc_auc_score(right, chance):.3f}", end="")
                for least in (0.3, 0.35, 0.4, 0.45, 0.5):
                    refused = chance < least
                    precision = (refused & ~right).sum() / max(1, refused.sum())
                    print(
                        f" | {least}: {precision:.2f} {refused[~right].mean():.2f} "
                        f"{(~refused)[right].mean():.2f}",
                        end="",
                    )
                print()


if __name__ == "__main__":
    main()
