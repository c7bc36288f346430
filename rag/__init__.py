"""Answers over your documents, every sentence proven by an exact span.

    kb = rag.open("my-index")
    kb.add("docs/")
    print(kb.ask("What is the notice period?").text)

Names are loaded when they are first used, so that importing this costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.errors import RagError as RagError
    from rag.eval.experiment import evaluate as evaluate
    from rag.eval.judges.endpoint import endpoint_judge as endpoint_judge
    from rag.eval.judges.language import language_judge as language_judge
    from rag.generation.extractive import extractive as extractive
    from rag.generation.proof import differences as differences
    from rag.generation.runtime import open_model as open_model
    from rag.generation.writer import written as written
    from rag.index.encoder import resolve_encoder as resolve_encoder
    from rag.ingestion.load import load as load
    from rag.library import restore as restore
    from rag.pipeline import Engine as Engine
    from rag.pipeline import open as open  # noqa: A004 - users write rag.open
    from rag.retrieval.dense import dense as dense
    from rag.retrieval.fusion import convex as convex
    from rag.retrieval.fusion import reciprocal_rank as reciprocal_rank
    from rag.retrieval.hybrid import hybrid as hybrid
    from rag.retrieval.lexical import lexical as lexical
    from rag.retrieval.rerank import CrossEncoderReranker as CrossEncoderReranker
    from rag.retrieval.rerank import rerank as rerank
    from rag.types import AddReport as AddReport
    from rag.types import Answer as Answer
    from rag.types import Chunk as Chunk
    from rag.types import Citation as Citation
    from rag.types import Document as Document
    from rag.types import Hit as Hit
    from rag.types import Principal as Principal
    from rag.types import Settings as Settings
    from rag.types import Span as Span

__version__ = "0.1.0"

_HOME = {
    "AddReport": "rag.types",
    "Answer": "rag.types",
    "Chunk": "rag.types",
    "Citation": "rag.types",
    "CrossEncoderReranker": "rag.retrieval.rerank",
    "Document": "rag.types",
    "Engine": "rag.pipeline",
    "Hit": "rag.types",
    "Principal": "rag.types",
    "RagError": "rag.errors",
    "Settings": "rag.types",
    "Span": "rag.types",
    "convex": "rag.retrieval.fusion",
    "dense": "rag.retrieval.dense",
    "differences": "rag.generation.proof",
    "endpoint_judge": "rag.eval.judges.endpoint",
    "evaluate": "rag.eval.experiment",
    "extractive": "rag.generation.extractive",
    "hybrid": "rag.retrieval.hybrid",
    "language_judge": "rag.eval.judges.language",
    "lexical": "rag.retrieval.lexical",
    "load": "rag.ingestion.load",
    "open": "rag.pipeline",
    "open_model": "rag.generation.runtime",
    "reciprocal_rank": "rag.retrieval.fusion",
    "rerank": "rag.retrieval.rerank",
    "resolve_encoder": "rag.index.encoder",
    "restore": "rag.library",
    "written": "rag.generation.writer",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - one list of names is enough


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
