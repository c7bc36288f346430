"""What the pipeline asks of a store, whether it is a folder or a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from rag.errors import EncoderMismatch
from rag.index.documents import Fields, Held, Known, Passage, Prepared
from rag.protocols import Index
from rag.types import Document, Fingerprint, Principal, Settings, Stats, Vectors


class StorageView(Index, Protocol):
    """One commit as one principal may see it."""

    @property
    def fingerprint(self) -> Fingerprint | None:
        """That of the encoder whose vectors are searched, None where nothing was embedded yet."""
        ...

    @property
    def documents_total(self) -> int:
        """How many documents there are."""
        ...

    def place(self, document_id: str, offset: int) -> tuple[int | None, str]:
        """The page and the headings of the character at `offset` of a document."""
        ...

    def documents(self) -> Iterator[Document]:
        """Every document in the order of its source, without its text and pages."""
        ...

    def vectors_of(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors of those content keys whose text has been embedded before."""
        ...


class StorageWriter(Protocol):
    """The right to write on behalf of one tenant. Each method is one commit, or none."""

    def known(self, source: str) -> Known | None:
        """What became of a source the last time, None where it was never seen."""
        ...

    def held(self, document_id: str) -> Held | None:
        """What the index holds of a document, None where it has none of that id."""
        ...

    def sources(self) -> list[tuple[str, str | None]]:
        """Every source of the ledger, in order, with the id of the document that it stands for."""
        ...

    def add(
        self,
        documents: Sequence[Prepared],
        known: Sequence[Known],
        changed: Mapping[str, Fields],
        fingerprint: Fingerprint | None,
    ) -> int:
        """Commit documents with what became of their sources, and return the commit's number."""
        ...

    def delete(self, document_ids: Sequence[str]) -> int:
        """Commit the removal of documents and of their sources from the ledger."""
        ...

    def forget_sources(self, sources: Sequence[str], moved: Sequence[Known] = ()) -> int:
        """Commit the removal of sources, and of the documents that no other source stands for.

        What became of `moved` sources is written down in the same commit, so that a document
        whose only source is removed may stay under another.
        """
        ...

    def tidy(self) -> None:
        """Put what many commits left in better order, where that is due."""
        ...

    def compact(self) -> int:
        """Leave nothing of what was deleted, and return the commit's number."""
        ...


class Storage(Protocol):
    """A store of documents, postings and vectors that one writes to while any number read."""

    @property
    def settings(self) -> Settings:
        """How the index is made and read."""
        ...

    @property
    def seal_key(self) -> bytes:
        """The secret of this index by which its answers are sealed."""
        ...

    @property
    def own_folder(self) -> Path | None:
        """The folder that the store lives in, whose files are no documents; None where it has none."""
        ...

    def view(self, principal: Principal | None = None) -> AbstractContextManager[StorageView]:
        """The last commit as `principal` may see it."""
        ...

    def writer(self, tenant: str = "") -> AbstractContextManager[StorageWriter]:
        """The right to write, held by one at a time."""
        ...

    def tenants(self) -> list[str]:
        """The tenants who have documents, in order."""
        ...

    def state(self) -> str:
        """A digest of the last commit, which no other commit has, also none of the same number elsewhere."""
        ...

    def fingerprint(self) -> Fingerprint | None:
        """That of the encoder whose vectors are searched, None where nothing was embedded yet."""
        ...

    def stats(self) -> Stats:
        """The size of the index at its last commit, of all tenants together."""
        ...

    def problems(self) -> list[str]:
        """What is wrong with the last commit, after all of it was looked at."""
        ...

    def check_encoder(self, fingerprint: Fingerprint) -> None:
        """See that vectors of this encoder may be compared with those in the index."""
        ...

    def change_encoder(self, fingerprint: Fingerprint, embed: Callable[[Sequence[Passage]], Vectors]) -> int:
        """Give every passage a vector of another encoder, search with it from then on; return the commit."""
        ...

    def close(self) -> None:
        """Let go of it. Closing twice is no error."""
        ...


def check_same_encoder(searched: Fingerprint | None, asked: Fingerprint) -> None:
    """See that vectors of the encoder `asked` may be compared with those that are `searched`.

    Raises:
        EncoderMismatch: they are of another encoder.
    """
    if searched is not None and searched != asked:
        raise EncoderMismatch(
            f"the index was made with {searched}, and this encoder is {asked}; "
            "open it with the first, or change it to the second with `rag reembed`"
        )
