"""How far work on questions has come, said on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rag.api.show import progress_bar, warn

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def question_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Questions `written` or `asked`: a bar on a terminal, else now and then a line."""
    last = time.monotonic()
    with progress_bar() as bar:

        def report(done: int, total: int) -> None:
            nonlocal last
            if bar:
                bar(what, done, total)
            elif time.monotonic() - last >= SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                warn(f"rag: {done:,} of {total:,} questions {what}")

        yield report
