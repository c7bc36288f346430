"""An index that is filled and kept: documents come in and go out, and it is looked after.

add       bytes -> Document -> Chunks -> vectors and postings -> one commit
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rag import care
from rag.errors import DocumentNotFound, EncoderMismatch, EncoderNotFound, InputError, SyncRefused
from rag.index.analyzer import analyzer
from rag.index.backup import backup
from rag.index.backup import restore as restore_backup
from rag.index.encoder import resolve_encoder
from rag.index.forgotten import Forgotten
from rag.index.quality import Quality, with_efforts
from rag.index.storage import Storage, StorageView, StorageWriter, check_same_encoder
from rag.index.store import Store
from rag.index.tune import Tuned
from rag.intake import Given, Intake, Progress
from rag.passages import default_chunker, fit_above
from rag.protocols import Chunker, Encoder
from rag.reembed import Reembedded, reembed
from rag.sources import Source, inputs, whole
from rag.sync import SyncReport, folders_of, make_plan, move, remove
from rag.types import (
    AddReport,
    Document,
    Metadata,
    Principal,
    Settings,
    Stats,
)


class Library:
    """An index that is filled and kept, opened as an `Engine` says. It may be used from several threads."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        encoder: str | Path | Encoder | None = None,
        chunker: Chunker | None = None,
        settings: Settings | None = None,
        create: bool = True,
    ):
        self._store = _open_store(os.fspath(path), settings, create=create)
        self._wanted_encoder = encoder
        self._encoder: Encoder | None = None
        self._encoder_lock = threading.Lock()
        self._chunker = chunker

    @property
    def settings(self) -> Settings:
        """How the index is made and read."""
        return self._store.settings

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when it is first needed.

        Raises:
            EncoderNotFound: It is not installed.
            EncoderMismatch: The index was made with another.
        """
        with self._encoder_lock:
            encoder = self._encoder or resolve_encoder(self._wanted_encoder)
            # Each time: an index that was empty may meanwhile have been filled by another.
            self._store.check_encoder(encoder.fingerprint)
            self._encoder = encoder
            return encoder

    def add(
        self,
        source: Source | Iterable[Source],
        *,
        metadata: Metadata | None = None,
        tenant: str = "",
        readers: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> AddReport:
        """Bring files, folders or Documents into the index.

        What the index has already is not embedded again; a file that changed replaces
        its old version when the new one is in; one that cannot be read is reported in
        `failed`, tried again next time, and stops nothing.

        Args:
            source: A path, a Document, or several of them.
            metadata: Fields to give every document, for filters.
            tenant: Whose documents they are. Tenants share nothing but the folder.
            readers: The names of those in the tenant who may read them, `[]` for all. Where it is left
                out, new documents are for all, and those in the index stay as they are.
            progress: Called with a stage, how many are done, and of how many.

        Raises:
            InputError: A path does not exist.
            IndexLocked: Another process is writing.
        """
        items = self._inputs(source)
        given = Given(metadata or {}, readers)
        with self._store.writer(tenant) as writer:
            return self._intake(writer, tenant, given, progress).run(items)

    def sync(
        self,
        folders: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        metadata: Metadata | None = None,
        tenant: str = "",
        readers: Sequence[str] | None = None,
        dry_run: bool = False,
        allow_mass_deletion: bool = False,
        progress: Progress | None = None,
    ) -> SyncReport:
        """Bring the index in line with folders: what is new comes in, what is gone goes, what moved stays.

        Only what lies under the folders is ever removed, and only when no file is at its path any more.
        Nothing is removed before what is new is in. Documents that were handed in stay as they are.

        Args:
            folders: One folder, or several.
            metadata: As in `add`.
            tenant: As in `add`.
            readers: As in `add`.
            dry_run: Whether to return the plan alone, and change nothing.
            allow_mass_deletion: Whether more than half of the documents under the folders may go, and
                all of a folder that is empty or does not exist.
            progress: As in `add`.

        Raises:
            InputError: A path is no folder.
            SyncRefused: So much would be removed that it looks like a mistake, or a folder cannot be listed.
            IndexLocked: Another process is writing.
        """
        named = folders_of(folders)
        given = Given(metadata or {}, readers)
        with self._store.writer(tenant) as writer:
            items = list(dict.fromkeys(self._inputs([path for path in named if path.exists()])))
            plan = make_plan(writer, named, [item for item in items if isinstance(item, Path)])
            if dry_run:
                return SyncReport(plan)
            if plan.refusal and not allow_mass_deletion:
                raise SyncRefused(f"nothing was changed: {plan.refusal}")
            move(writer, plan)
            added = self._intake(writer, tenant, given, progress).run(items)
            remove(writer, plan)
            return SyncReport(plan, added)

    def _intake(self, writer: StorageWriter, tenant: str, given: Given, progress: Progress | None) -> Intake:
        owner = Principal(tenant=tenant, operator=True)
        return Intake(
            writer,
            lambda: self._store.view(owner),
            lambda: self.encoder,
            self._cutter,
            lambda above: fit_above(above, self.encoder, self.settings.size_tokens),
            analyzer(self.settings.language),
            progress or _no_progress,
            given,
        )

    @contextmanager
    def view(self, principal: Principal | None = None) -> Iterator[StorageView]:
        """One commit of the index, held for as long as the context is open."""
        with self._store.view(principal) as view:
            yield view

    def document(self, document_id: str, *, principal: Principal | None = None) -> Document:
        """The document of that id, whole.

        Raises:
            DocumentNotFound: There is none that `principal` may read.
        """
        with self._store.view(principal) as view:
            return view.document(document_id)

    def documents(self, *, principal: Principal | None = None) -> list[Document]:
        """Every document in the order of its source, without its text: ids, sources, titles, metadata."""
        with self._store.view(principal) as view:
            return list(view.documents())

    def tenants(self) -> list[str]:
        """The tenants who have documents, in order."""
        return self._store.tenants()

    def delete(self, document_ids: str | Sequence[str], *, tenant: str = "") -> None:
        """Hide documents of a tenant at once and for good. `compact` then wipes them from the disk.

        Raises:
            DocumentNotFound: The index lacks one of them; then none is deleted.
            IndexLocked: Another process is writing.
        """
        ids = [document_ids] if isinstance(document_ids, str) else list(document_ids)
        with self._store.writer(tenant) as writer:
            for document_id in ids:
                if writer.held(document_id) is None:
                    raise DocumentNotFound(f"no document {document_id!r} in the index; nothing was deleted")
            writer.delete(ids)

    def forgotten(self, document_id: str, *, tenant: str = "", original: str | None = None) -> Forgotten:
        """Prove that a deleted document is gone: look for it in every table and file of the index.

        Args:
            document_id: Its id, the SHA-256 of its bytes.
            tenant: Whose it was.
            original: Its text, where one still has it; then every run of eight words is looked for.
        """
        return self._local.forgotten(document_id, tenant, original)

    def compact(self) -> None:
        """Merge all segments into one, and leave nothing of deleted documents in any file.

        Raises:
            IndexLocked: Another process is writing, or holds an old commit open.
        """
        with self._store.writer() as writer:
            writer.compact()

    def reembed(
        self, encoder: str | Path | Encoder | None, *, progress: Progress | None = None
    ) -> Reembedded:
        """Change the encoder: embed every passage anew beside the old vectors, then search with the new.

        Adding and searching go on meanwhile, with the old one. Its vectors are kept: see `roll_back`.

        Raises:
            EncoderNotFound: There is no such encoder.
            InputError: It sees fewer tokens than a chunk has.
            IndexLocked: Another process is writing.
        """
        new = resolve_encoder(encoder)
        try:
            old = self.encoder
        except (EncoderMismatch, EncoderNotFound):
            old = None
        found = reembed(self._store, old, new, progress or _no_progress)
        with self._encoder_lock:
            self._wanted_encoder = self._encoder = new
        return found

    def roll_back(self) -> None:
        """Search again with the vectors of the encoder before the last `reembed`.

        Open the index with that encoder then.

        Raises:
            EncoderMismatch: There was none, or passages were added since that have no vector of it.
        """
        with self._local.writer() as writer:
            writer.generations.roll_back()
        with self._encoder_lock:
            self._encoder = None

    def backup(self, target: str | os.PathLike[str]) -> int:
        """Copy the last commit to the new folder `target` while others write and read, and return its number.

        The copy is an index of its own, checked against every seal; `rag.restore` makes one of it.
        On the same disk its segments are links, which are no second copy of their bytes.

        Raises:
            InputError: Something is at `target` already.
            IndexCorrupt: A file of the index is damaged.
        """
        return backup(self._local.folder, Path(target))

    def measure(self, questions: Sequence[str] = (), *, tenant: str = "") -> Quality:
        """How much of the ten nearest passages a dense search finds, its speed, memory, and segments.

        Args:
            questions: What is asked; by default the first sentences of 200 passages.
            tenant: Whose passages are searched.
        """
        with self._local.view(Principal(tenant=tenant, operator=True)) as view:
            return care.measure(view, self._encoder_for(view), questions)

    def tune(
        self, recall: float = 0.98, questions: Sequence[str] = (), *, tenant: str = ""
    ) -> dict[str, Tuned]:
        """Find the least effort that finds `recall` of the ten nearest passages, and search so from now on.

        Args:
            recall: What is wanted, in 0..1.
            questions: What is asked, some hundreds are needed; by default the first sentences of passages.
            tenant: Whose passages are searched.

        Returns:
            What was found for each kind of structure there is, with the curve; nothing where all is scanned.

        Raises:
            InputError: `recall` is not in 0..1, or there is nothing to ask.
        """
        with self._local.view(Principal(tenant=tenant, operator=True)) as view:
            tuned = care.tune(view, self._encoder_for(view), questions, recall)
        if tuned:
            self._local.retune(with_efforts(self.settings, tuned))
        return tuned

    def stats(self) -> Stats:
        """The size of the index at its last commit."""
        return self._store.stats()

    def problems(self) -> list[str]:
        """What is wrong with the index, after every byte of it was looked at; nothing where all is well."""
        return self._store.problems()

    def close(self) -> None:
        """Let go of the files. The engine answers nothing more; closing twice is no error."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _local(self) -> Store:
        if not isinstance(self._store, Store):
            raise InputError("this is for an index in a folder; the server has its own way")
        return self._store

    def _encoder_for(self, view: StorageView) -> Encoder:
        """The encoder, seen to be that of the view: another may have changed the index's meanwhile."""
        encoder = self.encoder
        check_same_encoder(view.fingerprint, encoder.fingerprint)
        return encoder

    def _inputs(self, source: Source | Iterable[Source]) -> list[Path | Document]:
        """The files and documents that `source` names, without the index's own files."""
        items = inputs(source)
        if self._store.own_folder is None:
            return items
        own, folders = self._store.own_folder.resolve(), dict[Path, Path]()
        return [
            item
            for item in items
            if isinstance(item, Document) or not whole(item, folders).is_relative_to(own)
        ]

    def _cutter(self) -> Chunker:
        return self._chunker or default_chunker(self.encoder, self.settings)


def restore(backup: str | os.PathLike[str], folder: str | os.PathLike[str]) -> int:
    """Make an index in the new or empty `folder` of a backup, and return the number of its commit.

    Raises:
        InputError: `folder` holds something already.
        IndexNotFound: There is no index in `backup`.
        IndexCorrupt: A file of the backup is damaged; it is named, and nothing was written.
    """
    return restore_backup(Path(backup), Path(folder))


def _open_store(path: str, settings: Settings | None, *, create: bool) -> Storage:
    """The store at a path, or at the address of a server."""
    if path.startswith(("qdrant://", "qdrants://")):
        from rag.index.qdrant import QdrantStore

        return QdrantStore(path, settings, create=create)
    if "://" in path:
        raise InputError(f"{path}: an index is a folder, or qdrant://host:port/name")
    return Store(Path(path), settings, create=create)


def _no_progress(stage: str, done: int, total: int) -> None:
    pass
