"""How much memory a model takes, and how much there is: told before anything is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ModelRefused
from rag.generation.gguf import ModelFile

_CGROUP = Path("/sys/fs/cgroup")
_SLACK = 0.9
"""The share of what is free that a model may take."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The bytes that a model takes: its weights, the keys and values of its context, room to compute."""

    weights: int
    context: int
    compute: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.context + self.compute


def needs_of(file: ModelFile, room_tokens: int, *, chunk_tokens: int = 256, rows: int = 32) -> Needs:
    """What a model takes with room for so many tokens, read in chunks, with so many rows of logits."""
    hidden = file.number("feed_forward_length", 4 * file.width)
    attention = chunk_tokens * file.heads * min(room_tokens, 1 << 16) * 4
    compute = 4 * (chunk_tokens * (8 * file.width + 3 * hidden) + rows * len(file.tokens)) + attention
    return Needs(file.weight_bytes, room_tokens * file.kv_bytes_per_token, compute + (64 << 20))


def free_memory() -> int | None:
    """The bytes that this process may still take, None where the machine does not say.

    The least of what the machine has and what the control group lets be; pages of files that the
    group holds are free, since they can be read again.
    """
    told = [each for each in (_machine(), _group()) if each is not None]
    return min(told) if told else None


def _machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def _group(root: Path = _CGROUP) -> int | None:
    """What the control group leaves, of version 2 or 1."""
    for limit, used, file_pages in (
        ("memory.max", "memory.current", "inactive_file "),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file "),
    ):
        try:
            most = (root / limit).read_text().strip()
            taken = int((root / used).read_text())
            stat = (root / Path(limit).parent / "memory.stat").read_text()
        except (OSError, ValueError):
            continue
        if most == "max" or int(most) >= 1 << 60:
            return None
        pages = [int(line.split()[-1]) for line in stat.splitlines() if line.startswith(file_pages)]
        return max(0, int(most) - taken + sum(pages))
    return None


def check_memory(file: ModelFile, needs: Needs, context_tokens: int, free: int | None = None) -> None:
    """Refuse a model that takes more memory than there is.

    Raises:
        ModelRefused: It says how much is missing, and how to do with less.
    """
    free = free_memory() if free is None else free
    if free is None or needs.total <= _SLACK * free:
        return
    left = _SLACK * free - needs.weights - needs.compute
    fits = int(left // max(1, needs.context // max(1, context_tokens)))
    mend = (
        f"ask for context_tokens={fits // 256 * 256} or less"
        if fits >= 256
        else f"take a smaller quantisation than {file.quantisation}, or a smaller model"
    )
    raise ModelRefused(
        f"{file.path.name} needs {_size(needs.total)} of memory ({_size(needs.weights)} of weights, "
        f"{_size(needs.context)} for {context_tokens:,} tokens, {_size(needs.compute)} to compute), and "
        f"{_size(free)} are free: {mend}"
    )


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
