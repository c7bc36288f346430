"""What people hand to an evaluation at first: either taken, or refused with how it is done."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripted_system import Scripted

from rag.errors import InputError, QuestionFileError, RagError
from rag.eval.experiment import evaluate
from rag.types import Answer


def _returning(*, hits: object = (), answer: object = None) -> Any:
    return SimpleNamespace(search=lambda question, k=10: hits, ask=lambda question: answer)


@pytest.mark.parametrize("judge", ["local", lambda claim, evidence: 1.0, 0.5, object()])
def test_what_is_no_judge_is_refused_with_how_to_make_one(judge: Any) -> None:
    with pytest.raises(InputError, match=r"rag\.endpoint_judge"):
        evaluate(Scripted(), ["how long"], metrics=["faithfulness"], judge=judge)


@pytest.mark.parametrize("kb", [".rag", lambda question: "x", SimpleNamespace(ask=None), None])
def test_what_is_no_system_is_refused(kb: Any) -> None:
    with pytest.raises(InputError, match=r"without ask: give rag\.open"):
        evaluate(kb, ["how long"], metrics=["token_f1"])


@pytest.mark.parametrize("answer", ["ten days", {"answer": "x"}, None, 3])
def test_an_answer_that_is_none_ends_the_run(answer: object) -> None:
    with pytest.raises(InputError, match=r"where rag\.Answer is wanted"):
        evaluate(_returning(answer=answer), ["how long"], metrics=["token_f1"])


@pytest.mark.parametrize("hits", ["ten days", ["ten days"], {"hits": []}, None, [None], 3])
def test_hits_that_are_none_end_the_run(hits: object) -> None:
    with pytest.raises(InputError, match=r"where rag\.Hit is wanted"):
        evaluate(_returning(hits=hits), ["how long"], metrics=["Recall@5"])


def test_only_the_methods_that_are_needed_have_to_be_there() -> None:
    asked = SimpleNamespace(ask=Scripted().ask)
    assert evaluate(asked, ["how long"], metrics="string_present").counts["answered"] == 1


def test_questions_may_be_texts_and_mappings() -> None:
    fields = {"user_input": "how many", "reference": "ten days", "retrieved_contexts": ["x"]}
    found = evaluate(Scripted(), ["how long", fields], metrics="exact_match")
    assert [row.question.id for row in found] == ["question-1", "question-2"]
    assert [row.question.reference for row in found] == [None, "ten days"]
    assert found["exact_match"].n == 1


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ([3], "question 1 is a int"),
        (["fine", {"question": "x"}], 'question 2: no question: write it as "user_input"'),
        ([{"user_input": "x", "reference": 3}], "question 1: the field 'reference' must be a string"),
        ({"user_input": "x"}, "the questions are a dict"),
        (SimpleNamespace(to_dict=dict), "to_dict"),
        (["", "x"], "question 1: no question"),
    ],
)
def test_other_questions_are_refused(questions: Any, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        evaluate(Scripted(), questions, metrics="exact_match")
    assert issubclass(QuestionFileError, RagError)


def test_a_metric_may_be_one_name_and_has_to_be_a_name() -> None:
    assert [*evaluate(Scripted(), ["how long"], metrics="Recall@5").summary] == ["Recall@5"]
    with pytest.raises(InputError, match=r"metrics=\['faithfulness'\]"):
        evaluate(Scripted(), ["how long"], metrics=[len])  # type: ignore[list-item]


def test_a_folder_of_other_things_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    sources = tmp_path / "handbook"
    sources.mkdir()
    (sources / ".hidden").write_text("")
    evaluate(Scripted(), ["how long"], metrics="token_f1", out=sources)  # nothing but what is hidden
    evaluate(Scripted(), ["how long"], metrics="token_f1", out=sources)  # an evaluation's
    kb = Scripted()
    (tmp_path / "welcome.md").write_text("Hello.")
    with pytest.raises(InputError, match=r"holds other things \(handbook, welcome\.md\)"):
        evaluate(kb, ["how long"], metrics="token_f1", out=tmp_path)
    assert kb.asked == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["handbook", "welcome.md"]


def test_an_evaluation_is_its_rows_and_its_estimates() -> None:
    found = evaluate(Scripted(), [f"how long {n}" for n in range(3)], metrics=["string_present", "Recall@5"])
    assert len(found) == 3
    assert [*found] == [*found.rows]
    assert found["Recall@5"] is found.summary["Recall@5"]
    assert "Recall@5" in found
    assert "Recall@9" not in found
    with pytest.raises(LookupError, match="did you mean Recall@5"):
        found["recall@5"]


def test_a_notebook_shows_escaped_text() -> None:
    class Hostile(Scripted):
        def ask(self, question: str) -> Answer:
            raise ValueError("<script>alert(1)</script>")

    found = evaluate(Hostile(), ["x"], metrics=["string_present", "citation_validity"])
    page = found._repr_html_()
    assert "<td>citation_validity</td>" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
