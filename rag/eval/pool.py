"""Many independent calls at once, each result handed over as it comes, and in order at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def run_all(
    items: Sequence[_T], call: Callable[[_T], _R], done: Callable[[_R], None], concurrency: int = 1
) -> list[_R]:
    """Call `call` on every item, up to `concurrency` at once, and return the results in the items' order.

    `done` is told each result in this thread, in the order in which they come. Where a call, or this
    thread, is interrupted by an error, no further call begins; those under way are waited for, and
    `done` is told of every one that came to a result before the error goes on.
    """
    if concurrency == 1:
        results = []
        for item in items:
            results.append(call(item))
            done(results[-1])
        return results
    told: set[Future[_R]] = set()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="evaluate") as pool:
        futures = [pool.submit(call, item) for item in items]
        try:
            for future in as_completed(futures):
                result = future.result()
                told.add(future)
                done(result)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            for future in futures:
                if future not in told and not future.cancelled() and future.exception() is None:
                    done(future.result())
            raise
    return [future.result() for future in futures]
