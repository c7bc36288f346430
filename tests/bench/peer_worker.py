"""One stage of one system, measured in a process of its own. `bench_peer.py` starts it; it needs no `rag`.

The job and the result are JSON files, so that whatever a library prints disturbs nothing.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

MODES = ("hybrid", "dense")


class System(Protocol):
    """What every system must be able to do."""

    packages: Sequence[str]

    def load(self) -> None:
        """Import what is needed and load the encoder, up to its first vector."""

    def ingest(self, pdfs: Sequence[Path], folder: Path) -> None:
        """Read, cut, embed and index `pdfs`, until all of it is on disk in the new `folder`."""

    def facts(self) -> dict[str, Any]:
        """What `ingest` made of them: `chunks`, `pages`, `pages_without_text`, `characters`, `failed`."""

    def again(self, pdfs: Sequence[Path], folder: Path) -> int:
        """Ingest unchanged files once more, as the documentation says; return the chunks embedded."""

    def open(self, folder: Path) -> None:
        """Open what is on disk, for `search`."""

    def search(self, query: str, mode: str, k: int) -> Sequence[Any]:
        """The k best hits."""

    def place(self, hit: Any) -> tuple[str, int | None, int | None]:
        """The file name of a hit, and the pages, from 1, on which it begins and ends."""


class Meter:
    """Wall and CPU seconds since it was made, those of child processes that have ended included."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = _cpu_s()

    def read(self) -> dict[str, float]:
        """What has passed, and the most memory that this process or one child ever held."""
        peak = max(usage.ru_maxrss for usage in _usages())
        return {
            "wall_s": time.perf_counter() - self._wall,
            "cpu_s": _cpu_s() - self._cpu,
            "peak_mb": peak / 1024,
        }


def _usages() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def _cpu_s() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in _usages())


def work(make: Any) -> None:
    """Do the job named by the first argument and write its result to the second."""
    job = json.loads(Path(sys.argv[1]).read_text())
    system: System = make(job)
    stages = {"ingest": _ingest, "again": _again, "query": _query}
    result = stages[job["stage"]](system, job, [Path(pdf) for pdf in job["pdfs"]], Path(job["folder"]))
    Path(sys.argv[2]).write_text(json.dumps(result))


def _ingest(system: System, job: dict[str, Any], pdfs: Sequence[Path], folder: Path) -> dict[str, Any]:
    meter = Meter()
    system.load()
    loaded = meter.read()
    meter = Meter()
    system.ingest(pdfs, folder)
    ingested = meter.read()
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    versions = {name: _version(name) for name in system.packages}
    return {
        "load": loaded,
        "ingest": ingested,
        "disk_mb": disk / 2**20,
        **system.facts(),
        "versions": versions,
    }


def _again(system: System, job: dict[str, Any], pdfs: Sequence[Path], folder: Path) -> dict[str, Any]:
    system.load()
    meter = Meter()
    embedded = system.again(pdfs, folder)
    return {"again": meter.read(), "again_embedded": embedded}


def _query(system: System, job: dict[str, Any], pdfs: Sequence[Path], folder: Path) -> dict[str, Any]:
    queries, k = job["queries"], job["k"]
    meter = Meter()
    system.load()
    system.open(folder)
    system.search("cash at the end of the year", MODES[0], k)
    result: dict[str, Any] = {"reopen": meter.read(), "ms": {}, "found": {}}
    for mode in MODES:
        system.search("cash at the end of the year", mode, k)
        result["ms"][mode], result["found"][mode] = [], []
        for query in queries:
            started = time.perf_counter()
            hits = system.search(query, mode, k)
            result["ms"][mode].append(1e3 * (time.perf_counter() - started))
            result["found"][mode].append([system.place(hit) for hit in hits])
    return result | {"query": meter.read()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
