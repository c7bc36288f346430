"""A pool of worker processes, each of which may die or hang over its request without harm to the rest."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

TESTS = Path(__file__).parent.parent
T = TypeVar("T")


def environment() -> dict[str, str]:
    """The environment of a worker: ours, one thread a library, and the packages of this repository."""
    paths = [str(TESTS.parent), str(TESTS), str(TESTS / "bench"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}


class Worker:
    """One process. It is started again when it was lost."""

    def __init__(self, subject: str, python: str, timeout_s: float):
        self._command = [python, "-m", "lab.worker", subject, "serve"]
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer, or under `died` how the process ended, or that it was ended for giving none in time."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], self._timeout_s)
            line = process.stdout.readline() if ready else ""
        except BrokenPipeError:
            ready, line = [process.stdout], ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        if not ready:
            process.kill()
        how = f"ended with {process.wait()}" if ready else f"gave no answer in {self._timeout_s} s"
        how = f"{how}: {self._said()}"
        self.close()
        return {"died": how}

    def _start(self) -> subprocess.Popen[str]:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(),
            cwd="/",
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"a worker did not start: {self._said()}")
        return self._process

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-2000:]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process.kill()
            self._process.wait()
            self._process = None
            self._errors.close()


class Pool:
    """Workers that share the requests."""

    def __init__(
        self, subject: str, *, size: int = 2, python: str = sys.executable, timeout_s: float = 60
    ) -> None:
        self.workers = [Worker(subject, python, timeout_s) for _ in range(size)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self.workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(size)
        self._room = threading.Semaphore(2 * size)

    def run(self, jobs: Iterable[T], each: Callable[[T, Worker], Any]) -> Iterator[Any]:
        """What `each` gives of every job and a worker, in order; few jobs are drawn ahead."""
        waiting: list[Future[Any]] = []

        def call(job: T) -> Any:
            worker = self._idle.get()
            try:
                return each(job, worker)
            finally:
                self._idle.put(worker)
                self._room.release()

        for job in jobs:
            self._room.acquire()
            waiting.append(self._threads.submit(call, job))
            while waiting and waiting[0].done():
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
        for worker in self.workers:
            worker.close()
