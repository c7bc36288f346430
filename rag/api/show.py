"""Results as a person reads them in a terminal: plain text where there is none, colour where there is."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from rag.types import AddReport, Answer, Citation, Document, Hit, Sentence, Span, Stats

if TYPE_CHECKING:
    from rag.index.quality import Quality
    from rag.index.tune import Tuned
    from rag.intake import Progress
    from rag.reembed import Reembedded
    from rag.sync import SyncReport

WIDEST = 92
SNIPPET = 240
# Control characters and those that turn the direction of text: a document must not steer a terminal.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """`text` on one line, without what a terminal would obey."""
    return _UNPRINTABLE.sub("", " ".join(text.split()))


def _even(text: str) -> str:
    """`text` with blanks for white space, and without what a terminal would obey."""
    return _UNPRINTABLE.sub("", re.sub(r"\s+", " ", text))


def near(source: str) -> str:
    """A source relative to the current folder, where it lies in that."""
    path = Path(source)
    try:
        return plain(str(path.relative_to(Path.cwd())))
    except (ValueError, OSError):
        return plain(source)


class Screen:
    """Standard output, for people. Nothing is coloured where it is not a terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.width = min(self._console.width, WIDEST) if self._console.is_terminal else WIDEST

    def line(self, *parts: str | tuple[str, str]) -> None:
        """Print one line of texts, each alone or with a style."""
        self._console.print(Text.assemble(*parts))

    def wrapped(self, text: str, indent: str = "", style: str = "") -> None:
        """Print text on lines of at most the screen's width."""
        for line in textwrap.wrap(text, self.width, initial_indent=indent, subsequent_indent=indent):
            self.line((line, style))

    def hits(self, hits: Sequence[Hit]) -> None:
        """Print hits: rank, score, where each stands, and how it begins."""
        if not hits:
            self.line("Nothing found.")
        for hit in hits:
            place = _place(hit.title, hit.chunk.page, hit.chunk.section)
            self.line((f"{hit.rank:>3}  ", "dim"), (f"{hit.score:.3f}  ", "cyan"), (place, "bold"))
            text = plain(hit.chunk.text)
            self.wrapped(textwrap.shorten(text, SNIPPET, placeholder=" …"), indent=" " * 12)
            self.line((" " * 12 + near(hit.source), "dim"))
            self.line()

    def answer(self, answer: Answer) -> None:
        """Print an answer, then the proof of each mark in it."""
        self.said(answer)
        self.proof(answer)

    def said(self, answer: Answer) -> None:
        """Print the text of an answer."""
        for line in answer.text.splitlines():
            self.wrapped(plain(line), style="" if answer.citations else "yellow")

    def sentence(self, sentence: Sentence) -> None:
        """Print a sentence of an answer that is not whole yet, with its marks."""
        marks = "".join(f" [{number}]" for number in sentence.citations)
        self.wrapped(f"{plain(sentence.text)}{marks}", style="" if sentence.supported else "yellow")

    def proof(self, answer: Answer) -> None:
        """Print what proves an answer, what of it is not proven, and where its sources disagree."""
        for sentence in answer.sentences:
            if not sentence.supported:
                faults = f" ({plain('; '.join(sentence.faults))})" if sentence.faults else ""
                self.wrapped(f"Not supported: {plain(sentence.text)}{faults}", style="yellow")
        for conflict in answer.conflicts:
            sides = [
                f"[{number}]{f' of {plain(date)}' if date else ''}"
                for number, date in zip(conflict.citations, conflict.dates, strict=True)
            ]
            self.wrapped(f"They disagree on {plain(conflict.about)}: {', '.join(sides)}", style="yellow")
        for citation in answer.citations:
            place = _place(citation.title, citation.page, citation.section)
            self.line()
            self.line(
                (f"[{citation.number}] ", "cyan"), (place, "bold"), (f"  ({near(citation.source)})", "dim")
            )
            self._quote(citation)
        if answer.citations:
            searched = [plain(query) for query in answer.queries]
            told = f"; searched for: {' | '.join(searched)}" if searched else ""
            self.line()
            self.wrapped(f"confidence {answer.confidence:.2f}{told}", style="dim")

    def _quote(self, citation: Citation) -> None:
        """Print a quote, what of it answers the question marked in it."""
        marked = citation.highlight or Span(citation.start, citation.start)
        parts = [
            _even(citation.quote[: marked.start - citation.start]),
            _even(citation.quote[marked.start - citation.start : marked.end - citation.start]),
            _even(citation.quote[marked.end - citation.start :]),
        ]
        sign = "" if self._console.is_terminal or not parts[1] else "**"
        text = Text.assemble("“", parts[0], (f"{sign}{parts[1]}{sign}", "bold underline"), parts[2], "”")
        for line in text.wrap(self._console, self.width - 4):
            line.rstrip()
            self._console.print(Text.assemble("    ", line))

    def added(self, report: AddReport) -> None:
        """Print what became of the inputs: those that need a look by name, the others as counts."""
        for entry in (*report.failed, *report.skipped):
            style = "red" if entry in report.failed else "yellow"
            self.line(
                (f"{entry.status.value:<8}", style), near(entry.source), (f"  {plain(entry.reason)}", "dim")
            )
        counts = [
            f"{len(entries)} {name}"
            for name, entries in (
                ("indexed", report.indexed),
                ("unchanged", report.unchanged),
                ("skipped", report.skipped),
                ("failed", report.failed),
            )
            if entries
        ]
        self.line(("; ".join(counts) or "nothing to add", "bold"))
        self.line(
            (f"{report.chunks} passages, {report.chunks_embedded} embedded, {report.seconds:.1f} s", "dim")
        )

    def synced(self, report: SyncReport) -> None:
        """Print what a sync took out and moved, and what became of the files; or the plan of a dry run."""
        plan, would = report.plan, "would be " if report.added is None else ""
        lines = [("removed", source, "") for source in plan.removed]
        lines += [("moved", new, f"from {near(old)}") for old, new in plan.moved]
        if would:
            lines += [("added", source, "") for source in plan.added]
            lines += [("changed", source, "") for source in plan.changed]
        for what, source, detail in lines:
            style = "yellow" if what == "removed" else ""
            self.line((f"{what:<8}", style), near(source), (f"  {detail}" if detail else "", "dim"))
        counts = ("removed", "moved", "added", "changed", "unchanged")
        told = counts if would else counts[:2]
        parts = [f"{len(getattr(plan, name))} {would}{name}" for name in told if getattr(plan, name)]
        if parts:
            self.line(("; ".join(parts), "bold"))
        if would and plan.refusal:
            self.line((f"it would be refused: {plan.refusal}", "red"))
        if report.added:
            self.added(report.added)

    def documents(self, documents: Sequence[Document]) -> None:
        """Print the documents of an index."""
        for document in documents:
            self.line(
                (f"{document.id[:12]}  ", "cyan"),
                plain(document.title),
                (f"  ({near(document.source)})", "dim"),
            )

    def stats(self, stats: Stats, tenants: Sequence[str]) -> None:
        """Print the size of an index."""
        named = [tenant for tenant in tenants if tenant]
        self.pairs(
            {
                "documents": f"{stats.documents:,}",
                "passages": f"{stats.chunks:,}" + _deleted(stats.deleted_chunks),
                "segments": f"{stats.segments:,}",
                "size": size(stats.bytes),
                "commit": f"{stats.commit:,}",
                "kind": stats.kind,
                "encoder": stats.encoder or "none yet",
            }
            | ({"tenants": plain(", ".join(named))} if named else {})
        )

    def quality(self, found: Quality) -> None:
        """Print how well an index is searched, and how each segment is, and why."""
        self.pairs(
            {
                "recall@10": f"{found.recall:.3f} of exact search, {found.queries:,} queries",
                "queries/s": f"{found.queries_per_second:,.0f}, without the encoder",
                "memory": f"{size(found.resident_bytes)}, beside the vectors that are mapped from disk",
            }
        )
        for each in found.segments:
            dead = f", {each.rows - each.rows_live:,} deleted" if each.rows_live < each.rows else ""
            self.line(
                (f"segment {each.segment}  ", "dim"),
                f"{each.rows:,} passages{dead}: {each.kind} over {each.codes}, {size(each.resident_bytes)}",
                (f"  {each.reason}", "dim"),
            )

    def tuned(self, tuned: Mapping[str, Tuned]) -> None:
        """Print the effort that is searched with from now on, and what each one measured found."""
        if not tuned:
            self.line("Every segment is scanned exactly: there is nothing to tune.")
        for kind, each in tuned.items():
            rows = [
                [str(point.effort), f"{point.recall:.4f}", f"{point.queries_per_second:,.0f}"]
                for point in each.curve
            ]
            self.line((f"{kind}: effort {each.effort}", "bold"))
            self.table(["effort", "recall@10", "queries/s"], rows)
            if not each.reached:
                self.line(("none finds that much; the best is taken", "yellow"))

    def reembedded(self, encoder: str, found: Reembedded) -> None:
        """Print what a change of encoder did."""
        shares = {"before": found.recall_before, "after": found.recall_after, "in common": found.overlap}
        self.pairs(
            {
                "encoder": plain(encoder),
                "passages": f"{found.chunks:,}, {found.chunks_embedded:,} embedded, {found.seconds:.1f} s",
                "found by their first sentence": ", ".join(
                    f"{share:.3f} {name}" for name, share in shares.items() if share is not None
                )
                + f" ({found.sampled:,} sampled)",
            }
        )

    def pairs(self, values: Mapping[str, str]) -> None:
        """Print names and values in two columns."""
        width = max(map(len, values), default=0)
        for name, value in values.items():
            self.line((f"{name:<{width}}  ", "dim"), value)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table: the first column to the left, the others, numbers, to the right."""
        widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
        for number, row in enumerate([head, *rows]):
            cells = [
                f"{cell:<{width}}" if at == 0 else f"{cell:>{width}}"
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.line(("  ".join(cells).rstrip(), "dim" if number == 0 else ""))

    def verdict(self, good: bool, what: str, detail: str) -> None:
        """Print one line of a check."""
        mark = ("ok       ", "green") if good else ("problem  ", "red")
        self.line(mark, what, (f"  {plain(detail)}" if detail else "", "dim"))


def _place(title: str, page: int | None, section: str) -> str:
    """`Title, p. 3, Section > Sub`, without the title where it heads the section again."""
    title, section = plain(title), plain(section)
    below = "" if section == title else section.removeprefix(f"{title} > ")
    return ", ".join(part for part in (title, f"p. {page}" if page else "", below) if part)


def _deleted(chunks: int) -> str:
    return f" (and {chunks:,} deleted; `rag compact` wipes them)" if chunks else ""


def size(count: int) -> str:
    """Bytes as a person says them: `1.4 MB`."""
    if count < 1000:
        return f"{count} B"
    power = 1 + (count >= 999_950) + (count >= 999_950_000)
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB')[power - 1]}"


def warn(message: str) -> None:
    """Print a line on standard error."""
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    start, end = ("\x1b[31m", "\x1b[0m") if colour else ("", "")
    sys.stderr.write(f"{start}{plain(message)}{end}\n")


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A bar on standard error for long work; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report
