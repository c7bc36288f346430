"""The command line's care of an index: its size and health, its room on the disk, its copies, its encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.api.command import (
    CANNOT_WORK,
    FAILED_INPUTS,
    EncoderOption,
    IndexOption,
    JsonOption,
    TenantOption,
    command,
    open_index,
    print_json,
    screen,
)
from rag.api.settings import read_settings
from rag.errors import InputError

if TYPE_CHECKING:
    from rag.index.tune import Tuned
    from rag.pipeline import Engine

upkeep = typer.Typer(rich_markup_mode=None)

QuestionsOption = Annotated[
    Path | None,
    typer.Option(
        "--questions", metavar="FILE", help="A question file to search for (sentences of the passages)."
    ),
]


@command(upkeep, "stats", "rag stats --json", "rag stats --quality --tenant acme")
def stats(
    quality: Annotated[
        bool,
        typer.Option(
            "--quality", help="Search, and say what is found, how fast, in what memory, and why so."
        ),
    ] = False,
    questions: QuestionsOption = None,
    tenant: TenantOption = "",
    index: IndexOption = None,
    encoder: EncoderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how large the index is, and with --quality how well it is searched."""
    from rag.api.schema import quality_json, stats_json

    if questions and not quality:
        raise InputError("--questions are of --quality; say that too")
    with open_index(read_settings({"index": index, "encoder": encoder})) as engine:
        found, tenants = engine.stats(), engine.tenants()
        measured = engine.measure(_asked(engine, questions, tenant), tenant=tenant) if quality else None
    if as_json:
        print_json(stats_json(found, tenants) | ({"quality": quality_json(measured)} if measured else {}))
        return
    screen().stats(found, tenants)
    if measured:
        screen().quality(measured)


@command(
    upkeep,
    "tune-index",
    "rag tune-index --recall 0.98 --svg curve.svg",
    "rag tune-index --questions questions.jsonl",
)
def tune_index(
    recall: Annotated[
        float, typer.Option(metavar="R", help="The share of the ten nearest passages to be found.")
    ] = 0.98,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw recall against queries a second.")
    ] = None,
    questions: QuestionsOption = None,
    tenant: TenantOption = "",
    index: IndexOption = None,
    encoder: EncoderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search with the least effort that finds enough, from now on. Exit 1 where none does."""
    from rag.api.schema import tuned_json

    settings = read_settings({"index": index, "encoder": encoder})
    with open_index(settings) as engine:
        tuned = engine.tune(recall, _asked(engine, questions, tenant), tenant=tenant)
    drawn = svg if tuned else None
    if drawn:
        drawn.write_text(_picture(tuned, str(settings.index)), encoding="utf-8")
    if as_json:
        print_json(tuned_json(recall, tuned) | {"svg": str(drawn) if drawn else None})
    else:
        screen().tuned(tuned)
    if not all(each.reached for each in tuned.values()):
        raise typer.Exit(FAILED_INPUTS)


def _asked(engine: Engine, questions: Path | None, tenant: str) -> list[str]:
    """What is searched for, none where sentences of the passages are.

    Raises:
        InputError: The tenant has no documents, so that nothing would be measured.
    """
    tenants = engine.tenants()
    if tenant not in tenants:
        told = f"; name one with --tenant: {', '.join(tenants)}" if tenants else ""
        raise InputError(f"the index has no documents{f' of tenant {tenant!r}' if tenants else ''}{told}")
    if questions is None:
        return []
    from rag.eval.questions import read_questions

    return [question.user_input for question in read_questions(questions)]


def _picture(tuned: dict[str, Tuned], title: str) -> str:
    from rag.index.picture import picture

    return picture({name: each.curve for name, each in tuned.items()}, title)


@command(
    upkeep,
    "doctor",
    "rag doctor",
    "rag doctor --repair",
    "rag doctor --forgotten ID --original deleted.pdf",
)
def doctor(
    mend: Annotated[
        bool, typer.Option("--repair", help="Mend a damaged index first, and say what was lost.")
    ] = False,
    forgotten: Annotated[
        str, typer.Option(metavar="ID", help="Prove too that a deleted document is in no file of the index.")
    ] = "",
    original: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --forgotten: its file, to look for its words.")
    ] = None,
    tenant: TenantOption = "",
    index: IndexOption = None,
    encoder: EncoderOption = None,
    as_json: JsonOption = False,
) -> None:
    """See that what is needed is here. An index is checked to its last byte."""
    from rag.api.doctor import examine, look_for, mended

    if original and not forgotten:
        raise InputError("--original is of --forgotten ID; say that too")
    settings = read_settings({"index": index, "encoder": encoder})
    findings = list(mended(settings)) if mend else []
    findings += examine(settings)
    if forgotten:
        findings.append(look_for(settings, forgotten, tenant, original))
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


@command(
    upkeep, "reembed", "rag reembed BAAI/bge-small-en-v1.5", "rag reembed ./my-model --encoder ./old-model"
)
def reembed(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new encoder: a model's name or folder.")],
    index: IndexOption = None,
    encoder: EncoderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the encoder. Searching and adding go on meanwhile, and `rag rollback` goes back.

    What was embedded is kept where it is interrupted: the same command goes on from there.
    """
    from rag.api.schema import reembedded_json
    from rag.api.show import progress_bar

    with (
        open_index(read_settings({"index": index, "encoder": encoder})) as engine,
        progress_bar() as progress,
    ):
        found = engine.reembed(name, progress=progress)
        made = engine.stats().encoder
    if as_json:
        print_json(reembedded_json(made, found))
    else:
        screen().reembedded(made, found)
        screen().line(f"open it with --encoder {name} from now on, or set RAG_ENCODER")


@command(upkeep, "rollback", "rag rollback")
def rollback(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Search with the encoder before the last `rag reembed` again."""
    with open_index(read_settings({"index": index})) as engine:
        engine.roll_back()
        found = engine.stats()
    if as_json:
        print_json({"encoder": found.encoder, "commit": found.commit})
    else:
        screen().line(f"searched with {found.encoder} again; open it with that encoder")


@command(upkeep, "backup", "rag backup /mnt/other-disk/kb-monday")
def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, best on another disk.")],
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the index, whole and checked, while others write and read.

    On the same disk the copy shares the index's files, which does not help where the disk fails.
    """
    with open_index(read_settings({"index": index})) as engine:
        commit = engine.backup(target)
    if as_json:
        print_json({"backup": str(target), "commit": commit})
    else:
        screen().line(f"commit {commit} is in {target}")


@command(upkeep, "restore", "rag restore /mnt/other-disk/kb-monday .rag")
def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `rag backup` made.")],
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder for the index.")],
    as_json: JsonOption = False,
) -> None:
    """Make an index of a backup. All of it is checked before anything is written."""
    from rag.library import restore as restored

    commit = restored(source, target)
    if as_json:
        print_json({"index": str(target), "commit": commit})
    else:
        screen().line(f"{target} is at commit {commit}")
