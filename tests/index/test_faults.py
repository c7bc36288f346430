from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.crashes import scratch
from lab.pool import Pool
from lab.refusals import own_trials, prepare, refuse, system_trials
from lab.trace import why_not

TRIALS = 40

posix = pytest.mark.skipif("sys.platform != 'linux'", reason="what a process may have is limited as on Linux")
tracing = pytest.mark.skipif(bool(why_not()), reason=why_not() or "all is there")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool("lab.store:Store") as each:
        yield each


@pytest.fixture(scope="module")
def folder(pool: Pool) -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=scratch()) as name:
        where = Path(name)
        prepare(pool, str(where))
        yield str(where)


@posix
def test_a_store_outlives_what_is_refused_to_its_own_functions(pool: Pool, folder: str) -> None:
    trials = list(own_trials(pool, folder))
    assert len(trials) > 500
    tally = refuse(trials, pool, folder, TRIALS, random.Random(1))
    assert not tally.wrong, str(tally.wrong[0])
    assert not tally.untyped, str(tally.untyped[0])
    assert tally.outcomes["MemoryError"] > 0


@tracing
def test_a_store_outlives_what_is_refused_to_its_system_calls(pool: Pool, folder: str) -> None:
    trials = list(system_trials(pool, folder))
    assert len(trials) > 1000
    tally = refuse(trials, pool, folder, TRIALS, random.Random(2))
    assert not tally.wrong, str(tally.wrong[0])
    assert not tally.untyped, str(tally.untyped[0])
    assert tally.outcomes["IndexFailed"] > TRIALS / 2
