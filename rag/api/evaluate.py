"""The command line's evaluation: a question set run, measured, and held against an earlier run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.api.command import FAILED_INPUTS, JsonOption, command, print_json, screen
from rag.api.questions import SearchMode
from rag.api.reading import Reading, StepsOption, WhereOption, answering_unless
from rag.errors import InputError

if TYPE_CHECKING:
    from rag.eval.report import Evaluation

evaluations = typer.Typer(rich_markup_mode=None)

SIGNIFICANT_LOSS = 3
INTERRUPTED = 130
SECONDS_BETWEEN_LINES = 10.0
_NOT_WITH_RUN = frozenset(
    "judge judge_model k steps mode where split sample seed concurrency no_resume".split()
)
"""Options of asking and answering, which a run that is there already has nothing of."""


@command(
    evaluations,
    "eval",
    "rag eval questions.jsonl --metrics Recall@10,citation_validity --out results/",
    "rag eval questions.jsonl --out new/ --baseline results/  # exits 3 on a significant loss",
    "rag eval qrels.txt --run bm25.run --metrics nDCG@10,AP",
)
@answering_unless("run")
def evaluate(
    reading: Reading | None,
    context: typer.Context,
    questions: Annotated[
        Path,
        typer.Argument(metavar="QUESTIONS", help="JSON Lines, a CSV, or a BEIR folder; qrels with --run."),
    ],
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Score this TREC run; no index is read.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="A,B", help="Which metrics, with commas between; all of them.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(metavar="J", help="Who judges: local (the default), model, or a server's http://..."),
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option(metavar="M", help="The judge's GGUF file, or its name at the server.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder for what was found; a run that stopped goes on from it."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="An earlier run's folder, to compare with; exit 3 on a loss."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many passages are searched for and answered from.")] = 10,
    steps: StepsOption = 1,
    mode: Annotated[
        SearchMode, typer.Option(help="How passages are found when searching; answers use hybrid.")
    ] = SearchMode.HYBRID,
    where: WhereOption = None,
    split: Annotated[str, typer.Option(metavar="S", help="Only questions of this split.")] = "",
    sample: Annotated[
        int | None, typer.Option(metavar="N", help="Draw N questions, each kind by its share.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="What is drawn.")] = 0,
    concurrency: Annotated[int, typer.Option(metavar="N", help="How many questions at once.")] = 1,
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Begin anew, whatever DIR knows.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print the means by kind and what is unchanged, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a question set and measure the answers. Means come with 95 % intervals.

    Exit 1 where questions failed, or a judge gave no verdict, or no gold is in the index; 2 where nothing
    could be tested against the baseline; 3 where a metric is significantly worse than its.
    """
    from rag.api.access import SeenBy
    from rag.api.fields import parse_where
    from rag.api.judging import judge_for
    from rag.eval.experiment import evaluate as run_evaluation

    names = [name.strip() for name in metrics.split(",") if name.strip()] if metrics is not None else None
    if reading is None:
        _show(_scored(context, questions, run, names, out, baseline), as_json, verbose)
        return
    reading.warn_where_hidden([])
    kb = SeenBy(reading.engine, reading.principal, parse_where(where or ()), mode.value, k, steps)
    with _progress(out) as progress:
        found = run_evaluation(
            kb,
            questions,
            metrics=names,
            out=out,
            k=k,
            judge=judge_for(reading.engine, reading.settings, judge, judge_model),
            concurrency=concurrency,
            resume=not no_resume,
            baseline=baseline,
            split=split,
            sample=sample,
            seed=seed,
            progress=progress,
        )
    _show(found, as_json, verbose)


def _scored(
    context: typer.Context,
    qrels: Path,
    run: Path | None,
    metrics: list[str] | None,
    out: Path | None,
    baseline: Path | None,
) -> Evaluation:
    """A TREC run measured against judgments."""
    from rag.eval.runs import RUN_MEASURES, score_run
    from rag.eval.trec import read_judgments, read_trec_run

    if run is None or any(_is_given(context, name) for name in _NOT_WITH_RUN):
        raise InputError("--run goes with --metrics, --out, --baseline, --verbose and --json alone")
    return score_run(
        read_trec_run(run),
        read_judgments(qrels),
        RUN_MEASURES if metrics is None else metrics,
        out=out,
        baseline=baseline,
        name=qrels.name,
    )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _show(found: Evaluation, as_json: bool, verbose: bool) -> None:
    """Print what was found, and leave with the code that says how it went."""
    from rag.api.evaluated import show_evaluation
    from rag.api.schema import evaluation_json
    from rag.api.show import warn

    for remark in found.remarks:
        warn(f"rag: {remark}")
    if as_json:
        print_json(evaluation_json(found))
    else:
        show_evaluation(screen(), found, verbose=verbose)
    if found.comparison and found.comparison.worse:
        raise typer.Exit(SIGNIFICANT_LOSS)
    if found.counts.get("failed") or found.problems:
        raise typer.Exit(FAILED_INPUTS)


@contextmanager
def _progress(out: Path | None) -> Iterator[Callable[[int, int], None]]:
    """Progress on standard error, a bar on a terminal, else now and then a line; Ctrl-C says what is kept."""
    from rag.api.show import progress_bar, warn

    last, reached = time.monotonic(), (0, 0)
    with progress_bar() as bar:

        def report(done: int, total: int) -> None:
            nonlocal last, reached
            reached = (done, total)
            if bar:
                bar("questions", done, total)
            elif time.monotonic() - last >= SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                warn(f"rag: {done:,} of {total:,} questions")

        try:
            yield report
        except KeyboardInterrupt:
            kept = f"the same command goes on from {out}" if out else "nothing is kept without --out"
            warn(f"rag: stopped after {reached[0]:,} of {reached[1]:,} questions; {kept}")
            raise typer.Exit(INTERRUPTED) from None
