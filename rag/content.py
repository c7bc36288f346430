"""Digests of the files of models, by which one is known wherever it lies and whatever it is called."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def content_hash(*paths: Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the files' bytes, in the order given.

    A file that has kept its path, size and time is not read again by this process.

    Raises:
        OSError: One cannot be read.
    """
    stats = tuple((str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    return _content_hash(stats)


@lru_cache(maxsize=16)
def _content_hash(stats: tuple[tuple[str, int, int], ...]) -> str:
    total = hashlib.sha256()
    for path, size, _ in stats:
        with Path(path).open("rb") as file:
            total.update(size.to_bytes(8, "little") + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]
