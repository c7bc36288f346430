"""What tests of all rooms share. `fakes` and `harness` stand beside this file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import HashingEncoder

from rag.pipeline import Engine


@pytest.fixture
def encoder() -> HashingEncoder:
    return HashingEncoder()


@pytest.fixture
def open_engine(tmp_path: Path, encoder: HashingEncoder) -> Iterator[Callable[..., Engine]]:
    """Opens engines over the index at `tmp_path/index`, and closes them all behind the test."""
    engines: list[Engine] = []

    def opened(**options: object) -> Engine:
        options.setdefault("encoder", encoder)
        engines.append(Engine(tmp_path / "index", **options))
        return engines[-1]

    yield opened
    for engine in engines:
        engine.close()
