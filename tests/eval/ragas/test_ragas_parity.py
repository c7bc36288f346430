"""Every metric that ragas has too, against ragas itself on 200 made-up samples and some blank ones.

Those that need a model are given the same statements and verdicts on both sides: ours from a scripted judge,
theirs from the same judge as their model. What differs on purpose is tested, and told in docs/metrics.md.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module

import numpy as np
import pytest

from rag.eval.catalogue import metric_named
from rag.eval.metrics.correctness import answer_correctness
from rag.eval.questions import Question
from rag.eval.ragas.bridge import ragas_scores
from rag.eval.ragas.judge import ragas_embeddings, ragas_legacy_model, ragas_model
from rag.eval.sample import Sample
from rag.types import AskedBack, Claim, Judgement
from tests.fakes import HashingEncoder

pytest.importorskip("ragas", reason="needs ragas: pip install 'spanrag[ragas]'")

SYLLABLES = "ka lo mi ré su tön play ing ed ies øy 3 日本 ness ﬁ ss İ".split()
ENCODER = HashingEncoder(dimension=32)


def chance(*parts: str) -> float:
    """A number in 0..1 that depends on the words alone, however they are joined."""
    words = re.sub(r"\W+", " ", "|".join(parts)).strip()
    return int.from_bytes(blake2b(words.encode(), digest_size=4).digest()) / 2**32


@dataclass(frozen=True)
class HashedJudge:
    """Its verdicts hang on the words of what is asked and of the evidence."""

    name: str = "hashed"

    def statements(self, text: str, *, question: str = "") -> list[str]:
        return [part.strip() for part in re.split(r"[.!\n]", text) if part.strip()]

    def supported(self, claims: Sequence[Claim]) -> list[Judgement]:
        return [Judgement(float(chance(claim.text, *claim.evidence) < 0.5)) for claim in claims]

    def useful(self, question: str, answer: str, contexts: Sequence[str]) -> list[Judgement]:
        return [Judgement(float(chance(question, answer, context) < 0.5)) for context in contexts]

    def questions(self, response: str, count: int) -> list[AskedBack]:
        evasive = chance("evasive", response) < 0.3
        return [
            AskedBack(f"{response[:20]} {at}?", evasive or chance(response, str(at)) < 0.3)
            for at in range(int(chance("asked", response) * (count + 2)))
        ][:count]

    def entities(self, text: str) -> list[str]:
        return list(dict.fromkeys(word for word in text.split() if word[0].isupper()))

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        return [float(each) for each in ENCODER.encode(list(others)) @ ENCODER.encode([text])[0]]


JUDGE = HashedJudge()


def words(rng: random.Random, count: int) -> str:
    each = ("".join(rng.choices(SYLLABLES, k=rng.randint(1, 3))) for _ in range(count))
    return " ".join(word.capitalize() if rng.random() < 0.3 else word for word in each)


def passage(rng: random.Random, pool: Sequence[str], longest: int = 6) -> str:
    parts = [
        rng.choice(pool) if pool and rng.random() < 0.4 else words(rng, rng.randint(1, 9))
        for _ in range(rng.randint(1, longest))
    ]
    return ". ".join(parts) + rng.choice([".", "!", "", " "])


def make_sample(number: int) -> Sample:
    rng = random.Random(number)
    pool = [words(rng, rng.randint(1, 6)) for _ in range(4)]
    odd = rng.choice([".", " ", "…", "?!", "\n"])
    reference = odd if number % 40 == 1 else passage(rng, pool)
    response = odd if number % 40 == 2 else "" if number % 40 == 3 else passage(rng, pool)
    response = reference if number % 20 == 4 else response
    response = passage(rng, pool, 60) if number % 25 == 5 else response
    contexts = [passage(rng, pool) for _ in range(rng.randint(1, 6))]
    contexts += rng.choices(contexts, k=rng.randint(0, 2))  # some come twice
    gold = [rng.choice(contexts) + rng.choice(["", " more", words(rng, 9)]) for _ in range(rng.randint(1, 3))]
    ids = [str(rng.randint(0, 9)) for _ in contexts]
    question = Question(
        f"q{number}",
        words(rng, 5) + "?",
        reference=reference,
        reference_contexts=tuple(gold),
        reference_context_ids=tuple(str(rng.randint(0, 9)) for _ in gold),
    )
    return Sample(question, response, tuple(contexts), tuple(ids))


SAMPLES = [make_sample(number) for number in range(212)]


def collections_metrics() -> dict[str, object]:
    """ragas's present metrics by our names."""
    from ragas.metrics import collections as theirs
    from ragas.metrics.collections._string import DistanceMeasure

    model, embeddings = ragas_model(JUDGE), ragas_embeddings(ENCODER)
    similar = theirs.NonLLMStringSimilarity
    return {
        "verbatim_match": theirs.ExactMatch(),
        "string_present": theirs.StringPresence(),
        "non_llm_string_similarity": similar(),
        "non_llm_string_similarity_hamming": similar(distance_measure=DistanceMeasure.HAMMING),
        "non_llm_string_similarity_jaro": similar(distance_measure=DistanceMeasure.JARO),
        "non_llm_string_similarity_jaro_winkler": similar(distance_measure=DistanceMeasure.JARO_WINKLER),
        "rouge_score": theirs.RougeScore(),
        "rouge_score_precision": theirs.RougeScore(mode="precision"),
        "rouge_score_recall": theirs.RougeScore(mode="recall"),
        "semantic_similarity": theirs.SemanticSimilarity(embeddings=embeddings),
        "faithfulness": theirs.Faithfulness(llm=model),
        "answer_relevancy": theirs.AnswerRelevancy(llm=model, embeddings=embeddings),
        "context_precision": theirs.ContextPrecision(llm=model),
        "context_utilization": theirs.ContextUtilization(llm=model),
        "context_recall": theirs.ContextRecall(llm=model),
        "context_entity_recall": theirs.ContextEntityRecall(llm=model),
        "noise_sensitivity_relevant": theirs.NoiseSensitivity(llm=model),
        "noise_sensitivity_irrelevant": theirs.NoiseSensitivity(llm=model, mode="irrelevant"),
        "answer_correctness": theirs.AnswerCorrectness(llm=model, embeddings=embeddings),
        "factual_correctness": theirs.FactualCorrectness(llm=model),
        "factual_correctness_precision": theirs.FactualCorrectness(llm=model, mode="precision"),
        "factual_correctness_recall": theirs.FactualCorrectness(llm=model, mode="recall"),
    }


def legacy(module: str, name: str) -> type:
    """One of the older metrics, from where importing it does not warn."""
    return getattr(import_module(f"ragas.metrics.{module}"), name)


def legacy_metrics() -> dict[str, object]:
    """ragas's older metrics by our names."""
    from ragas.run_config import RunConfig

    model, embeddings = {"llm": ragas_legacy_model(JUDGE)}, {"embeddings": ragas_embeddings(ENCODER)}
    metrics = {
        "non_llm_context_precision": legacy("_context_precision", "NonLLMContextPrecisionWithReference")(),
        "non_llm_context_recall": legacy("_context_recall", "NonLLMContextRecall")(),
        "id_based_context_precision": legacy("_context_precision", "IDBasedContextPrecision")(),
        "id_based_context_recall": legacy("_context_recall", "IDBasedContextRecall")(),
        "faithfulness": legacy("_faithfulness", "Faithfulness")(**model),
        "answer_relevancy": legacy("_answer_relevance", "AnswerRelevancy")(**model, **embeddings),
        "context_precision": legacy("_context_precision", "ContextPrecision")(**model),
        "context_utilization": legacy("_context_precision", "ContextUtilization")(**model),
        "context_recall": legacy("_context_recall", "ContextRecall")(**model),
        "context_entity_recall": legacy("_context_entities_recall", "ContextEntityRecall")(**model),
        "noise_sensitivity_relevant": legacy("_noise_sensitivity", "NoiseSensitivity")(**model),
        "noise_sensitivity_irrelevant": legacy("_noise_sensitivity", "NoiseSensitivity")(
            mode="irrelevant", **model
        ),
        "answer_correctness": legacy("_answer_correctness", "AnswerCorrectness")(**model, **embeddings),
        "factual_correctness": legacy("_factual_correctness", "FactualCorrectness")(**model),
        "factual_correctness_precision": legacy("_factual_correctness", "FactualCorrectness")(
            mode="precision", **model
        ),
        "factual_correctness_recall": legacy("_factual_correctness", "FactualCorrectness")(
            mode="recall", **model
        ),
    }
    for metric in metrics.values():
        metric.init(RunConfig())
    return metrics


# 200 and more that say something; the rest are blank, which ragas refuses or has a model make something of
PLAIN = [
    at
    for at, sample in enumerate(SAMPLES)
    if sample.response.strip() and (sample.question.reference or "").strip()
]
BY_KIND = [("collections", name) for name in collections_metrics()] + [
    ("legacy", name) for name in legacy_metrics()
]


@pytest.fixture
def unrounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """ragas rounds factual correctness to two digits; this takes that away."""
    monkeypatch.setattr(np, "round", lambda value, digits=0: value)


def states(text: str) -> bool:
    return bool(JUDGE.statements(text))


def differs(kind: str, name: str, sample: Sample) -> bool:
    """Where ours and theirs differ on purpose, or their two kinds do."""
    reference = sample.question.reference or ""
    match kind, name:
        case _, "context_entity_recall":  # without entities to recall: ours None, theirs 0
            return not JUDGE.entities(reference)
        case "legacy", "answer_relevancy":  # no question asked back: ours 0, theirs NaN
            return not JUDGE.questions(sample.response, 3)
        case "collections", "answer_correctness":  # one side states nothing: ours F 0, theirs F 1
            return states(sample.response) != states(reference)
    return False


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered in scalar divide")
@pytest.mark.parametrize(("kind", "name"), BY_KIND, ids=[f"{kind}-{name}" for kind, name in BY_KIND])
@pytest.mark.usefixtures("unrounded")
def test_equal_on_all_that_say_something(kind: str, name: str) -> None:
    metric = (collections_metrics() if kind == "collections" else legacy_metrics())[name]
    metric.name = name
    slow = kind == "legacy" and name.startswith(("noise", "factual"))
    samples = SAMPLES[:80] if slow else SAMPLES
    theirs = [row[name] for row in ragas_scores(samples, [metric])]
    ours = [metric_named(name).measure(sample, JUDGE) for sample in samples]
    judged = "judge" in metric_named(name).needs
    said = [at for at in PLAIN if at < len(samples)] if judged else range(len(samples))
    compared = [at for at in said if not differs(kind, name, samples[at])]
    assert len(compared) >= 0.75 * len(samples)
    values = []
    for at in compared:
        score = ours[at]
        assert (score is None) == (theirs[at] is None), (at, score, theirs[at])
        if score is not None:
            assert score.value == pytest.approx(theirs[at], abs=1e-6), at
            values.append(score.value)
    # a test that compares one value with itself shows nothing
    assert len(set(values)) >= (2 if name in ("verbatim_match", "string_present") else 5)
    left = [(ours[at], theirs[at]) for at in said if at not in compared]
    assert not left or any(score is None or score.value != pytest.approx(value) for score, value in left)


def test_rounded_as_theirs_is() -> None:
    metrics = collections_metrics()["factual_correctness"]
    theirs = [row["factual_correctness"] for row in ragas_scores(SAMPLES, [metrics])]
    for at in PLAIN:
        score = metric_named("factual_correctness").measure(SAMPLES[at], JUDGE)
        assert score is not None
        assert score.value == pytest.approx(theirs[at], abs=0.005 + 1e-9)


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_answer_correctness_with_another_beta(beta: float) -> None:
    from ragas.metrics.collections import AnswerCorrectness

    model, embeddings = ragas_model(JUDGE), ragas_embeddings(ENCODER)
    few = [SAMPLES[at] for at in PLAIN if not differs("collections", "answer_correctness", SAMPLES[at])][:40]
    metric = AnswerCorrectness(llm=model, embeddings=embeddings, beta=beta)
    theirs = [row["answer_correctness"] for row in ragas_scores(few, [metric])]
    ours = [score.value for sample in few if (score := answer_correctness(sample, JUDGE, beta))]
    assert ours == pytest.approx(theirs, abs=1e-6)
