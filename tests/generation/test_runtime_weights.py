"""Packed weights, against the `gguf` package's own unpacking."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from rag.generation.runtime_openvino_graph import _matrix, halves
from rag.generation.runtime_weights import BLOCK_BYTES, dequantised, unpacked

COLUMNS = 512


def packed(kind: str, rows: int = 6, seed: int = 0) -> np.ndarray:
    """Rows of random bytes whose scales are small numbers."""
    rng = np.random.default_rng(seed)
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    data = rng.integers(0, 256, (rows * COLUMNS // block, size), np.uint8)
    halves_at = {"Q8_0": (0,), "Q4_0": (0,), "Q6_K": (208,)}.get(kind, (0, 2))
    for at in halves_at:
        scales = rng.uniform(0.001, 0.02, len(data)).astype(np.float16)
        data[:, at : at + 2] = scales.view(np.uint8).reshape(-1, 2)
    return data.reshape(rows, -1)


@pytest.mark.parametrize("kind", sorted(BLOCK_BYTES))
def test_every_type_is_unpacked_as_its_makers_unpack_it(kind):
    data = packed(kind)
    expected = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])
    np.testing.assert_allclose(
        dequantised(data, kind).reshape(expected.shape), expected, rtol=1e-6, atol=1e-7
    )
    codes, scale, shift = unpacked(data.reshape(-1), kind)
    assert codes.dtype == (np.int8 if shift is None else np.uint8)
    assert len(codes) == len(scale)


@pytest.mark.parametrize("kind", ["F32", "F16", *sorted(BLOCK_BYTES)])
def test_a_matrix_of_the_network_holds_the_weights(kind):
    import openvino as ov
    import openvino.opset13 as op

    rng = np.random.default_rng(1)
    if kind in BLOCK_BYTES:
        data = packed(kind)
        expected = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])
    else:
        expected = rng.standard_normal((6, COLUMNS)).astype(np.float32 if kind == "F32" else np.float16)
        data = expected.view(np.uint8)
    model = ov.Model([op.result(_matrix(kind, data, (6, COLUMNS)))], [], "matrix")
    (found,) = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([]).values()
    assert np.abs(found - expected).max() <= 0.004 * np.abs(expected).max()


def test_a_group_of_one_value_keeps_it():
    import openvino as ov
    import openvino.opset13 as op

    data = packed("Q4_1", rows=1)
    blocks = data.reshape(-1, 20)
    blocks[:, :2] = 0
    blocks[:, 4:] = 0
    expected = gguf.quants.dequantize(data, gguf.GGMLQuantizationType.Q4_1)
    model = ov.Model([op.result(_matrix("Q4_1", data, (1, COLUMNS)))], [], "matrix")
    (found,) = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([]).values()
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_neighbours_become_halves_head_by_head():
    assert halves(8, 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
