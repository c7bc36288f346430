"""Many calls at once: results in order, and nothing that is done is lost by an error."""

from __future__ import annotations

import threading
import time

import pytest

from rag.eval.pool import run_all


@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_results_are_in_order_and_each_is_told_once_in_this_thread(concurrency: int) -> None:
    told: list[tuple[int, int]] = []

    def call(number: int) -> int:
        time.sleep((5 - number % 5) / 1000)
        return number * number

    found = run_all(range(30), call, lambda value: told.append((value, threading.get_ident())), concurrency)
    assert found == [number * number for number in range(30)]
    assert sorted(value for value, _ in told) == found
    assert {thread for _, thread in told} == {threading.get_ident()}


def test_as_many_run_at_once_as_was_said() -> None:
    both = threading.Barrier(3, timeout=5)
    assert run_all(range(6), lambda number: both.wait() >= 0, lambda value: None, 3) == [True] * 6


@pytest.mark.parametrize("concurrency", [1, 3])
def test_an_error_ends_it_and_what_is_done_is_told(concurrency: int) -> None:
    begun: list[int] = []
    told: list[int] = []

    def call(number: int) -> int:
        begun.append(number)
        if number == 4:
            raise ZeroDivisionError
        time.sleep(0.005)
        return number

    with pytest.raises(ZeroDivisionError):
        run_all(range(100), call, told.append, concurrency)
    assert sorted(told) == sorted(set(begun) - {4})
    assert len(begun) < 100


def test_nothing_is_nothing() -> None:
    assert run_all([], str, print, 4) == []
