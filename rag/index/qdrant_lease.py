"""The right to write to an index on a Qdrant server, and the manifest that it guards."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rag.errors import IndexCorrupt, IndexLocked, RagError
from rag.index.qdrant_filter import Condition, all_of, in_range, match
from rag.index.qdrant_points import MANIFEST, Manifest
from rag.index.qdrant_remote import Remote

LEASE_S = 60.0
LOCK_WAIT_S = 10.0


class Lease:
    """The right to write. It ends by itself when its holder is gone and does not renew it.

    Writers on several machines compare their clocks: these must agree to within half of a minute.
    """

    def __init__(self, remote: Remote, documents: str):
        self._remote = remote
        self._documents = documents
        self.owner = uuid.uuid4().hex

    def take(self) -> bool:
        """Whether it was free, and is one's own now."""
        free = all_of([{"has_id": [MANIFEST]}, in_range("expires", lt=time.time())])
        self._remote.set_payload(self._documents, free, self._claim())
        return read_manifest(self._remote, self._documents).writer == self.owner

    def renew(self) -> None:
        """Hold it for longer, where it is one's own."""
        self._remote.set_payload(self._documents, self.mine(), self._claim())

    def give_back(self) -> None:
        """Let others write."""
        self._remote.set_payload(self._documents, self.mine(), {"writer": "", "expires": 0.0})

    def mine(self) -> Condition:
        """True of the manifest while the lease is one's own."""
        return all_of([{"has_id": [MANIFEST]}, match("writer", self.owner)])

    def _claim(self) -> dict[str, Any]:
        return {"writer": self.owner, "expires": time.time() + LEASE_S}


@contextmanager
def leased(remote: Remote, documents: str) -> Iterator[Lease]:
    """The right to write, renewed in the background for as long as the context is open.

    Raises:
        IndexLocked: another has held it for longer than one waits.
    """
    lease = Lease(remote, documents)
    tried_until = time.monotonic() + LOCK_WAIT_S
    while not lease.take():
        if time.monotonic() > tried_until:
            raise IndexLocked(
                f"another process writes to the index at {remote.address}, or died less than a minute ago; "
                "wait until it is done, then try again"
            )
        time.sleep(0.1)
    done = threading.Event()

    def keep() -> None:
        while not done.wait(LEASE_S / 3):
            with suppress(RagError):  # the next commit will say so
                lease.renew()

    keeper = threading.Thread(target=keep, name="rag-lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        done.set()
        keeper.join()
        with suppress(RagError):  # it ends by itself
            lease.give_back()


def read_manifest(remote: Remote, documents: str) -> Manifest:
    """The manifest as it is now."""
    found = remote.get(documents, [MANIFEST]).get(MANIFEST)
    if found is None:
        raise IndexCorrupt(f"{remote.address} lacks its manifest; restore {documents} from a snapshot")
    return Manifest.of(found.payload)
