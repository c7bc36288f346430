"""The weights of a GGUF file as numbers, or as the small codes and scales that they are packed into.

Source: the layouts of ggml's blocks, github.com/ggml-org/ggml/blob/master/src/ggml-common.h.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rag.generation.gguf import ModelFile, Tensor

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

BLOCK_BYTES = {"Q8_0": 34, "Q4_0": 18, "Q4_1": 20, "Q4_K": 144, "Q5_K": 176, "Q6_K": 210}

TYPES = ("F32", "F16", *BLOCK_BYTES)
"""What can be unpacked here."""


class Weights:
    """The tensors of a file, mapped into memory and not read before they are used."""

    def __init__(self, file: ModelFile) -> None:
        self.file = file
        self._data = np.memmap(file.path, np.uint8, "r")
        self._tensors = {tensor.name: tensor for tensor in file.tensors}

    def has(self, name: str) -> bool:
        """Whether there is a tensor of that name."""
        return name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """Its shape, the number of rows first."""
        return tuple(reversed(self._tensors[name].shape))

    def floats(self, name: str) -> Floats:
        """A whole tensor as numbers."""
        tensor = self._tensors[name]
        return dequantised(self._raw(tensor), tensor.type).reshape(self.shape(name))

    def rows(self, name: str, which: npt.NDArray[np.int64]) -> Floats:
        """Some rows of a tensor as numbers: float32 (rows, columns)."""
        tensor = self._tensors[name]
        raw = self._raw(tensor).reshape(self.shape(name)[0], -1)
        return dequantised(raw[which], tensor.type).reshape(len(which), tensor.shape[0])

    def packed(self, name: str) -> tuple[str, Bytes]:
        """The type of a tensor and its bytes, a row of them for each row."""
        tensor = self._tensors[name]
        return tensor.type, self._raw(tensor).reshape(self.shape(name)[0], -1)

    def _raw(self, tensor: Tensor) -> Bytes:
        start = self.file.data_offset + tensor.offset
        return self._data[start : start + tensor.bytes]


def dequantised(raw: Bytes, kind: str) -> Floats:
    """Packed weights as numbers, float32, flat."""
    flat = np.ascontiguousarray(raw).reshape(-1)
    if kind in ("F32", "F16"):
        return flat.view(np.float32 if kind == "F32" else np.float16).astype(np.float32)
    codes, scale, shift = unpacked(flat, kind)
    values = codes.astype(np.float32) * scale
    return np.asarray(values if shift is None else values + shift, np.float32).reshape(-1)


def unpacked(raw: Bytes, kind: str) -> tuple[npt.NDArray[Any], Floats, Floats | None]:
    """Codes (groups, 16 or 32), and the scale and shift of each group (groups, 1).

    A weight is `code * scale + shift`. Codes are int8, or where there is a shift uint8.
    """
    blocks = raw.reshape(-1, BLOCK_BYTES[kind])
    if kind == "Q8_0":
        return blocks[:, 2:].view(np.int8), _half(blocks[:, :2]), None
    if kind == "Q4_0":
        return _nibbles(blocks[:, 2:]).view(np.int8) - np.int8(8), _half(blocks[:, :2]), None
    if kind == "Q4_1":
        return _nibbles(blocks[:, 4:]), _half(blocks[:, :2]), _half(blocks[:, 2:4])
    if kind == "Q6_K":
        return _six_bits(blocks)
    scale, shift = _scales(blocks)
    # Each 32 bytes hold the lower bits of two groups: one in their lower halves, one in their upper.
    lower = blocks[:, -128:].reshape(-1, 4, 1, 32)
    codes = np.concatenate([lower & 15, lower >> 4], axis=2).reshape(-1, 8, 32)
    if kind == "Q5_K":
        fifth = (blocks[:, 16:48][:, None, :] >> np.arange(8, dtype=np.uint8)[:, None]) & 1
        codes = codes | (fifth << 4)
    return codes.reshape(-1, 32), scale, shift


def _half(data: Bytes) -> Floats:
    return np.ascontiguousarray(data).view(np.float16).astype(np.float32)


def _nibbles(data: Bytes) -> Bytes:
    """The lower halves of the bytes, then the upper ones."""
    return np.concatenate([data & 15, data >> 4], axis=1)


def _scales(blocks: Bytes) -> tuple[Floats, Floats]:
    """The scales and shifts of the eight groups of each block, 6 bits each, in twelve bytes."""
    packed = blocks[:, 4:16]
    first, second, third = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scale = np.concatenate([first & 63, (third & 15) | ((first >> 6) << 4)], axis=1)
    shift = np.concatenate([second & 63, (third >> 4) | ((second >> 6) << 4)], axis=1)
    scales, shifts = scale * _half(blocks[:, :2]), shift * _half(blocks[:, 2:4])
    return scales.astype(np.float32).reshape(-1, 1), -shifts.astype(np.float32).reshape(-1, 1)


def _six_bits(blocks: Bytes) -> tuple[npt.NDArray[np.int8], Floats, None]:
    """The codes of the sixteen groups of each block: four bits in one place, two in another."""
    lower = blocks[:, :128].reshape(-1, 2, 1, 64)
    lower = np.concatenate([lower & 15, lower >> 4], axis=2).reshape(-1, 2, 4, 32)
    pairs = blocks[:, 128:192].reshape(-1, 2, 1, 32)
    upper = np.asarray((pairs >> np.array([0, 2, 4, 6], np.uint8)[:, None]) & 3, np.uint8)
    codes = (lower | (upper << 4)).astype(np.int8).reshape(-1, 16) - np.int8(32)
    scales = blocks[:, 192:208].view(np.int8) * _half(blocks[:, 208:])
    return codes, scales.astype(np.float32).reshape(-1, 1), None
