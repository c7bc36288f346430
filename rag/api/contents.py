"""The command line's hand on what is in an index: files come in, are listed, and go."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.api.command import (
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
from rag.api.settings import DoorSettings, read_settings
from rag.errors import IndexFormatError, IndexNotFound, InputError

if TYPE_CHECKING:
    from rag.pipeline import Engine

contents = typer.Typer(rich_markup_mode=None)


class IndexKind(StrEnum):
    """How vectors are searched."""

    AUTO = "auto"
    FLAT = "flat"
    HNSW = "hnsw"
    IVF_PQ = "ivf_pq"


@command(
    contents,
    "add",
    "rag add docs/ --metadata team=hr",
    "rag add docs/ --sync --dry-run",
    "rag add acme/ --tenant acme --reader hr --reader ann",
    "rag add texte/ --index neu --language german",
)
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders.")],
    sync: Annotated[
        bool, typer.Option("--sync", help="Take out too what is gone from the folders. What moved stays.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --sync: say what would be done, and do nothing.")
    ] = False,
    allow_mass_deletion: Annotated[
        bool, typer.Option("--allow-mass-deletion", help="With --sync: take out even most of it.")
    ] = False,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata", metavar="FIELD=VALUE", help="A field for every document; repeat for more."
        ),
    ] = None,
    tenant: TenantOption = "",
    readers: Annotated[
        list[str] | None,
        typer.Option(
            "--reader",
            metavar="NAME",
            help="A person or group who may read them; repeat for more. '' is all.",
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a new index: the language of its words (english).")
    ] = None,
    kind: Annotated[
        IndexKind | None, typer.Option(help="Of a new index: how vectors are searched (auto).")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--setting", metavar="NAME=VALUE", help="Of a new index: any other, such as size_tokens=300."
        ),
    ] = None,
    index: IndexOption = None,
    encoder: EncoderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring files and folders into the index. What is in it already costs nothing."""
    from rag.api.fields import parse_metadata
    from rag.api.schema import add_json, sync_json
    from rag.api.show import progress_bar

    settings = read_settings({"index": index, "encoder": encoder})
    fields = parse_metadata(metadata or ())
    named = None if readers is None else [name for name in readers if name]
    wanted: dict[str, object] = dict(parse_metadata(setting or ()))
    wanted |= {name: value for name, value in (("language", language), ("kind", kind)) if value}
    if (dry_run or allow_mass_deletion) and not sync:
        raise InputError("--dry-run and --allow-mass-deletion are of --sync; say that too")
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None and not sync:
        raise InputError(f"{missing} does not exist; name a file or a folder")
    # Where a folder may be a slip of the pen, or nothing is to change, no index is made.
    create = missing is None and not dry_run
    with _index_with(settings, wanted, create) as engine, progress_bar() as progress:
        if sync:
            synced = engine.sync(
                paths,
                metadata=fields,
                tenant=tenant,
                readers=named,
                dry_run=dry_run,
                allow_mass_deletion=allow_mass_deletion,
                progress=progress,
            )
            report, value = synced.added, sync_json(synced)
        else:
            added = engine.add(paths, metadata=fields, tenant=tenant, readers=named, progress=progress)
            report, value = added, add_json(added)
    if as_json:
        print_json(value)
    elif sync:
        screen().synced(synced)
    else:
        screen().added(added)
    if report and report.failed:
        raise typer.Exit(FAILED_INPUTS)


def _index_with(settings: DoorSettings, wanted: dict[str, object], create: bool) -> Engine:
    """The index, made as `wanted` says where it is new.

    Raises:
        InputError: There is no such setting, or it has no such value.
        IndexFormatError: It was made otherwise.
    """
    from dataclasses import replace

    from rag.index.analyzer import analyzer
    from rag.types import Settings

    try:
        new = Settings(**wanted)  # type: ignore[arg-type] # it is seen to on the next lines
    except (TypeError, ValueError) as error:
        raise InputError(f"the settings of a new index: {error}") from error
    analyzer(new.language)  # an unknown one is refused before a folder is made
    try:
        engine = open_index(settings)
    except IndexNotFound:
        if not create:
            raise
        return open_index(settings, create=True, new=new)
    made = engine.settings
    if replace(made, **wanted) != made:  # type: ignore[arg-type] # as above
        engine.close()
        differing = ", ".join(f"{name}={getattr(made, name)}" for name in wanted)
        raise IndexFormatError(f"the index in {settings.index} was made with {differing}; make a new one")
    return engine


@command(contents, "list", "rag list --json", "rag list --tenant acme")
def list_documents(tenant: TenantOption = "", index: IndexOption = None, as_json: JsonOption = False) -> None:
    """List the documents of the index with their ids."""
    from rag.api.access import operator
    from rag.api.schema import document_json
    from rag.api.show import warn

    with open_index(read_settings({"index": index})) as engine:
        documents = engine.documents(principal=operator(tenant))
        others = [] if documents else [name for name in engine.tenants() if name]
    if others:
        warn(
            f"rag: there are documents of {len(others)} tenants; name one with --tenant: {', '.join(others)}"
        )
    if as_json:
        print_json({"documents": [document_json(document) for document in documents]})
    else:
        screen().documents(documents)


@command(
    contents, "delete", "rag delete 3f2a91c07b44 && rag compact", "rag delete 3f2a91c07b44 --tenant acme"
)
def delete(
    documents: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids, their first 8 or more characters, or files.")
    ],
    tenant: TenantOption = "",
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hide documents at once. `rag compact` then wipes them from the disk."""
    from rag.api.access import operator
    from rag.api.find import find_document

    with open_index(read_settings({"index": index})) as engine:
        held = engine.documents(principal=operator(tenant))
        found = list(dict.fromkeys(find_document(name, held).id for name in documents))
        engine.delete(found, tenant=tenant)
    if as_json:
        print_json({"deleted": found})
    else:
        screen().line(f"{len(found)} deleted")
