from hypothesis import given
from hypothesis import strategies as st

from rag.eval.clusters import document_clusters
from rag.eval.questions import Place, Question


def asks(*documents: str, ids: tuple[str, ...] = ()) -> Question:
    return Question("q", "?", documents=tuple(map(Place, documents)), reference_context_ids=ids)


def test_a_chain_of_shared_documents_is_one_cluster() -> None:
    questions = [asks("a"), asks("b"), asks("c"), asks(), asks("b", "c"), asks(), asks("d", "a")]
    assert document_clusters(questions) == [0, 1, 1, 2, 1, 3, 0]


def test_chunk_ids_tell_the_document_where_nothing_else_does() -> None:
    questions = [asks(ids=("abc:0-9",)), asks(ids=("abc:9-12",)), asks(ids=("d7",)), asks("x", ids=("d7",))]
    assert document_clusters(questions) == [0, 0, 1, 2]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=3), max_size=12))
def test_two_questions_are_together_exactly_where_a_chain_joins_them(documents: list[list[str]]) -> None:
    numbers = document_clusters([asks(*each) for each in documents])
    groups = [set(each) for each in documents]
    for start in range(len(groups)):
        reached, waiting = {start}, [start]
        while waiting:
            here = groups[waiting.pop()]
            new = [n for n, group in enumerate(groups) if n not in reached and group & here]
            reached.update(new)
            waiting += new
        assert {n for n, number in enumerate(numbers) if number == numbers[start]} == reached
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))
