from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from lab.crashes import scratch
from lab.damage import (
    Damage,
    Sample,
    Tally,
    classify,
    files_of,
    header_flips,
    random_damages,
    samples,
    try_damages,
)
from lab.pool import Pool

TRIALS = 60
MENDED = 8


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool("lab.store:Store") as each:
        yield each


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=scratch()) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def both(pool: Pool, folder: Path) -> list[Sample]:
    return samples(pool, folder / "samples")


@pytest.mark.parametrize("which", [0, 1], ids=["closed", "killed"])
def test_whatever_is_damaged_is_told_by_its_name(
    pool: Pool, folder: Path, both: list[Sample], which: int
) -> None:
    sample, choose, tally = both[which], Random(which), Tally()
    damages = choose.sample(list(header_flips(sample.tree, choose)), TRIALS)
    damages += islice(random_damages(sample.tree, choose), TRIALS)
    work = folder / f"work {which}"
    work.mkdir()
    for finding in try_damages(damages, sample, pool, work):
        tally.take(finding)
    assert not tally.wrong, str(tally.wrong[0])
    assert tally.trials == 2 * TRIALS


def _of_pages(damage: Damage) -> bool:
    """Whether whole pages of the database changed places."""
    return damage.path == "index.db" and damage.kind == "swap blocks" and damage.where.startswith("4096")


def test_pages_that_changed_places_are_told(pool: Pool, folder: Path, both: list[Sample]) -> None:
    damages = filter(_of_pages, random_damages(both[0].tree, Random(4)))
    tally = Tally()
    work = folder / "pages"
    work.mkdir()
    for finding in try_damages(islice(damages, TRIALS), both[0], pool, work):
        tally.take(finding)
    assert not tally.wrong, str(tally.wrong[0])


@pytest.mark.parametrize("part", ["segments", "index.db"])
def test_what_is_damaged_is_mended_or_named_as_lost(
    pool: Pool, folder: Path, both: list[Sample], part: str
) -> None:
    sample = both[0]
    every = (each for each in random_damages(sample.tree, Random(3)) if each.path.startswith(part))
    work = folder / f"mending {part}"
    work.mkdir()
    for finding in try_damages(islice(every, MENDED), sample, pool, work, mend=True):
        assert not finding.mended.startswith("badly"), str(finding)
        assert part == "index.db" or finding.mended == "whole", str(finding)


def test_the_samples_hold_every_kind_of_file(both: list[Sample]) -> None:
    names = {Path(path).name.partition("-")[0] for path, _ in files_of(both[0].tree)}
    assert {"index.db", "head", "vectors", "ann", "documents.npy"} <= names
    assert any(path.endswith("-wal") for path, _ in files_of(both[1].tree))


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"died": "of signal 11"}, "process died"),
        ({"error": "ValueError: bad magic", "typed": False}, "untyped error"),
        ({"error": "IndexCorrupt: a/vectors.npy is damaged", "typed": True}, "told by an answer"),
        ({"error": "IndexCorrupt: something is damaged", "typed": True}, "told without the name"),
        ({"answers": {"a": 2}, "problems": []}, "wrong answer"),
        ({"answers": {"a": 1}, "problems": ["a/vectors.npy is damaged"]}, "told by the check"),
        ({"answers": {"a": 1}, "problems": [], "mended": True}, "not told"),
    ],
)
def test_a_finding_is_named_for_what_was_done_with_the_damage(answer: dict[str, object], what: str) -> None:
    damage = Damage("a/vectors.npy", "flip", "byte 1", b"")
    assert classify(damage, answer, {"answers": {"a": 1}}, ("vectors.npy",), True)[0] == what
