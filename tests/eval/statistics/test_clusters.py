from hypothesis import given
from hypothesis import strategies as st

from rag.eval.questions import Place, Question
from rag.eval.statistics.clusters import document_clusters


def asks(*documents: str, ids: tuple[str, ...] = ()) -> Question:
    return Question("q", "?", documents=tuple(map(Place, documents)), reference_context_ids=ids)


def test_a_question_goes_with_the_document_that_most_share() -> None:
    questions = [asks("a"), asks("b"), asks("c"), asks(), asks("b", "c"), asks(), asks("d", "a"), asks("c")]
    assert document_clusters(questions) == [0, 1, 2, 3, 2, 4, 0, 2]


def test_questions_that_compare_documents_do_not_chain_all_into_one_cluster() -> None:
    questions = [asks(name) for name in "aabbcc"] + [asks("a", "b"), asks("b", "c")]
    assert len(set(document_clusters(questions))) == 3


def test_chunk_ids_tell_the_document_where_nothing_else_does() -> None:
    questions = [asks(ids=("abc:0-9",)), asks(ids=("abc:9-12",)), asks(ids=("d7",)), asks("x", ids=("d7",))]
    assert document_clusters(questions) == [0, 0, 1, 2]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=3), max_size=12))
def test_clusters_share_a_document_and_do_not_depend_on_the_order(documents: list[list[str]]) -> None:
    numbers = document_clusters([asks(*each) for each in documents])
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))
    for number in set(numbers):
        together = [set(each) for each, of in zip(documents, numbers, strict=True) if of == number]
        assert len(together) == 1 or set.intersection(*together)
    backwards = document_clusters([asks(*each) for each in reversed(documents)])[::-1]
    pairs = set(zip(numbers, backwards, strict=True))
    assert len(pairs) == len(set(numbers)) == len(set(backwards))
