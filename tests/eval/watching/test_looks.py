from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag.eval.watching.looks import Look, comparable, last_look, look_json

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
METRICS = {"faithfulness": {"judged": True, "formula": "f"}, "validity": {"judged": False, "formula": "v"}}
SETUP = {"judge": "local", "k": 10, "metrics": METRICS, "reader": None, "system": {"model": "a"}}
SCORES = {"faithfulness": [0.5, 1.0], "validity": [1.0], "abstained": [0.0]}


def kept(out: Path, end: datetime, setup: dict[str, object] = SETUP) -> Look:
    look = Look(end, DAY, setup, SCORES)
    folder = out / end.strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir()
    (folder / "watch.json").write_text(json.dumps(look_json(look)))
    return look


def test_the_last_look_is_the_newest_whose_window_does_not_overlap(tmp_path: Path) -> None:
    assert last_look(tmp_path, NOW) is None
    old = kept(tmp_path, NOW - 2 * DAY)
    wanted = kept(tmp_path, NOW - DAY)
    kept(tmp_path, NOW - timedelta(hours=1))
    assert last_look(tmp_path, NOW - DAY) == wanted
    assert last_look(tmp_path, NOW - DAY - timedelta(seconds=1)) == old


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"end": "x", "scores": {}}', '{"end": 3, "scores": []}'])
def test_a_look_that_was_interrupted_is_passed_over(tmp_path: Path, text: str) -> None:
    wanted = kept(tmp_path, NOW - 2 * DAY)
    (tmp_path / "20260519T110000Z").mkdir()
    (tmp_path / "20260519T110000Z" / "watch.json").write_text(text)
    assert last_look(tmp_path, NOW) == wanted


def test_what_was_measured_alike_is_compared() -> None:
    assert comparable(Look(NOW, DAY, SETUP, SCORES), SETUP) == (SCORES, ())


def test_another_judge_or_formula_is_left_out_and_said() -> None:
    look = Look(NOW, DAY, SETUP, SCORES)
    scores, notes = comparable(look, SETUP | {"judge": "model"})
    assert set(scores) == {"validity", "abstained"}
    assert notes == ("faithfulness: another judge or formula in the look of 2026-05-20 12:00, not compared",)
    changed = METRICS | {"validity": {"judged": False, "formula": "w"}}
    assert set(comparable(look, SETUP | {"metrics": changed})[0]) == {"faithfulness", "abstained"}


def test_another_k_reader_or_nothing_known_compares_nothing() -> None:
    look = Look(NOW, DAY, SETUP, SCORES)
    for setup in (SETUP | {"k": 5}, SETUP | {"reader": {"name": "ann"}}):
        scores, (note,) = comparable(look, setup)
        assert scores == {} and "its setup is another" in note
    assert comparable(replace(look, setup={}), SETUP)[0] == {}


def test_another_system_is_compared_and_said() -> None:
    scores, (note,) = comparable(Look(NOW, DAY, SETUP, SCORES), SETUP | {"system": {"model": "b"}})
    assert scores == SCORES and note.endswith("model")
