"""The judge that is always there: a verifier, an encoder and rules. Deterministic, and without a network.

docs/judges.md says how well it agrees with people, metric by metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import JudgeFailed
from rag.eval.judges.entities import entities_of
from rag.eval.judges.statements import avoids, statements_of
from rag.protocols import Encoder, Judge, Verifier
from rag.types import AskedBack, Claim, Judgement, Support

VERSION = 1
"""Of the rules; verdicts of different versions are not to be compared."""

_FAULTY = 0.45


def local_judge(verifier: Verifier, encoder: Encoder, *, threshold: float = 0.5) -> Judge:
    """A judge by a verifier and an encoder, both of which may be the system's own.

    Args:
        verifier: Says how likely a claim follows from its evidence.
        encoder: Gives the cosines, and ranks the statements that are asked back.
        threshold: The verifier's probability from which a claim counts as supported: verdicts are
            stretched so that it becomes .5.
    """
    return _LocalJudge(verifier, encoder, threshold)


@dataclass(frozen=True, slots=True)
class _LocalJudge:
    """A `Judge` of rules, a verifier and an encoder."""

    verifier: Verifier
    encoder: Encoder
    threshold: float

    @property
    def name(self) -> str:
        verifier = getattr(self.verifier, "name", "") or type(self.verifier).__name__
        vectors = self.encoder.fingerprint
        return (
            f"local {VERSION}: verifier {verifier} from {self.threshold:g}, "
            f"encoder {vectors.name}@{vectors.revision[:16]}"
        )

    def statements(self, text: str, *, question: str = "") -> list[str]:
        return statements_of(text)

    def supported(self, claims: Sequence[Claim]) -> list[Judgement]:
        """What the verifier says; where it raises, each claim is asked for once more by itself."""
        if not claims:
            return []
        try:
            given = self.verifier(claims)
        except Exception as error:
            if len(claims) > 1:
                return [self.supported([claim])[0] for claim in claims]
            return [Judgement(None, f"the verifier failed: {type(error).__name__}: {error}")]
        if len(given) != len(claims):
            short = f"the verifier gave {len(given)} verdicts for {len(claims)} claims"
            return [Judgement(None, short)] * len(claims)
        return [self._judgement(support) for support in given]

    def useful(self, question: str, answer: str, contexts: Sequence[str]) -> list[Judgement]:
        """A passage is useful where it supports a statement of the answer."""
        statements = self.statements(answer, question=question)
        if not statements:
            return [Judgement(None, "the answer states nothing")] * len(contexts)
        pairs = [Claim(text, (context,), question) for context in contexts for text in statements]
        verdicts = self.supported(pairs)
        rows = [verdicts[at : at + len(statements)] for at in range(0, len(verdicts), len(statements))]
        return [_best(row, statements) for row in rows]

    def questions(self, response: str, count: int) -> list[AskedBack]:
        """The statements nearest to the whole response, in its order, each as what it would answer."""
        statements = self.statements(response)
        if len(statements) > count:
            cosines = self.similarities(response, statements)
            nearest = sorted(range(len(statements)), key=lambda at: (-cosines[at], at))[:count]
            statements = [statements[at] for at in sorted(nearest)]
        return [AskedBack(statement, avoids(statement)) for statement in statements]

    def entities(self, text: str) -> list[str]:
        return entities_of(text)

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        if not others:
            return []
        vectors = _attempt(lambda: self.encoder.encode([text, *others]))
        cosines = np.clip(vectors[1:] @ vectors[0], -1, 1)
        return [float(each) for each in cosines]

    def _judgement(self, support: Support) -> Judgement:
        probability = support.probability
        if not 0 <= probability <= 1:
            return Judgement(None, f"the verifier's probability {probability} is outside 0 to 1")
        reason = "; ".join((f"probability {probability:.2f}", *support.faults))
        value = stretched(probability, self.threshold)
        # as where answers are proven: what has a fault is not, however likely
        return Judgement(min(value, _FAULTY) if support.faults else value, reason)


def stretched(probability: float, threshold: float) -> float:
    """A probability as a verdict: 0, `threshold` and 1 become 0, .5 and 1, straight between them."""
    if probability < threshold:
        return 0.5 * probability / threshold
    return 1.0 if threshold >= 1 else 0.5 + 0.5 * (probability - threshold) / (1 - threshold)


def _best(verdicts: Sequence[Judgement], statements: Sequence[str]) -> Judgement:
    """The verdict on the statement that is supported most; none where none holds and one is missing."""
    best = max(range(len(verdicts)), key=lambda at: -math.inf if (v := verdicts[at].value) is None else v)
    missing = next((each for each in verdicts if each.value is None), None)
    value = verdicts[best].value
    if missing is not None and (value is None or value < 0.5):
        return missing
    return Judgement(value, f"{verdicts[best].reason}, of: {statements[best]}")


def _attempt(call: Callable[[], np.ndarray]) -> np.ndarray:
    try:
        return call()
    except Exception as error:
        raise JudgeFailed(f"the encoder failed: {type(error).__name__}: {error}") from error
