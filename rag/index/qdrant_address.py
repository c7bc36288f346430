"""The address of an index on a Qdrant server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from rag.errors import InputError

_NAME = re.compile(r"\w[\w.-]{0,199}")
_OF_ANOTHER = re.compile(r"-(documents|\d+)$")


@dataclass(frozen=True, slots=True)
class Address:
    """`qdrant://[key@]host[:port]/name`, `qdrants://` over TLS.

    Behind a question mark may stand `grpc` (the port of gRPC, to use it), and, where the index is
    made, `shards` and `replicas`.
    """

    host: str
    port: int
    name: str
    tls: bool = False
    key: str | None = field(default=None, repr=False)
    grpc: int | None = None
    shards: int = 1
    replicas: int = 1

    @classmethod
    def parse(cls, address: str) -> Address:
        """Read an address.

        Raises:
            InputError: it is none.
        """
        try:
            parts = urlsplit(address)
            name, options = parts.path.strip("/"), parse_qs(parts.query, strict_parsing=bool(parts.query))
            numbers = {key: int(values[-1]) for key, values in options.items()}
            if parts.scheme not in ("qdrant", "qdrants") or not parts.hostname or not _is_name(name):
                raise ValueError("it names no host or no index")
            if unknown := set(numbers) - {"grpc", "shards", "replicas"}:
                raise ValueError(f"it has no option {min(unknown)}")
            if min(numbers.values(), default=1) < 1:
                raise ValueError("its options are 1 or more")
            key = unquote(parts.username) if parts.username else None
            return cls(parts.hostname, parts.port or 6333, name, parts.scheme == "qdrants", key, **numbers)
        except ValueError as error:
            shown = address.rpartition("@")[2]
            raise InputError(
                f"{shown} is no address of an index ({error}); write qdrant://host:6333/name"
            ) from None

    def __str__(self) -> str:
        return f"qdrant{'s' if self.tls else ''}://{self.host}:{self.port}/{self.name}"


def _is_name(name: str) -> bool:
    """Whether an index may be called so: its collections are `<name>-documents` and `<name>-<number>`."""
    return bool(_NAME.fullmatch(name)) and not _OF_ANOTHER.search(name)
