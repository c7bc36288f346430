"""The index on disk: an SQLite file that is the truth, and segments that it names.

Any number of processes read it while one writes. A reader sees the last commit
there was when its view began, and keeps it; see `writer` for how a commit is made.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import apsw
import numpy as np

from rag.errors import (
    IndexClosed,
    IndexCorrupt,
    IndexFormatError,
    IndexNotFound,
)
from rag.index.analyzer import analyzer
from rag.index.check import find_problems
from rag.index.database import (
    NAME,
    check_size,
    check_structure,
    connect,
    explained,
    last_commit,
    one,
    prepare,
    query,
    read_meta,
    transaction,
    write_meta,
)
from rag.index.desk import Desk, write_lock
from rag.index.documents import Passage
from rag.index.files import HEAD, MENDING, folder_bytes, make_folder, read_head, write_head
from rag.index.filters import readable_by
from rag.index.forgotten import Forgotten, find_forgotten
from rag.index.storage import check_same_encoder
from rag.index.view import NOBODY, Snapshot, View, read_fingerprint, read_snapshot
from rag.index.writer import Writer
from rag.types import Fingerprint, Principal, Settings, Stats, Vectors

KEPT_TENANTS = 64
"""Of so many tenants what was opened is kept open."""

SEAL_KEY = "seal_key"

EMBEDDED_AT_ONCE = 20_000
"""So many vectors of another encoder are committed at a time."""


class Store:
    """An index in a folder. Any number of processes may read it while one writes."""

    def __init__(self, folder: Path, settings: Settings | None = None, *, create: bool = True):
        """Open the index in `folder`, or make one there.

        Raises:
            IndexNotFound: there is none, and `create` is false, or the folder holds other files.
            IndexFormatError: it is of a newer format, or was made with other `settings`.
            IndexCorrupt: it is damaged.
        """
        analyzer((settings or Settings()).language)  # an unknown one is refused before anything is made
        database = folder / NAME
        if not database.exists():
            if (folder / HEAD).exists() or (folder / "segments").exists():
                raise IndexCorrupt(f"{database} is missing, and files of an index are beside it; {MENDING}")
            if not create:
                raise IndexNotFound(f"no index in {folder}; make one with `rag add PATH --index {folder}`")
            if folder.exists() and (not folder.is_dir() or _others(folder)):
                raise IndexNotFound(f"{folder} holds other files and no index; name an empty or a new folder")
            make_folder(folder)
        self.folder = folder
        self._database = database
        self._idle: list[apsw.Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        self._snapshots: dict[str, Snapshot] = {}
        acknowledged = read_head(folder)
        with self._connection() as connection:
            prepare(connection, database)
            self._check_head(connection, acknowledged)
            check_size(connection, database)
            check_structure(connection, database)
            analyzer(
                (settings or Settings()).language
            )  # an unknown one is refused before anything is written
            self.settings = _agree_on_settings(connection, settings)
            self.seal_key = bytes.fromhex(read_meta(connection, SEAL_KEY) or "")

    def _check_head(self, connection: apsw.Connection, acknowledged: int | None) -> None:
        """See that no acknowledged commit is missing."""
        commit = last_commit(connection)
        if commit == 0 and acknowledged is None:
            write_head(self.folder, 0)
        elif acknowledged is None:
            raise IndexCorrupt(f"{self.folder / HEAD} is missing; {MENDING}")
        elif commit < acknowledged:
            raise IndexCorrupt(
                f"{self._database} and its log show commit {commit}, and commit {acknowledged} was "
                f"acknowledged: the log is damaged; {MENDING}"
            )

    def close(self) -> None:
        """Let go of the files. A closed store answers nothing more; closing twice is no error."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
            self._snapshots = {}
        for connection in idle:
            connection.close()

    @contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        """A connection of one's own, kept for the next who asks."""
        connection = self._take_idle()
        try:
            with explained(self._database):
                if connection is None:
                    connection = connect(self._database)
                yield connection
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        self._put_back(connection)

    def _take_idle(self) -> apsw.Connection | None:
        with self._guard:
            if self._closed:
                raise IndexClosed(f"the index in {self.folder} was closed; open it again with rag.open")
            return self._idle.pop() if self._idle else None

    def _put_back(self, connection: apsw.Connection) -> None:
        with self._guard:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    @contextmanager
    def view(self, principal: Principal | None = None) -> Iterator[View]:
        """The last commit as `principal` may see it, searched for as long as the context is open.

        Without a principal all is seen, unless a document has a tenant or readers: then nothing is.

        Raises:
            IndexCorrupt: a segment is missing or damaged.
        """
        with self._connection() as connection:
            hidden, snapshot = self._begin(
                connection, principal.tenant if principal else "", principal is None
            )
            visible = NOBODY if hidden else readable_by(principal or Principal(operator=True))
            try:
                yield View(connection, snapshot, self.settings, visible)
            finally:
                if connection.in_transaction:  # some failures of SQLite end it themselves
                    connection.execute("ROLLBACK")

    def _begin(self, connection: apsw.Connection, tenant: str, unnamed: bool) -> tuple[bool, Snapshot]:
        """Begin a read transaction whose segments are all open, and whether it shows nothing at all.

        A compaction may remove a segment between the two; then the next commit is shown.
        """
        while True:
            connection.execute("BEGIN")
            commit = last_commit(connection)
            try:
                hidden = unnamed and read_meta(connection, "rules") is not None
                before = self._snapshots.get(tenant)
                snapshot = read_snapshot(connection, self.folder, self.settings, tenant, before, hidden)
            except BaseException as error:
                if connection.in_transaction:  # some failures of SQLite end it themselves
                    connection.execute("ROLLBACK")
                if isinstance(error, IndexCorrupt) and last_commit(connection) > commit:
                    continue
                raise
            if snapshot is not before:
                self.settings = _read_settings(connection)
            if not hidden:
                self._keep(snapshot)
            return hidden, snapshot

    def _keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot for the next who asks of its tenant; of too many the oldest goes."""
        with self._guard:
            self._snapshots.pop(snapshot.tenant, None)
            self._snapshots[snapshot.tenant] = snapshot
            while len(self._snapshots) > KEPT_TENANTS:
                del self._snapshots[next(iter(self._snapshots))]

    def tenants(self) -> list[str]:
        """The tenants who have documents, in order."""
        with self._connection() as connection:
            rows = query(connection, "SELECT DISTINCT tenant FROM documents ORDER BY tenant")
        return [tenant for (tenant,) in rows]

    @property
    def own_folder(self) -> Path | None:
        """The folder that the store lives in, whose files are no documents."""
        return self.folder

    def state(self) -> str:
        """A digest of the last commit, which no other commit has, also none of the same number elsewhere.

        `""` where the index is from before there were seals, and has no secret to tell it by.
        """
        if not self.seal_key:
            return ""
        with self._connection() as connection, transaction(connection):
            (commit,) = query(connection, "SELECT id, at FROM commits ORDER BY id DESC LIMIT 1")
            segments = query(connection, "SELECT folder, seals FROM segments ORDER BY id")
        return hmac.digest(self.seal_key, json.dumps([commit, segments]).encode(), "sha256").hex()

    def stats(self) -> Stats:
        """The size of the index at its last commit, of all tenants together."""
        with self._connection() as connection, transaction(connection):
            (documents, chunks) = one(connection, "SELECT count(*), total(chunks) FROM documents")
            (segments, rows) = one(connection, "SELECT count(*), total(rows) FROM segments")
            commit, fingerprint = last_commit(connection), read_fingerprint(connection)
        return Stats(
            documents=documents,
            chunks=int(chunks),
            segments=segments,
            bytes=folder_bytes(self.folder),
            commit=commit,
            deleted_chunks=int(rows - chunks),
            kind=self.settings.kind,
            encoder=fingerprint.name if fingerprint else "",
        )

    def change_encoder(
        self,
        fingerprint: Fingerprint,
        embed: Callable[[Sequence[Passage]], Vectors],
        ready: Callable[[int], None] | None = None,
    ) -> int:
        """Give every passage a vector of another encoder, search with it from then on; return the commit.

        Adding, deleting and searching go on meanwhile. What was embedded is kept when it is killed.

        Args:
            fingerprint: That of the other encoder.
            embed: The vectors of passages, float32 (n, dimension), which `fingerprint` makes.
            ready: Called once with the generation that is about to be searched.
        """
        with self.writer() as writer:
            generation = writer.generations.of(fingerprint)
        told = ready is None
        while True:
            with self.writer() as writer:
                passages = writer.generations.unembedded(generation, EMBEDDED_AT_ONCE)
                if not passages and told:
                    return writer.generations.serve(generation)
            if passages:
                rows = np.array([passage.row for passage in passages], np.int32)
                vectors = embed(passages)
                with self.writer() as writer:
                    writer.generations.put(passages[0].segment, generation, rows, vectors)
            elif ready is not None and not told:
                ready(generation)
                told = True

    def problems(self) -> list[str]:
        """What is wrong with the last commit, after every byte of it was looked at."""
        with self._connection() as connection:
            try:
                check_size(connection, self._database)
            except IndexCorrupt as error:
                return [str(error)]
            with transaction(connection):
                return list(find_problems(connection, self.folder))

    def retune(self, settings: Settings) -> None:
        """Write other settings down, which differ in how much of a structure a search looks at."""
        with self.writer() as writer, writer.desk.commit("settings"):
            write_meta(writer.desk.connection, "settings", json.dumps(asdict(settings)))
        self.settings = settings

    def forgotten(self, document_id: str, tenant: str = "", text: str | None = None) -> Forgotten:
        """Look for a deleted document in every file, by its id and, where given, its text."""
        with self._connection() as connection, transaction(connection):
            return find_forgotten(connection, self.folder, tenant, document_id, text)

    def fingerprint(self) -> Fingerprint | None:
        """That of the encoder whose vectors are searched, None where nothing was embedded yet."""
        with self._connection() as connection:
            return read_fingerprint(connection)

    def check_encoder(self, fingerprint: Fingerprint) -> None:
        """See that vectors of this encoder may be compared with those in the index.

        Raises:
            EncoderMismatch: the index is searched with another encoder.
        """
        check_same_encoder(self.fingerprint(), fingerprint)

    @contextmanager
    def writer(self, tenant: str = "") -> Iterator[Writer]:
        """The right to write, held by one process and thread at a time; it ends with the process.

        Raises:
            IndexLocked: another has held it for longer than one waits.
            IndexFailed: the disk refused.
        """
        with write_lock(self.folder), self._connection() as connection:
            self._check_head(connection, read_head(self.folder))
            writer = Writer(Desk(connection, self.folder, self.settings), tenant)
            writer.segments.sweep()
            yield writer


def _others(folder: Path) -> bool:
    """Whether a folder holds anything but a database, which another process may have begun meanwhile."""
    return any(not path.name.startswith(NAME) for path in folder.iterdir())


def _read_settings(connection: apsw.Connection) -> Settings:
    """The settings that are written down in the index."""
    return Settings(**json.loads(read_meta(connection, "settings") or "{}"))


def _agree_on_settings(connection: apsw.Connection, wanted: Settings | None) -> Settings:
    """The settings of the index: those written down in it, or `wanted` where it is new."""
    known = read_meta(connection, "settings")
    if known is None:
        with transaction(connection, "IMMEDIATE"):
            known = read_meta(connection, "settings")  # another may have made the index meanwhile
            if known is None:
                known = json.dumps(asdict(wanted or Settings()))
                write_meta(connection, "settings", known)
                write_meta(connection, SEAL_KEY, secrets.token_hex(32))
    settings = _read_settings(connection)
    # How much of a structure is looked at may have been tuned since.
    tuned = replace(wanted or settings, ef_search=settings.ef_search, nprobe=settings.nprobe)
    if tuned != settings:
        raise IndexFormatError(
            f"the index was made with {settings}, and was opened with {wanted}; "
            "open it without settings, or make a new index"
        )
    return settings
