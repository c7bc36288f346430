import math
import os
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from rag.errors import InputError
from rag.eval.collections import read_collection
from rag.eval.measures import Measure, mean_run, measure_run, parse_measure, rank_documents

CUTOFFS = (1, 2, 3, 5, 10)
TREC_NAMES = {"nDCG": "ndcg_cut", "Recall": "recall", "P": "P", "Success": "success", "AP": "map_cut"}


def trec(
    run: Mapping[str, Mapping[str, float]], qrels: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, float]]:
    names = {f"{name}.{','.join(map(str, CUTOFFS))}" for name in TREC_NAMES.values()}
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, names | {"ndcg", "map", "recip_rank", "bpref"})
    return evaluator.evaluate(run)


def random_case(seed: int) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, int]]]:
    draw = random.Random(seed)
    ids = [f"d{n}" for n in range(30)] + ["D1", "é", "10", "9", "\uffee", "\U0001f600"]
    levels = draw.choice([2, 5, 1000])
    run, qrels = {}, {}
    for query in ("q1", "q2", "q3", "missing", "empty", "unjudged"):
        # a 0 always stands among the judgments: on all-negative ones pytrec_eval does not end
        judged = {d: draw.randint(-2, 4) for d in draw.sample(ids, draw.randint(0, 20))} | {"absent": 0}
        # single precision cannot tell 1 + 1e-12 from 1
        found = draw.sample(ids, draw.randint(1, len(ids)))
        scores = {d: draw.randrange(levels) / 7 + draw.choice([0, 1e-12]) - 1 for d in found}
        run[query], qrels[query] = scores, judged
    run["empty"] = {}
    del run["missing"], qrels["unjudged"]
    return run, qrels


@pytest.mark.parametrize("block", range(10))
def test_equals_trec_eval_on_random_runs_with_ties(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        run, qrels = random_case(seed)
        expected = trec(run, qrels)
        measures = [Measure(name, k) for name in TREC_NAMES for k in CUTOFFS]
        ours = measure_run(run, qrels, [*measures, "nDCG", "AP", "RR", "Bpref"])
        assert {"q1", "q2", "q3"} <= expected.keys() <= {"q1", "q2", "q3", "empty"}
        for values in ours.values():
            assert values.keys() == qrels.keys()
            assert values["missing"] == values["empty"] == 0
        for query, values in expected.items():
            for measure in measures:
                theirs = values[f"{TREC_NAMES[measure.name]}_{measure.cutoff}"]
                assert ours[str(measure)][query] == pytest.approx(theirs, abs=1e-12, rel=0)
            for name, theirs in (("nDCG", "ndcg"), ("AP", "map"), ("RR", "recip_rank"), ("Bpref", "bpref")):
                assert ours[name][query] == pytest.approx(values[theirs], abs=1e-12, rel=0)


@pytest.mark.parametrize("k", CUTOFFS)
def test_a_cut_reciprocal_rank_is_that_of_the_shortened_run(k: int) -> None:
    run, qrels = random_case(7)
    short = {q: {d: scores[d] for d in rank_documents(scores)[:k]} for q, scores in run.items()}
    expected = trec(short, qrels)
    ours = measure_run(run, qrels, [f"RR@{k}"])[f"RR@{k}"]
    assert {"missing": 0.0, "empty": 0.0} | {
        q: values["recip_rank"] for q, values in expected.items()
    } == ours


def test_the_encyclopaedia_example_of_discounted_gain() -> None:
    """Wikipedia, Discounted cumulative gain: DCG@6 6.861, ideal 8.740 over 3, 3, 3, 2, 2, 2."""
    grades = {"a": 3, "b": 2, "c": 3, "d": 0, "e": 1, "f": 2, "g": 3, "h": 2}
    assert parse_measure("nDCG@6").of_ranking("abcdef", grades) == pytest.approx(0.785, abs=5e-4)


def test_the_textbook_example_of_average_precision() -> None:
    """Croft, Metzler and Strohman 2010, chapter 8: relevant at 1, 3, 6, 9, 10 and at 2, 5, 7 of 10."""
    relevant = {"q1": {"a", "c", "f", "i", "j"}, "q2": {"b", "e", "g"}}
    run = {query: {document: -float(ord(document)) for document in "abcdefghij"} for query in relevant}
    qrels = {query: dict.fromkeys(documents, 1) for query, documents in relevant.items()}
    values = measure_run(run, qrels, ["AP"])["AP"]
    assert {query: round(value, 2) for query, value in values.items()} == {"q1": 0.62, "q2": 0.44}
    assert round(mean_run(run, qrels, ["AP"])["AP"], 2) == 0.53


def test_a_missing_query_counts_nothing_and_an_unjudged_one_is_left_out() -> None:
    qrels: dict[str, dict[str, int]] = {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {}}
    run = {"q1": {"a": 1.0}, "q4": {"a": 1.0}}
    assert measure_run(run, qrels, ["RR@10"]) == {"RR@10": {"q1": 1.0, "q2": 0.0}}
    assert mean_run(run, qrels, ["RR@10", "P@5"]) == {"RR@10": 0.5, "P@5": 0.1}


def test_a_query_without_a_relevant_document_scores_nothing() -> None:
    for name in ("nDCG@10", "Recall@10", "RR", "AP", "P@5", "Success@5"):
        assert parse_measure(name)({"a": 1.0}, {"a": 0, "b": -1}) == 0.0


def test_equal_scores_rank_by_document_id_descending() -> None:
    assert rank_documents({"a": 1.0, "b": 1.0 - 1e-12, "B": 1.0, "c": 0.5}) == ["b", "a", "B", "c"]


@given(st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False), max_size=8))
def test_every_score_that_is_a_number_ranks(scores: dict[str, float]) -> None:
    assert sorted(rank_documents(scores)) == sorted(scores)


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="'b' has a score of NaN"):
        rank_documents({"a": 1.0, "b": math.nan})


@pytest.mark.parametrize(
    "name", ["nDCG@10", "Recall@100", "RR@10", "AP", "P@5", "Success@5", "nDCG", "AP@7", "Bpref"]
)
def test_a_measure_prints_the_name_that_it_was_read_from(name: str) -> None:
    assert str(parse_measure(name)) == name


@pytest.mark.parametrize(
    "name", ["ndcg@10", "nDCG@0", "nDCG@", "nDCG@-1", "MAP", "", "P", "Recall", "P@٣", "Bpref@10"]
)
def test_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="measure"):
        parse_measure(name)


def test_a_mean_over_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no query is judged"):
        mean_run({}, {"q": {}}, ["AP"])


@pytest.mark.parametrize("name", ["scifact/test", "cranfield/dev", "cranfield/test", "cacm/dev", "cacm/test"])
def test_equals_trec_eval_on_a_real_collection(name: str) -> None:
    folder = Path(os.environ.get("RAG_DATA", "missing")) / "retrieval" / name.split("/")[0]
    if not folder.is_dir():
        pytest.skip(f"needs the evaluation set retrieval/{folder.name} under RAG_DATA")
    collection = read_collection(folder, name.split("/")[1])
    words = [f"{each.title} {each.text}".lower().split() for each in collection.documents]
    search = BM25Okapi(words, k1=0.9, b=0.4)
    run = {}
    for query, text in list(collection.queries.items())[:60]:
        scores = search.get_scores(text.lower().split())
        first = np.argsort(-scores, kind="stable")[:200]
        # one digit is kept, so that there are ties
        run[query] = {collection.documents[at].id: round(float(scores[at]), 1) for at in first}
    expected = trec(run, collection.qrels)
    whole = {"nDCG": "ndcg", "AP": "map", "RR": "recip_rank", "Bpref": "bpref"}
    names = {f"{ours}@{k}": f"{theirs}_{k}" for ours, theirs in TREC_NAMES.items() for k in CUTOFFS} | whole
    found = measure_run(run, collection.qrels, list(names))
    for ours, theirs in names.items():
        for query, values in expected.items():
            assert found[ours][query] == pytest.approx(values[theirs], abs=1e-12, rel=0)
