"""The command line's proof: answers checked, test collections scored."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rag.api.command import (
    FAILED_INPUTS,
    EncoderOption,
    JsonOption,
    RerankerOption,
    command,
    named_reranker,
    print_json,
    screen,
)
from rag.api.reading import Reading, answering
from rag.api.settings import read_settings
from rag.errors import InputError

trials = typer.Typer(rich_markup_mode=None)
bench = typer.Typer(help="Published test collections, scored.", no_args_is_help=True, rich_markup_mode=None)
trials.add_typer(bench, name="bench")


class BenchMode(StrEnum):
    """The ways of search, or every one of them."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"
    ALL = "all"


@command(trials, "verify", "rag ask --json QUESTION > answer.json && rag verify answer.json --replay")
@answering
def verify(
    reading: Reading,
    answer: Annotated[
        Path, typer.Argument(metavar="ANSWER.json", help="What `rag ask --json` printed; - reads it.")
    ],
    replay: Annotated[
        bool, typer.Option("--replay", help="Ask again too, at the same commit, and compare.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove a saved answer again: quotes, places, passages and its seal. Exit 0 only where all hold."""
    from rag.api.access import operator
    from rag.api.saved import read_answer
    from rag.api.schema import verdict_json
    from rag.generation.proof import Verdict, differences

    name = "standard input" if str(answer) == "-" else str(answer)
    data = sys.stdin.buffer.read() if str(answer) == "-" else answer.read_bytes()
    claimed, altered = read_answer(data.decode("utf-8-sig", "replace"), name)
    owner = operator(reading.principal.tenant if reading.principal else "")
    verdicts = [Verdict("form", altered), *reading.engine.verify(claimed, principal=owner)]
    if replay and any(each.what == "seal" and not each.proven for each in verdicts):
        verdicts.append(Verdict("replay", "not tried: it is not the answer that was sealed"))
    elif replay:
        again = reading.engine.replay(claimed, principal=reading.principal)
        wrong = ", ".join(differences(claimed, again))
        verdicts.append(Verdict("replay", f"asked again, it has another {wrong}" if wrong else ""))
    proven = all(verdict.proven for verdict in verdicts)
    if as_json:
        print_json({"proven": proven, "verdicts": [verdict_json(verdict) for verdict in verdicts]})
    else:
        shown = screen()
        for verdict in verdicts:
            shown.verdict(verdict.proven, verdict.what, verdict.reason)
        shown.line("all proven" if proven else "not proven")
    if not proven:
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
    title_boost: Annotated[
        float, typer.Option(help="What a word of the title counts; 1 is plain BM25.")
    ] = 2.0,
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
        settings = Settings(k1=k1, b=b, title_boost=title_boost)
    except ValueError as error:
        raise InputError(str(error)) from error
    with progress_bar() as progress:
        results = run_benchmark(
            folder,
            split=split,
            modes=[each for each in MODES if mode.value in (each, "all")],
            settings=settings,
            encoder=found.encoder or None,
            reranker=named_reranker(found),
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
    shown = screen()
    shown.line(f"{results[0].dataset}: {results[0].documents:,} documents, {results[0].queries:,} queries")
    shown.table(["mode", *names, "queries/s"], rows)
