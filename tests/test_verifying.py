"""Whatever is changed in a saved answer is found."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tampering import field_of, paths, tampered

from rag.api.saved import read_answer
from rag.api.schema import answer_json
from rag.errors import CannotReplay, InputError
from rag.generation.proof import differences
from rag.generation.seal import sealed
from rag.pipeline import Engine
from rag.types import Answer, Message, Principal

LEAVE = "# Leave\n\nEvery parent has 26 weeks of leave. A trainee has 12 days of leave in a year.\n"
BOATS = "# Boats\n\nThe ferry Dunlin carries 120 passengers. She was built in 1997 at Leith.\n"


@pytest.fixture
def engine(open_engine: Callable[..., Engine], tmp_path: Path) -> Engine:
    engine = open_engine()
    for name, text in (("leave.md", LEAVE), ("boats.md", BOATS)):
        (tmp_path / name).write_text(text)
        engine.add(tmp_path / name)
    return engine


def proven(engine: Engine, text: str) -> bool:
    try:
        answer, altered = read_answer(text, "answer")
    except InputError:
        return False
    return not altered and all(verdict.proven for verdict in engine.verify(answer))


def saved(answer: Answer) -> str:
    return json.dumps(answer_json(answer))


@pytest.fixture
def answer(engine: Engine) -> Answer:
    answer = engine.ask("How many weeks of leave has a parent?")
    assert not answer.abstained
    return answer


def test_an_answer_is_proven_in_this_process_and_after_others_came_in(
    engine: Engine, answer: Answer, tmp_path: Path
):
    assert proven(engine, saved(answer))
    (tmp_path / "more.md").write_text("# More\n\nTides are high in March.\n")
    engine.add(tmp_path / "more.md")
    assert proven(engine, saved(answer))


def test_an_abstention_is_proven(engine: Engine):
    assert proven(engine, saved(engine.ask("Who won the chess tournament of 1911?")))


def test_every_field_that_is_changed_is_found(engine: Engine, answer: Answer):
    chance, right, seen = random.Random(3), json.loads(saved(answer)), set()
    for path in paths(right):
        deed, wrong = tampered(right, path, chance)
        assert not proven(engine, json.dumps(wrong)), (path, deed)
        seen.add(field_of(path))
    assert {"question", "answer", "confidence", "seal", "citations.*.quote", "contexts.*.scores.bm25"} <= seen


def test_a_document_that_changed_proves_nothing_any_more(engine: Engine, answer: Answer, tmp_path: Path):
    (tmp_path / "leave.md").write_text(LEAVE.replace("26", "30"))
    engine.add(tmp_path / "leave.md")
    verdicts = engine.verify(answer)
    assert "its document, or this version of it, is not in the index" in [each.reason for each in verdicts]


def test_another_index_of_the_same_documents_seals_otherwise(
    answer: Answer, tmp_path: Path, engine: Engine, encoder: object
):
    with Engine(tmp_path / "other", encoder=encoder) as other:
        other.add([tmp_path / "leave.md", tmp_path / "boats.md"])
        reasons = [verdict.reason for verdict in other.verify(answer) if not verdict.proven]
    assert reasons == ["something of the answer was changed, or another index made it"]


def test_a_copy_proves_what_the_index_answered(
    engine: Engine, answer: Answer, tmp_path: Path, encoder: object
):
    engine.backup(tmp_path / "copy")
    with Engine(tmp_path / "copy", encoder=encoder) as copy:
        assert all(verdict.proven for verdict in copy.verify(answer))


def test_who_may_not_read_proves_nothing(engine: Engine, answer: Answer, tmp_path: Path):
    engine.add(tmp_path / "leave.md", readers=["ann"])
    verdicts = engine.verify(answer, principal=Principal("ben"))
    assert any("not in the index" in verdict.reason for verdict in verdicts)
    assert all(verdict.proven for verdict in engine.verify(answer, principal=Principal("ann")))


def test_an_index_without_a_secret_seals_nothing_and_says_so(engine: Engine, answer: Answer):
    unsealed = sealed(answer, b"")
    assert [v.reason for v in engine.verify(unsealed) if not v.proven] == [
        "it has no seal; an index made by this version seals its answers"
    ]


def test_an_answer_that_is_asked_for_again_is_the_same(engine: Engine, answer: Answer):
    ids = [document.id for document in engine.documents()]
    made = [
        answer,
        engine.ask("Which ferry carries passengers?", k=1, where={"source": {"$ne": "x"}}, steps=2),
        engine.chat([Message("user", "How many weeks has a parent?"), Message("user", "And a trainee?")]),
        engine.summarise(ids[0], sentences=2),
        engine.summarise(where={"title": "Leave"}),
        engine.compare(ids[0], ids[1], lines=3),
    ]
    for each in made:
        again = engine.replay(each)
        assert differences(each, again) == []
        assert again.seal != each.seal  # it took another time


def test_an_answer_is_not_asked_for_again_where_it_could_differ(
    engine: Engine, answer: Answer, tmp_path: Path
):
    with pytest.raises(CannotReplay, match="not made by ask"):
        engine.replay(replace(answer, request=None))
    (tmp_path / "more.md").write_text("# More\n\nTides are high in March.\n")
    engine.add(tmp_path / "more.md")
    with pytest.raises(CannotReplay, match="commit 2 and the index is at 3"):
        engine.replay(answer)
