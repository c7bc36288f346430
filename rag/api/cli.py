"""The command line: `rag add`, `rag ask` and their kin. What is slow to import is imported by its command."""

from __future__ import annotations

import functools
import sys
import time
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import rag
from rag.api.command import (
    CANNOT_WORK,
    FAILED_INPUTS,
    EncoderOption,
    IndexOption,
    JsonOption,
    NoRerankOption,
    RerankerOption,
    WhereOption,
    command,
    print_json,
)
from rag.api.settings import DoorSettings, read_settings
from rag.errors import InputError

if TYPE_CHECKING:
    from rag.api.show import Screen
    from rag.pipeline import Engine
    from rag.protocols import Reranker

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
bench = typer.Typer(help="Published test collections, scored.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench, name="bench")


class SearchMode(StrEnum):
    """How passages are found."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class BenchMode(StrEnum):
    """The ways of search, or every one of them."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"
    ALL = "all"


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rag {rag.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Answers over your documents, every sentence proven by an exact span."""


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        # What UTF-8 cannot hold becomes a \udcXX escape, which is right in JSON too.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    app(prog_name="rag")


@command(app, "add", "rag add docs/ --metadata team=hr")
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders.")],
    index: IndexOption = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata", metavar="FIELD=VALUE", help="A field for every document; repeat for more."
        ),
    ] = None,
    encoder: EncoderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring files and folders into the index. What is in it already costs nothing."""
    from rag.api.fields import parse_metadata
    from rag.api.schema import add_json
    from rag.api.show import progress_bar

    settings = read_settings({"index": index, "encoder": encoder})
    fields = parse_metadata(metadata or ())
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise InputError(f"{missing} does not exist; name a file or a folder")
    with _engine(settings, create=True) as engine, progress_bar() as progress:
        report = engine.add(paths, metadata=fields, progress=progress)
    if as_json:
        print_json(add_json(report))
    else:
        _screen().added(report)
    if report.failed:
        raise typer.Exit(FAILED_INPUTS)


@command(app, "search", 'rag search "parental leave" -k 5 --where team=hr --where "year>=2020"')
def search(
    query: Annotated[str, typer.Argument(help="A question or some words.")],
    k: Annotated[int, typer.Option("-k", help="How many passages at most.")] = 10,
    mode: Annotated[SearchMode, typer.Option(help="How passages are found.")] = SearchMode.HYBRID,
    where: WhereOption = None,
    index: IndexOption = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the passages that speak of something."""
    from rag.api.fields import parse_where
    from rag.api.schema import search_json

    settings = read_settings({"index": index, "encoder": encoder, "reranker": reranker})
    conditions = parse_where(where or ())
    opened = time.perf_counter()
    with _engine(settings, reranker=None if no_rerank else _reranker(settings)) as engine:
        started = time.perf_counter()
        hits = engine.search(query, k=k, mode=mode.value, where=conditions)
        done = time.perf_counter()
    if as_json:
        timings = {"open": 1e3 * (started - opened), "search": 1e3 * (done - started)}
        print_json(search_json(query, hits, timings))
    else:
        _screen().hits(hits)


@command(app, "ask", 'rag ask "How long is parental leave?"')
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    k: Annotated[int, typer.Option("-k", help="How many passages the answer is made from.")] = 10,
    where: WhereOption = None,
    index: IndexOption = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answer, with proof. Every sentence comes with the passage that it stands on."""
    from rag.api.fields import parse_where
    from rag.api.schema import answer_json

    settings = read_settings({"index": index, "encoder": encoder, "reranker": reranker})
    conditions = parse_where(where or ())
    with _engine(settings, reranker=None if no_rerank else _reranker(settings)) as engine:
        answer = engine.ask(question, k=k, where=conditions)
    if as_json:
        print_json(answer_json(answer))
    else:
        _screen().answer(answer)


@command(app, "list", "rag list --json")
def list_documents(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """List the documents of the index with their ids."""
    from rag.api.schema import document_json

    with _engine(read_settings({"index": index})) as engine:
        documents = engine.documents()
    if as_json:
        print_json({"documents": [document_json(document) for document in documents]})
    else:
        _screen().documents(documents)


@command(app, "delete", "rag delete 3f2a91c07b44 && rag compact")
def delete(
    documents: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids, their first 8 or more characters, or files.")
    ],
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hide documents at once. `rag compact` then wipes them from the disk."""
    from rag.api.find import find_document

    with _engine(read_settings({"index": index})) as engine:
        held = engine.documents()
        found = list(dict.fromkeys(find_document(name, held).id for name in documents))
        engine.delete(found)
    if as_json:
        print_json({"deleted": found})
    else:
        _screen().line(f"{len(found)} deleted")


@command(app, "compact", "rag compact")
def compact(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Wipe what was deleted from the disk. The index becomes one segment."""
    from rag.api.show import size

    with _engine(read_settings({"index": index})) as engine:
        before = engine.stats().bytes
        engine.compact()
        after = engine.stats().bytes
    if as_json:
        print_json({"bytes_before": before, "bytes": after})
    else:
        _screen().line(f"{size(before)} -> {size(after)}")


@command(app, "stats", "rag stats --json")
def stats(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Say how large the index is."""
    from rag.api.schema import stats_json

    with _engine(read_settings({"index": index})) as engine:
        found = engine.stats()
    if as_json:
        print_json(stats_json(found))
    else:
        _screen().stats(found)


@command(app, "verify", "rag ask --json QUESTION > answer.json && rag verify answer.json")
def verify(
    answer: Annotated[
        Path, typer.Argument(metavar="ANSWER.json", help="What `rag ask --json` printed; - reads it.")
    ],
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every citation of a saved answer. Exit 0 only where all are proven."""
    from rag.api.proof import check_answer, read_answer

    name = "standard input" if str(answer) == "-" else str(answer)
    data = sys.stdin.buffer.read() if str(answer) == "-" else answer.read_bytes()
    claimed = read_answer(data.decode("utf-8-sig", "replace"), name)
    with _engine(read_settings({"index": index})) as engine:
        verdicts = check_answer(claimed, engine.document)
    proven = all(verdict.proven for verdict in verdicts)
    if as_json:
        print_json({"proven": proven, "verdicts": [verdict.json() for verdict in verdicts]})
    else:
        screen = _screen()
        for verdict in verdicts:
            screen.verdict(verdict.proven, verdict.what, verdict.reason)
        screen.line("all proven" if proven else "not proven")
    if not proven:
        raise typer.Exit(FAILED_INPUTS)


@command(app, "doctor", "rag doctor")
def doctor(index: IndexOption = None, encoder: EncoderOption = None, as_json: JsonOption = False) -> None:
    """See that what is needed is here. An index is checked to its last byte."""
    from rag.api.doctor import examine

    findings = list(examine(read_settings({"index": index, "encoder": encoder})))
    healthy = all(finding.good for finding in findings)
    if as_json:
        print_json({"ok": healthy, "findings": [finding.json() for finding in findings]})
    else:
        for finding in findings:
            _screen().verdict(finding.good, f"{finding.name:<9}", finding.detail)
    if not healthy:
        raise typer.Exit(CANNOT_WORK)


@command(app, "eval", "rag eval questions.jsonl --metrics Recall@10,citation_validity --out results/")
def evaluate(
    questions: Annotated[Path, typer.Argument(metavar="QUESTIONS.jsonl", help="A question a line.")],
    metrics: Annotated[
        str | None, typer.Option(metavar="A,B", help="Which metrics, with commas between; all of them.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="A folder for what was found.")] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The summary.json of another run, to compare means with."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many passages to search for.")] = 10,
    index: IndexOption = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a question set and measure the answers. Means come with 95 % intervals."""
    from rag.api.schema import evaluation_json, read_means
    from rag.api.show import progress_bar
    from rag.eval.experiment import evaluate as run_evaluation

    settings = read_settings({"index": index, "encoder": encoder, "reranker": reranker})
    means = read_means(baseline) if baseline else {}
    names = [name.strip() for name in metrics.split(",") if name.strip()] if metrics else None
    with _engine(settings, reranker=_reranker(settings)) as engine, progress_bar() as progress:
        report = functools.partial(progress, "questions") if progress else None
        found = run_evaluation(engine, questions, metrics=names, out=out, k=k, progress=report)
    if as_json:
        print_json(evaluation_json(found, means))
    else:
        _screen().evaluation(found, means)
    if found.counts["failed"]:
        raise typer.Exit(FAILED_INPUTS)


@command(bench, "retrieval", "rag bench retrieval beir/scifact --mode all")
def bench_retrieval(
    folder: Annotated[
        Path, typer.Argument(metavar="BEIR_FOLDER", help="corpus.jsonl, queries.jsonl, qrels/.")
    ],
    split: Annotated[str, typer.Option(help="Which judgments: qrels/SPLIT.tsv.")] = "test",
    mode: Annotated[BenchMode, typer.Option(help="How passages are found.")] = BenchMode.HYBRID,
    k1: Annotated[float, typer.Option(help="BM25's k1.")] = 0.9,
    b: Annotated[float, typer.Option(help="BM25's b.")] = 0.4,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score retrieval on a collection in the BEIR layout, one passage a document, to depth 100."""
    from rag.api.bench import MODES, run_benchmark
    from rag.api.show import progress_bar
    from rag.types import Settings

    found = read_settings({"encoder": encoder, "reranker": reranker})
    try:
        settings = Settings(k1=k1, b=b)
    except ValueError as error:
        raise InputError(str(error)) from error
    with progress_bar() as progress:
        results = run_benchmark(
            folder,
            split=split,
            modes=[each for each in MODES if mode.value in (each, "all")],
            settings=settings,
            encoder=found.encoder or None,
            reranker=_reranker(found),
            progress=progress,
        )
    if as_json:
        listed = [result.json() for result in results]
        print_json({"benchmarks": listed} if mode is BenchMode.ALL else listed[0])
        return
    names = list(results[0].measures)
    rows = [
        [result.mode, *(f"{result.measures[name]:.4f}" for name in names), f"{result.queries_per_second:.1f}"]
        for result in results
    ]
    screen = _screen()
    screen.line(f"{results[0].dataset}: {results[0].documents:,} documents, {results[0].queries:,} queries")
    screen.table(["mode", *names, "queries/s"], rows)


@command(app, "serve", "rag serve --port 8080")
def serve(
    index: IndexOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (8080).")] = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
) -> None:
    """Serve search and answers over HTTP. There is no access control, so mind who can reach it."""
    from rag.api.app import serve as serve_engine

    settings = read_settings(
        {"index": index, "host": host, "port": port, "encoder": encoder, "reranker": reranker}
    )
    with _engine(settings, reranker=_reranker(settings)) as engine:
        serve_engine(engine, settings)


@command(app, "mcp", "rag mcp --index /home/me/.rag")
def mcp(index: IndexOption = None, encoder: EncoderOption = None, reranker: RerankerOption = None) -> None:
    """Serve an assistant, as MCP tools. It speaks over standard input and output."""
    from rag.api.mcp import create_mcp

    settings = read_settings({"index": index, "encoder": encoder, "reranker": reranker})
    with _engine(settings, reranker=_reranker(settings)) as engine:
        create_mcp(engine, settings.max_k).run("stdio")


def _engine(
    settings: DoorSettings, *, create: bool = False, reranker: Reranker | None = None
) -> AbstractContextManager[Engine]:
    from rag.pipeline import Engine

    return Engine(settings.index, encoder=settings.encoder or None, reranker=reranker, create=create)


def _reranker(settings: DoorSettings) -> Reranker | None:
    if not settings.reranker:
        return None
    from rag.retrieval.rerank import CrossEncoderReranker

    return CrossEncoderReranker(settings.reranker)


def _screen() -> Screen:
    from rag.api.show import Screen

    return Screen()
