import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rag.errors import DocumentNotFound, IndexCorrupt, InputError
from rag.eval.catalogue import METRICS, default_metrics, metric_named
from rag.eval.experiment import evaluate
from rag.eval.questions import Place, Question
from rag.types import Answer, Chunk, Citation, Document, Hit, Sentence, Span

TEXT = "Leave is ten days. It ends in March."


class Shelf:
    """A system over one document, which errs and abstains where a question says so."""

    def __init__(self) -> None:
        self.searched: list[tuple[str, int]] = []
        self.asked: list[str] = []

    def search(self, question: str, *, k: int = 10) -> list[Hit]:
        self.searched.append((question, k))
        if "break" in question:
            raise IndexCorrupt("segment 3 is damaged: restore it")
        chunk = Chunk("d", Span(0, 18), TEXT[:18], page=1)
        return [Hit(1, float(np.float32(0.1)), chunk, "/x/leave.md", "Leave")]

    def ask(self, question: str) -> Answer:
        self.asked.append(question)
        if "break" in question:
            raise IndexCorrupt("segment 3 is damaged: restore it")
        if "abstain" in question:
            return Answer(question, "The documents do not say.", (), (), (), True, 0.0, "m")
        citation = Citation(1, "d", "/x/leave.md", "Leave", 1, "", 0, 18, TEXT[:18])
        sentence = Sentence("Ten days.", (1,), True, 1.0)
        hit = self.search("context")[0]
        return Answer(question, "Ten days. [1]", (sentence,), (citation,), (hit,), False, 0.9, "m")

    def document(self, document_id: str) -> Document:
        if document_id != "d":
            raise DocumentNotFound(document_id)
        return Document("d", "/x/leave.md", "Leave", TEXT)


GOLD = (Place("leave.md", 1, Span(0, 9)),)
QUESTIONS = (
    Question("q1", "how long", "ten days", documents=GOLD, answerable=True, kind="fact"),
    Question("q2", "abstain wrongly", "ten days", documents=GOLD, answerable=True, kind="fact"),
    Question("q3", "abstain rightly", answerable=False, kind="none"),
    Question("q4", "answer wrongly", answerable=False, kind="none"),
    Question("q5", "break", "ten days", documents=GOLD, answerable=True),
    Question("q6", "abstain, nobody knows"),
)


def means(summary: object) -> dict[str, float]:
    return {name: round(estimate.mean, 4) for name, estimate in summary.items()}  # type: ignore[attr-defined]


def test_every_metric_by_hand() -> None:
    result = evaluate(Shelf(), QUESTIONS)
    unjudged = [name for name in default_metrics() if "judge" not in metric_named(name).needs]
    assert list(result.summary) == unjudged
    assert means(result.summary) == {
        # q1 and q2 find the place, q5 fails
        "Success@1": 0.6667,
        "Success@10": 0.6667,
        "Recall@10": 0.6667,
        "RR@10": 0.6667,
        "nDCG@10": 0.6667,
        "PageSuccess@10": 0.6667,
        # the gold characters are half of the one chunk
        "SpanRecall@10": 0.6667,
        "SpanPrecision@10": 0.3333,
        "SpanIoU@10": 0.3333,
        # q2 wrong, q3 right, q4 missed
        "refusal_precision": 0.5,
        "refusal_recall": 0.5,
        "refusal_f1": 0.5,
        # q1 right, q2 abstained, q5 failed
        "exact_match": 0.3333,
        "token_f1": 0.3333,
        "rouge_score": 0.3333,
        "citation_validity": 1.0,
        "citation_recall": 0.3333,
        "citation_precision": 0.5,
    }
    assert result.counts == {
        "questions": 6,
        "failed": 1,
        "answered": 2,
        "abstained": 3,
        "refused_unanswerable": 1,
        "refused_answerable": 1,
        "answered_unanswerable": 1,
        "wrong": 2,
    }
    assert set(result.by_kind) == {"fact", "none"}
    assert result.by_kind["fact"]["exact_match"].mean == 0.5
    assert result.by_kind["none"]["Recall@10"].n == 0
    assert math.isnan(result.by_kind["none"]["Recall@10"].mean)


def test_a_failure_is_a_row_with_its_reason() -> None:
    row = evaluate(Shelf(), QUESTIONS).rows[4]
    reason = "IndexCorrupt: segment 3 is damaged: restore it"
    assert row.failure == f"search: {reason}; ask: {reason}"
    assert (row.answer, row.hits) == (None, ())
    assert row.scores["Recall@10"] == row.scores["token_f1"] == row.scores["citation_recall"] == 0.0
    assert "citation_validity" not in row.scores


@pytest.mark.parametrize(
    "error", [ValueError("a bad day"), AttributeError("a bad day"), OSError("a bad day")]
)
def test_any_exception_of_a_system_is_that_questions_failure(error: Exception) -> None:
    class Broken(Shelf):
        def ask(self, question: str) -> Answer:
            if "long" in question:
                raise error
            return super().ask(question)

    found = evaluate(Broken(), QUESTIONS, metrics=["token_f1"])
    assert found.rows[0].failure == f"ask: {type(error).__name__}: a bad day"
    assert [bool(row.failure) for row in found.rows] == [True, False, False, False, True, False]
    assert found.problems == ()
    (problem,) = evaluate(Broken(), QUESTIONS[:1], metrics=["token_f1"]).problems
    assert "every question failed: ask: " in problem


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
def test_an_interruption_passes(error: type[BaseException]) -> None:
    class Broken(Shelf):
        def ask(self, question: str) -> Answer:
            raise error

    with pytest.raises(error):
        evaluate(Broken(), QUESTIONS, metrics=["token_f1"])


def test_only_what_a_metric_needs_is_run() -> None:
    kb = Shelf()
    result = evaluate(kb, QUESTIONS[:1], metrics=["Recall@30", "RR@5", "Recall@30"])
    assert (kb.searched, kb.asked) == ([("how long", 30)], [])
    assert tuple(result.summary) == ("Recall@30", "RR@5")
    assert result.counts["answered"] == 0

    kb = Shelf()
    evaluate(kb, QUESTIONS[1:2], metrics=["exact_match"])
    assert (kb.searched, kb.asked) == ([], ["abstain wrongly"])


def test_a_system_that_shows_no_documents_has_no_citation_validity() -> None:
    class Closed:
        def search(self, question: str, *, k: int = 10) -> Sequence[Hit]:
            return ()

        def ask(self, question: str) -> Answer:
            return Shelf().ask(question)

    assert evaluate(Closed(), QUESTIONS[:1]).summary["citation_validity"].n == 0


def test_refusal_f1_is_that_of_the_counts() -> None:
    draw = np.random.default_rng(1)
    questions = [
        Question(str(n), draw.choice(["abstain", "answer"]), answerable=bool(draw.random() < 0.6))
        for n in range(200)
    ]
    result = evaluate(Shelf(), questions, metrics=["refusal_f1", "refusal_precision", "refusal_recall"])
    precision, recall = (result.summary[f"refusal_{name}"].mean for name in ("precision", "recall"))
    estimate = result.summary["refusal_f1"]
    assert estimate.mean == pytest.approx(2 * precision * recall / (precision + recall))
    assert estimate.low < estimate.mean < estimate.high


def test_files_hold_the_results_and_are_equal_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"user_input": "how long \\ud800 é", "reference": "ten days"}\n', encoding="utf-8")
    for name in ("one", "two"):
        evaluate(Shelf(), path, out=tmp_path / "deep" / name)
    one, two = (tmp_path / "deep" / name for name in ("one", "two"))
    assert {file.name for file in one.iterdir()} >= {"results.jsonl", "summary.json", "timings.jsonl"}
    for name in ("results.jsonl", "summary.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    (row,) = [json.loads(line) for line in (one / "results.jsonl").read_text("utf-8").splitlines()]
    assert row["user_input"] == "how long \ud800 é"
    assert row["response"] == "Ten days. [1]"
    assert row["scores"]["exact_match"] == 1.0
    assert row["hits"][0]["chunk_id"] == "d:0-18"
    assert row["citations"][0]["quote"] == TEXT[:18]
    summary = json.loads((one / "summary.json").read_text("utf-8"), parse_constant=pytest.fail)
    matched, recall = summary["metrics"]["exact_match"], summary["metrics"]["Recall@10"]
    assert (matched["mean"], matched["n"], matched["missed"]) == (1.0, 1, 0)
    assert matched["low"] <= 1.0 <= matched["high"]
    assert (recall["mean"], recall["low"], recall["high"], recall["n"]) == (None, None, None, 0)
    (timing,) = [json.loads(line) for line in (one / "timings.jsonl").read_text("utf-8").splitlines()]
    assert timing["id"] == "line-1"
    assert timing["search"] >= 0


def test_progress_counts_every_question() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(Shelf(), QUESTIONS, metrics=["RR@1"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 6) for n in range(1, 7)]


@pytest.mark.parametrize("name", ["accuracy", "map@5", "AP", "Recall", ""])
def test_an_unknown_metric_is_refused_before_anything_runs(name: str) -> None:
    kb = Shelf()
    with pytest.raises(InputError, match=r"metric|measure"):
        evaluate(kb, QUESTIONS, metrics=["RR@1", name])
    assert kb.searched == []


def test_what_cannot_be_evaluated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no questions"):
        evaluate(Shelf(), [])
    with pytest.raises(InputError, match="k is 0"):
        evaluate(Shelf(), QUESTIONS, k=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        evaluate(Shelf(), QUESTIONS, out=tmp_path / "file")


def test_all_answer_metrics_are_measured_one_at_a_time_too() -> None:
    unjudged = [name for name, metric in METRICS.items() if "judge" not in metric.needs]
    whole = evaluate(Shelf(), QUESTIONS, metrics=unjudged).summary
    for name in unjudged:
        assert evaluate(Shelf(), QUESTIONS, metrics=[name]).summary == {name: whole[name]}


def test_the_documented_system_runs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    (block,) = [each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class Shelf" in each]
    subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=tmp_path, check=True)
