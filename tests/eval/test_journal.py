"""A run that is interrupted goes on, one that is run again does nothing twice, and nothing stale is used."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from scripted_judge import ScriptedJudge
from scripted_system import Scripted, files, questions

from rag.errors import IndexCorrupt, InputError
from rag.eval.experiment import evaluate as evaluate_any
from rag.eval.failures.trace import Trace, TracedPlace, places_of
from rag.eval.journal import JOURNAL
from rag.eval.questions import Question
from rag.eval.report import Row
from rag.eval.reports.results import SUMMARY
from rag.types import Answer

QUESTIONS = questions()
METRICS = ("RR@10", "exact_match", "token_f1", "citation_validity", "citation_recall", "refusal_f1")
evaluate = partial(evaluate_any, metrics=METRICS)
BROKEN = sum("break" in question.user_input for question in QUESTIONS)


def test_a_row_survives_a_trip_through_json() -> None:
    adapter = TypeAdapter(Row)
    for row in evaluate(Scripted(), [each for each in QUESTIONS if "\ud800" not in each.user_input]).rows:
        assert adapter.validate_json(adapter.dump_json(row)) == row


def test_a_second_run_does_nothing_and_leaves_the_same_bytes(tmp_path: Path) -> None:
    first = evaluate(Scripted(fails=False), QUESTIONS, out=tmp_path)
    left, size = files(tmp_path), (tmp_path / JOURNAL).stat().st_size
    kb = Scripted(fails=False)
    second = evaluate(kb, QUESTIONS, out=tmp_path)
    assert (kb.searched, kb.asked) == ([], [])
    assert second.rows == first.rows
    assert files(tmp_path) == left
    assert (tmp_path / JOURNAL).stat().st_size == size
    assert second.reused == len(QUESTIONS)
    assert first.reused == 0


def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    assert evaluate(Scripted(), QUESTIONS, out=tmp_path).counts["failed"] == BROKEN
    left = files(tmp_path)
    kb = Scripted()
    evaluate(kb, QUESTIONS, out=tmp_path)
    assert len(kb.asked) == BROKEN
    assert files(tmp_path) == left
    mended = evaluate(Scripted(fails=False), QUESTIONS, out=tmp_path)
    assert mended.counts["failed"] == 0
    evaluate(Scripted(fails=False), QUESTIONS, out=tmp_path / "new")
    assert files(tmp_path / "new") == files(tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 5, 11])
@pytest.mark.parametrize("torn", [0, 1, 200])
def test_a_journal_cut_off_anywhere_goes_on(tmp_path: Path, kept: int, torn: int) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    evaluate(Scripted(fails=False), QUESTIONS, out=whole)
    lines = (whole / JOURNAL).read_bytes().splitlines(keepends=True)
    cut.mkdir()
    (cut / JOURNAL).write_bytes(b"".join(lines[:kept]) + lines[kept][:torn])
    kb = Scripted(fails=False)
    found = evaluate(kb, QUESTIONS, out=cut)
    assert len(kb.asked) == len(QUESTIONS) - kept
    assert found.reused == kept
    assert files(cut) == files(whole)
    # what was torn is no part of a line now
    assert [json.loads(line)["keys"] for line in (cut / JOURNAL).read_bytes().splitlines()]


def test_lines_that_are_no_entries_are_passed_over(tmp_path: Path) -> None:
    evaluate(Scripted(fails=False), QUESTIONS, out=tmp_path)
    left = files(tmp_path)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"hits":[{', b'"hits":[7,{')
    lines[3] = b'{"keys": 3}\n'
    lines[4] = b"\xff\n"
    lines[5] = b"[" * 100_000 + b"\n"
    (tmp_path / JOURNAL).write_bytes(b"".join(lines))
    kb = Scripted(fails=False)
    evaluate(kb, QUESTIONS, out=tmp_path)
    assert len(kb.asked) == 4
    assert files(tmp_path) == left


@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_results_do_not_depend_on_concurrency(tmp_path: Path, concurrency: int) -> None:
    evaluate(Scripted(), QUESTIONS, out=tmp_path / "one")
    found = evaluate(Scripted(), QUESTIONS, out=tmp_path / "many", concurrency=concurrency)
    assert [row.question.id for row in found.rows] == [question.id for question in QUESTIONS]
    assert files(tmp_path / "one") == files(tmp_path / "many")


def test_another_state_is_another_run(tmp_path: Path) -> None:
    evaluate(Scripted("commit 1"), QUESTIONS, out=tmp_path)
    kb = Scripted("commit 2")
    assert evaluate(kb, QUESTIONS, out=tmp_path).reused == 0
    assert len(kb.asked) == len(QUESTIONS)
    back = Scripted("commit 1", fails=False)
    evaluate(back, QUESTIONS, out=tmp_path)
    assert len(back.asked) == BROKEN


def test_a_changed_reference_is_measured_anew_and_not_asked_anew(tmp_path: Path) -> None:
    evaluate(Scripted(), QUESTIONS[:1], out=tmp_path)
    kb = Scripted()
    other = Question("q0", QUESTIONS[0].user_input, "twelve days", answerable=True)
    found = evaluate(kb, [other], out=tmp_path)
    assert (kb.asked, found.rows[0].scores["exact_match"]) == ([], 0.0)


def test_a_new_metric_alone_is_worked_out(tmp_path: Path) -> None:
    few = evaluate(Scripted(fails=False), QUESTIONS, metrics=["exact_match", "RR@10"], out=tmp_path)
    kb = Scripted(fails=False)
    more = evaluate(kb, QUESTIONS, metrics=["exact_match", "RR@10", "token_f1"], out=tmp_path)
    assert (kb.asked, kb.searched) == ([], [])
    assert more.summary["exact_match"] == few.summary["exact_match"]
    deeper = Scripted(fails=False)
    evaluate(deeper, QUESTIONS, metrics=["exact_match", "RR@30"], out=tmp_path)
    assert (len(deeper.searched), len(deeper.asked)) == (len(QUESTIONS), 0)


def test_without_a_state_nothing_is_resumed_unless_one_is_named(tmp_path: Path) -> None:
    class Stateless(Scripted):
        state = None  # type: ignore[assignment]

    found = evaluate(Stateless(), QUESTIONS, out=tmp_path)
    assert any("does not tell its state" in remark for remark in found.remarks)
    kb = Stateless()
    evaluate(kb, QUESTIONS, out=tmp_path)
    assert len(kb.asked) == len(QUESTIONS)
    evaluate(Stateless(fails=False), QUESTIONS, out=tmp_path, state="mine")
    known = Stateless(fails=False)
    assert evaluate(known, QUESTIONS, out=tmp_path, state="mine").reused == len(QUESTIONS)
    assert known.asked == []


def test_no_resume_begins_anew(tmp_path: Path) -> None:
    evaluate(Scripted(), QUESTIONS, out=tmp_path)
    kb = Scripted()
    evaluate(kb, QUESTIONS[:3], out=tmp_path, resume=False)
    assert len(kb.asked) == 3
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == 3


def test_what_is_found_while_the_system_changes_is_not_kept(tmp_path: Path) -> None:
    class Moving(Scripted):
        def ask(self, question: str) -> Answer:
            if len(self.asked) == 4:
                self.at = "commit 2"
            return super().ask(question)

    found = evaluate(Moving(fails=False), QUESTIONS, out=tmp_path)
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == 4
    assert any("changed while it was evaluated" in note for note in found.notes)


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_what_is_done_before_the_run_ends_is_kept(
    tmp_path: Path, concurrency: int, error: type[BaseException]
) -> None:
    class Ends(Scripted):
        def ask(self, question: str) -> Answer:
            if question.endswith(" 7"):
                raise error
            return super().ask(question)

    with pytest.raises(error):
        evaluate(Ends(fails=False), QUESTIONS, out=tmp_path, concurrency=concurrency)
    assert not (tmp_path / SUMMARY).exists()
    kept = len((tmp_path / JOURNAL).read_bytes().splitlines())
    assert kept >= (7 if concurrency == 1 else 1)
    kb = Scripted(fails=False)
    assert evaluate(kb, QUESTIONS, out=tmp_path).reused == kept
    assert len(kb.asked) == len(QUESTIONS) - kept


def test_one_run_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    def run_another(done: int, total: int) -> None:
        evaluate(Scripted(), QUESTIONS, out=tmp_path)

    with pytest.raises(InputError, match="another evaluation is writing"):
        evaluate(Scripted(), QUESTIONS, out=tmp_path, progress=run_another)
    evaluate(Scripted(), QUESTIONS, out=tmp_path)


PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from scripted_judge import ScriptedJudge
from scripted_system import Scripted, questions
from rag.eval.experiment import evaluate

class Slow(Scripted):
    def ask(self, question):
        time.sleep(0.1)
        return super().ask(question)

evaluate(Slow(fails=False), questions(48), out=Path({out!r}), concurrency={concurrency},
         progress=lambda done, total: print(done, flush=True))
"""


@pytest.mark.parametrize(
    ("signalled", "concurrency", "after"), [("KILL", 1, 1), ("KILL", 4, 15), ("INT", 3, 6)]
)
def test_a_killed_process_goes_on(tmp_path: Path, signalled: str, concurrency: int, after: int) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    evaluate(Scripted(fails=False), questions(48), out=whole)
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]), out=str(cut), concurrency=concurrency)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= after:
                process.send_signal(getattr(signal, f"SIG{signalled}"))
                break
        process.communicate(timeout=20)
    assert process.returncode != 0
    assert not (cut / SUMMARY).exists()
    kb = Scripted(fails=False)
    found = evaluate(kb, questions(48), out=cut)
    assert after <= found.reused == 48 - len(kb.asked) < 48
    assert files(cut) == files(whole)


class Looks(Scripted):
    """A system that says where the gold is, or fails to."""

    def __init__(self, *, down: bool) -> None:
        super().__init__(fails=False)
        self.down = down

    def trace(self, question: Question) -> Trace:
        if self.down:
            raise IndexCorrupt("torn")
        places = [TracedPlace(gold, problem="not there") for gold in places_of(question)]
        return Trace(tuple(places), ("bm25",))


@pytest.mark.parametrize("failing", ["judge", "trace"])
def test_a_diagnosis_without_its_judge_or_trace_is_made_again(tmp_path: Path, failing: str) -> None:
    asked = [
        Question(f"a{at}", f"q {at}", "Nobody says so.", reference_contexts=("Nobody says so.",))
        for at in range(3)
    ]
    well = ScriptedJudge()
    judge = ScriptedJudge(broken=frozenset({"supported"})) if failing == "judge" else well
    broken = evaluate(Looks(down=failing == "trace"), asked, judge=judge, out=tmp_path)
    mended = evaluate(Looks(down=False), asked, judge=well, out=tmp_path)
    unbroken = evaluate(Looks(down=False), asked, judge=well)
    assert untimed(mended.rows) == untimed(unbroken.rows) != untimed(broken.rows)
    assert all(row.right is False and row.diagnosis is not None for row in mended.rows)
    again = evaluate(Looks(down=False), asked, judge=well, out=tmp_path)
    assert untimed(again.rows) == untimed(unbroken.rows)
    assert again.reused == len(asked)


def untimed(rows: tuple[Row, ...]) -> list[Row]:
    return [replace(row, timings_ms={}) for row in rows]
