"""The command line's care of an index: its size and health, its room on the disk, its copies, its encoder."""

from __future__ import annotations

import typer

from rag.api.command import (
    CANNOT_WORK,
    EncoderOption,
    IndexOption,
    JsonOption,
    command,
    open_index,
    print_json,
    screen,
)
from rag.api.settings import read_settings

upkeep = typer.Typer(rich_markup_mode=None)


@command(upkeep, "stats", "rag stats --json")
def stats(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Say how large the index is."""
    from rag.api.schema import stats_json

    with open_index(read_settings({"index": index})) as engine:
        found = engine.stats()
    if as_json:
        print_json(stats_json(found))
    else:
        screen().stats(found)


@command(upkeep, "doctor", "rag doctor")
def doctor(index: IndexOption = None, encoder: EncoderOption = None, as_json: JsonOption = False) -> None:
    """See that what is needed is here. An index is checked to its last byte."""
    from rag.api.doctor import examine

    findings = list(examine(read_settings({"index": index, "encoder": encoder})))
    healthy = all(finding.good for finding in findings)
    if as_json:
        print_json({"ok": healthy, "findings": [finding.json() for finding in findings]})
    else:
        for finding in findings:
            screen().verdict(finding.good, f"{finding.name:<9}", finding.detail)
    if not healthy:
        raise typer.Exit(CANNOT_WORK)


@command(upkeep, "compact", "rag compact")
def compact(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Wipe what was deleted from the disk. The index becomes one segment."""
    from rag.api.show import size

    with open_index(read_settings({"index": index})) as engine:
        before = engine.stats().bytes
        engine.compact()
        after = engine.stats().bytes
    if as_json:
        print_json({"bytes_before": before, "bytes": after})
    else:
        screen().line(f"{size(before)} -> {size(after)}")
