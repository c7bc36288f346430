"""A judge as ragas's language model, and an encoder as its embeddings, in both of the forms it knows.

ragas asks in prose, with the input as JSON at the end and the JSON Schema of the reply in it: both are
read back from there, and the judge is asked what is meant. What it cannot answer is a `JudgeFailed`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from rag.errors import JudgeFailed
from rag.eval.metrics.verdicts import holds
from rag.eval.ragas.bridge import require_ragas
from rag.protocols import Encoder, Judge
from rag.types import AskedBack, Claim, Judgement

if TYPE_CHECKING:
    from langchain_core.outputs import LLMResult
    from ragas.embeddings.base import BaseRagasEmbedding
    from ragas.llms.base import BaseRagasLLM, InstructorBaseRagasLLM

_INPUT, _SCHEMA = "\ninput: ", "JSON Schema:\n"
_Reply = dict[str, Any]
_Model = TypeVar("_Model", bound=BaseModel)


def ragas_model(judge: Judge, *, asked_back: int = 3) -> InstructorBaseRagasLLM:
    """The judge as the model of `ragas.metrics.collections`.

    Answer relevancy asks for one question at a time: `asked_back` is how often (its `strictness`).

    Raises:
        MissingExtra: ragas is not installed, or not as it should be.
    """
    require_ragas()
    from ragas.llms.base import InstructorBaseRagasLLM

    class JudgeModel(InstructorBaseRagasLLM):
        is_async = True

        def __init__(self) -> None:
            self._turns: Counter[str] = Counter()

        def generate(self, prompt: str, response_model: type[_Model]) -> _Model:
            fields = frozenset(response_model.model_fields)
            if fields != _ASKED_BACK:
                return response_model(**_reply(judge, fields, _input(prompt), asked_back)[0])
            turn = self._turns[prompt] % asked_back
            self._turns[prompt] += 1
            return response_model(**_reply(judge, fields, _input(prompt), asked_back)[turn])

        async def agenerate(self, prompt: str, response_model: type[_Model]) -> _Model:
            return self.generate(prompt, response_model)

    return JudgeModel()


def ragas_legacy_model(judge: Judge) -> BaseRagasLLM:
    """The judge as the model of the older metrics in `ragas.metrics`; a failure is not tried again.

    Raises:
        MissingExtra: ragas is not installed, or not as it should be.
    """
    require_ragas()
    from langchain_core.outputs import Generation, LLMResult
    from ragas.llms.base import BaseRagasLLM

    class JudgeModel(BaseRagasLLM):
        def generate_text(self, prompt: Any, n: int = 1, *_: Any, **__: Any) -> LLMResult:
            text = prompt.to_string()
            replies = _reply(judge, _fields(text), _input(text), n)
            # this kind takes a question without words into its mean, so none is made up beside real ones
            replies = [each for each in replies if each.get("question") != ""] or replies[:1]
            return LLMResult(generations=[[Generation(text=json.dumps(reply)) for reply in replies]])

        async def agenerate_text(self, prompt: Any, n: int = 1, *_: Any, **__: Any) -> LLMResult:
            return self.generate_text(prompt, n)

        async def generate(self, prompt: Any, n: int = 1, *_: Any, **__: Any) -> LLMResult:
            return self.generate_text(prompt, n)

        def is_finished(self, response: LLMResult) -> bool:
            return True

    return JudgeModel()


def ragas_embeddings(encoder: Encoder) -> BaseRagasEmbedding:
    """The encoder as embeddings of either kind of metric. Questions are embedded as texts are.

    Raises:
        MissingExtra: ragas is not installed, or not as it should be.
    """
    require_ragas()
    from ragas.embeddings.base import BaseRagasEmbedding

    class EncoderEmbeddings(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_documents([text])[0]

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_documents([text])[0]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [list(map(float, vector)) for vector in encoder.encode(texts)]

    return EncoderEmbeddings()


def _input(prompt: str) -> dict[str, Any]:
    """The JSON behind the last line that begins with `input:`: inside of it line ends are escaped."""
    _, found, rest = prompt.rpartition(_INPUT)
    try:
        given, _ = json.JSONDecoder().raw_decode(rest) if found else (None, 0)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise JudgeFailed(
            "a prompt of ragas without its input as JSON: only those of its own metrics are read"
        )
    return given


def _fields(prompt: str) -> frozenset[str]:
    """The fields of the reply, of the first JSON Schema in a prompt."""
    _, found, rest = prompt.partition(_SCHEMA)
    try:
        schema, _ = json.JSONDecoder().raw_decode(rest) if found else ({}, 0)
    except ValueError:
        schema = {}
    return frozenset(schema.get("properties", ()))


_ASKED_BACK = frozenset({"question", "noncommittal"})


def _reply(judge: Judge, fields: frozenset[str], given: dict[str, Any], count: int) -> list[_Reply]:
    """What the judge says to what ragas asks, in the fields that it wants, `count` times."""
    if fields == _ASKED_BACK and "response" in given:
        return _asked_back(judge.questions(given["response"], count), count)
    reply = _one_reply(judge, given, fields, frozenset(given))
    if reply is None:
        raise JudgeFailed(
            f"{judge.name} has no reply with the fields {', '.join(sorted(fields)) or '(none)'}"
        )
    return [reply] * count


def _one_reply(
    judge: Judge, given: dict[str, Any], fields: frozenset[str], inputs: frozenset[str]
) -> _Reply | None:
    question = given.get("question", "")
    if fields == {"statements"} and {"context", "statements"} <= inputs:
        return {"statements": _verdicts(judge, given["statements"], given["context"], "", "verdict")}
    if fields == {"statements"} and inputs & {"answer", "text"}:
        return {
            "statements": judge.statements(given.get("answer") or given.get("text", ""), question=question)
        }
    if fields == {"claims"} and "response" in inputs:
        return {"claims": judge.statements(given["response"])}
    if fields == {"reason", "verdict"} and {"question", "context", "answer"} <= inputs:
        [verdict] = judge.useful(question, given["answer"], [given["context"]])
        return {"reason": verdict.reason, "verdict": int(holds(verdict))}
    if fields == {"classifications"} and {"context", "answer"} <= inputs:
        statements = judge.statements(given["answer"], question=question)
        return {"classifications": _verdicts(judge, statements, given["context"], question, "attributed")}
    if fields == {"TP", "FP", "FN"} and {"answer", "ground_truth"} <= inputs:
        return _matched(judge, given["answer"], given["ground_truth"], question)
    if fields == {"entities"} and "text" in inputs:
        return {"entities": judge.entities(given["text"])}
    return None


def _asked_back(asked: Sequence[AskedBack], count: int) -> list[_Reply]:
    """As many as are asked for: ragas passes over those without words."""
    replies = [{"question": each.question, "noncommittal": int(each.noncommittal)} for each in asked]
    return (replies + [{"question": "", "noncommittal": 1}] * count)[:count]


def _verdicts(judge: Judge, statements: list[str], context: str, question: str, field: str) -> list[_Reply]:
    claims = [Claim(statement, (context,), question) for statement in statements]
    judgements: list[Judgement] = judge.supported(claims) if claims else []
    pairs = zip(statements, judgements, strict=True)
    return [
        {"statement": text, "reason": verdict.reason, field: int(holds(verdict))} for text, verdict in pairs
    ]


def _matched(judge: Judge, said: list[str], wanted: list[str], question: str) -> _Reply:
    claims = [Claim(text, tuple(wanted), question) for text in said]
    claims += [Claim(text, tuple(said), question) for text in wanted]
    verdicts = judge.supported(claims) if claims else []
    of_said = list(zip(said, verdicts[: len(said)], strict=True))
    of_wanted = zip(wanted, verdicts[len(said) :], strict=True)

    def listed(pairs: Any, yes: bool) -> list[_Reply]:
        return [{"statement": text, "reason": each.reason} for text, each in pairs if holds(each) is yes]

    return {"TP": listed(of_said, True), "FP": listed(of_said, False), "FN": listed(of_wanted, False)}
