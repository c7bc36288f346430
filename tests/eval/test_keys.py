"""What the keys of a journal are made of."""

from __future__ import annotations

from pathlib import Path

from rag.eval.keys import code_digest, files_digest


def test_data_of_the_package_counts_and_bytecode_does_not(tmp_path: Path) -> None:
    (tmp_path / "deep" / "__pycache__").mkdir(parents=True)
    (tmp_path / "a.py").write_bytes(b"a")
    (tmp_path / "deep" / "graph.onnx").write_bytes(b"graph")
    before = files_digest(tmp_path)
    (tmp_path / "deep" / "__pycache__" / "a.pyc").write_bytes(b"bytecode")
    assert files_digest(tmp_path) == before
    (tmp_path / "deep" / "graph.onnx").write_bytes(b"another")
    assert files_digest(tmp_path) != before


def test_the_code_is_the_package() -> None:
    assert code_digest() == files_digest(Path(__file__).parents[2] / "rag")
