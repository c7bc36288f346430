"""The recipe for a test collection in docs/evaluation.md works as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from shell import rag

DOCS = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(import rag\n.*?)```", DOCS, flags=re.DOTALL)
RECIPE = next(block for block in BLOCKS if "beir" in block)
CORPUS = {
    "d1": ("Leave", "Every member of staff has 25 days of annual leave."),
    "d2": ("", "The ferry Kittiwake carries 120 cars and 400 passengers."),
    "7/b": ("Yard", "The yard at Bellweir was opened on 3 May 1962."),
}
QUERIES = {"q1": "How many cars does the ferry carry?", "q2": "When was the yard at Bellweir opened?"}


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "beir" / "scifact"
    (folder / "qrels").mkdir(parents=True)
    rows = ({"_id": name, "title": title, "text": text} for name, (title, text) in CORPUS.items())
    (folder / "corpus.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    asked = ({"_id": name, "text": text} for name, text in QUERIES.items())
    (folder / "queries.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in asked))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td2\t1\nq2\t7/b\t2\n")
    return folder


def test_the_recipe_measures_a_collection(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(collection.parents[1])
    named: dict[str, object] = {}
    exec(RECIPE, named)
    found = named["found"]
    assert {each.question.id: each.hits[0].chunk.document_id for each in found.rows} == {
        "q1": "d2",
        "q2": "7/b",
    }
    assert found.summary["nDCG@10"].mean == found.summary["Recall@10"].mean == 1
    named["kb"].close()
    told = rag("eval", "beir/scifact", "--index", "scifact-index", "--metrics", "nDCG@10", "--json")
    assert told.exit_code == 0
    assert json.loads(told.stdout)["metrics"]["nDCG@10"]["mean"] == 1
