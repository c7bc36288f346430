"""What the answers of an engine depend on: in words, for a report, and as a digest of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

from rag.protocols import Encoder
from rag.types import Fingerprint, Settings, Stats


def name_of(part: object | None) -> str | None:
    """What a part of an engine calls itself; `""` for one that is not there, None for one without a name."""
    if part is None:
        return ""
    if isinstance(part, Encoder):
        return encoder_name(part.fingerprint)
    name = getattr(part, "name", None)
    return name if isinstance(name, str) and name else None


def encoder_name(fingerprint: Fingerprint | None) -> str:
    """An encoder's name and the first of its revision; `""` without one."""
    return f"{fingerprint.name}@{fingerprint.revision[:16]}" if fingerprint else ""


def state_of(commit: str, fingerprint: Fingerprint | None, parts: Mapping[str, str | None]) -> str:
    """The digest of a commit and of the parts that read it, by name; `""` where one of them has no name."""
    if not commit or None in parts.values():
        return ""
    known = [commit, asdict(fingerprint) if fingerprint else None, dict(parts)]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def described(
    stats: Stats, settings: Settings, fingerprint: Fingerprint | None, parts: Mapping[str, str | None]
) -> dict[str, object]:
    """The same for a reader, without what differs between two indexes of the same documents."""
    return {
        "commit": stats.commit,
        "documents": stats.documents,
        "chunks": stats.chunks,
        "encoder": encoder_name(fingerprint),
        **{name: "without a name" if part is None else part for name, part in parts.items()},
        "settings": asdict(settings),
    }
