"""What a model needs, what there is, and what is said where that is too little."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_gguf import write_gguf

from rag.errors import ModelRefused
from rag.generation import runtime_memory
from rag.generation.gguf import ModelFile, read_gguf
from rag.generation.runtime import open_model
from rag.generation.runtime_memory import check_memory, free_memory, needs_of


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    return read_gguf(write_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf"))


def test_needs_grow_with_the_context_and_the_requests(file):
    one, longer, two = needs_of(file, 1000), needs_of(file, 2000), needs_of(file, 1000, 2)
    assert one.context == 1000 * file.kv_bytes_per_token
    assert longer.context == two.context == 2 * one.context
    assert one.weights == file.weight_bytes < file.bytes
    assert needs_of(file, 1000, runtime="openvino").weights == 2 * one.weights
    assert one.total == one.weights + one.context + one.compute


def test_a_refusal_says_what_is_missing_and_what_fits(file):
    needs = needs_of(file, 1 << 20)
    assert check_memory(file, 1 << 20, free=2 * needs.total) == needs
    with pytest.raises(ModelRefused, match=r"MB.* free: ask for context_tokens=\d+ or less") as refused:
        check_memory(file, 1 << 20, free=needs.total // 2)
    fits = int(str(refused.value).split("context_tokens=")[1].split()[0])
    check_memory(file, fits, free=needs.total // 2)
    with pytest.raises(ModelRefused):
        check_memory(file, fits + 256, free=needs.total // 2)
    with pytest.raises(ModelRefused, match="smaller quantisation than F16"):
        check_memory(file, 1 << 20, free=1000)


def test_a_model_that_does_not_fit_is_not_loaded(file, monkeypatch):
    monkeypatch.setattr(runtime_memory, "free_memory", lambda: 1 << 20)
    with pytest.raises(ModelRefused, match=r"1\.0 MB are free"):
        open_model(file.path)


def group(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_room_of_a_control_group_counts(tmp_path):
    stat = "anon 5\ninactive_file 30\nactive_file 7\n"
    two = {"memory_dot_current": "60", "memory_dot_stat": stat}
    assert runtime_memory._group(group(tmp_path / "a", memory_dot_max="100\n", **two)) == 70
    assert runtime_memory._group(group(tmp_path / "b", memory_dot_max="max\n", **two)) is None
    one = {
        "memory__memory_dot_limit_in_bytes": "100",
        "memory__memory_dot_usage_in_bytes": "90",
        "memory__memory_dot_stat": "total_inactive_file 5\n",
    }
    assert runtime_memory._group(group(tmp_path / "c", **one)) == 15
    assert runtime_memory._group(tmp_path / "nothing") is None


def test_this_machine_says_what_is_free():
    assert (free_memory() or 0) > 1 << 20


def test_no_more_threads_than_a_control_group_may_use(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime_memory, "_CGROUP", tmp_path)
    here = runtime_memory.processors()
    assert here >= 1
    for text, most in (("max 100000", here), ("50000 100000", 1), ("100000 100000", 1), ("nonsense", here)):
        (tmp_path / "cpu.max").write_text(text)
        assert runtime_memory.processors() == most
