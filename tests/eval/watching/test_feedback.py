from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rag.eval.watching.feedback import rate_documents
from rag.eval.watching.records import Cited, LoggedAnswer, Rating

START = datetime(2026, 1, 1, tzinfo=UTC)


def answer(identity: str, *documents: str) -> LoggedAnswer:
    cited = tuple(Cited(each, 0, 5) for each in documents)
    return LoggedAnswer(
        identity, START, f"question {identity}", "h", 2, "", "", "ask", 1, "m", not cited, 0.5, cited, (), {}
    )


def rating(identity: str, value: int, who: str = "ann", after: int = 0) -> Rating:
    return Rating(identity, START + timedelta(minutes=after), value, "", who)


def test_ratings_are_joined_by_what_answers_cite() -> None:
    answers = [answer("1", "a", "b", "a"), answer("2", "a"), answer("3")]
    ratings = [rating("1", -1), rating("2", 1), rating("2", 1, "bob"), rating("9", -1)]
    found = {each.document_id: each for each in rate_documents(answers, ratings)}
    assert (found["a"].answers, found["a"].up, found["a"].down) == (2, 2, 1)
    assert (found["b"].answers, found["b"].up, found["b"].down) == (1, 0, 1)
    assert found["a"].questions == found["b"].questions == ("question 1",)
    assert (found[""].answers, found[""].rate, found[""].low) == (1, None, None)


def test_the_last_rating_of_a_person_counts() -> None:
    found = rate_documents([answer("1", "a")], [rating("1", -1), rating("1", 1, after=5)])
    assert [(each.up, each.down, each.questions) for each in found] == [(1, 0, ())]
    nobody = rate_documents([answer("1", "a")], [rating("1", -1, ""), rating("1", 1, "", 5)])
    assert [(each.up, each.down) for each in nobody] == [(1, 1)]


def test_the_surely_worst_comes_first_and_one_bad_rating_says_little() -> None:
    many = [answer(f"m{number}", "many") for number in range(20)]
    ratings = [rating(each.id, -1 if number < 15 else 1) for number, each in enumerate(many)]
    found = rate_documents([*many, answer("1", "once"), answer("2", "unrated")], [*ratings, rating("1", -1)])
    assert [each.document_id for each in found] == ["many", "once", "unrated"]
