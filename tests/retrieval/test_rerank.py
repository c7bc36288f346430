from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rag.errors import EncoderNotFound
from rag.retrieval.rerank import CrossEncoderReranker, rerank
from rag.types import Chunk, Filter, Hit, LegScores, Scores, Span

TEXTS = ["a b", "a b c d", "a", "a b c", "b c"]


class Fixed:
    """A retriever that returns TEXTS in order, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, Filter | None]] = []

    def __call__(self, query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        self.asked.append((query, k, where))
        return [
            Hit(rank, 1 / rank, Chunk(f"d{rank}", Span(0, len(text)), text), "s", "t", LegScores(bm25=rank))
            for rank, text in enumerate(TEXTS[:k], start=1)
        ]


def by_length(query: str, texts: Sequence[str]) -> Scores:
    return np.array([len(text) for text in texts], dtype=np.float32)


def test_a_function_puts_hits_in_order_with_ties_by_chunk_id() -> None:
    hits = rerank(Fixed(), by_length)("q", k=4)
    assert [hit.chunk.text for hit in hits] == ["a b c d", "a b c", "a b", "b c"]
    assert [hit.chunk.document_id for hit in hits] == ["d2", "d4", "d1", "d5"]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert [hit.score for hit in hits] == [hit.scores.rerank for hit in hits] == [7, 5, 3, 3]


def test_other_scores_are_kept() -> None:
    assert [hit.scores.bm25 for hit in rerank(Fixed(), by_length)("q", k=5)] == [2, 4, 1, 5, 3]


@pytest.mark.parametrize(("depth", "k", "fetched"), [(3, 2, 3), (2, 4, 4)])
def test_it_fetches_depth_or_k_and_passes_the_filter(depth: int, k: int, fetched: int) -> None:
    inner = Fixed()
    hits = rerank(inner, by_length, depth=depth)("q", k=k, where={"team": "hr"})
    assert inner.asked == [("q", fetched, {"team": "hr"})]
    assert len(hits) == k


def test_what_depth_leaves_out_cannot_come_back() -> None:
    assert [hit.chunk.text for hit in rerank(Fixed(), by_length, depth=1)("q", k=1)] == ["a b"]


def test_nothing_found_and_nothing_wanted() -> None:
    def judge(query: str, texts: Sequence[str]) -> Scores:
        raise AssertionError("nothing to judge")

    assert rerank(lambda query, *, k=10, where=None: [], judge)("q") == []
    assert rerank(Fixed(), judge)("q", k=0) == []


def test_scores_that_are_not_numbers_come_last() -> None:
    def judge(query: str, texts: Sequence[str]) -> Scores:
        return np.array([np.nan, 1, 2, 3, -5], dtype=np.float32)

    assert [hit.chunk.document_id for hit in rerank(Fixed(), judge)("q", k=5)] == [
        "d4",
        "d3",
        "d2",
        "d5",
        "d1",
    ]


def test_a_reranker_must_give_one_score_a_text() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) for 5 texts"):
        rerank(Fixed(), lambda query, texts: np.zeros(2, dtype=np.float32))("q")


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cross-encoder with random weights: one layer of width 16, and the vocabulary of a few words."""
    pytest.importorskip("sentence_transformers")
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross-encoder")
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c d q".split()
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=1,
        initializer_range=1.0,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(vocab={word: at for at, word in enumerate(words)}).save_pretrained(folder)
    return str(folder)


def test_a_cross_encoder_orders_as_sentence_transformers_does(
    cross_encoder: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from sentence_transformers import CrossEncoder

    expected = CrossEncoder(cross_encoder, device="cpu").predict([("q a", text) for text in TEXTS])
    assert len(np.unique(expected)) == len(TEXTS), "a model that cannot tell the texts apart proves nothing"
    capfd.readouterr()
    reranker = CrossEncoderReranker(cross_encoder, device="cpu")
    assert capfd.readouterr() == ("", "")
    np.testing.assert_allclose(reranker("q a", TEXTS), expected, rtol=1e-5)
    hits = rerank(Fixed(), reranker)("q a", k=5)
    assert [hit.chunk.text for hit in hits] == [TEXTS[at] for at in np.argsort(-expected)]
    assert reranker("q", []).shape == (0,)


def test_a_folder_without_a_model_is_named() -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(EncoderNotFound, match="no reranker /nowhere/at/all"):
        CrossEncoderReranker("/nowhere/at/all")


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, rag.retrieval.rerank; print({'torch', 'sentence_transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_reranker_trained_anew_in_its_folder_has_another_name(cross_encoder: str, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "mine"
    shutil.copytree(cross_encoder, folder)
    before = CrossEncoderReranker(folder, device="cpu").name
    assert before.startswith("mine@") and CrossEncoderReranker(folder, device="cpu").name == before
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] = weights["classifier.bias"] + 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert CrossEncoderReranker(folder, device="cpu").name != before
