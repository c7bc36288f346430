"""Kept states: found where they belong, bounded, and refused when a bit of them is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rag.generation.states import StateStore

TOKENS = [1, 2, 3]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_state_is_found_by_its_partition_model_and_tokens_alone(tmp_path):
    store = StateStore("model", folder=tmp_path)
    store.put("acme", TOKENS, b"state")
    again = StateStore("model", folder=tmp_path)
    assert store.get("acme", TOKENS) == again.get("acme", TOKENS) == b"state"
    for other in (StateStore("model", folder=tmp_path), store):
        assert other.get("umbrella", TOKENS) is None
        assert other.get("", TOKENS) is None
        assert other.get("acme", [1, 2]) is None
        assert other.get("acme", [1, 2, 3, 4]) is None
    assert StateStore("another", folder=tmp_path).get("acme", TOKENS) is None


def test_a_file_moved_to_another_partition_is_not_believed(tmp_path):
    store = StateStore("model", folder=tmp_path, memory_bytes=0)
    store.put("acme", TOKENS, b"secret")
    (theirs,) = files(tmp_path)
    store.put("umbrella", TOKENS, b"own")
    (mine,) = set(files(tmp_path)) - {theirs}
    mine.write_bytes(theirs.read_bytes())
    assert store.get("umbrella", TOKENS) is None
    assert not mine.exists()
    assert store.get("acme", TOKENS) == b"secret"


def test_every_bit_is_sealed(tmp_path):
    store = StateStore("model", folder=tmp_path, memory_bytes=0)
    store.put("", TOKENS, b"state")
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert store.get("", TOKENS) is None
        assert not path.exists()
    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        assert store.get("", TOKENS) is None
    path.write_bytes(whole)
    assert store.get("", TOKENS) == b"state"


def test_memory_and_disk_are_bounded_and_the_longest_unused_goes(tmp_path):
    store = StateStore("model", memory_bytes=25, folder=tmp_path / "a", disk_bytes=500)
    for at in range(12):
        store.put("", [at], bytes(10))
        for age, path in enumerate(files(tmp_path / "a")):
            os.utime(path, ns=(age, path.stat().st_mtime_ns))
    assert sum(len(state) for state in store._held.values()) <= 25
    assert sum(path.stat().st_size for path in files(tmp_path / "a")) <= 500
    assert store.get("", [11]) is not None
    assert store.get("", [0]) is None
    small = StateStore("model", memory_bytes=25)
    small.put("", [1], bytes(10))
    small.put("", [2], bytes(10))
    assert small.get("", [1]) is not None
    small.put("", [3], bytes(10))
    assert (small.get("", [2]), small.get("", [1])) == (None, bytes(10))
    small.put("", [4], bytes(26))
    assert small.get("", [4]) is None


def test_a_partition_is_forgotten_whole(tmp_path):
    store = StateStore("model", folder=tmp_path)
    for partition in ("acme", "umbrella"):
        store.put(partition, TOKENS, b"state")
    store.forget("acme")
    assert store.get("acme", TOKENS) is None
    assert StateStore("model", folder=tmp_path).get("acme", TOKENS) is None
    assert store.get("umbrella", TOKENS) == b"state"
    store.forget()
    assert store.get("umbrella", TOKENS) is None
    assert files(tmp_path) == []


def test_nothing_of_a_partitions_name_is_in_the_folder_and_only_its_owner_reads_it(tmp_path):
    store = StateStore("model", folder=tmp_path / "states")
    store.put("../../acme", TOKENS, b"state")
    assert {path.resolve().is_relative_to((tmp_path / "states").resolve()) for path in files(tmp_path)} == {
        True
    }
    assert "acme" not in " ".join(map(str, files(tmp_path / "states")))
    for path in [*files(tmp_path), files(tmp_path)[0].parent]:
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("failing", ["mkdir", "replace"])
def test_a_disk_that_refuses_costs_speed_only(tmp_path, monkeypatch, failing):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, failing, refuse)
    store = StateStore("model", folder=tmp_path / "states")
    store.put("", TOKENS, b"state")
    assert store.get("", TOKENS) == b"state"
    assert files(tmp_path) == []
