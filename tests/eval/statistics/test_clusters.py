import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.eval.questions import Place, Question
from rag.eval.statistics.bootstrap import estimate_mean
from rag.eval.statistics.clusters import document_clusters


def asks(*documents: str, ids: tuple[str, ...] = ()) -> Question:
    return Question("q", "?", documents=tuple(map(Place, documents)), reference_context_ids=ids)


def test_questions_that_share_a_document_are_one_cluster_through_any_chain() -> None:
    questions = [asks("a"), asks("b"), asks("c"), asks(), asks("b", "c"), asks(), asks("d", "a"), asks("c")]
    assert document_clusters(questions) == [0, 1, 1, 2, 1, 3, 0, 1]


def test_a_long_chain_is_one_cluster() -> None:
    assert set(document_clusters([asks(f"{n}", f"{n + 1}") for n in range(5000)])) == {0}


def test_chunk_ids_tell_the_document_where_nothing_else_does() -> None:
    questions = [asks(ids=("abc:0-9",)), asks(ids=("abc:9-12",)), asks(ids=("d7",)), asks("x", ids=("d7",))]
    assert document_clusters(questions) == [0, 0, 1, 2]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=3), max_size=12))
def test_no_two_clusters_share_a_document_whatever_the_order(documents: list[list[str]]) -> None:
    numbers = document_clusters([asks(*each) for each in documents])
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))
    of = {name: number for each, number in zip(documents, numbers, strict=True) for name in each}
    assert all(of[name] == at for each, at in zip(documents, numbers, strict=True) for name in each)
    backwards = document_clusters([asks(*each) for each in reversed(documents)])[::-1]
    pairs = set(zip(numbers, backwards, strict=True))
    assert len(pairs) == len(set(numbers)) == len(set(backwards))


def test_questions_of_several_documents_claim_no_more_than_they_can() -> None:
    """The mean over documents is held, or the interval says that it is of these documents alone."""
    random = np.random.default_rng(0)
    for _ in range(20):
        golds = [random.choice(30, 3, replace=False) for _ in range(180)]
        clusters = document_clusters([asks(*map(str, each)) for each in golds])
        found = estimate_mean(random.random(180).tolist(), clusters=clusters)
        assert not found.reliable
