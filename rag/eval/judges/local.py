"""The judge that is always there: a verifier, an encoder and rules. Deterministic, and without a network.

docs/judges.md says how well it agrees with people, metric by metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import JudgeFailed
from rag.eval.judges.entities import entities_of
from rag.eval.judges.statements import avoids, statements_of
from rag.protocols import Encoder, Judge, Verifier
from rag.types import AskedBack, Claim, Judgement, Support

WAYS = {
    "answer_relevancy": "here the cosine of the response itself with the question: this judge asks none back"
}
"""What the judge does in place of what a metric's formula says, which a report shows beside that."""

VERSION = 4
"""Of the rules; verdicts of different versions are not to be compared."""

_FAULTY = 0.45  # the most that a verdict is where the verifier finds a fault
_OPENING = 2  # statements
_HELPS = 0.4  # tells best on the development questions of HotpotQA and Natural Questions together


def local_judge(verifier: Verifier, encoder: Encoder, *, threshold: float = 0.5) -> Judge:
    """A judge by a verifier and an encoder, both of which may be the system's own.

    Args:
        verifier: Says how likely a claim follows from its evidence.
        encoder: Gives the cosines.
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
    def ways(self) -> Mapping[str, str]:
        """By the metric, how its verdicts are come by where that is not as its formula says."""
        return WAYS

    @property
    def name(self) -> str:
        verifier = getattr(self.verifier, "name", "") or getattr(self.verifier, "__name__", "of no name")
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
        """The mean of how far a passage supports a statement of the answer, and what the question takes up.

        An answer such as "yes" or a year stands in many passages; that on the question's subject helps.
        """
        statements = self.statements(answer, question=question)
        if not statements:
            return [Judgement(None, "the answer states nothing")] * len(contexts)
        texts = [*statements, *filter(None, [question.strip().rstrip("?")])]
        verdicts = self.supported(
            [Claim(text, (passage,), question) for passage in contexts for text in texts]
        )
        rows = [verdicts[at : at + len(texts)] for at in range(0, len(verdicts), len(texts))]
        return [_helpful(row[: len(statements)], row[len(statements) :], statements) for row in rows]

    def questions(self, response: str, count: int) -> list[AskedBack]:
        """The response itself, in place of questions that only a language model could ask back.

        Statements of it, or questions made of them by template, agree less with people. It avoids an
        answer where one of its first two statements says that there is none, whatever it goes on with.
        """
        said = self.statements(response)
        return [AskedBack(response, any(map(avoids, said[:_OPENING])))] if said and count > 0 else []

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


def _helpful(
    of_answer: Sequence[Judgement], of_question: Sequence[Judgement], statements: Sequence[str]
) -> Judgement:
    """The verdict on a passage by those on its support; none where one of them is missing."""
    values = [each.value for each in (*of_answer, *of_question) if each.value is not None]
    if len(values) < len(of_answer) + len(of_question):
        return next(each for each in (*of_answer, *of_question) if each.value is None)
    said = values[: len(of_answer)]
    best = said.index(max(said))
    mean = float(np.mean([said[best], *values[len(of_answer) :]]))
    reason = f"{of_answer[best].reason}, of: {statements[best]}"
    about = "".join(f"; of the question: {each.reason}" for each in of_question)
    return Judgement(stretched(mean, _HELPS), reason + about)


def _attempt(call: Callable[[], np.ndarray]) -> np.ndarray:
    try:
        return call()
    except Exception as error:
        raise JudgeFailed(f"the encoder failed: {type(error).__name__}: {error}") from error
