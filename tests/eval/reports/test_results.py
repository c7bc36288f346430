"""What a run leaves: whole files of one run, with everything needed to argue about it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_system import TEXT, Scripted, questions

from rag.errors import InputError, MetricNotFound
from rag.eval.experiment import evaluate
from rag.eval.keys import file_digest
from rag.eval.questions import Place, Question
from rag.types import Span

QUESTIONS = questions()
METRICS = ("RR@10", "exact_match", "citation_validity", "expected_calibration_error")


def _at(*places: Place) -> Question:
    return Question("1", "x", documents=places)


def lines(folder: Path) -> list[dict[str, object]]:
    text = (folder / "results.jsonl").read_text("utf-8")
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


def summary(folder: Path) -> dict[str, object]:
    return json.loads((folder / "summary.json").read_text("utf-8"), parse_constant=pytest.fail)


def test_a_line_has_the_answer_with_its_proof(tmp_path: Path) -> None:
    evaluate(Scripted(), QUESTIONS, metrics=METRICS, out=tmp_path)
    first, *_ = found = lines(tmp_path)
    assert [line["id"] for line in found] == [question.id for question in QUESTIONS]
    assert first["response"] == "Ten days. [1]"
    assert first["sentences"][0]["faults"] == ["a fault"]
    assert first["citations"][0]["quote"] == first["contexts"][0]["text"] == TEXT[:18]
    assert (first["contexts"][0]["page"], first["contexts"][0]["start"], first["contexts"][0]["end"]) == (
        1,
        0,
        18,
    )
    assert first["gold"] == [
        {"source": "leave.md", "page": 1, "start": 0, "end": 9, "rank": 1, "context_rank": 1}
    ]
    assert (first["index_commit"], first["model"], first["failure"]) == (3, "m", None)
    broken = found[3]
    assert broken["failure"] == (
        "search: IndexCorrupt: segment 3 is damaged: restore it; "
        "ask: IndexCorrupt: segment 3 is damaged: restore it"
    )
    assert (broken["response"], broken["abstained"], broken["contexts"]) == (None, None, [])
    assert found[4]["gold"] == []  # nothing answers it
    assert found[2]["user_input"] == QUESTIONS[2].user_input


IDS = Question("1", "x", reference_context_ids=("d:0-18", "e:0-3"))
TEXTS = Question("1", "x", reference_contexts=(" Leave is \n ten days.", "else"))


@pytest.mark.parametrize(
    ("question", "gold"),
    [
        (IDS, [("chunk_id", "d:0-18", 1), ("chunk_id", "e:0-3", None)]),
        (TEXTS, [("text", "Leave is ten days.", 1), ("text", "else", None)]),
        (_at(Place("leave.md"), Place("b.md", 2)), [("source", "b.md", None)]),
        (_at(Place("leave.md")), [("source", "leave.md", 1)]),
        (_at(Place("leave.md", 1, Span(18, 30))), [("source", "leave.md", None)]),
        (replace(_at(Place("leave.md")), answerable=False), []),
        (Question("1", "x"), []),
    ],
)
def test_a_gold_place_has_its_rank(
    tmp_path: Path, question: Question, gold: list[tuple[str, str, int | None]]
) -> None:
    evaluate(Scripted(), [question], metrics=["RR@10"], out=tmp_path)
    (line,) = lines(tmp_path)
    found = [(name, place[name], place["rank"]) for place, (name, *_) in zip(line["gold"], gold, strict=True)]
    assert found == gold


def test_the_summary_says_what_was_run_and_vouches_for_the_results(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"user_input": "how long", "reference": "ten days", "split": "dev"}\n')
    evaluate(Scripted(), path, metrics=METRICS, out=tmp_path / "out", k=7, split="dev")
    found = summary(tmp_path / "out")
    assert found["files"] == {"results.jsonl": file_digest(tmp_path / "out" / "results.jsonl")}
    asked = found["setup"]["questions"]
    assert (asked["file"], asked["sha256"], asked["count"]) == ("questions.jsonl", file_digest(path), 1)
    assert (asked["split"], found["setup"]["k"], found["setup"]["depth"]) == ("dev", 7, 10)
    assert found["setup"]["judge"] is None
    assert found["setup"]["metrics"].keys() == {"RR@10", "exact_match", "citation_validity"}
    assert found["metrics"]["RR@10"]["mean"] is None  # no gold place: null, never NaN
    assert found["statistics"].keys() == {"expected_calibration_error"}
    assert str(tmp_path) not in json.dumps(found)


def test_means_by_document_have_an_interval_only_where_there_are_questions_for_one(tmp_path: Path) -> None:
    few = [Question("b", "how long b", "ten days", documents=(Place("b.md"),))]
    found = evaluate(Scripted(fails=False), [*questions(20), *few], metrics=["exact_match"], out=tmp_path)
    assert found.by_document["leave.md"]["exact_match"].n == 17
    assert not math.isnan(found.by_document["leave.md"]["exact_match"].low)
    assert summary(tmp_path)["by_document"]["b.md"] == {"exact_match": {"mean": 1.0, "n": 1, "missed": 0}}


def test_a_summary_is_gone_while_the_files_are_of_two_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(Scripted(), QUESTIONS, metrics=METRICS, out=tmp_path)

    def refuse(path: Path, text: str) -> None:
        if path.name == "results.jsonl":
            raise OSError("no space left on device")
        path.write_text(text)

    monkeypatch.setattr("rag.eval.reports.results._write", refuse)
    with pytest.raises(OSError, match="no space"):
        evaluate(Scripted("commit 2"), QUESTIONS, metrics=METRICS, out=tmp_path)
    assert not (tmp_path / "summary.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"metrics": 3}', '{"other": {}}', "\ud800"])
def test_a_summary_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "summary.json").write_text(content, errors="surrogatepass")
    kb = Scripted()
    with pytest.raises(InputError, match="no evaluation's"):
        evaluate(kb, QUESTIONS, metrics=METRICS, out=tmp_path)
    assert kb.asked == []


def test_results_of_another_evaluation_are_replaced_and_that_is_said(tmp_path: Path) -> None:
    assert evaluate(Scripted(), QUESTIONS, metrics=METRICS, out=tmp_path).remarks == ()
    again = evaluate(Scripted(fails=False), QUESTIONS, metrics=METRICS, out=tmp_path)
    assert not any("another evaluation" in remark for remark in again.remarks)
    other = evaluate(Scripted(), QUESTIONS[:3], metrics=METRICS, out=tmp_path)
    assert "had the results of another evaluation (questions): they are replaced" in other.remarks[0]
    assert len(lines(tmp_path)) == 3


def test_an_evaluation_prints_as_a_table_and_its_worst_rows_are_at_hand() -> None:
    found = evaluate(Scripted(), QUESTIONS, metrics=METRICS)
    assert repr(found).splitlines()[0].split() == ["metric", "mean", "95", "%", "interval", "n", "missed"]
    assert "12 questions; 2 failed" in repr(found)
    assert found.table() in repr(found)
    worst = found.worst("RR@10", 3)
    assert [row.scores["RR@10"] for row in worst] == [0.0, 0.0, 1.0]
    assert [row.question.id for row in worst] == ["q3", "q9", "q0"]
    assert [row.question.id for row in found.where(lambda row: bool(row.failure))] == ["q3", "q9"]
    with pytest.raises(MetricNotFound, match="did you mean exact_match"):
        found.worst("exact")


def test_a_biased_number_has_no_interval_anywhere(tmp_path: Path) -> None:
    found = evaluate(
        Scripted(), QUESTIONS, metrics=["expected_calibration_error", "brier_score"], out=tmp_path
    )
    error, brier = found.statistics.values()
    assert (error.n, error.reliable) == (brier.n, False)
    assert error.mean > 0
    assert math.isnan(error.low)
    assert math.isnan(error.high)
    assert brier.low < brier.mean < brier.high
    told = summary(tmp_path)["statistics"]["expected_calibration_error"]  # type: ignore[index]
    assert (told["low"], told["high"], told["detectable"]) == (None, None, None)
    assert not re.search(r"\bnan\b", (tmp_path / "report.html").read_text())
    (line,) = [
        line
        for line in (tmp_path / "report.md").read_text().splitlines()
        if line.startswith("| ") and "calibration" in line and " exact" in line
    ]
    assert "nan" not in line
    assert "–" in line
    assert " - " in found.table()


def test_a_foreign_folder_is_refused_by_an_optimising_interpreter_too(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"metrics": 1}')
    code = (
        "import sys; from pathlib import Path; from rag.errors import InputError\n"
        "from rag.eval.baseline import read_baseline; from rag.eval.reports.results import read_setup\n"
        "for read in (read_baseline, read_setup):\n"
        "    try: read(Path(sys.argv[1]))\n"
        "    except InputError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("refused\nrefused\n", "")
