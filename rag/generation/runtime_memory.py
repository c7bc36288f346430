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


CHUNK_TOKENS = 256
"""How much of a prompt is read at once."""


def needs_of(file: ModelFile, context_tokens: int, requests: int = 1, runtime: str = "llama") -> Needs:
    """What a model takes that writes `requests` texts of so many tokens.

    OpenVINO keeps the weights as they are in the file and as the processor reads them.
    """
    weights = file.weight_bytes * (2 if runtime == "openvino" else 1)
    hidden = file.number("feed_forward_length", 4 * file.width)
    attention = 2 * CHUNK_TOKENS * context_tokens
    rows = 8 * requests * len(file.tokens)
    compute = 4 * (CHUNK_TOKENS * (8 * file.width + 3 * hidden) + attention + rows) + (64 << 20)
    return Needs(weights, requests * context_tokens * file.kv_bytes_per_token, compute)


def free_memory() -> int | None:
    """The bytes that this process may still take, None where the machine does not say.

    The least of what the machine has and what the control group lets be; pages of files that the
    group holds are free, since they can be read again.
    """
    told = [each for each in (_machine(), _group()) if each is not None]
    return min(told) if told else None


def processors() -> int:
    """How many threads may compute at once: what this process, or its control group, was given."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return max(1, min(given, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return given


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


def check_memory(
    file: ModelFile,
    context_tokens: int,
    requests: int = 1,
    runtime: str = "llama",
    free: int | None = None,
) -> Needs:
    """What a model takes; `free` is what there is, by default what the machine says.

    Raises:
        ModelRefused: It is more than there is. It says how much, and how to do with less.
    """
    needs = needs_of(file, context_tokens, requests, runtime)
    free = free_memory() if free is None else free
    if free is None or needs.total <= _SLACK * free:
        return needs
    most = most_tokens(file, requests, runtime, free, context_tokens)
    mend = (
        f"ask for context_tokens={most} or less"
        if most
        else f"take a smaller quantisation than {file.quantisation}, or a smaller model"
    )
    raise ModelRefused(
        f"{file.path.name} needs {size(needs.total)} of memory ({size(needs.weights)} of weights, "
        f"{size(needs.context)} for {requests} x {context_tokens:,} tokens, {size(needs.compute)} to "
        f"compute), and {size(free)} are free: {mend}"
    )


def fits(file: ModelFile, context_tokens: int, requests: int, runtime: str) -> bool:
    """Whether a model takes no more than there is."""
    free = free_memory()
    return free is None or needs_of(file, context_tokens, requests, runtime).total <= _SLACK * free


def most_tokens(file: ModelFile, requests: int, runtime: str, free: int, most: int) -> int:
    """How long a context may be, a multiple of 256 up to `most`; 0 where none that is useful fits."""
    low, high = 0, most // 256
    while low < high:
        middle = (low + high + 1) // 2
        if needs_of(file, 256 * middle, requests, runtime).total <= _SLACK * free:
            low = middle
        else:
            high = middle - 1
    return 256 * low


def size(count: float) -> str:
    """Bytes for a reader, in units of a thousand."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
