"""A transformer without torch: a shipped graph, filled with a model's weights, run on the CPU.

The graph holds the computation (`scripts/export_encoder.py` wrote it); the weights stay in the
model's own `model.safetensors`. Protocol buffers are merged by putting one behind the other, so the
weights are appended as initializers, and both runtimes read the result from memory: nothing is
written, and the package `onnx` is not needed.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.types import Vectors

Ids: TypeAlias = npt.NDArray[np.int64]
Run: TypeAlias = Callable[[Ids, Ids], Vectors]
"""From token ids and attention mask, int64 (n, tokens), to what the graph makes of them, float32 (n, ...)."""

_FLOAT = 1  # TensorProto.DataType.FLOAT
_importing = threading.Lock()


def fill(graph: bytes, weights: Path, changes: Mapping[str, Vectors] | None = None) -> bytes:
    """Return `graph` as ONNX with the weights of `weights`, a safetensors file.

    `changes`, by the name of a weight and float32 of its shape, are added to the weights.

    Raises:
        ValueError: The file is not safetensors, or its weights are not float32.
    """
    data = weights.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    tensors = json.loads(data[8 : 8 + size])
    initializers = []
    for name, tensor in tensors.items():
        if not name.startswith(("embeddings.", "encoder.")) or name == "embeddings.position_ids":
            continue
        if tensor["dtype"] != "F32":
            raise ValueError(f"{weights}: {name} is {tensor['dtype']}, not F32")
        start, end = (8 + size + offset for offset in tensor["data_offsets"])
        dims = b"".join(_varint_field(1, dim) for dim in tensor["shape"])
        head = dims + _varint_field(2, _FLOAT) + _bytes_field(8, name.encode())
        values = data[start:end]
        if changes and name in changes:
            values = (np.frombuffer(values, "<f4") + changes[name].ravel()).astype("<f4").tobytes()
        initializers.append(_bytes_field(5, head, _bytes_field(9, values)))
    return graph + _bytes_field(7, *initializers)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes_field(number: int, *parts: bytes) -> bytes:
    return b"".join((_varint(number << 3 | 2), _varint(sum(map(len, parts))), *parts))


def openvino(model: bytes, *, threads: int | None = None, precision: str | None = None) -> Run:
    """Run `model` by OpenVINO, in the precision that the CPU has natively unless one is named.

    Args:
        model: A filled graph.
        threads: How many cores to use; all where None.
        precision: `f32` or `bf16`. OpenVINO's own choice is bf16 only where the CPU multiplies it
            natively; elsewhere it would be emulated, and slower than f32.

    The returned function may be called from several threads; each has its own buffers.
    """
    with _without_openvino_telemetry():
        import openvino as ov
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    if precision is not None:
        settings["INFERENCE_PRECISION_HINT"] = precision
    core = ov.Core()
    compiled = core.compile_model(core.read_model(model=model), "CPU", settings)
    local, beginning = threading.local(), threading.Lock()

    def infer(ids: Ids, mask: Ids) -> Vectors:
        local.request.infer({"input_ids": ids, "attention_mask": mask}, share_inputs=True)
        return np.array(local.request.get_output_tensor(0).data)

    def run(ids: Ids, mask: Ids) -> Vectors:
        if hasattr(local, "request"):
            return infer(ids, mask)
        # OpenVINO hangs for ever where several threads are at their first inference at once
        with beginning:
            local.request = compiled.create_infer_request()
            return infer(ids, mask)

    one = np.ones((1, 1), dtype=np.int64)
    run(one, one)
    return run


def onnxruntime(model: bytes, *, threads: int | None = None) -> Run:
    """Run `model` by ONNX Runtime in float32, on `threads` cores (all where None)."""
    with _without_onnxruntime_telemetry():
        import onnxruntime as ort
    options = ort.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(ids: Ids, mask: Ids) -> Vectors:
        (vectors,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
        return np.asarray(vectors, dtype=np.float32)

    return run


@contextmanager
def _without_openvino_telemetry() -> Iterator[None]:
    """Keep `import openvino` from sending an event and writing an id to the home folder.

    It falls back to its own stub where the package openvino_telemetry cannot be imported.
    """
    name = "openvino_telemetry"
    with _importing:
        present = name in sys.modules
        if not present:
            sys.modules[name] = None  # type: ignore[assignment] # the way to say "not importable"
        try:
            yield
        finally:
            if not present:
                del sys.modules[name]


@contextmanager
def _without_onnxruntime_telemetry() -> Iterator[None]:
    """Keep `import onnxruntime` from making a device id and an event store in the home folder.

    It reads the variable once, when its library is loaded; the environment is put back behind it.
    """
    name = "ORT_DISABLE_TELEMETRY"
    with _importing:
        before = os.environ.get(name)
        os.environ[name] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
