"""An evaluation as GitHub-flavoured Markdown: the same facts as the page, short enough for a pull request.

Texts of questions and documents are escaped: none of it becomes a heading, a link, an image, a mention or a
reference to an issue.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rag.eval.failures.diagnosis import FIXES
from rag.eval.report import Comparison, Evaluation, Row
from rag.eval.reports.cards import reference, said
from rag.eval.reports.findings import (
    calibrated,
    claim,
    failure_lines,
    got_worse,
    headline,
    lead,
    metric_lines,
    refusals,
    tone,
    verdict,
    worst_rows,
)
from rag.eval.reports.showing import decimal, interval, one_line
from rag.eval.statistics.bootstrap import Estimate
from rag.eval.statistics.comparison import Difference

MOST_WORST = 15
LONGEST = 400
_BAR = 12  # cells of a bar
_SPECIAL = re.compile(r"[\\`*_\[\]|~$^]")
# what GitHub makes a link, a mention or a picture of without any mark; a blank of no width stops it
_LINKED = re.compile(
    r"""(?ix)
    (?<=:)(?=//) | (?<=mailto:) | (?<=xmpp:) | (?<=\bwww)(?=\.)
    | (?<=:)(?=(?:[a-z+\-][\w+\-\\]*|100|1234|8ball):)         # a picture: `:smile:`, not 13:00
    | (?<![a-z0-9_]@)(?<=@)(?=\w) | (?<=@)(?=[\w\\\-]+\.\w)      # somebody, an address: not Success@10
    | (?<=@)(?=[0-9a-f]{7,40}\b) | (?<=\#)(?=\d) | (?<=\bgh)(?=-\d)  # a commit, an issue
    """
)


def escaped(text: str, most: int = LONGEST) -> str:
    """A text on one line, in which nothing is Markdown or HTML, cut behind `most` characters."""
    line = one_line(text, most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SPECIAL.sub(lambda match: f"\\{match[0]}", line)
    return _LINKED.sub("&#8203;", line)


def markdown_report(
    evaluation: Evaluation, differences: Sequence[Difference] = (), baseline: Comparison | None = None
) -> str:
    """The report of an evaluation; equal ones make equal reports. Arguments are as for `html_report`."""
    if differences and baseline is None:
        means = {each.metric: each.baseline for each in differences}
        baseline = Comparison("baseline", tuple(differences), means)
    if baseline is not None:
        evaluation = replace(evaluation, comparison=baseline)
    parts = [*_head(evaluation), *_against(evaluation), *_metrics(evaluation), *_failures(evaluation)]
    parts += [*_confidence(evaluation), *_kinds(evaluation), *_worst(evaluation)]
    parts.append("<sub>Written by rag. Intervals are of 95 %, for questions like these.</sub>")
    return "\n\n".join(parts) + "\n"


def _head(evaluation: Evaluation) -> Iterator[str]:
    facts = dict(headline(evaluation))
    yield f"# Evaluation of {escaped(facts.get('questions', 'questions'), 120)}"
    yield escaped(lead(evaluation))
    yield " · ".join(f"{name} {_code(value)}" for name, value in facts.items() if name != "questions")
    for note in evaluation.notes:
        yield f"> **Note:** {escaped(note)}"


def _against(evaluation: Evaluation) -> Iterator[str]:
    comparison = evaluation.comparison
    if comparison is None:
        return
    yield "## Against the baseline"
    yield f"**{escaped(verdict(comparison))}** Baseline: {escaped(comparison.name, 120)}."
    for note in comparison.notes:
        yield f"> {escaped(note)}"
    if comparison.differences:
        signs = {"worse": "🔻", "better": "🔺", "same": "◦"}
        head = (
            "",
            "metric",
            "baseline",
            "now",
            "difference",
            "95 % interval",
            "p (Holm)",
            "n",
            "what it shows",
        )
        rows = [
            (
                signs[tone(each)],
                _metric(each.metric),
                decimal(each.baseline),
                decimal(each.current),
                f"**{each.difference:+.3f}**",
                f"{each.low:+.3f} to {each.high:+.3f}",
                f"{each.adjusted:.4f}",
                str(each.n),
                claim(each),
            )
            for each in comparison.differences
        ]
        yield _table(head, rows, left=(0, 1, 8))
    worse = got_worse(evaluation)
    if worse:
        shown = f", the worst {MOST_WORST} below" if len(worse) > MOST_WORST else ""
        lines = [f"<details><summary>{len(worse)} questions got worse{shown}</summary>", ""]
        for row, metric, before, now in worse[:MOST_WORST]:
            then = comparison.earlier[row.question.id].response or "No answer."
            lines += [
                f"- **{escaped(row.question.id, 60)}** {escaped(row.question.user_input)} "
                f"({_metric(metric)} {before:.2f} → {now:.2f})",
                f"  - before: {escaped(then)}",
                f"  - now: {escaped(said(row))}",
            ]
        yield "\n".join([*lines, "", "</details>"])


def _metrics(evaluation: Evaluation) -> Iterator[str]:
    yield "## Metrics"
    head = ("metric", "mean", "", "95 % interval", "n", "missed", "detectable", "by")
    rows = [
        (
            _metric(line.name) + ("" if line.higher_is_better else " ↓"),
            f"**{decimal(line.estimate.mean)}**",
            _bar(line.estimate),
            interval(line.estimate),
            str(line.estimate.n),
            str(line.estimate.missed),
            "–" if line.detectable is None else f"{line.detectable:.3f}",
            "judge" if line.judged else "exact",
        )
        for line in metric_lines(evaluation)
    ]
    yield _table(head, rows, left=(0, 2, 7))
    yield (
        "*Detectable* is the difference to another run of this size that would be found four times in five. "
        "*Exact* numbers are counted; in the others the judge named above has a part, and a verdict that it "
        "did not give counts against the answer. *Rough* is an interval from fewer "
        "than 10 questions, from fewer than 6 documents, or from equal scores. ↓ means that less is better."
    )


def _failures(evaluation: Evaluation) -> Iterator[str]:
    lines = failure_lines(evaluation)
    if not lines:
        return
    yield "## Where answers went wrong"
    rows = []
    for line in lines:
        more = f" and {len(line.questions) - 12} more" if len(line.questions) > 12 else ""
        named = ", ".join(escaped(each, 40) for each in line.questions[:12])
        rows.append((line.mode.words, f"**{line.count}**", _advice(line.fix), named + more))
    yield _table(("stage that failed", "answers", "what would mend it", "questions"), rows, left=(0, 2, 3))


def _confidence(evaluation: Evaluation) -> Iterator[str]:
    counted = refusals(evaluation.rows)
    found = calibrated(evaluation.rows)
    if not counted and found is None:
        return
    yield "## Confidence and refusals"
    names = ((True, "answerable"), (False, "unanswerable"), (None, "not known"))
    rows = [
        (name, str(counted.get((each, True), 0)), str(counted.get((each, False), 0)))
        for each, name in names
        if (each, True) in counted or (each, False) in counted
    ]
    if rows:
        yield _table(("", "answered", "refused"), rows, left=(0,))
    if found is not None:
        yield (
            f"Expected calibration error **{found.error:.3f}** over {found.n} answers of which it can be "
            "told whether they are right: they say an accepted answer, or the judge finds one supported by "
            "them; where none is known, they cite the gold."
        )
        bins = [
            (
                f"{each.low:.1f} – {each.high:.1f}",
                str(each.n),
                f"{each.confidence:.2f}",
                f"{each.accuracy:.2f}",
            )
            for each in found.bins
            if each.confidence is not None and each.accuracy is not None
        ]
        yield _table(("confidence", "n", "mean confidence", "share right"), bins, left=(0,))


def _kinds(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.by_kind:
        return
    lines = metric_lines(evaluation)
    kinds = list(evaluation.by_kind)
    yield "## By kind of question"
    rows = [
        (_metric(line.name), *(_mean_of(evaluation.by_kind[kind], line.name) for kind in kinds))
        for line in lines
        if any(line.name in each and each[line.name].n for each in evaluation.by_kind.values())
    ]
    yield _table(("metric", *(escaped(kind, 60) for kind in kinds)), rows, left=(0,))


def _worst(evaluation: Evaluation) -> Iterator[str]:
    rows = worst_rows(evaluation, MOST_WORST)
    if not rows:
        return
    yield "## The worst questions"
    yield "\n".join(_told(row) for row in rows)


def _told(row: Row) -> str:
    mode = f" — **{row.diagnosis.mode.words}**" if row.diagnosis else " — **failed**" if row.failure else ""
    lines = [
        f"<details><summary>{_in_html(row.question.id, 60)}: {_in_html(row.question.user_input)}</summary>",
        "",
        f"- answer: {escaped(said(row))}{mode}",
        f"- reference: {escaped(reference(row))}",
    ]
    if row.failure:
        lines.append(f"- error: {escaped(row.failure)}")
    if row.diagnosis:
        lines.append(f"- {escaped(row.diagnosis.reason)}. {_advice(row.diagnosis.fix)}")
    return "\n".join([*lines, "", "</details>", ""])


def _in_html(text: str, most: int = LONGEST) -> str:
    """A text within a line of HTML, where Markdown is not read, nor a backslash."""
    line = one_line(text, most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINKED.sub("&#8203;", line)


def _metric(name: str) -> str:
    """A metric's name as code, where nothing in it can end that."""
    return f"`{name}`" if re.fullmatch(r"[\w@.-]{1,60}", name, re.ASCII) else escaped(name, 60)


def _code(value: str) -> str:
    """A text as code, in which nothing is Markdown or a link, between more backticks than it has in a row."""
    line = one_line(value, 120)
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    blank = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{blank}{line}{blank}{fence}"


def _advice(fix: str) -> str:
    """What would mend a failure: this program's own words are Markdown, an earlier one's are escaped."""
    return fix if fix in FIXES.values() else escaped(fix)


def _mean_of(estimates: Mapping[str, Estimate], name: str) -> str:
    found = estimates.get(name)
    return "–" if found is None or not found.n else f"{found.mean:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = ()) -> str:
    rule = [":--" if at in left else "--:" for at in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _bar(estimate: Estimate) -> str:
    """The interval as a band of cells from 0 to 1, the mean as a full one."""
    if not math.isfinite(estimate.mean):
        return ""
    ends = [estimate.low, estimate.high] if math.isfinite(estimate.low) else [estimate.mean] * 2
    low, high, mean = (min(_BAR - 1, max(0, int(value * _BAR))) for value in (*ends, estimate.mean))
    return "".join("█" if at == mean else "▒" if low <= at <= high else "░" for at in range(_BAR))
