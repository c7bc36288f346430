"""A run held against an earlier one: pairs by question, what they do not share, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from scripted_system import Scripted, questions

from rag.errors import InputError, JudgeFailed
from rag.eval.baseline import read_baseline
from rag.eval.experiment import evaluate as evaluate_any
from rag.eval.questions import Place, Question
from rag.eval.report import Evaluation
from rag.types import Answer, Claim, Judgement

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


def test_a_summary_alone_gives_means_and_says_so_aloud(good: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copy(good / "summary.json", tmp_path / "old.json"))
    (good / "results.jsonl").unlink()
    for path in (alone, good):
        evaluation = evaluate(Worse(), ASKED, baseline=path)
        found = evaluation.comparison
        assert found is not None
        assert found.differences == ()
        assert found.means["exact_match"] == 1.0
        assert "only means can be compared" in found.notes[-1]
        assert evaluation.remarks[0].startswith("nothing was tested against")


def test_results_of_another_run_beside_a_summary_are_refused(good: Path) -> None:
    with (good / "results.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match="another run"):
        read_baseline(good)


def test_what_can_be_compared_in_nothing_is_refused_before_anything_is_run(good: Path) -> None:
    kb = Worse()
    others = [replace(each, id=f"other {each.id}") for each in ASKED]
    with pytest.raises(InputError, match="none of these questions"):
        evaluate(kb, others, baseline=good)
    with pytest.raises(InputError, match="none of these questions"):
        evaluate(kb, [replace(each, user_input="other words") for each in ASKED], baseline=good)
    for path in (good, good / "summary.json"):
        for names in (["token_f1"], ["confidence_auroc"]):
            with pytest.raises(InputError, match="none of the metrics"):
                evaluate_any(kb, ASKED, metrics=names, baseline=path)
    assert kb.asked == []


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_a_score_that_is_no_number_is_refused(good: Path, value: str) -> None:
    for name, text in (("results.jsonl", '"exact_match": 1.0'), ("summary.json", '"mean": 1.0')):
        path = good / name
        assert text in path.read_text()
        path.write_text(path.read_text().replace(text, f"{text[:-3]}{value}", 1))
    for name in ("results.jsonl", "summary.json"):
        with pytest.raises(InputError, match="no number"):
            read_baseline(good / name)


def test_no_metric_is_refused() -> None:
    with pytest.raises(InputError, match="no metric is named"):
        evaluate_any(Scripted(), ASKED, metrics=[])


@pytest.mark.parametrize("name", ["", "summary.json", "results.jsonl"])
def test_a_run_does_not_overwrite_what_it_is_compared_with(good: Path, name: str) -> None:
    before = (good / "results.jsonl").read_bytes()
    (good.parent / "same").symlink_to(good)
    for out in (good, good / ".." / good.name, good.parent / "same"):
        with pytest.raises(InputError, match="another folder"):
            evaluate(Worse(), ASKED, baseline=good / name, out=out)
    assert (good / "results.jsonl").read_bytes() == before


class Judging:
    """A judge who finds everything right until it cannot be reached."""

    name = "judging"

    def __init__(self, verdicts: int) -> None:
        self.verdicts = verdicts

    def statements(self, text: str, *, question: str = "") -> list[str]:
        return [text]

    def supported(self, claims: Sequence[Claim]) -> list[Judgement]:
        self.verdicts -= 1
        if self.verdicts < 0:
            raise JudgeFailed("the judge cannot be reached")
        return [Judgement(1.0, "")] * len(claims)


def test_an_outage_of_the_judge_is_no_loss(tmp_path: Path) -> None:
    def judged(verdicts: int, **other: object) -> Evaluation:
        judge = Judging(verdicts)
        return evaluate_any(Scripted(), ASKED, metrics=["faithfulness", "exact_match"], judge=judge, **other)  # type: ignore[arg-type]

    judged(99, out=tmp_path / "good")
    broken = judged(6, baseline=tmp_path / "good", out=tmp_path / "broken")
    repaired = judged(99, baseline=tmp_path / "broken")
    assert (broken.summary["faithfulness"].missed, broken.summary["faithfulness"].mean) == (18, 0.25)
    for found in (broken.comparison, repaired.comparison):
        assert found is not None
        (faithful, _) = found.differences
        assert (faithful.n, faithful.missed, faithful.significant) == (6, 18, False)
        assert "faithfulness: 18 of 24 pairs left out, without a verdict in one of the runs" in found.notes


def test_a_comparison_without_a_test_is_refused_when_the_run_is_written(tmp_path: Path) -> None:
    faithful = partial(evaluate_any, Scripted(), ASKED, metrics=["faithfulness"])
    faithful(judge=Judging(99), out=tmp_path / "good")
    with pytest.raises(InputError, match=r"no loss can be ruled out: .*24 of 24 pairs left out"):
        faithful(judge=Judging(0), baseline=tmp_path / "good", out=tmp_path / "broken")
    assert (tmp_path / "broken" / "summary.json").is_file()


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
    empty = name == "results.jsonl" and not text
    with pytest.raises(InputError, match="has no results" if empty else "none of what"):
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


def test_other_cutoffs_are_said_not_to_be_compared(tmp_path: Path) -> None:
    evaluate_any(Scripted(), ASKED, metrics=["Recall@10", "exact_match"], out=tmp_path / "ten")
    found = evaluate_any(
        Scripted(), ASKED, metrics=["Recall@2", "RR@2", "exact_match"], k=2, baseline=tmp_path / "ten"
    ).comparison
    assert found is not None
    assert [each.metric for each in found.differences] == ["exact_match"]
    notes = " ".join(found.notes)
    assert "retrieval was not compared in Recall@2: the baseline has Recall@10" in notes
    assert "the baseline has no RR@2" in notes
