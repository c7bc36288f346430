"""The model card's figures are those that the bench stored, for the weights that are shipped."""

import json
from pathlib import Path

import pytest

from rag.generation.verify import BIAS, THRESHOLD, WEIGHTS, WORD_BIAS, WORD_WEIGHTS

DOCS = Path(__file__).parents[2] / "docs"
STORED = json.loads((DOCS / "verifier.json").read_text(encoding="utf-8"))
CARD = (DOCS / "verifier.md").read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_weights_that_are_shipped():
    assert STORED["weights"]["words"] == pytest.approx([*WORD_WEIGHTS, WORD_BIAS])
    assert STORED["weights"]["words and sense"] == pytest.approx([*WEIGHTS, BIAS])
    assert STORED["verifier"]["threshold"] == THRESHOLD


@pytest.mark.parametrize("method", [name for name in STORED if name not in ("sets", "weights")])
def test_the_card_says_what_was_stored(method):
    (row,) = [line for line in CARD.splitlines() if line.startswith(f"| {method} |")]
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    expected = [
        f"{STORED[method][name]['f1']:.3f} / {STORED[method][name]['auroc']:.3f}" for name in STORED["sets"]
    ]
    assert cells[: len(expected)] == expected
