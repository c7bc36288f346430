"""What a GGUF file holds, read without trust: a file that lies is refused before native code sees it.

The header is read front to back, every length held against the bytes that are left; nothing is kept
of it that is larger than the header itself, and the weights are not touched.

Source: the GGUF specification, github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO, TypeAlias

from rag.errors import ModelRefused
from rag.generation.gguf_check import check_model

Value: TypeAlias = int | float | bool | str | list[str] | list[int] | list[float]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_FIELDS = 10_000
MOST_TENSORS = 100_000
MOST_ITEMS = 4_000_000
LONGEST_NAME = 256
LONGEST_TEXT = 16 << 20
LARGEST_HEADER = 256 << 20

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9

TENSOR_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}
"""What a tensor may be: its name, how many weights a block has, and how many bytes that takes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Weights: their shape (the row's length first), their type, and where they lie in the file."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    bytes: int


@dataclass(frozen=True)
class ModelFile:
    """What a language model's file says of itself, checked. Sizes are in weights, tokens and bytes."""

    path: Path
    fields: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    data_offset: int
    bytes: int

    def number(self, key: str, default: int = 0) -> int:
        """The number of an architecture's field, the largest where it has one a layer."""
        value = self.fields.get(f"{self.architecture}.{key}", default)
        numbers = [each for each in (value if isinstance(value, list) else [value]) if type(each) is int]
        return max(numbers, default=default)

    def text(self, key: str) -> str:
        """The text of a field, `""` where it has none."""
        value = self.fields.get(key, "")
        return value if isinstance(value, str) else ""

    def token_id(self, key: str) -> int | None:
        """The token that `tokenizer.ggml.<key>_token_id` names."""
        value = self.fields.get(f"tokenizer.ggml.{key}_token_id")
        return value if isinstance(value, int) else None

    @property
    def name(self) -> str:
        """What the model calls itself, else its file's name."""
        return self.text("general.name") or self.path.stem

    @property
    def architecture(self) -> str:
        """`llama`, `qwen2`, ..."""
        return self.text("general.architecture")

    @property
    def context_tokens(self) -> int:
        """How many tokens the model was trained to see at once."""
        return self.number("context_length")

    @property
    def layers(self) -> int:
        """How many blocks it has."""
        return self.number("block_count")

    @property
    def width(self) -> int:
        """How long the vector of a token is."""
        return self.number("embedding_length")

    @property
    def heads(self) -> int:
        """How many heads of attention a block has."""
        return self.number("attention.head_count", 1)

    @property
    def kv_heads(self) -> int:
        """How many of them have keys and values of their own."""
        return self.number("attention.head_count_kv", self.heads)

    @property
    def kv_bytes_per_token(self) -> int:
        """What a token of context takes in all blocks together, in 16-bit numbers."""
        head = self.width // self.heads
        keys = self.number("attention.key_length", head)
        values = self.number("attention.value_length", head)
        return 2 * self.layers * self.kv_heads * (keys + values)

    @property
    def tokens(self) -> list[str]:
        """The vocabulary, as the file spells it."""
        value = self.fields["tokenizer.ggml.tokens"]
        return value if isinstance(value, list) else []  # type: ignore[return-value]

    @cached_property
    def special_tokens(self) -> dict[str, int]:
        """The tokens that are no text: those that control, and those that were added by name."""
        kinds = self.fields.get("tokenizer.ggml.token_type", [])
        assert isinstance(kinds, list)
        return {self.tokens[at]: at for at, kind in enumerate(kinds) if kind in (3, 4)}

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return sum(_product(tensor.shape) for tensor in self.tensors)

    @property
    def weight_bytes(self) -> int:
        """What all weights take."""
        return sum(tensor.bytes for tensor in self.tensors)

    @cached_property
    def quantisation(self) -> str:
        """The type that most of the weights have."""
        held: dict[str, int] = {}
        for tensor in self.tensors:
            held[tensor.type] = held.get(tensor.type, 0) + tensor.bytes
        return max(sorted(held), key=lambda kind: held[kind])

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the file, in hexadecimal."""
        found = self.path.stat()
        return _digest(os.fspath(self.path), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest(path: str, size: int, changed_ns: int) -> str:
    """The SHA-256 of a file that has that size and was last changed then."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_gguf(path: str | Path) -> ModelFile:
    """Read and check the header of a language model's file.

    Raises:
        ModelRefused: It is no GGUF file, is damaged or cut off, or says what cannot be.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read(path, _Bytes(file, os.fstat(file.fileno()).st_size, path.name))
    except OSError as error:
        raise ModelRefused(f"{path}: {error.strerror or error}; name a GGUF file") from error


class _Bytes:
    """The bytes of a header, front to back, never more than there are."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file, self.size, self._name, self.at = file, size, name, 0

    def refuse(self, what: str) -> ModelRefused:
        """The error that says what is wrong."""
        return ModelRefused(f"{self._name}: {what} (at byte {self.at}); it is damaged: download it again")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.size - self.at or self.at + count > LARGEST_HEADER:
            raise self.refuse("the header ends too early, or is larger than any model's")
        data = self._file.read(count)
        self.at += len(data)
        if len(data) != count:
            raise self.refuse("the file was cut off")
        return data

    def number(self, form: str) -> int:
        """The next whole number."""
        (value,) = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))
        return int(value)

    def string(self, longest: int) -> str:
        """The next text."""
        length = self.number("Q")
        if length > longest:
            raise self.refuse(f"a text of {length:,} bytes")
        # A token may be any bytes: those that are no UTF-8 are kept apart from those that are.
        return self.take(length).decode("utf-8", "surrogateescape")


def _read(path: Path, data: _Bytes) -> ModelFile:
    if data.size < 24 or data.take(4) != MAGIC:
        raise ModelRefused(f"{path.name} is no GGUF file; only those are run")
    version = data.number("I")
    if version not in VERSIONS:
        raise data.refuse(f"GGUF version {version}, not {VERSIONS[0]} or {VERSIONS[-1]}")
    tensor_count, field_count = data.number("Q"), data.number("Q")
    if not tensor_count:
        raise ModelRefused(f"{path.name} holds no weights, only a vocabulary; it cannot write")
    if not 0 < tensor_count <= MOST_TENSORS or not 0 < field_count <= MOST_FIELDS:
        raise data.refuse(f"{tensor_count:,} tensors and {field_count:,} fields")
    fields: dict[str, Value] = {}
    for _ in range(field_count):
        key = data.string(LONGEST_NAME)
        if key in fields:
            raise data.refuse(f"the field {key!r} twice")
        fields[key] = _value(data, data.number("I"))
    alignment = _alignment(data, fields)
    tensors = _tensors(data, tensor_count, alignment)
    file = ModelFile(path, fields, tensors, _aligned(data.at, alignment), data.size)
    check_model(file, data.refuse)
    return file


def _value(data: _Bytes, kind: int) -> Value:
    if kind == _TEXT:
        return data.string(LONGEST_TEXT)
    if kind == _ARRAY:
        return _array(data)
    if kind not in _NUMBERS:
        raise data.refuse(f"a field of kind {kind}")
    form = "<" + _NUMBERS[kind]
    (value,) = struct.unpack(form, data.take(struct.calcsize(form)))
    return value  # type: ignore[no-any-return]


def _array(data: _Bytes) -> list[str] | list[int] | list[float]:
    kind, count = data.number("I"), data.number("Q")
    if count > MOST_ITEMS:
        raise data.refuse(f"a list of {count:,}")
    if kind == _TEXT:
        if count * 8 > data.size - data.at:
            raise data.refuse(f"a list of {count:,} texts in fewer bytes")
        return [data.string(LONGEST_TEXT) for _ in range(count)]
    if kind not in _NUMBERS:
        raise data.refuse(f"a list of kind {kind}")
    form = f"<{count}{_NUMBERS[kind]}"
    return list(struct.unpack(form, data.take(struct.calcsize(form))))


def _alignment(data: _Bytes, fields: Mapping[str, Value]) -> int:
    value = fields.get("general.alignment", 32)
    if not isinstance(value, int) or not 8 <= value <= 1 << 16 or value & (value - 1):
        raise data.refuse(f"weights aligned to {value!r} bytes")
    return value


def _tensors(data: _Bytes, count: int, alignment: int) -> tuple[Tensor, ...]:
    """The tensors, whose offsets count from the first aligned byte behind the header."""
    found: dict[str, Tensor] = {}
    for _ in range(count):
        name = data.string(LONGEST_NAME)
        dimensions = data.number("I")
        if name in found or not 0 < len(name) < 64 or not 1 <= dimensions <= 4:
            raise data.refuse(f"the tensor {name!r} of {dimensions} dimensions, or it twice")
        shape = struct.unpack(f"<{dimensions}Q", data.take(8 * dimensions))
        kind, offset = data.number("I"), data.number("Q")
        if kind not in TENSOR_TYPES:
            raise data.refuse(f"the tensor {name!r} of type {kind}, which is not known here")
        title, block, size = TENSOR_TYPES[kind]
        if not all(0 < each < 1 << 40 for each in shape) or _product(shape) >= 1 << 48 or shape[0] % block:
            raise data.refuse(f"the tensor {name!r} of shape {shape}")
        if offset % alignment:
            raise data.refuse(f"the tensor {name!r} at {offset}, which is not aligned")
        found[name] = Tensor(name, shape, title, offset, _product(shape) // block * size)
    start = _aligned(data.at, alignment)
    at = start
    for tensor in sorted(found.values(), key=lambda each: each.offset):
        if start + tensor.offset < at:
            raise data.refuse(f"the tensor {tensor.name!r} overlaps another")
        at = start + tensor.offset + tensor.bytes
        if at > data.size:
            raise data.refuse(f"the tensor {tensor.name!r} ends behind the file: it was cut off")
    return tuple(found.values())


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for each in shape:
        product *= each
    return product
