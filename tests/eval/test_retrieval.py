import math

import pytest

from rag.errors import InputError
from rag.eval.measures import Measure
from rag.eval.questions import Place, Question
from rag.eval.retrieval import gold_places, measure_retriever, parse_place_measure, search_run
from rag.types import Chunk, Filter, Hit, Span


def hit(
    start: int, end: int, *, text: str = "", page: int | None = None, document: str = "a", rank: int = 1
) -> Hit:
    chunk = Chunk(document, Span(start, end), text, page)
    return Hit(rank, 1.0 / rank, chunk, source=f"/data/pdfs/{document}.pdf", title="")


def hit_relevant(hit: Hit, question: Question) -> bool:
    return any(finds(hit) for finds in gold_places(question))


def asks(**fields: object) -> Question:
    return Question(id="q", user_input="?", **fields)  # type: ignore[arg-type]


def spans(*ranges: tuple[int, int]) -> Question:
    return asks(documents=tuple(Place("pdfs/a.pdf", None, Span(*r)) for r in ranges))


@pytest.mark.parametrize(
    ("question", "found", "missed"),
    [
        (asks(reference_context_ids=("a:0-9",)), hit(0, 9), hit(0, 8)),
        (asks(reference_context_ids=("a",)), hit(5, 9), hit(0, 9, document="b")),
        (asks(reference_context_ids=("pdfs/a.pdf",)), hit(5, 9), hit(0, 9, document="b")),
        (spans((10, 20)), hit(19, 30), hit(20, 30)),
        (spans((10, 20)), hit(0, 11), hit(10, 20, document="b")),
        (asks(documents=(Place("a.pdf", 3),)), hit(0, 9, page=3), hit(0, 9, page=4)),
        (asks(documents=(Place("a.pdf", 3),)), hit(0, 9, page=3), hit(0, 9, page=3, document="b")),
        (asks(documents=(Place("a.pdf", 3, Span(5, 9)),)), hit(0, 9, page=2), hit(9, 12, page=3)),
        (
            asks(reference_contexts=("the  gold\ntext",)),
            hit(0, 9, text="see the gold text."),
            hit(0, 9, text="golden"),
        ),
        (asks(reference_contexts=("the gold text",)), hit(0, 9, text="gold\n text"), hit(0, 9, text=" ")),
        (asks(documents=(Place("a.pdf"),)), hit(0, 9), hit(0, 9, document="b")),
    ],
)
def test_a_hit_is_relevant_where_it_finds_a_place(question: Question, found: Hit, missed: Hit) -> None:
    assert hit_relevant(found, question)
    assert not hit_relevant(missed, question)


def test_a_corpus_id_is_the_name_of_a_file_or_of_a_document() -> None:
    question = asks(reference_context_ids=("d7",))
    for source, document in (("corpus/d7.txt", "5ac"), ("d7", "5ac"), ("x.txt", "d7")):
        assert hit_relevant(Hit(1, 1.0, Chunk(document, Span(0, 9), ""), source, ""), question)
    assert not hit_relevant(Hit(1, 1.0, Chunk("5ac", Span(0, 9), ""), "d7/x.txt", ""), question)


def test_only_the_most_exact_knowledge_counts() -> None:
    question = asks(documents=(Place("a.pdf", None, Span(0, 5)),), reference_contexts=("elsewhere",))
    assert not hit_relevant(hit(90, 99, text="elsewhere"), question)


def test_an_unanswerable_question_has_no_places() -> None:
    question = asks(documents=(Place("a.pdf", 1),), answerable=False)
    assert not hit_relevant(hit(0, 9, page=1), question)
    assert parse_place_measure("Recall@5")([hit(0, 9, page=1)], question) is None
    assert parse_place_measure("PageSuccess@5")([hit(0, 9, page=1)], question) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Success@1", 0.0),
        ("Success@2", 1.0),
        ("RR@10", 1 / 2),
        ("RR@1", 0.0),
        ("Recall@2", 2 / 3),
        ("Recall@3", 2 / 3),
        ("Recall@4", 1.0),
        # the list reads: miss, place, place, miss (known already), place
        (
            "nDCG@10",
            (1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(6))
            / (1 + 1 / math.log2(3) + 1 / math.log2(4)),
        ),
        ("nDCG@2", (1 / math.log2(3)) / (1 + 1 / math.log2(3))),
    ],
)
def test_measures_of_places_by_hand(name: str, value: float) -> None:
    question = spans((10, 20), (30, 40), (80, 90))
    hits = [hit(50, 60), hit(0, 35), hit(5, 15), hit(85, 86)]
    assert parse_place_measure(name)(hits, question) == pytest.approx(value)


def test_one_chunk_with_all_places_is_perfect() -> None:
    question = spans((10, 20), (30, 40))
    for name in ("Success@1", "Recall@1", "RR@1", "nDCG@1", "nDCG@10"):
        assert parse_place_measure(name)([hit(0, 50)], question) == 1.0
        assert parse_place_measure(name)([], question) == 0.0


def test_the_page_counts_even_where_the_characters_decide_relevance() -> None:
    question = asks(documents=(Place("a.pdf", 3, Span(50, 60)),))
    on_page = [hit(0, 9, page=3)]
    assert parse_place_measure("PageSuccess@1")(on_page, question) == 1.0
    assert parse_place_measure("Success@1")(on_page, question) == 0.0
    assert parse_place_measure("PageSuccess@1")(on_page, spans((0, 9))) is None


@pytest.mark.parametrize("name", ["Recall", "AP", "Recall@0", "hit@5", "map@10"])
def test_a_measure_of_places_must_be_known_and_cut(name: str) -> None:
    with pytest.raises(InputError, match=r"Success@10"):
        parse_place_measure(name)


def test_a_retriever_is_searched_as_deep_as_the_measures_look() -> None:
    asked: list[tuple[str, int, Filter | None]] = []

    def retriever(query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        asked.append((query, k, where))
        return [hit(0, 5), hit(10, 15, rank=2)]

    questions = [spans((12, 13)), asks(answerable=False)]
    values = measure_retriever(retriever, questions, ["RR@7", "Success@1"], where={"team": "hr"})
    assert values == {"RR@7": {"q": 0.5}, "Success@1": {"q": 0.0}}
    assert asked == [("?", 7, {"team": "hr"})]


def test_a_run_scores_a_document_as_its_best_hit() -> None:
    def retriever(query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        if query == "nothing":
            return []
        return [hit(0, 5), hit(0, 5, document="b", rank=2), hit(5, 9, rank=3)]

    queries = {"q1": "one", "q2": "nothing"}
    run = search_run(retriever, queries, document=lambda found: found.chunk.document_id)
    assert run == {"q1": {"a": 1.0, "b": 0.5}, "q2": {}}


JUDGED = asks(reference_context_ids=("d0", "d1"), extra={"qrels": {"d0": 3, "d1": 1, "d2": 0}})


@pytest.mark.parametrize("name", ["nDCG@10", "nDCG@1", "Recall@2", "RR@10", "AP@10", "P@5", "Success@1"])
@pytest.mark.parametrize("ranking", [["d1", "d0"], ["d4", "d4", "d4", "d0"], ["d2", "d3", "d1", "d1"], []])
def test_a_question_with_judgments_is_measured_by_documents_as_trec_eval_does(
    name: str, ranking: list[str]
) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec_eval is the oracle")
    hits = [hit(9 * at, 9 * at + 5, document=each, rank=at + 1) for at, each in enumerate(ranking)]
    measure = parse_place_measure(name)
    documents = list(dict.fromkeys(ranking))
    own = Measure(measure.name, measure.cutoff).of_ranking(documents, JUDGED.extra["qrels"])  # type: ignore[arg-type]
    assert measure(hits, JUDGED) == own
    theirs = {"nDCG": "ndcg_cut", "Recall": "recall", "AP": "map_cut", "P": "P", "Success": "success"}
    if ranking and measure.name in theirs:
        run = {"q": {each: float(-at) for at, each in enumerate(documents)}}
        asked = {f"{theirs[measure.name]}.{measure.cutoff}"}
        (found,) = (
            pytrec_eval.RelevanceEvaluator({"q": JUDGED.extra["qrels"]}, asked).evaluate(run)["q"].values()
        )
        assert own == pytest.approx(found, abs=1e-12)


def test_precision_counts_hits_that_find_a_place() -> None:
    question = spans((0, 10))
    assert parse_place_measure("P@4")([hit(0, 5), hit(5, 9, rank=2), hit(20, 30, rank=3)], question) == 0.5
