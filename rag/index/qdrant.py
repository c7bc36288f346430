"""The index on a Qdrant server: `rag.open("qdrant://host:6333/name")`.

It does what the index in a folder does, and says what that says. What lies where,
and how a commit becomes visible, stands in `qdrant_points`. Qdrant shards and
replicates the collections itself.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.errors import IndexClosed, IndexCorrupt, IndexFormatError, IndexNotFound
from rag.index.analyzer import analyzer
from rag.index.documents import Passage
from rag.index.qdrant_address import Address
from rag.index.qdrant_check import find_problems
from rag.index.qdrant_filter import NEVER, Condition, all_of, match, readable_by
from rag.index.qdrant_lease import leased, read_manifest
from rag.index.qdrant_points import DOCUMENT_INDEXES, FORMAT, MANIFEST, Manifest, settings_json
from rag.index.qdrant_remote import OLDEST_SERVER, Point, Remote, connect
from rag.index.qdrant_view import View
from rag.index.qdrant_writer import Writer
from rag.index.storage import check_same_encoder
from rag.types import Fingerprint, Principal, Settings, Stats, Vectors

MOST_COUNTED = 100_000
"""Above this many chunks of a tenant, idf counts what was replaced, too: it takes Qdrant 50 ns for each
chunk that is seen at a commit, 17 ns for each of a tenant, and nothing for all that there are."""

_MOST_TENANTS = 100_000


class QdrantStore:
    """An index on a Qdrant server. Any number of processes read it while one writes.

    Args:
        address: `qdrant://[key@]host[:port]/name`; see `Address`.
        settings: How a new index is made. An index knows its own: leave this out to open one.
        create: Whether it is made where there is none.
        client: What speaks to the server, with the methods of `qdrant_client.QdrantClient`.

    Raises:
        InputError: `address` is none.
        MissingExtra: qdrant-client is not installed.
        IndexNotFound: there is no index, and `create` is false.
        IndexFormatError: it is of a newer format, or was made with other `settings`.
        IndexFailed: the server refuses, or cannot be reached.
    """

    def __init__(
        self, address: str, settings: Settings | None = None, *, create: bool = True, client: Any = None
    ):
        self.address = Address.parse(address)
        self._remote = Remote(client or connect(self.address), self.address)
        self._closed = False
        self._writer: Writer | None = None
        self._many: dict[str, tuple[int, bool]] = {}
        self._documents = f"{self.address.name}-documents"
        try:
            self.settings = self._open(settings, create)
        except BaseException:
            self._remote.close()
            raise

    @property
    def own_folder(self) -> Path | None:
        """The folder that it lives in: it has none here."""
        return None

    def _open(self, wanted: Settings | None, create: bool) -> Settings:
        analyzer((wanted or Settings()).language)  # an unknown one is refused before anything is written
        release = self._remote.version()
        if (numbers := re.match(r"(\d+)\.(\d+)", release)) and tuple(
            map(int, numbers.groups())
        ) < OLDEST_SERVER:
            oldest = ".".join(map(str, OLDEST_SERVER))
            raise IndexFormatError(f"{self.address} runs Qdrant {release}; this needs {oldest} or later")
        if not self._remote.has_collection(self._documents):
            if not create:
                raise IndexNotFound(
                    f"no index at {self.address}; make one with `rag add PATH --index {self.address}`"
                )
            self._remote.make_collection(self._documents, DOCUMENT_INDEXES)
        if MANIFEST not in self._remote.get(self._documents, [MANIFEST]):
            new = Manifest(settings_json(wanted or Settings()), seal_key=secrets.token_hex(32))
            self._remote.put(self._documents, [Point(MANIFEST, new.payload())], only_new=True)
        manifest = read_manifest(self._remote, self._documents)
        if manifest.format > FORMAT:
            raise IndexFormatError(
                f"{self.address} has format {manifest.format}, this version reads up to {FORMAT}; "
                "upgrade with pip install -U spanrag"
            )
        settings = Settings(**json.loads(manifest.settings))
        if wanted is not None and wanted != settings:
            raise IndexFormatError(
                f"the index was made with {settings}, and was opened with {wanted}; "
                "open it without settings, or make a new index"
            )
        return settings

    def close(self) -> None:
        """Let go of the connections. A closed store answers nothing more; closing twice is no error."""
        if not self._closed:
            self._closed = True
            self._remote.close()

    @property
    def seal_key(self) -> bytes:
        """The secret of this index by which its answers are sealed."""
        return bytes.fromhex(self._manifest().seal_key)

    def _manifest(self) -> Manifest:
        if self._closed:
            raise IndexClosed(f"the index at {self.address} was closed; open it again with rag.open")
        return read_manifest(self._remote, self._documents)

    @contextmanager
    def view(self, principal: Principal | None = None) -> Iterator[View]:
        """The last commit as `principal` may see it.

        Without a principal all is seen, unless a document has a tenant or readers: then nothing is.
        """
        manifest = self._manifest()
        someone = principal or Principal(operator=True)
        hidden = principal is None and manifest.rules
        readable = NEVER if hidden else readable_by(someone)
        names = (f"{self.address.name}-{manifest.serving}", self._documents)
        corpus = self._corpus(manifest, someone.tenant)
        yield View(
            self._remote,
            names,
            manifest,
            self.settings,
            analyzer(self.settings.language),
            someone.tenant,
            readable,
            corpus,
        )

    def _corpus(self, manifest: Manifest, tenant: str) -> Condition | None:
        """Over which chunks idf is counted: those that the tenant has now, unless that takes too long."""
        if not manifest.serving:
            return None
        mine, now = match("tenant", tenant), all_of([match("tenant", tenant), manifest.seen()])
        known = self._many.get(tenant)
        if known is None or known[0] != manifest.commit:
            chunks = f"{self.address.name}-{manifest.serving}"
            many = self._remote.count(chunks, all_of([mine]), exact=False) > MOST_COUNTED
            known = self._many[tenant] = manifest.commit, many
        if not known[1]:
            return now
        return all_of([mine]) if manifest.rules else None

    def tenants(self) -> list[str]:
        """The tenants who have documents, in order."""
        seen = all_of([match("kind", "document"), self._manifest().seen()])
        return sorted(self._remote.values(self._documents, "tenant", seen, _MOST_TENANTS))

    def state(self) -> str:
        """A digest of the last commit, which no other commit has, also none of the same number elsewhere.

        `""` where the index is from before there were seals, and has no secret to tell it by.
        """
        manifest = self._manifest()
        if not manifest.seal_key:
            return ""
        known = json.dumps([manifest.commit, manifest.history, manifest.serving])
        return hmac.digest(bytes.fromhex(manifest.seal_key), known.encode(), "sha256").hex()

    def stats(self) -> Stats:
        """The size of the index at its last commit, of all tenants. Qdrant does not tell its bytes: 0."""
        manifest = self._manifest()
        chunks = f"{self.address.name}-{manifest.serving}"
        stored = living = segments = 0
        if manifest.serving:
            stored, living = (self._remote.count(chunks, where) for where in (all_of([]), manifest.seen()))
            segments = self._remote.segments(chunks)
        return Stats(
            documents=self._remote.count(
                self._documents, all_of([match("kind", "document"), manifest.seen()])
            ),
            chunks=living,
            segments=segments,
            bytes=0,
            commit=manifest.commit,
            deleted_chunks=stored - living,
            kind=self.settings.kind,
            encoder=manifest.fingerprint.name if manifest.fingerprint else "",
        )

    def fingerprint(self) -> Fingerprint | None:
        """That of the encoder whose vectors are searched, None where nothing was embedded yet."""
        writer = self._writer
        return (writer.manifest if writer else self._manifest()).fingerprint

    def check_encoder(self, fingerprint: Fingerprint) -> None:
        """See that vectors of this encoder may be compared with those in the index.

        Raises:
            EncoderMismatch: the index is searched with another encoder.
        """
        check_same_encoder(self.fingerprint(), fingerprint)

    def problems(self) -> list[str]:
        """What is wrong with the last commit, after every document, passage and text was looked at."""
        manifest = self._manifest()
        names = (f"{self.address.name}-{manifest.serving}", self._documents)
        return find_problems(self._remote, names, manifest)

    def change_encoder(self, fingerprint: Fingerprint, embed: Callable[[Sequence[Passage]], Vectors]) -> int:
        """Give every passage a vector of another encoder, search with it from then on; return the commit.

        Adding, deleting and searching go on meanwhile. What was embedded is kept when it is killed. The
        vectors before stay, in their own collection.

        Args:
            fingerprint: That of the other encoder.
            embed: The vectors of passages, float32 (n, dimension), which `fingerprint` makes.
        """
        with self.writer() as writer:
            generation = writer.generation(fingerprint)
        start, new = None, True
        while True:
            with self.writer() as writer:
                if start is None and not writer.lacks(generation):
                    return writer.serve(generation)
                if start is None and not new:
                    raise IndexCorrupt(f"{self.address} lacks texts of some passages; see its problems()")
                new = new and start is not None
                passages, start = writer.unembedded(generation, start)
            new = new or bool(passages)
            if passages:
                vectors = embed(list(passages.values()))
                with self.writer() as writer:
                    writer.put_vectors(generation, dict(zip(passages, vectors, strict=True)))

    @contextmanager
    def writer(self, tenant: str = "") -> Iterator[Writer]:
        """The right to write, held by one at a time; it ends at most a minute after its holder did.

        Raises:
            IndexLocked: another has held it for longer than one waits.
        """
        self._manifest()
        with leased(self._remote, self._documents) as lease:
            writer = Writer(self._remote, self.address.name, self.settings, tenant, lease)
            writer.sweep()
            self._writer = writer
            try:
                yield writer
            finally:
                self._writer = None
