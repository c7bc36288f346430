"""The network of a llama or qwen model as OpenVINO runs it, built straight from a GGUF file's weights.

Weights stay in their few bits; what a processor with AMX or bfloat16 makes of them is several times
as fast at reading a prompt as llama.cpp's portable build. Embeddings are looked up outside, in the
file, so that they take no memory.

Source: Touvron et al., LLaMA, 2023; Su et al., RoFormer, 2021 (rotary positions).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rag.generation.gguf import ModelFile
from rag.generation.runtime_weights import TYPES, Weights, unpacked

ARCHITECTURES = ("llama", "qwen2", "qwen3")
_FIELDS = frozenset(
    "context_length embedding_length block_count feed_forward_length vocab_size rope.dimension_count "
    "rope.freq_base rope.scaling.type attention.head_count attention.head_count_kv attention.key_length "
    "attention.value_length attention.layer_norm_rms_epsilon expert_count expert_used_count".split()
)


def misses(file: ModelFile) -> str:
    """What of a model this cannot run, `""` where it can all of it. What is not known is not run."""
    if file.architecture not in ARCHITECTURES:
        return f"the architecture {file.architecture}"
    for key, value in file.fields.items():
        if key.startswith(f"{file.architecture}.") and key.partition(".")[2] not in _FIELDS:
            return f"the field {key}"
        if key.startswith(f"{file.architecture}.") and isinstance(value, list):
            return f"a {key} of each block"
    if file.text(f"{file.architecture}.rope.scaling.type") not in ("", "none") or file.number("expert_count"):
        return "scaled positions or experts"
    wanted, found = _shapes(file), {tensor.name: tensor for tensor in file.tensors}
    for name in wanted:
        if name not in found and not name.endswith(_OPTIONAL):
            return f"no tensor {name}"
    for name, tensor in found.items():
        if tuple(reversed(tensor.shape)) != wanted.get(name):
            return f"a tensor {name} of the shape {tensor.shape}"
        if tensor.type not in TYPES:
            return f"weights of the type {tensor.type}"
    return ""


_OPTIONAL = (".bias", "_q_norm.weight", "_k_norm.weight", "rope_freqs.weight")


def _shapes(file: ModelFile) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor that there may be, the number of rows first."""
    width, hidden = file.width, file.number("feed_forward_length")
    head = file.number("attention.key_length", width // file.heads)
    query, key = file.heads * head, file.kv_heads * head
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(file.tokens), width),
        "output_norm.weight": (width,),
        "rope_freqs.weight": (head // 2,),
    }
    if any(tensor.name == "output.weight" for tensor in file.tensors):
        shapes["output.weight"] = (len(file.tokens), width)
    block: dict[str, tuple[int, ...]] = {
        "attn_norm.weight": (width,),
        "attn_q.weight": (query, width),
        "attn_k.weight": (key, width),
        "attn_v.weight": (key, width),
        "attn_output.weight": (width, query),
        "ffn_norm.weight": (width,),
        "ffn_gate.weight": (hidden, width),
        "ffn_up.weight": (hidden, width),
        "ffn_down.weight": (width, hidden),
        "attn_q.bias": (query,),
        "attn_k.bias": (key,),
        "attn_v.bias": (key,),
        "attn_q_norm.weight": (head,),
        "attn_k_norm.weight": (head,),
    }
    for layer in range(file.layers):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    return shapes


def halves(rows: int, heads: int) -> npt.NDArray[np.int64]:
    """The order of rows that turns pairs of neighbours, as llama files have them, into two halves."""
    each = np.arange(rows).reshape(heads, rows // heads // 2, 2)
    return each.transpose(0, 2, 1).reshape(-1)


def build(file: ModelFile, weights: Weights) -> Any:
    """The network of a model that `misses` nothing.

    Inputs: `embeddings` (1, n, width), `mask` (1, 1, n, all), `cosine` and `sine` (1, 1, n, head),
    `rows`, those of the n that are to have logits, and `beam_idx`, 0.
    """
    import openvino as ov
    import openvino.opset13 as op

    head = file.number("attention.key_length", file.width // file.heads)
    embeddings = op.parameter([1, -1, file.width], np.float32, name="embeddings")
    mask = op.parameter([1, 1, -1, -1], np.float32, name="mask")
    cosine = op.parameter([1, 1, -1, head], np.float32, name="cosine")
    sine = op.parameter([1, 1, -1, head], np.float32, name="sine")
    rows = op.parameter([-1], np.int64, name="rows")
    beam = op.parameter([-1], np.int32, name="beam_idx")
    inputs = [embeddings, mask, cosine, sine, rows, beam]
    for each in inputs:
        each.output(0).set_names({each.friendly_name})
    epsilon = _epsilon(file)
    sinks: list[Any] = []
    x: Any = embeddings
    for layer in range(file.layers):
        x = _Block(file, weights, layer, head, epsilon).add(x, mask, cosine, sine, beam, sinks)
    x = op.gather(x, rows, np.int64(1))
    x = _norm(x, weights.floats("output_norm.weight"), epsilon)
    last = "output.weight" if weights.has("output.weight") else "token_embd.weight"
    logits = op.result(_linear(x, weights, last))
    return ov.Model([logits], sinks, inputs, file.name)


def _epsilon(file: ModelFile) -> float:
    value = file.fields.get(f"{file.architecture}.attention.layer_norm_rms_epsilon", 1e-5)
    return float(value) if isinstance(value, float) else 1e-5


class _Block:
    """One block of the network: attention, then a gated layer, each added to what comes in."""

    def __init__(self, file: ModelFile, weights: Weights, layer: int, head: int, epsilon: float) -> None:
        self._file, self._weights, self._layer = file, weights, layer
        self._head, self._epsilon = head, epsilon

    def add(self, x: Any, mask: Any, cosine: Any, sine: Any, beam: Any, sinks: list[Any]) -> Any:
        """The block's output for `x`; what it remembers is added to `sinks`."""
        import openvino.opset13 as op

        file = self._file
        normed = self._normed(x, "attn_norm")
        query = self._turned(self._heads(normed, "attn_q", file.heads), "attn_q_norm", cosine, sine)
        key = self._turned(self._heads(normed, "attn_k", file.kv_heads), "attn_k_norm", cosine, sine)
        value = self._heads(normed, "attn_v", file.kv_heads)
        key = self._remembered(key, "key", beam, sinks)
        value = self._remembered(value, "value", beam, sinks)
        attended = op.scaled_dot_product_attention(
            query, self._repeated(key), self._repeated(value), mask, causal=False
        )
        attended = op.transpose(attended, np.array([0, 2, 1, 3]))
        attended = op.reshape(attended, np.array([0, 0, file.heads * self._head]), special_zero=True)
        x = op.add(x, self._linear(attended, "attn_output"))
        normed = self._normed(x, "ffn_norm")
        gated = op.multiply(op.swish(self._linear(normed, "ffn_gate")), self._linear(normed, "ffn_up"))
        return op.add(x, self._linear(gated, "ffn_down"))

    def _name(self, part: str) -> str:
        return f"blk.{self._layer}.{part}.weight"

    def _normed(self, x: Any, part: str) -> Any:
        return _norm(x, self._weights.floats(self._name(part)), self._epsilon)

    def _linear(self, x: Any, part: str, order: npt.NDArray[np.int64] | None = None) -> Any:
        return _linear(x, self._weights, self._name(part), order)

    def _heads(self, x: Any, part: str, heads: int) -> Any:
        """A projection, split into heads: (1, heads, n, head)."""
        import openvino.opset13 as op

        turned = part != "attn_v" and self._file.architecture == "llama"
        order = halves(heads * self._head, heads) if turned else None
        out = self._linear(x, part, order)
        bias = f"blk.{self._layer}.{part}.bias"
        if self._weights.has(bias):
            values = self._weights.floats(bias)
            out = op.add(out, op.constant(values if order is None else values[order]))
        out = op.reshape(out, np.array([0, 0, heads, self._head]), special_zero=True)
        return op.transpose(out, np.array([0, 2, 1, 3]))

    def _turned(self, x: Any, part: str, cosine: Any, sine: Any) -> Any:
        """Queries or keys turned by their positions, normed first where the model norms them."""
        import openvino.opset13 as op

        if self._weights.has(self._name(part)):
            x = _norm(x, self._weights.floats(self._name(part)), self._epsilon)
        half = self._head // 2
        first = op.slice(x, [0], [half], [1], [3])
        second = op.slice(x, [half], [self._head], [1], [3])
        swapped = op.concat([op.multiply(second, np.float32(-1)), first], 3)
        return op.add(op.multiply(x, cosine), op.multiply(swapped, sine))

    def _remembered(self, x: Any, what: str, beam: Any, sinks: list[Any]) -> Any:
        """What was remembered so far with `x` behind it, which is remembered too."""
        import openvino as ov
        import openvino.opset13 as op
        from openvino.op.util import Variable, VariableInfo

        info = VariableInfo()
        info.data_shape = ov.PartialShape([-1, self._file.kv_heads, -1, self._head])
        info.data_type = ov.Type.f32
        info.variable_id = f"{what}.{self._layer}"
        variable = Variable(info)
        empty = op.constant(np.zeros((1, self._file.kv_heads, 0, self._head), np.float32))
        past = op.gather(op.read_value(empty, variable), beam, np.int64(0))
        whole = op.concat([past, x], 2)
        sinks.append(op.assign(whole, variable))
        return whole

    def _repeated(self, x: Any) -> Any:
        """Keys or values once for each head that shares them."""
        import openvino.opset13 as op

        times = self._file.heads // self._file.kv_heads
        if times == 1:
            return x
        wide = op.unsqueeze(x, np.int64(2))
        shape = op.concat(
            [
                op.gather(op.shape_of(x), np.array([0, 1]), np.int64(0)),
                op.constant(np.array([times])),
                op.gather(op.shape_of(x), np.array([2, 3]), np.int64(0)),
            ],
            0,
        )
        wide = op.broadcast(wide, shape, broadcast_spec="BIDIRECTIONAL")
        return op.reshape(wide, np.array([0, self._file.heads, -1, self._head]), special_zero=True)


def _norm(x: Any, weight: npt.NDArray[np.float32], epsilon: float) -> Any:
    """The root mean square norm of the last axis."""
    import openvino.opset13 as op

    mean = op.reduce_mean(op.power(x, np.float32(2)), np.int64(-1), keep_dims=True)
    scaled = op.multiply(x, op.divide(np.float32(1), op.sqrt(op.add(mean, np.float32(epsilon)))))
    return op.multiply(scaled, op.constant(weight))


def _linear(x: Any, weights: Weights, name: str, order: npt.NDArray[np.int64] | None = None) -> Any:
    """`x` times a matrix of the file, its rows in `order`."""
    import openvino.opset13 as op

    kind, packed = weights.packed(name)
    if order is not None:
        packed = packed[order]
    return op.matmul(x, _matrix(kind, packed, weights.shape(name)), False, True)


def _matrix(kind: str, packed: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Any:
    """A matrix (rows, columns), its weights packed as in the file and unpacked where they are used."""
    import openvino as ov
    import openvino.opset13 as op

    if kind in ("F32", "F16"):
        flat = np.ascontiguousarray(packed).reshape(-1)
        values = flat.view(np.float32 if kind == "F32" else np.float16).reshape(shape)
        return op.convert(op.constant(values), np.float32)
    codes, scale, shift = unpacked(np.ascontiguousarray(packed), kind)
    if shift is not None:
        # A group of one value has no scale: it is given one by which the shift is a whole number.
        codes = np.where(scale == 0, codes.dtype.type(0), codes)
        scale = np.where(scale == 0, np.where(shift == 0, np.float32(1), -shift / 8), scale)
    groups = (shape[0], -1, codes.shape[1])
    if kind in ("Q4_0", "Q4_1", "Q4_K"):
        # Two to a byte, the first in the lower half. A tensor of its own: one over an array would be
        # read after the array is gone.
        low, high = codes[:, 0::2].view(np.uint8) & 15, codes[:, 1::2].view(np.uint8) << 4
        size = ov.Shape([shape[0], shape[1] // codes.shape[1], codes.shape[1]])
        tensor = ov.Tensor(ov.Type.i4 if shift is None else ov.Type.u4, size)
        tensor.data.reshape(-1)[:] = (low | high).reshape(-1)
        stored = op.constant(tensor)
    else:
        stored = op.constant(np.ascontiguousarray(codes).reshape(groups))
    wide = op.convert(stored, np.float16)
    if shift is not None:
        zero = (-shift / scale).astype(np.float16)
        wide = op.subtract(wide, op.constant(zero.reshape(shape[0], -1, 1)))
    wide = op.multiply(wide, op.constant(scale.astype(np.float16).reshape(shape[0], -1, 1)))
    return op.convert(op.reshape(wide, np.array(shape), special_zero=False), np.float32)
