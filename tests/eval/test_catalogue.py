import re
from pathlib import Path

import pytest

from rag.errors import InputError
from rag.eval.catalogue import METRICS, SET_METRICS, default_metrics, metric_named
from rag.eval.questions import Question
from rag.eval.sample import Sample


def test_names_are_of_one_metric_each() -> None:
    assert not METRICS.keys() & SET_METRICS.keys()
    assert all(name == metric.name and metric.formula for name, metric in (METRICS | SET_METRICS).items())


def test_the_defaults_are_metrics() -> None:
    assert [metric_named(name).name for name in default_metrics(5)] == list(default_metrics(5))
    assert "Recall@5" in default_metrics(5)


def test_the_documents_say_what_each_is() -> None:
    rows: dict[str, str] = {}
    for line in (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            rows |= dict.fromkeys(re.findall("`(\\w+)`", line.split("|")[1]), line)
    for name, metric in (METRICS | SET_METRICS).items():
        assert ("↓" in rows[name].split("|")[1]) == (not metric.higher_is_better), name
    assert not set(rows) - METRICS.keys() - SET_METRICS.keys() - {"exact_match"}


@pytest.mark.parametrize(
    ("name", "likely"),
    [
        ("faithfulnes", "did you mean faithfulness\\?"),
        ("Answer-Relevancy", "did you mean answer_relevancy"),
        ("recall@10", "did you mean Recall@10"),
        ("llm_context_precision_with_reference", "context_precision"),
        ("rouge", "did you mean .*rouge_score"),
        ("zzz", "no metric 'zzz': There are Success@10, "),
        ("", "no metric '': There are"),
    ],
)
def test_an_unknown_name_is_told_its_nearest(name: str, likely: str) -> None:
    with pytest.raises(InputError, match=likely):
        metric_named(name)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if "judge" in metric.needs])
def test_what_needs_a_judge_says_so(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} needs a judge"):
        METRICS[name].measure(Sample(Question("q", "?", reference="x"), "x"), None)
