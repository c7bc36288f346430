"""The tables of docs/judges.md are what the bench stored, for the judge that is shipped."""

import json
import sys
from pathlib import Path

import pytest

from rag.eval.judges.local import VERSION
from rag.generation.verify import THRESHOLD

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests" / "bench"))
from judge_tables import table  # noqa: E402 - the bench's folder is no package

STORED = json.loads((ROOT / "docs" / "judges.json").read_text(encoding="utf-8"))
CARD = (ROOT / "docs" / "judges.md").read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_judge_that_is_shipped():
    assert STORED["judges"]["local"].startswith(f"local {VERSION}: ")
    assert f" from {THRESHOLD:g}, " in STORED["judges"]["local"]


@pytest.mark.parametrize("name", STORED["agreement"])
def test_the_card_has_the_table_that_was_stored(name):
    size = STORED["sets"][name]
    assert f"### {name} ({size['rows']}, {size['good']} of them yes)\n\n{table(STORED, name)}\n" in CARD


def test_every_interval_holds_its_figure():
    cells = [
        cell
        for metrics in STORED["agreement"].values()
        for judges in metrics.values()
        for figures in judges.values()
        for cell in figures.values()
        if isinstance(cell, list)
    ]
    assert cells and all(low <= value <= high for value, low, high in cells)
