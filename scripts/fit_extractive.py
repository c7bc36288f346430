"""Fit the weights of the extractive generator on development questions, and print them.

A sentence is right where it overlaps a gold span. Each question is asked twice,
of the whole collection and of the collection without its gold documents, so that
the likelihood of the best sentence also says when there is no answer. The figures
are of one half of the questions with the weights of the other; the weights
printed last are of all.

    RAG_DATA=... python scripts/fit_extractive.py
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import rag
from rag.generation.candidates import FEATURES, Candidate, features, find_candidates
from rag.index.analyzer import english
from rag.index.encoder import resolve_encoder
from rag.protocols import Encoder
from rag.types import Document, Fingerprint, Hit, Vectors

HANDBOOK = Path(__file__).parents[1] / "data"
MOST_QUESTIONS = 300


class Remembering:
    """An encoder that encodes each text once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vectors] = {}

    @property
    def fingerprint(self) -> Fingerprint:
        return self._encoder.fingerprint

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._encoder.encode(new, query=query), strict=True))
        return np.stack([self._known[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Trial:
    """A question asked once: the features of its candidates, and which of them are right."""

    question: str
    answerable: bool
    measured: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic model of sentences."""

    weights: npt.NDArray[np.float64]
    bias: float

    def logits(self, trial: Trial) -> npt.NDArray[np.float64]:
        return trial.measured @ self.weights + self.bias


def main() -> None:
    encoder = Remembering(resolve_encoder())
    trials = list(_trials("handbook", [*sorted((HANDBOOK / "handbook").iterdir())], HANDBOOK, encoder))
    if folder := os.environ.get("RAG_DATA"):
        xquad = Path(folder) / "retrieval" / "xquad" / "en"
        trials += _trials("xquad", _collection(xquad), xquad, encoder)
    questions = sorted({trial.question for trial in trials})
    half = set(random.Random(0).sample(questions, len(questions) // 2))
    seen = [trial for trial in trials if trial.question in half]
    _report([trial for trial in trials if trial.question not in half], *_fit(seen))
    model, confidence = _fit(trials)
    print("weights", {name: f"{weight:.2f}" for name, weight in zip(FEATURES, model.weights, strict=True)})
    print(f"bias {model.bias:.2f}, confidence slope {confidence[0]:.2f} and shift {confidence[1]:.2f}")


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _collection(folder: Path) -> list[Document]:
    return [
        Document(id=row["_id"], source=row["_id"], title=row["title"], text=row["text"])
        for row in _lines(folder / "corpus.jsonl")
    ]


def _trials(name: str, sources: list, folder: Path, encoder: Encoder) -> Iterator[Trial]:
    rows = [row for row in _lines(folder / "questions.jsonl") if row["split"] == "dev"][:MOST_QUESTIONS]
    with tempfile.TemporaryDirectory() as place, rag.open(Path(place) / "index", encoder=encoder) as kb:
        kb.add(sources)
        whole = {Path(document.source).name: document.source for document in kb.documents()}
        for done, row in enumerate(rows, start=1):
            print(f"\r{name} {done}/{len(rows)}", end="", file=sys.stderr)
            gold = [{**each, "source": whole[each["source"]]} for each in row["documents"]]
            without = {"source": {"$nin": [each["source"] for each in gold]}}
            for where in (None, without) if gold else (None,):
                hits = kb.search(row["user_input"], where=where)
                candidates = find_candidates(hits)
                measured, _ = features(row["user_input"], candidates, hits, encoder, english)
                right = np.array([_is_right(each, hits[each.context], gold) for each in candidates])
                yield Trial(row["user_input"], bool(gold) and where is None, measured, right)
    print(file=sys.stderr)


def _is_right(candidate: Candidate, hit: Hit, gold: list[dict]) -> bool:
    return any(
        hit.source == each["source"] and candidate.start < each["end"] and each["start"] < candidate.end
        for each in gold
    )


def _fit(trials: Sequence[Trial]) -> tuple[Model, tuple[float, float]]:
    """The model of sentences, and the slope and shift that make its best logit that of an answer."""
    measured = np.concatenate([trial.measured for trial in trials])
    right = np.concatenate([trial.right for trial in trials])
    sentences = LogisticRegression(C=10, max_iter=2000).fit(measured, right)
    model = Model(sentences.coef_[0], float(sentences.intercept_[0]))
    best = np.array([model.logits(trial).max() for trial in trials])
    answers = LogisticRegression(C=1e6).fit(best[:, None], [trial.answerable for trial in trials])
    return model, (float(answers.coef_[0, 0]), float(answers.intercept_[0]))


def _report(trials: Sequence[Trial], model: Model, confidence_of: tuple[float, float]) -> None:
    logits = [model.logits(trial) for trial in trials]
    answerable = np.array([trial.answerable for trial in trials])
    slope, shift = confidence_of
    confidence = 1 / (1 + np.exp(-(slope * np.array([each.max() for each in logits]) + shift)))
    firsts = [
        trial.right[np.argsort(-each, kind="stable")[:3]]
        for trial, each in zip(trials, logits, strict=True)
        if trial.answerable
    ]
    print(f"{len(firsts)} answerable, {int((~answerable).sum())} not")
    print(
        f"right sentence first {np.mean([each[0] for each in firsts]):.3f}, in three "
        f"{np.mean([each.any() for each in firsts]):.3f}"
    )
    print(f"AUROC of confidence for answerable {roc_auc_score(answerable, confidence):.3f}")
    for least in np.arange(0.2, 0.85, 0.1):
        refused = confidence < least
        precision = (refused & ~answerable).sum() / max(1, refused.sum())
        print(
            f"abstaining below {least:.2f}: precision {precision:.3f}, "
            f"recall {refused[~answerable].mean():.3f}, answerable kept {(~refused)[answerable].mean():.3f}"
        )


if __name__ == "__main__":
    main()
