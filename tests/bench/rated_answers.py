"""Answers that people have rated, as samples that metrics can be taken of, by RAG_DATA/metrics.

Thresholds are fitted on rows with `dev`, and only the others are reported: halves by question or
conversation, or other sets altogether (SciFact's and BEGIN's rows that the verifier was fitted on).
"""

from __future__ import annotations

import math
import statistics
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.index.analyzer import english

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from verifier_pairs import begin, fraction, lines

SCALES = ("faithfulness", "appropriateness", "completeness", "naturalness")


@dataclass(frozen=True, slots=True)
class Rated:
    """An answer and what people made of it: `rating` as high as the label goes, `good` where it is yes.

    Rows of one `cluster` share a question, an article or a conversation. `machines` are other judges'.
    """

    sample: Sample
    rating: float
    good: bool
    cluster: str
    dev: bool = False
    machines: tuple[float, ...] = ()


def rated(
    identifier: str,
    response: str,
    *,
    good: bool,
    rating: float | None = None,
    cluster: str = "",
    contexts: tuple[str, ...] = (),
    question: str = "",
    references: tuple[str, ...] = (),
    dev: bool = False,
    machines: tuple[float, ...] = (),
) -> Rated:
    """An answer by its parts; without a rating it is yes or no."""
    first = references[0] if references else None
    asked = Question(identifier, question, first, references[1:])
    sample = Sample(asked, response, contexts)
    return Rated(
        sample, float(good) if rating is None else rating, good, cluster or identifier, dev, machines
    )


def read_sets(data: Path) -> dict[str, list[Rated]]:
    """Every set by its name."""
    metrics = data / "metrics"
    return {
        "training": training(data),
        "wice": claims(lines(metrics / "wice.jsonl"), "claim"),
        "begin": claims(begin(data, training=False), "response", cluster="context"),
        "qags": claims(lines(metrics / "qags-cnndm.jsonl"), "claim", cluster="summary_id"),
        "qags summaries": summaries(lines(metrics / "qags-cnndm.jsonl")),
        **{f"mtrag {scale}": conversations(lines(metrics / "mtrag-human.jsonl"), scale) for scale in SCALES},
        "openqa": openqa(lines(metrics / "openqa-answers.jsonl")),
        "financebench": financebench(metrics, refusals=False),
        "financebench refusals": financebench(metrics, refusals=True),
        "hotpotqa passages": passages(data / "retrieval" / "hotpotqa"),
        "nq passages": passages(data / "retrieval" / "nq", most=60),
    }


def claims(rows: list[dict], claim: str, *, cluster: str = "id", dev: bool = False) -> list[Rated]:
    """Single claims, each with the text that it is to follow from."""
    return [
        rated(
            row["id"],
            row[claim],
            good=row["label"] == "supported",
            rating={"supported": 1.0, "partial": 0.5}.get(row["label"], 0.0),
            cluster=row[cluster],
            contexts=(row["context"],),
            dev=dev,
        )
        for row in rows
    ]


def training(data: Path) -> list[Rated]:
    """A third of what the verifier was fitted on: enough to fit a threshold."""
    scifact = [row for row in lines(data / "metrics" / "scifact-claims.jsonl") if row["split"] == "train"]
    learnt = claims(scifact[::3], "claim", dev=True)
    return learnt + claims(begin(data, training=True)[::3], "response", dev=True)


def summaries(rows: list[dict]) -> list[Rated]:
    """Whole summaries: the rating is the share of sentences that people found supported."""
    parts: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        parts[row["summary_id"]].append(row)
    found = []
    for name, each in parts.items():
        share = statistics.mean(row["label"] == "supported" for row in each)
        response = "\n".join(row["claim"] for row in each)
        context = (each[0]["context"],)
        found.append(rated(name, response, good=share == 1, rating=share, cluster=name, contexts=context))
    return found


def conversations(rows: list[dict], scale: str) -> list[Rated]:
    """The last answer of a conversation, by the median of three people on one scale of 1 to 4."""
    found = []
    for row in rows:
        median = statistics.median(row["raw_label"][scale])
        talk = row["id"].split("/")[0]
        found.append(
            rated(
                row["id"],
                row["response"],
                good=median == 4,
                rating=float(median),
                cluster=talk,
                contexts=tuple(row["contexts"]),
                question=row["user_input"],
                references=(row["reference"],) if row["system"] != "reference" else (),
                dev=fraction("mtrag:" + talk) < 0.5,
            )
        )
    return found


def openqa(rows: list[dict]) -> list[Rated]:
    """Short answers, right or wrong; beside them what BEM and GPT-4 said."""
    return [
        rated(
            row["id"],
            row["response"],
            good=row["label"] == "correct",
            cluster=row["user_input"],
            question=row["user_input"],
            references=tuple(row["references"]),
            dev=fraction("openqa:" + row["user_input"]) < 0.5,
            machines=tuple(float(row[name] == "Yes") for name in ("bem", "gpt4")),
        )
        for row in rows
    ]


def financebench(metrics: Path, *, refusals: bool) -> list[Rated]:
    """Answers of sixteen systems: right or wrong, or all of them, where what is told apart is refusals."""
    contexts: dict[str, list[str]] = defaultdict(list)
    for row in lines(metrics / "financebench-contexts.jsonl"):
        contexts[row["id"]].append(row["context"])
    return [
        rated(
            row["id"],
            row["response"],
            good=row["label"] == ("refusal" if refusals else "correct"),
            cluster=row["question_id"],
            contexts=tuple(contexts[row["question_id"]]),
            question=row["user_input"],
            references=(row["reference"],),
            dev=fraction("financebench:" + row["question_id"]) < 0.5,
        )
        for row in lines(metrics / "financebench-answers.jsonl")
        if refusals or row["label"] != "refusal"
    ]


def passages(folder: Path, most: int = 50, near: int = 4) -> list[Rated]:
    """The gold passages of a split's first questions, and those that share most with each question."""
    texts = {
        row["_id"]: f"{row.get('title', '')}\n{row['text']}".strip() for row in lines(folder / "corpus.jsonl")
    }
    terms = {name: set(english(text)) for name, text in texts.items()}
    counts = Counter(term for each in terms.values() for term in each)
    weights = {term: math.log(len(texts) / count) for term, count in counts.items()}
    found = []
    for split in ("dev", "test"):
        rows = [row for row in lines(folder / "questions.jsonl") if row["split"] == split]
        for row in rows[:most]:
            gold = {place["source"] for place in row["documents"]}
            asked = set(english(row["user_input"]))
            weight = {name: sum(weights[term] for term in asked & terms[name]) for name in texts}
            others = sorted((name for name in texts if name not in gold), key=lambda name: -weight[name])
            found += [
                rated(
                    f"{row['id']}/{name}",
                    row["reference"],
                    good=name in gold,
                    cluster=row["id"],
                    contexts=(texts[name],),
                    question=row["user_input"],
                    references=(row["reference"],),
                    dev=split == "dev",
                )
                for name in (*sorted(gold), *others[:near])
            ]
    return found
