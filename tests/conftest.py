"""What tests of all rooms share. `fakes` and `harness` stand beside this file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import HashingEncoder
from hypothesis import settings

from rag.pipeline import Engine

# A machine that others use is slow at times, and that is no failure.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture
def encoder() -> HashingEncoder:
    return HashingEncoder()


@pytest.fixture
def open_engine(
    tmp_path: Path, encoder: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Engine]]:
    """Opens engines over the index at `tmp_path/index`, and closes them all behind the test."""
    # Half the time of these tests was waiting for the disk, and none of them cuts the power.
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    engines: list[Engine] = []

    def opened(**options: object) -> Engine:
        options.setdefault("encoder", encoder)
        engines.append(Engine(tmp_path / "index", **options))
        return engines[-1]

    yield opened
    for engine in engines:
        engine.close()
