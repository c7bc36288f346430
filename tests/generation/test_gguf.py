"""Headers of model files, whole and damaged. The oracle is the reader of the `gguf` package."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path

import gguf
import pytest
from tiny_gguf import Shape, words, write_gguf

from rag.errors import ModelRefused
from rag.generation.gguf import TENSOR_TYPES, ModelFile, read_gguf


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", quantisation="Q8_0")


def test_it_reads_what_another_reader_reads(path):
    mine, theirs = read_gguf(path), gguf.GGUFReader(path)
    assert {t.name: (t.offset + mine.data_offset, t.bytes) for t in mine.tensors} == {
        t.name: (t.data_offset, t.n_bytes) for t in theirs.tensors
    }
    for key, field in theirs.fields.items():
        if not key.startswith("GGUF."):
            assert mine.fields[key] == field.contents()


def test_the_types_of_tensors_are_those_of_the_specification():
    for number, (name, block, size) in TENSOR_TYPES.items():
        kind = gguf.GGMLQuantizationType(number)
        assert (kind.name, gguf.GGML_QUANT_SIZES[kind]) == (name, (block, size))


def test_it_says_what_a_model_is(path):
    file = read_gguf(path)
    assert (file.name, file.architecture, file.quantisation) == ("tiny", "llama", "Q8_0")
    assert (file.context_tokens, file.layers, file.heads, file.kv_heads) == (2048, 2, 4, 2)
    assert file.kv_bytes_per_token == 2 * 2 * 2 * (16 + 16)
    assert file.special_tokens["<|im_end|>"] == file.token_id("eos") == len(file.tokens) - 1
    assert file.tokens == words().tokens
    assert len(file.digest) == 64


def _edited(path: Path, tmp_path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert data.count(old) >= 1
    copy = tmp_path / "edited.gguf"
    copy.write_bytes(data.replace(old, new, 1))
    return copy


def _key(name: str) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"GGUF", b"GGUX", "no GGUF file"),
        (b"GGUF\x03\0\0\0", b"GGUF\x04\0\0\0", "version 4"),
        (b"GGUF\x03\0\0\0", b"GGUF\0\0\0\x03", "version"),
        (_key("general.architecture"), struct.pack("<Q", 1 << 60) + b"general.architecture", "text of"),
        (_key("general.name"), _key("general.mane").replace(b"mane", b"file_type"[:4]), None),
        (_key("tokenizer.ggml.model"), _key("tokenizer.ggml.motel"), "no tokenizer"),
        (_key("llama.block_count"), _key("llama.clock_count"), "no sizes"),
        (_key("token_embd.weight"), _key("token_embd.weighs"), "vectors"),
        (_key("output_norm.weight"), _key("blk.0.attn_q.weight")[:8] + b"blk.0.attn_q.weight", None),
    ],
)
def test_a_header_that_is_wrong_is_refused(path, tmp_path, old, new, why):
    copy = _edited(path, tmp_path, old, new)
    if why is None:
        _read_or_refuse(copy)
    else:
        with pytest.raises(ModelRefused, match=why):
            read_gguf(copy)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("llama.attention.head_count", 0, "heads"),
        ("llama.attention.head_count", 1 << 20, "heads"),
        ("llama.attention.head_count_kv", 3, "heads"),
        ("llama.embedding_length", 0, "sizes"),
        ("llama.context_length", 0, "sizes"),
        ("llama.rope.dimension_count", 0, "rope"),
        ("tokenizer.ggml.eos_token_id", 480, "token"),
    ],
)
def test_a_number_that_cannot_be_is_refused(path, tmp_path, key, value, why):
    data = path.read_bytes()
    at = data.index(_key(key)) + len(_key(key)) + 4
    copy = tmp_path / "wrong.gguf"
    copy.write_bytes(data[:at] + struct.pack("<I", value) + data[at + 4 :])
    with pytest.raises(ModelRefused, match=why):
        read_gguf(copy)


@pytest.mark.parametrize(
    ("place", "form", "value", "why"),
    [
        ("dimensions", "<I", 9, "dimensions"),
        ("row", "<Q", 1 << 63, "shape"),
        ("row", "<Q", 65, "shape"),
        ("type", "<I", 5, "type 5"),
        ("offset", "<Q", 7, "aligned"),
        ("offset", "<Q", 1 << 40, "cut off"),
        ("offset", "<Q", 1 << 63, "cut off"),
        ("offset", "<Q", 0, "overlaps"),
    ],
)
def test_a_tensor_that_lies_is_refused(path, tmp_path, place, form, value, why):
    data = path.read_bytes()
    start = data.index(_key("blk.0.attn_q.weight")) + len(_key("blk.0.attn_q.weight"))
    at = start + {"dimensions": 0, "row": 4, "type": 20, "offset": 24}[place]
    copy = tmp_path / "wrong.gguf"
    copy.write_bytes(data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :])
    with pytest.raises(ModelRefused, match=why):
        read_gguf(copy)


@pytest.mark.parametrize(("token", "other"), [("Ġday", "Ġmon"), ("Ġdays", "Ġday\0")])
def test_a_token_that_is_there_twice_is_refused(path, tmp_path, token, other):
    copy = _edited(path, tmp_path, _token(token), _token(other))
    with pytest.raises(ModelRefused, match="twice"):
        read_gguf(copy)


def _token(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def test_a_file_that_was_cut_off_anywhere_is_refused(path, tmp_path):
    data = path.read_bytes()
    copy = tmp_path / "cut.gguf"
    for length in [*range(0, 200, 7), *range(200, len(data) - 32, 997)]:
        copy.write_bytes(data[:length])
        with pytest.raises(ModelRefused):
            read_gguf(copy)


def _read_or_refuse(path: Path) -> ModelFile | None:
    try:
        return read_gguf(path)
    except ModelRefused:
        return None


def test_thousands_of_damaged_headers_are_read_or_refused_in_little_memory(tmp_path):
    small = Shape(layers=1, width=32, heads=2, kv_heads=1, hidden=32, vocabulary=300)
    data = write_gguf(tmp_path / "small.gguf", shape=small, special=()).read_bytes()
    header = read_gguf(tmp_path / "small.gguf").data_offset
    chance, copy, refused = random.Random(5), tmp_path / "damaged.gguf", 0
    copy.write_bytes(data)
    with copy.open("r+b") as file:
        for turn in range(3000):
            if turn == 2700:
                tracemalloc.start()
            at = chance.randrange(header)
            damage = bytes(chance.randrange(256) for _ in range(chance.choice((1, 1, 2, 4, 8))))
            file.seek(at)
            file.write(damage)
            file.flush()
            refused += _read_or_refuse(copy) is None
            file.seek(at)
            file.write(data[at : at + len(damage)])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 64 << 20
    assert refused > 300
    assert copy.read_bytes() == data


def test_lengths_that_lie_cost_no_memory(tmp_path):
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + _key("a")
    for lie in (
        struct.pack("<IQ", 8, 1 << 50),
        struct.pack("<IIQ", 9, 8, 3_000_000),
        struct.pack("<IIQ", 9, 0, 1 << 62),
        struct.pack("<IIQ", 9, 9, 1),
        struct.pack("<I", 77),
    ):
        path = tmp_path / "lie.gguf"
        path.write_bytes(head + lie + bytes(64))
        tracemalloc.start()
        with pytest.raises(ModelRefused):
            read_gguf(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing.gguf"):
        with pytest.raises(ModelRefused, match="name a GGUF file"):
            read_gguf(path)
