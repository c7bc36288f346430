"""A question set run against a system: a row a question, means with intervals, and files of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rag.errors import InputError
from rag.eval.arguments import checked_judge, checked_names, checked_questions, checked_system
from rag.eval.baseline import Baseline, read_baseline
from rag.eval.catalogue import METRICS, SET_METRICS, default_metrics, metric_named
from rag.eval.drawing import draw_questions
from rag.eval.journal import NOTHING, Journal, Known, open_journal, read_journal
from rag.eval.metric import Metric
from rag.eval.metrics.set_metric import SetMetric
from rag.eval.notes import Note, failure_notes, gold_notes, verdict_notes
from rag.eval.pairing import (
    MEANS_ALONE,
    compare_rows,
    refuse_overwriting,
    refuse_unrelated,
    refuse_untested,
)
from rag.eval.pool import run_all
from rag.eval.questions import Question, read_questions
from rag.eval.report import Evaluation, Row
from rag.eval.reports.results import read_setup, write_evaluation
from rag.eval.reports.setup import describe_run, state_of
from rag.eval.reports.summary import (
    count_rows,
    summarise,
    summarise_documents,
    summarise_kinds,
    summarise_set,
)
from rag.eval.trial import KnowledgeBase, Plan, Ran, keys_of, run_question
from rag.protocols import Judge


def evaluate(
    kb: KnowledgeBase,
    questions: str | Path | Sequence[Question | Mapping[str, object] | str],
    *,
    metrics: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    k: int = 10,
    judge: Judge | None = None,
    concurrency: int = 1,
    resume: bool = True,
    state: str | None = None,
    baseline: str | Path | None = None,
    split: str = "",
    sample: int | None = None,
    seed: int = 0,
    name: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Run every question and measure what comes back.

    Args:
        kb: the system; it is searched, or asked, only where a metric needs that.
        questions: a question file (JSON Lines or a table), a folder in the BEIR layout, or a list of
            questions, of mappings with the fields that a line of a file has, or of texts.
        metrics: names of measures of places (`Recall@10`) and of `METRICS`; all that the judge, where
            there is one, allows, at k and Success also at 1, unless given.
        out: a folder for `results.jsonl`, `timings.jsonl`, `summary.json`, the reports, and the journal,
            by which a run that was interrupted goes on, and one that is run again does nothing twice.
        k: how many hits to search for; a metric's cutoff raises it, and answers do not depend on it.
        judge: what judges answers, for the metrics that need it; the system's own, where it has one.
        concurrency: how many questions are run at once; the results do not depend on it.
        resume: whether what the journal knows is used; else it begins anew.
        state: what stands for the system's state in the journal, where it has no `state()` of its own. What
            was found out under another is not used.
        baseline: what an earlier run left, its folder or a file of that, to compare with.
        split: only questions of this split.
        sample: how many questions to draw, stratified by kind; all unless given.
        seed: what is drawn.
        name: what the questions are called in the reports; their file's name unless given.
        progress: called with the questions done and their total, after each.

    An exception that `search` or `ask` raises is a failure of that question: it counts 0 in every metric
    that a miss would count 0 in, its type and reason are in the row, and the next run tries it again. What
    ends the run is one of a metric or a judge (but `JudgeFailed`, which makes verdicts miss), a return value
    that is no hits or no answer, a lack of memory, and an interruption; what is done by then is in the
    journal.

    Raises:
        InputError: no question, an unknown metric or none, k or concurrency below 1, a system or a judge
            that is none, `out` is no folder, in use or full of other things, or `baseline` is none, stands
            in `out`, or can be compared in nothing.
        QuestionFileError: the question file does not parse.
    """
    if k < 1:
        raise InputError(f"k is {k}: search for at least 1 hit")
    if concurrency < 1:
        raise InputError(f"concurrency is {concurrency}: run at least 1 question at a time")
    folder = Path(out) if out is not None else None
    earlier = None
    if baseline is not None:
        earlier = read_baseline(Path(baseline))
        refuse_overwriting(Path(baseline), folder)
    asked = _questions(questions, split, sample, seed)
    names = checked_names(metrics)
    judge = checked_judge(judge) if judge is not None else _own_judge(kb, names)
    plan = Plan(kb, *_chosen(names, k, judge), k, judge, state_of(kb, state))
    stages = {"search": "search", "ask": "answer"}
    checked_system(kb, [method for method, stage in stages.items() if plan.needs(stage)])
    if earlier is not None:
        refuse_unrelated(asked, plan.metrics, earlier)
    before = read_setup(folder) if folder is not None else None
    drawn = {"split": split, "sample": sample, "seed": seed}
    given = questions if isinstance(questions, str | Path) else asked
    setup = describe_run(plan, given, asked, drawn, name)
    with _journal(folder, plan, asked, resume=resume) as (journal, known):
        run = _run(
            plan,
            asked,
            journal,
            known,
            concurrency=concurrency,
            same_state=lambda: not plan.state or state_of(kb, state) == plan.state,
            progress=progress,
        )
        found = _evaluation(plan, run, setup, earlier)
        if folder is not None:
            write_evaluation(found, folder)
    if earlier is not None and found.comparison is not None:
        refuse_untested(found.comparison, earlier)
    remarks = _remarks(plan, folder, run, before, setup)
    if earlier is not None and earlier.scores is None:
        remarks = (f"nothing was tested against {earlier.name}: {MEANS_ALONE}", *remarks)
    return replace(found, remarks=remarks)


def _questions(
    questions: str | Path | Sequence[Question | Mapping[str, object] | str],
    split: str,
    sample: int | None,
    seed: int,
) -> tuple[Question, ...]:
    if not isinstance(questions, str | Path):
        every = checked_questions(questions)
    elif split and Path(questions).is_dir():
        every = read_questions(Path(questions) / "qrels" / f"{split}.tsv")
    else:
        every = read_questions(questions)
    if not every:
        raise InputError("no questions to evaluate: give at least one")
    found = tuple(question for question in every if not split or question.split == split)
    if not found:
        splits = ", ".join(sorted({question.split or "none" for question in every}))
        raise InputError(f"no question has the split {split!r}: there are {splits}")
    twice = len(found) - len({question.id for question in found})
    if twice:
        raise InputError(f"{twice} questions have the id of another: give each its own")
    return found if sample is None else draw_questions(found, sample, seed)


def _chosen(
    names: Sequence[str] | None, k: int, judge: Judge | None
) -> tuple[tuple[Metric, ...], tuple[SetMetric, ...]]:
    """The metrics of those names, and of them those of the whole set."""
    if names is None:
        every = map(metric_named, default_metrics(k))
        able = tuple(metric for metric in every if judge is not None or "judge" not in metric.needs)
        return able, tuple(SET_METRICS.values())
    if not names:
        raise InputError("no metric is named: name one, or leave the names out for all")
    once = dict.fromkeys(names)
    chosen = tuple(metric_named(name) for name in once if name not in SET_METRICS)
    unjudged = next((metric.name for metric in chosen if judge is None and "judge" in metric.needs), None)
    if unjudged is not None:
        raise InputError(f"{unjudged} needs a judge: give one, or leave the metric out")
    return chosen, tuple(SET_METRICS[name] for name in once if name in SET_METRICS)


def _own_judge(kb: KnowledgeBase, names: Sequence[str] | None) -> Judge | None:
    """The judge that a system brings along, asked for only where a metric needs one: it may load models."""
    known = [METRICS[name] for name in names or METRICS if name in METRICS]
    own: Judge | None = getattr(kb, "judge", None) if any("judge" in each.needs for each in known) else None
    return own


@dataclass(frozen=True, slots=True)
class _Run:
    """The rows of a run, how many of them were known whole, and whether the system changed meanwhile."""

    rows: tuple[Row, ...]
    reused: int
    moved: bool


def _run(
    plan: Plan,
    questions: Sequence[Question],
    journal: Journal | None,
    known: Known,
    *,
    concurrency: int,
    same_state: Callable[[], bool],
    progress: Callable[[int, int], None] | None,
) -> _Run:
    keys = {question.id: keys_of(plan, question) for question in questions}
    done = fresh = 0
    moved = False

    def call(question: Question) -> Ran:
        return run_question(plan, question, keys[question.id], known)

    def tell(ran: Ran) -> None:
        nonlocal done, fresh, moved
        done += 1
        fresh += ran.fresh
        if ran.entry is not None and journal is not None:
            # what was found out while the system changed is of no one state
            moved = moved or not same_state()
            if not moved:
                journal.add(ran.entry)
        if progress:
            progress(done, len(questions))

    ran = run_all(questions, call, tell, concurrency)
    return _Run(tuple(each.row for each in ran), done - fresh, moved)


@contextmanager
def _journal(
    folder: Path | None, plan: Plan, questions: Sequence[Question], *, resume: bool
) -> Iterator[tuple[Journal | None, Known]]:
    if folder is None:
        yield None, NOTHING
        return
    wanted = {key for question in questions for key in keys_of(plan, question)}
    with open_journal(folder, resume=resume) as journal:
        yield journal, read_journal(folder, wanted) if resume else NOTHING


def _evaluation(plan: Plan, run: _Run, setup: Mapping[str, object], earlier: Baseline | None) -> Evaluation:
    commits = sorted({row.answer.index_commit for row in run.rows if row.answer is not None})
    notes = [
        *failure_notes(run.rows),
        *verdict_notes(run.rows),
        *gold_notes(run.rows, getattr(plan.kb, "documents", None), getattr(plan.kb, "document", None)),
    ]
    if run.moved or len(commits) > 1:
        listed = f" (commits {', '.join(map(str, commits))})" if len(commits) > 1 else ""
        words = f"the system changed while it was evaluated{listed}: run it again on one that rests"
        notes.append(Note(words))
    return Evaluation(
        summary=summarise(run.rows, plan.metrics),
        by_kind=summarise_kinds(run.rows, plan.metrics),
        by_document=summarise_documents(run.rows, plan.metrics),
        counts=count_rows(run.rows),
        rows=run.rows,
        statistics=summarise_set(run.rows, plan.set_metrics),
        setup=setup,
        notes=tuple(note.words for note in notes),
        problems=tuple(note.words for note in notes if note.grave),
        comparison=compare_rows(run.rows, plan.metrics, setup, earlier) if earlier else None,
        reused=run.reused,
    )


def _remarks(
    plan: Plan,
    folder: Path | None,
    run: _Run,
    before: Mapping[str, object] | None,
    setup: Mapping[str, object],
) -> tuple[str, ...]:
    """What is to be said of the files, and would not be said of the same run done again."""
    remarks = []
    if before is not None and before != json.loads(json.dumps(setup)):
        parts = sorted(name for name in setup if before.get(name) != json.loads(json.dumps(setup[name])))
        remarks.append(
            f"{folder} had the results of another evaluation ({', '.join(parts)}): they are replaced"
        )
    if folder is not None and not plan.state:
        remarks.append("the system does not tell its state, so nothing can be resumed: pass state=...")
    if run.reused:
        remarks.append(f"{run.reused} of {len(run.rows)} questions were known from the journal")
    return tuple(remarks)
