"""A run held against an earlier one: pairs by question, what they do not share, and what is refused."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from scripted_system import Scripted, questions

from rag.errors import InputError
from rag.eval.baseline import read_baseline
from rag.eval.experiment import evaluate as evaluate_any
from rag.eval.questions import Place, Question
from rag.types import Answer

evaluate = partial(evaluate_any, metrics=["exact_match", "refusal_f1"])
ASKED = [
    Question(f"q{n}", f"how long {n}", "ten days", documents=(Place(f"{n}.md"),), answerable=True)
    for n in range(24)
]


class Worse(Scripted):
    def ask(self, question: str) -> Answer:
        return super().ask(f"abstain {question}")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    evaluate(Scripted(), ASKED, out=tmp_path / "good")
    return tmp_path / "good"


def test_a_loss_is_found_and_a_gain_is_none(good: Path, tmp_path: Path) -> None:
    lost = evaluate(Worse(), ASKED, baseline=good, out=tmp_path / "bad")
    assert lost.comparison is not None
    assert [each.metric for each in lost.comparison.worse] == ["exact_match"]
    (difference, *_) = lost.comparison.differences
    assert (difference.n, difference.baseline, difference.current) == (24, 1.0, 0.0)
    gained = evaluate(Scripted(), ASKED, baseline=tmp_path / "bad")
    assert gained.comparison is not None
    assert gained.comparison.worse == ()
    assert gained.comparison.differences[0].significant


@pytest.mark.parametrize("name", ["", "summary.json", "results.jsonl"])
def test_the_folder_and_its_files_are_the_same_baseline(good: Path, name: str) -> None:
    found = evaluate(Scripted(), ASKED, baseline=good / name).comparison
    assert found is not None
    assert [(each.metric, each.difference) for each in found.differences] == [("exact_match", 0.0)]
    assert found.notes == ()
    assert found.means["exact_match"] == 1.0


def test_results_alone_are_enough(good: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copy(good / "results.jsonl", tmp_path / "alone.jsonl"))
    found = evaluate(Worse(), ASKED, baseline=alone).comparison
    assert found is not None
    assert found.worse
    assert "does not say how it was made" in found.notes[0]


def test_a_summary_alone_or_beside_results_of_another_run_gives_means(good: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copy(good / "summary.json", tmp_path / "old.json"))
    with (good / "results.jsonl").open("a") as file:
        file.write("\n")
    for path in (alone, good):
        found = evaluate(Worse(), ASKED, baseline=path).comparison
        assert found is not None
        assert found.differences == ()
        assert found.means["exact_match"] == 1.0
        assert "only means can be compared" in found.notes[-1]


def test_only_pairs_are_compared_and_the_rest_is_named(good: Path) -> None:
    changed = Question("q0", "how long is another", "ten days", answerable=True)
    new = [Question(f"new{n}", f"how long {n}", "ten days") for n in range(7)]
    found = evaluate(Worse(), [changed, *ASKED[2:], *new], baseline=good, k=5).comparison
    assert found is not None
    assert found.differences[0].n == 22
    notes = "\n".join(found.notes)
    assert "other words under the same id: q0" in notes
    assert "only in the baseline: q1\n" in notes + "\n"
    assert "not in the baseline: new0, new1, new2, new3, new4 and 2 more" in notes
    assert "another k: 10, and this is 5" in notes
    assert "other questions" in notes


def test_a_metric_that_the_baseline_lacks_is_named(good: Path) -> None:
    found = evaluate_any(Scripted(), ASKED, metrics=["exact_match", "token_f1"], baseline=good).comparison
    assert found is not None
    assert [each.metric for each in found.differences] == ["exact_match"]
    assert "the baseline has no token_f1" in found.notes


def test_a_baseline_is_read_before_anything_is_run(tmp_path: Path) -> None:
    kb = Scripted()
    with pytest.raises(InputError, match="cannot read"):
        evaluate(kb, ASKED, baseline=tmp_path / "nowhere")
    assert kb.asked == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"metrics": 1}', '{"metrics": {"a": {}}}', "\xff"])
@pytest.mark.parametrize("name", ["summary.json", "results.jsonl"])
def test_what_is_no_baseline_is_refused(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="latin-1")
    if name == "results.jsonl" and not text:
        assert read_baseline(path).scores == {}
        return
    with pytest.raises(InputError, match="none of what"):
        read_baseline(path)


def test_an_unfinished_folder_is_no_baseline(good: Path) -> None:
    (good / "summary.json").unlink()
    with pytest.raises(InputError, match="no finished evaluation"):
        read_baseline(good)


def test_equal_comparisons_leave_equal_bytes(good: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        evaluate(Worse(), questions(), baseline=good, out=tmp_path / name)
    one, two = (json.loads((tmp_path / name / "summary.json").read_bytes()) for name in ("one", "two"))
    assert one == two
    assert one["comparison"]["baseline"] == str(good)
