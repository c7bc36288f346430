"""Searching in steps, against a corpus in which the second passage shares no word with the question."""

import numpy as np
import pytest
from scripted import ScriptedModel

from rag.errors import InputError
from rag.index.analyzer import english
from rag.retrieval.iterative import bridge, bridge_by, iterative, names_in
from rag.types import Chunk, Hit, Span

TEXTS = {
    "novel": "Salt Harbour is a novel that was published by Marrow Press in 2009.",
    "press": "Marrow Press is a small house with an office in Tarnwick.",
    "other": "The novel won no prize, and its publisher is not known.",
    "boats": "A ferry carries cars.",
}
QUESTION = "In which town is the publisher of the novel Salt Harbour based?"


def by_words(query: str, *, k: int = 10, where: object = None) -> list[Hit]:
    """The share of the query's terms that a text holds; ties by id."""
    asked = set(english(query))
    scored = [(len(asked & set(english(text))) / len(asked), name) for name, text in TEXTS.items()]
    best = sorted((-score, name) for score, name in scored if score and name != where)[:k]
    return [
        Hit(rank, -score, Chunk(name, Span(0, len(TEXTS[name])), TEXTS[name]), name, name)
        for rank, (score, name) in enumerate(best, start=1)
    ]


def names(hits: list[Hit]) -> list[str]:
    return [hit.chunk.document_id for hit in hits]


def test_one_step_is_the_retriever_itself() -> None:
    assert iterative(by_words, bridge(english), steps=1)(QUESTION) == by_words(QUESTION)


def test_the_second_step_follows_the_names_that_the_first_one_found() -> None:
    queries: list[str] = []
    assert "press" not in names(by_words(QUESTION))
    found = iterative(by_words, bridge(english), steps=2, asked=queries.append)(QUESTION)
    assert "press" in names(found)[:3]
    (query,) = queries
    assert "Marrow Press" in query
    assert "town" in query, "what is still open is asked for"
    assert "Salt" not in query, "what was found is not"
    assert [hit.rank for hit in found] == list(range(1, len(found) + 1))
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert all(np.isfinite(scores))


def test_nothing_outside_the_filter_is_found_in_any_step() -> None:
    assert "press" not in names(iterative(by_words, bridge(english), steps=3)(QUESTION, where="press"))


def test_it_ends_where_there_is_nothing_to_follow() -> None:
    asked: list[str] = []

    def counted(query: str, *, k: int = 10, where: object = None) -> list[Hit]:
        asked.append(query)
        return by_words(query, k=k, where=where)

    iterative(counted, lambda question, hit: "", steps=5)(QUESTION)
    assert asked == [QUESTION]
    iterative(counted, lambda question, hit: question, steps=5)(QUESTION)
    assert asked == [QUESTION] * 2
    iterative(counted, lambda question, hit: hit.chunk.text, steps=5)("zebra")
    assert asked == [QUESTION, QUESTION, "zebra"]


@pytest.mark.parametrize("steps", [0, -1, 6, 1.5])
def test_steps_are_bounded(steps: int) -> None:
    with pytest.raises(InputError, match="1 to 5"):
        iterative(by_words, bridge(english), steps=steps)


def test_a_language_model_says_what_is_missing_and_rules_step_in() -> None:
    (hit, *_) = by_words("Salt Harbour")
    rules = bridge(english)
    model = ScriptedModel("Marrow Press town")
    assert bridge_by(model, rules, partition="acme")(QUESTION, hit) == "Marrow Press town"
    assert TEXTS["novel"] in model.prompts[0].context
    assert model.partitions == ["acme"]
    assert bridge_by(ScriptedModel("NONE"), rules)(QUESTION, hit) == ""
    assert bridge_by(ScriptedModel(""), rules)(QUESTION, hit) == rules(QUESTION, hit)
    assert bridge_by(ScriptedModel("x" * 1000), rules)(QUESTION, hit) == rules(QUESTION, hit)


def test_names() -> None:
    text = "The Bank of Tarnwick lent Ada Marwick 300 crowns. She paid in 1988."
    assert names_in(text) == ["The Bank of Tarnwick", "Ada Marwick 300", "1988"]
