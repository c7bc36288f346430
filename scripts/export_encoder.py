"""Write the computation of all-MiniLM-L6-v2 without its weights: one graph that pools, one that does not.

`rag/index/minilm.onnx` gives a text's mean vector, `rag/generation/minilm_tokens.onnx` the vector of each
token. Their initializers are absent on purpose. Their names are those of the tensors in
`model.safetensors`, and `rag.transformer.fill` adds them when a model is first used, so one file serves
every set of weights of this shape, under OpenVINO and ONNX Runtime alike.

    pip install onnx && python scripts/export_encoder.py
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

LAYERS, HEADS, HIDDEN = 6, 12, 384
ROOM = Path(__file__).parents[1] / "rag"


class Graph:
    """A list of nodes that grows; each method returns the name of what it computes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Append a node of that kind and name its one output."""
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def ints(self, *values: int) -> str:
        """Store whole numbers."""
        name = f"int_{len(self.constants)}"
        self.constants.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        return name

    def number(self, value: float) -> str:
        """Store one number."""
        name = f"number_{len(self.constants)}"
        self.constants.append(helper.make_tensor(name, TensorProto.FLOAT, [], [value]))
        return name

    def linear(self, x: str, name: str) -> str:
        """Multiply by a weight stored as torch stores it, (out, in), and add the bias."""
        weight = self.op("Transpose", f"{name}.weight", perm=[1, 0])
        return self.op("Add", self.op("MatMul", x, weight), f"{name}.bias")

    def norm(self, x: str, name: str) -> str:
        """Normalise each token's vector, then scale and shift it."""
        inputs = (x, f"{name}.weight", f"{name}.bias")
        return self.op("LayerNormalization", *inputs, axis=-1, epsilon=1e-12)


def embeddings(g: Graph) -> str:
    """Sum the three embeddings; every token is of type 0, at its own place."""
    words = g.op("Gather", "embeddings.word_embeddings.weight", "input_ids")
    length = g.op("Shape", "input_ids", start=1, end=2)
    places = g.op("Slice", "embeddings.position_embeddings.weight", g.ints(0), length, g.ints(0))
    kind = g.op("Slice", "embeddings.token_type_embeddings.weight", g.ints(0), g.ints(1), g.ints(0))
    return g.norm(g.op("Add", words, g.op("Add", places, kind)), "embeddings.LayerNorm")


def attention(g: Graph, x: str, bias: str, name: str) -> str:
    """Attend with every head, and add the result to `x`."""
    split = g.ints(0, 0, HEADS, HIDDEN // HEADS)
    query, key, value = (
        g.op("Reshape", g.linear(x, f"{name}.self.{part}"), split) for part in ("query", "key", "value")
    )
    query, value = (g.op("Transpose", part, perm=[0, 2, 1, 3]) for part in (query, value))
    key = g.op("Transpose", key, perm=[0, 2, 3, 1])
    scores = g.op("Mul", g.op("MatMul", query, key), g.number((HIDDEN // HEADS) ** -0.5))
    weights = g.op("Softmax", g.op("Add", scores, bias), axis=-1)
    mixed = g.op("Transpose", g.op("MatMul", weights, value), perm=[0, 2, 1, 3])
    output = g.linear(g.op("Reshape", mixed, g.ints(0, 0, HIDDEN)), f"{name}.output.dense")
    return g.norm(g.op("Add", output, x), f"{name}.output.LayerNorm")


def layer(g: Graph, x: str, bias: str, name: str) -> str:
    """One transformer layer: attention, then the feed-forward network, each added and normed."""
    x = attention(g, x, bias, f"{name}.attention")
    wide = g.op("Gelu", g.linear(x, f"{name}.intermediate.dense"))
    return g.norm(g.op("Add", g.linear(wide, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")


def build(*, pooled: bool) -> onnx.ModelProto:
    """Build ids and mask, int64 (n, tokens), to a vector a token, float32 (n, tokens, 384), or their mean."""
    g = Graph()
    mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden_tokens = g.op("Mul", g.op("Sub", g.number(1.0), mask), g.number(-1e9))
    bias = g.op("Unsqueeze", hidden_tokens, g.ints(1, 2))
    x = embeddings(g)
    for number in range(LAYERS):
        x = layer(g, x, bias, f"encoder.layer.{number}")
    shape, name = ["n", "tokens", HIDDEN], x
    if pooled:
        column = g.op("Unsqueeze", mask, g.ints(2))
        total = g.op("ReduceSum", g.op("Mul", x, column), g.ints(1), keepdims=0)
        count = g.op("ReduceSum", column, g.ints(1), keepdims=0)
        g.nodes.append(helper.make_node("Div", [total, count], ["mean"], name="mean"))
        shape, name = ["n", HIDDEN], "mean"
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(g.nodes, "minilm", inputs, [output], g.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


if __name__ == "__main__":
    for pooled, target in ((True, "index/minilm.onnx"), (False, "generation/minilm_tokens.onnx")):
        (ROOM / target).write_bytes(build(pooled=pooled).SerializeToString(deterministic=True))
