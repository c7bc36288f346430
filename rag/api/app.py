"""The service: search and answers over HTTP, from one engine that is opened once.

It has no access control: whoever reaches it reads all that is indexed.
"""

# No `from __future__ import annotations` here: FastAPI reads the annotations of functions inside functions.

import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rag.api.schema import answer_json, document_json, search_json, sentence_json
from rag.api.settings import DoorSettings
from rag.errors import InputError, MissingExtra
from rag.pipeline import Engine
from rag.types import Answer

if TYPE_CHECKING:
    from fastapi import FastAPI

LOCAL = ("127.0.0.1", "::1", "localhost")


def create_app(engine: Engine, settings: DoorSettings | None = None) -> "FastAPI":
    """Make the service over an engine, which stays the caller's to close.

    `/openapi.json` describes it; there are no pages that would load scripts from elsewhere.

    Raises:
        MissingExtra: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI
    except ImportError as error:
        raise MissingExtra("the service needs FastAPI: pip install fastapi uvicorn") from error
    from rag import __version__
    from rag.api.problems import BodyLimit, answer_with_problems

    settings = settings or DoorSettings()
    app = FastAPI(title="rag", version=__version__, docs_url=None, redoc_url=None)
    answer_with_problems(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    _add_health(app, engine)
    _add_questions(app, engine, settings.max_k)
    return app


def _add_health(app: "FastAPI", engine: Engine) -> None:
    # Plain functions: FastAPI runs them in its thread pool, so that none holds up the others.

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> dict[str, Any]:
        """The index opens, and its encoder is here."""
        with engine.view() as view:
            commit = view.commit
        return {"status": "ok", "index_commit": commit, "encoder": engine.encoder.fingerprint.name}

    @app.get("/v1/documents")
    def documents() -> dict[str, Any]:
        """Every document, without its text."""
        return {"documents": [document_json(document) for document in engine.documents()]}


def _add_questions(app: "FastAPI", engine: Engine, max_k: int) -> None:
    from fastapi import Response
    from fastapi.responses import JSONResponse, StreamingResponse

    from rag.api.requests import QueryRequest, SearchRequest

    @app.post("/v1/search")
    def search(request: SearchRequest) -> Response:
        """The passages that speak of something."""
        started = time.perf_counter()
        hits = engine.search(
            request.query,
            k=_allowed(request.k, max_k),
            mode=request.mode,
            where=request.where,
            rerank=request.rerank,
        )
        timings = {"search": 1e3 * (time.perf_counter() - started)}
        return JSONResponse(search_json(request.query, hits, timings))

    @app.post("/v1/query")
    def query(request: QueryRequest) -> Response:
        """An answer, each sentence cited; with `stream` as server-sent events, the sentences first."""
        answer = engine.ask(request.question, k=_allowed(request.k, max_k), where=request.where)
        if not request.stream:
            return JSONResponse(answer_json(answer))
        return StreamingResponse(_events(answer), media_type="text/event-stream")


def _allowed(k: int, max_k: int) -> int:
    if k > max_k:
        raise InputError(f"k is at most {max_k} here, not {k}")
    return k


def _events(answer: Answer) -> Iterator[str]:
    for sentence in answer.sentences:
        yield _event("sentence", sentence_json(sentence))
    yield _event("answer", answer_json(answer))


def _event(name: str, value: object) -> str:
    # JSON as it is made here has no line break, so that one line of data holds it all.
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"


def serve(engine: Engine, settings: DoorSettings) -> None:
    """Listen until the process is interrupted. The encoder is loaded first.

    Raises:
        MissingExtra: FastAPI or uvicorn is not installed.
        EncoderNotFound: The encoder is not installed.
        EncoderMismatch: The index was made with another.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("the service needs uvicorn: pip install fastapi uvicorn") from error
    app = create_app(engine, settings)
    engine.encoder.encode(["ready"])
    if settings.host not in LOCAL:
        sys.stderr.write(f"{settings.host} may be reached from elsewhere, and there is no access control\n")
    sys.stderr.write(f"serving {settings.index} at http://{settings.host}:{settings.port}/v1/query\n")
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", access_log=False)
