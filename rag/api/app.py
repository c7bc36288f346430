"""The service: search and answers over HTTP, from one engine that is opened once.

Who asks is told by a function of the request, never by a request's own words.
"""

# No `from __future__ import annotations` here: FastAPI reads the annotations of functions inside functions.

import sys
import time
from typing import TYPE_CHECKING, Any

from rag.api.access import PrincipalOf, is_hidden, trusted_headers
from rag.api.schema import answer_json, document_json, search_json, whole_document_json
from rag.api.settings import DoorSettings
from rag.errors import InputError, MissingExtra
from rag.pipeline import Engine
from rag.types import Principal

if TYPE_CHECKING:
    from fastapi import FastAPI

LOCAL = ("127.0.0.1", "::1", "localhost")


def create_app(
    engine: Engine, settings: DoorSettings | None = None, *, principal_of: PrincipalOf | None = None
) -> "FastAPI":
    """Make the service over an engine, which stays the caller's to close.

    `/openapi.json` describes it; there are no pages that would load scripts from elsewhere.

    Args:
        engine: What answers.
        settings: Bounds of a request, and the headers of a trusted proxy.
        principal_of: Says who sends a request, as from its session or token; it is called in a thread.
            To refuse one it raises `fastapi.HTTPException(401)`; where it fails otherwise nothing is
            shown. By default the trusted headers are read; where there are none, it is nobody who asks.

    Raises:
        MissingExtra: FastAPI is not installed.
    """
    try:
        from fastapi import Depends, FastAPI, Request
    except ImportError as error:
        raise MissingExtra("the service needs FastAPI: pip install fastapi uvicorn") from error
    from rag import __version__
    from rag.api.completions import add_completions
    from rag.api.problems import BodyLimit, answer_with_problems

    settings = settings or DoorSettings()
    tell = principal_of or trusted_headers(settings)

    def asker(request: Request) -> Principal | None:
        return tell(request) if tell else None

    app = FastAPI(title="rag", version=__version__, docs_url=None, redoc_url=None)
    answer_with_problems(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    _add_health(app, engine)
    _add_documents(app, engine, Depends(asker))
    _add_questions(app, engine, Depends(asker), settings.max_k)
    _add_feedback(app, engine, Depends(asker))
    add_completions(app, engine, Depends(asker), lambda k: _allowed(k, settings.max_k))
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


def _add_documents(app: "FastAPI", engine: Engine, asker: Any) -> None:
    @app.get("/v1/documents")
    def documents(principal: Principal | None = asker) -> dict[str, Any]:
        """Every document that one may read, without its text."""
        return {"documents": [document_json(each) for each in engine.documents(principal=principal)]}

    @app.get("/v1/documents/{document_id:path}")
    def document(document_id: str, principal: Principal | None = asker) -> dict[str, Any]:
        """A document whole, so that citations can be held against its text."""
        return dict(whole_document_json(engine.document(document_id, principal=principal)))


def _add_questions(app: "FastAPI", engine: Engine, asker: Any, max_k: int) -> None:
    from fastapi import Response
    from fastapi.responses import JSONResponse

    from rag.api.requests import CompareRequest, QueryRequest, SearchRequest, SummariseRequest
    from rag.api.telling import answer_events, event_stream

    @app.post("/v1/search")
    def search(request: SearchRequest, principal: Principal | None = asker) -> Response:
        """The passages that speak of something."""
        started = time.perf_counter()
        hits = engine.search(
            request.query,
            k=_allowed(request.k, max_k),
            mode=request.mode,
            where=request.where,
            principal=principal,
            rerank=request.rerank,
            syntax=request.syntax,
        )
        timings = {"search": 1e3 * (time.perf_counter() - started)}
        return JSONResponse(search_json(request.query, hits, timings))

    @app.post("/v1/query")
    def query(request: QueryRequest, principal: Principal | None = asker) -> Response:
        """An answer, each sentence cited; with `stream` as server-sent events, each once it is proven."""
        asked: dict[str, Any] = {
            "k": _allowed(request.k, max_k),
            "where": request.where,
            "principal": principal,
            "steps": request.steps,
        }
        if request.stream:
            return event_stream(engine.stream(request.question, **asked), answer_events)
        return JSONResponse(answer_json(engine.ask(request.question, **asked)))

    @app.post("/v1/summarise")
    def summarise(request: SummariseRequest, principal: Principal | None = asker) -> Response:
        """What a document, or all inside a filter, comes to, each sentence cited."""
        answer = engine.summarise(
            request.document_id,
            where=request.where,
            about=request.about,
            sentences=_allowed(request.sentences, max_k, "sentences"),
            fold=request.fold,
            principal=principal,
        )
        return JSONResponse(answer_json(answer))

    @app.post("/v1/compare")
    def compare(request: CompareRequest, principal: Principal | None = asker) -> Response:
        """What two documents say otherwise, and what only one says, each line cited."""
        answer = engine.compare(
            request.first_id,
            request.second_id,
            request.question,
            lines=_allowed(request.lines, max_k, "lines"),
            principal=principal,
        )
        return JSONResponse(answer_json(answer))


def _add_feedback(app: "FastAPI", engine: Engine, asker: Any) -> None:
    from rag.api.requests import FeedbackRequest

    @app.post("/v1/feedback")
    def feedback(request: FeedbackRequest, principal: Principal | None = asker) -> dict[str, str]:
        """What somebody thought of an answer that was given to their tenant."""
        engine.feedback(request.answer_id, request.rating, request.comment, principal=principal)
        return {"status": "noted"}


def _allowed(count: int, most: int, name: str = "k") -> int:
    if count > most:
        raise InputError(f"{name} is at most {most} here, not {count}")
    return count


def serve(engine: Engine, settings: DoorSettings) -> None:
    """Listen until the process is interrupted. The encoder and the language model are loaded first.

    Raises:
        MissingExtra: FastAPI or uvicorn is not installed.
        EncoderNotFound: The encoder is not installed.
        EncoderMismatch: The index was made with another.
        ModelRefused: The language model's file is damaged, or needs more memory than there is.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("the service needs uvicorn: pip install fastapi uvicorn") from error
    app = create_app(engine, settings)
    engine.encoder.encode(["ready"])
    _ = engine.model
    trusting = trusted_headers(settings) is not None
    if settings.host not in LOCAL:
        risk = "whoever reaches it can say who he is" if trusting else "there is no access control"
        sys.stderr.write(f"{settings.host} may be reached from elsewhere, and {risk}\n")
    if not trusting and is_hidden(engine):
        sys.stderr.write(
            "the index has access rules, and without RAG_PRINCIPAL_HEADER nobody sees any of it\n"
        )
    sys.stderr.write(f"serving {settings.index} at http://{settings.host}:{settings.port}/v1/query\n")
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", access_log=False)
