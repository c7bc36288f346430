"""A language model of some hundred kilobytes in a GGUF file: random weights, a tokenizer trained on the spot.

What it writes means nothing, and is the same every time; the whole path to a real model's file is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

TEXT = (
    "The notice period is three months. Employees accrue two days of leave a month, kept for a year. "
    "A request for leave is answered within five days; who asks late waits longer. Offices open at eight. "
    "Travel is booked by the team, and paid back on receipt of the bill within thirty days [1] [2] [3]. "
    "Question: what is the notice period? Answer: the notice period is three months. See the handbook. "
)

CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
LLAMA3 = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)

TYPES = {
    "F32": gguf.GGMLQuantizationType.F32,
    "F16": gguf.GGMLQuantizationType.F16,
    "Q8_0": gguf.GGMLQuantizationType.Q8_0,
    "Q4_0": gguf.GGMLQuantizationType.Q4_0,
    "Q4_K": gguf.GGMLQuantizationType.Q4_K,
    "Q5_K": gguf.GGMLQuantizationType.Q5_K,
    "Q6_K": gguf.GGMLQuantizationType.Q6_K,
}
_FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "Q4_K": 15, "Q5_K": 17, "Q6_K": 18}
# Where the scales of a block stand that nobody here can quantise to, and what they are by chance.
_SCALES = {
    "Q4_K": ((0, 1 / 240), (2, 1 / 32)),
    "Q5_K": ((0, 1 / 480), (2, 1 / 31)),
    "Q6_K": ((208, 1 / 1400),),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the model is. Every width is a multiple of 32, as the quantised types want."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 128
    context_tokens: int = 2048
    vocabulary: int = 480


TINY = Shape()


@dataclass(frozen=True, slots=True)
class Words:
    """A tokenizer: its tokens in order, the kind of each (1 text, 3 control), its merges."""

    tokens: list[str]
    kinds: list[int]
    merges: list[str]
    special: dict[str, int] = field(default_factory=dict)


def words(size: int = TINY.vocabulary, special: tuple[str, ...] = CHATML) -> Words:
    """A byte-level BPE tokenizer of `size` tokens, the special ones last, trained on `TEXT`."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = BpeTrainer(
        vocab_size=size - len(special),
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
        special_tokens=[],
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda each: each[1])]
    merges = _merges(tokenizer)
    tokens += [f"<unused{at}>" for at in range(size - len(special) - len(tokens))]
    kinds = [5 if token.startswith("<unused") else 1 for token in tokens]
    ids = {token: len(tokens) + at for at, token in enumerate(special)}
    return Words(tokens + list(special), kinds + [3] * len(special), merges, ids)


def _merges(tokenizer: Tokenizer) -> list[str]:
    import json

    found = json.loads(tokenizer.to_str())["model"]["merges"]
    return [each if isinstance(each, str) else " ".join(each) for each in found]


def write_gguf(
    path: Path,
    *,
    quantisation: str = "F16",
    shape: Shape = TINY,
    special: tuple[str, ...] = CHATML,
    seed: int = 0,
    name: str = "tiny",
    architecture: str = "llama",
    template: str = "",
    metadata: dict[str, Any] | None = None,
    copying: bool = False,
) -> Path:
    """Write the model and return its path. The same arguments give the same bytes.

    One that is `copying` writes what followed its last token in the prompt: see `copy_weights`.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(name)
    writer.add_file_type(_FILE_TYPES[quantisation])
    writer.add_quantization_version(2)
    _add_sizes(writer, shape, COPY_BASE if copying else 10_000.0)
    _add_words(writer, words(shape.vocabulary, special), template)
    for key, value in (metadata or {}).items():
        writer.add_string(key, value)
    weights = copy_weights(shape, seed) if copying else {}
    _add_weights(writer, shape, TYPES[quantisation], seed, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_sizes(writer: gguf.GGUFWriter, shape: Shape, base: float) -> None:
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(base)
    writer.add_vocab_size(shape.vocabulary)


def _add_words(writer: gguf.GGUFWriter, words: Words, template: str) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words.tokens)
    writer.add_token_types(words.kinds)
    writer.add_token_merges(words.merges)
    ids = list(words.special.values())
    if ids:
        writer.add_bos_token_id(ids[0])
        writer.add_eos_token_id(ids[-1])
    writer.add_add_bos_token(False)
    if template:
        writer.add_chat_template(template)


def _add_weights(
    writer: gguf.GGUFWriter,
    shape: Shape,
    kind: gguf.GGMLQuantizationType,
    seed: int,
    given: dict[str, npt.NDArray[np.float32]],
) -> None:
    """Add all tensors: those given, the others by chance, or with zeros where some are given."""
    rng = np.random.default_rng(seed)
    kv_width = shape.width // shape.heads * shape.kv_heads

    def add(name: str, rows: int, columns: int, scale: float = 0.0) -> None:
        if given:
            values = given.get(name, np.zeros((rows, columns), np.float32))
        else:
            values = rng.standard_normal((rows, columns), np.float32) * np.float32(scale or columns**-0.5)
        assert values.shape == (rows, columns)
        _add_tensor(writer, name, values, kind)

    def norm(name: str) -> None:
        writer.add_tensor(name, np.ones(shape.width, np.float32))

    add("token_embd.weight", shape.vocabulary, shape.width, scale=1.0)
    if writer.arch in ("qwen2", "qwen3"):
        _add_of_qwen(writer, shape, rng)
    for layer in range(shape.layers):
        norm(f"blk.{layer}.attn_norm.weight")
        add(f"blk.{layer}.attn_q.weight", shape.width, shape.width)
        add(f"blk.{layer}.attn_k.weight", kv_width, shape.width)
        add(f"blk.{layer}.attn_v.weight", kv_width, shape.width)
        add(f"blk.{layer}.attn_output.weight", shape.width, shape.width)
        norm(f"blk.{layer}.ffn_norm.weight")
        add(f"blk.{layer}.ffn_gate.weight", shape.hidden, shape.width)
        add(f"blk.{layer}.ffn_up.weight", shape.hidden, shape.width)
        add(f"blk.{layer}.ffn_down.weight", shape.width, shape.hidden)
    norm("output_norm.weight")
    add("output.weight", shape.vocabulary, shape.width)


def _add_of_qwen(writer: gguf.GGUFWriter, shape: Shape, rng: np.random.Generator) -> None:
    """What the second version of this family adds to its projections, and the third to its heads."""
    head = shape.width // shape.heads
    for layer in range(shape.layers):
        for part, heads in (("q", shape.heads), ("k", shape.kv_heads), ("v", shape.kv_heads)):
            if writer.arch == "qwen2":
                values = rng.standard_normal(heads * head).astype(np.float32)
                writer.add_tensor(f"blk.{layer}.attn_{part}.bias", values)
            elif part != "v":
                values = rng.uniform(0.5, 1.5, head).astype(np.float32)
                writer.add_tensor(f"blk.{layer}.attn_{part}_norm.weight", values)


COPIER = Shape(layers=2, width=320, heads=5, kv_heads=5, hidden=32)
COPY_BASE = 1e30


def copy_weights(shape: Shape, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Weights of an induction head: it writes what followed its last two tokens where they stood before.

    Two heads of the first block look at the token before and the one before that, by position alone,
    and note their codes; one of the second block looks for the place where these notes are the codes
    of the last two tokens, and copies the token there. All other weights are zero. Heads are 64 wide,
    the model 320 or wider.

    Source: Olsson et al., In-context Learning and Induction Heads, 2022.
    """
    head = shape.width // shape.heads
    assert head == 64 and shape.width >= 320 and shape.kv_heads >= 2
    codes = np.sign(np.random.default_rng(seed).standard_normal((shape.vocabulary, head))).astype(np.float32)
    now, before, earlier, copied = (slice(64 * at, 64 * at + 64) for at in (1, 2, 3, 4))
    group = shape.heads // shape.kv_heads * head

    def zeros(rows: int = shape.width) -> npt.NDArray[np.float32]:
        return np.zeros((rows, shape.width), np.float32)

    def identity(rows: slice) -> npt.NDArray[np.float32]:
        """Rows that pass on the codes of the last token."""
        kept = zeros(head)
        kept[:, rows] = np.eye(head)
        return kept

    kv_width = head * shape.kv_heads
    embedding, output = zeros(shape.vocabulary), zeros(shape.vocabulary)
    embedding[:, 0], embedding[:, now], output[:, copied] = 8.0, codes, codes
    turns = COPY_BASE ** -(np.arange(4) / 32)
    look, found, value, note = zeros(), zeros(kv_width), zeros(kv_width), zeros()
    for distance, kv_start, start, noted in ((1, 0, 0, before), (2, head, group, earlier)):
        look[start + 2 * np.arange(4), 0] = 6.0
        found[kv_start + 2 * np.arange(4), 0] = 6 * np.cos(distance * turns)
        found[kv_start + 2 * np.arange(4) + 1, 0] = 6 * np.sin(distance * turns)
        value[kv_start : kv_start + head] = identity(now)
        note[noted, start : start + head] = np.eye(head)
    ask, match, copy = zeros(), zeros(kv_width), zeros()
    # The other numbers of a head hardly turn with the position: they compare what is noted.
    ask[12:36] = 4 * identity(now)[:24]
    match[12:36] = 4 * identity(before)[:24]
    ask[36:60] = 3 * identity(before)[:24]
    match[36:60] = 3 * identity(earlier)[:24]
    copy[copied, :head] = np.eye(head)
    return {
        "token_embd.weight": embedding,
        "output.weight": output,
        "blk.0.attn_q.weight": look,
        "blk.0.attn_k.weight": found,
        "blk.0.attn_v.weight": value,
        "blk.0.attn_output.weight": note,
        "blk.1.attn_q.weight": ask,
        "blk.1.attn_k.weight": match,
        "blk.1.attn_v.weight": value,
        "blk.1.attn_output.weight": copy,
    }


def _add_tensor(
    writer: gguf.GGUFWriter, name: str, values: npt.NDArray[np.float32], kind: gguf.GGMLQuantizationType
) -> None:
    """Add a tensor, quantised. Its shape is told by its values, or by its bytes where those are packed."""
    packed = _by_chance(values, kind) if kind.name in _SCALES else gguf.quants.quantize(values, kind)
    plain = kind in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16)
    writer.add_tensor(name, packed, raw_dtype=None if plain else kind)


def _by_chance(values: npt.NDArray[np.float32], kind: gguf.GGMLQuantizationType) -> npt.NDArray[np.uint8]:
    """Random weights about as large as `values`, in blocks of a kind that the package only reads."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    rows, columns = values.shape
    rng = np.random.default_rng(abs(int(1000 * values[0, 0])))
    data = rng.integers(0, 256, (rows * columns // block, size), np.uint8)
    for at, share in _SCALES[kind.name]:
        scale = np.full(len(data), share * values.std(), np.float16)
        data[:, at : at + 2] = scale.view(np.uint8).reshape(-1, 2)
    return data.reshape(rows, -1)
