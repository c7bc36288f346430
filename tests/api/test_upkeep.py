from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fakes import HashingEncoder
from shell import as_json, rag

from rag.index.tune import Point, Tuned
from rag.pipeline import Engine
from rag.protocols import Encoder

STATS = set("documents chunks segments bytes commit deleted_chunks kind encoder tenants".split())
QUALITY = set("recall queries queries_per_second resident_bytes segments".split())
SEGMENT = set("segment rows rows_live kind codes reason resident_bytes".split())
REEMBEDDED = set("encoder chunks chunks_embedded sampled recall_before recall_after overlap seconds".split())


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return HashingEncoder()


@pytest.fixture(autouse=True)
def _encoders_by_name(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(name: str | None = None) -> Encoder:
        return HashingEncoder(32, name) if name else encoder

    monkeypatch.setattr("rag.library.resolve_encoder", resolve)
    monkeypatch.setattr("rag.index.encoder.resolve_encoder", resolve)


@pytest.fixture
def kb(tmp_path: Path) -> Path:
    """An index of two documents."""
    (tmp_path / "cars.txt").write_text("All the cars of the town are counted once a year in May.\n")
    (tmp_path / "ships.txt").write_text(
        "Nobody knows how many ships lie in the harbour on a day in winter.\n"
    )
    as_json("add", tmp_path / "cars.txt", tmp_path / "ships.txt", "--index", "kb")
    return tmp_path / "kb"


@pytest.fixture(scope="module")
def graph(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 1,200 passages that are searched by a graph."""
    folder = tmp_path_factory.mktemp("graph")
    text = "".join(f"The town of {at * 7919 % 1200} has {at} houses, and no more.\n\n" for at in range(1200))
    (folder / "towns.txt").write_text(text)
    words = ("--kind", "hnsw", "--setting", "size_tokens=14", "--setting", "overlap_tokens=0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rag.library.resolve_encoder", lambda name=None: encoder)
        made = as_json("add", folder / "towns.txt", *words, "--index", folder / "kb")
    assert made["chunks"] >= 1000
    return folder / "kb"


def test_stats_tell_the_size_and_on_demand_the_quality(graph: Path) -> None:
    assert as_json("stats", "--index", graph).keys() == STATS
    found = as_json("stats", "--quality", "--index", graph)
    assert found.keys() == STATS | {"quality"}
    quality = found["quality"]
    assert quality.keys() == QUALITY
    assert 0.5 < quality["recall"] <= 1
    (segment,) = quality["segments"]
    assert segment.keys() == SEGMENT
    assert (segment["kind"], segment["reason"]) == ("hnsw", "the settings ask for hnsw")
    text = rag("stats", "--quality", "--index", graph).stdout
    assert "recall@10" in text
    assert "hnsw over int8" in text
    assert "the settings ask for hnsw" in text


def test_quality_is_of_a_tenant_who_is_there(kb: Path, tmp_path: Path) -> None:
    as_json("add", tmp_path / "cars.txt", "--tenant", "acme", "--index", "mine")
    error = as_json("stats", "--quality", "--index", "mine", exit_code=2)["error"]
    assert (error["type"], "--tenant: acme" in error["message"]) == ("InputError", True)
    found = as_json("stats", "--quality", "--tenant", "acme", "--index", "mine")
    assert (found["tenants"], found["quality"]["recall"]) == (["acme"], 1.0)
    as_json("stats", "--questions", "questions.jsonl", "--index", "mine", exit_code=2)


def test_an_index_is_tuned_and_the_curve_is_drawn(graph: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    lines = [
        json.dumps({"user_input": f"How many houses has the town of {at}?"}) for at in range(0, 1200, 20)
    ]
    questions.write_text("\n".join(lines))
    words = ("--questions", questions, "--svg", tmp_path / "curve.svg", "--index", graph)
    found = as_json("tune-index", "--recall", "0.5", *words)
    assert found.keys() == {"recall", "tuned", "svg"}
    tuned = found["tuned"]["hnsw"]
    assert tuned.keys() == {"effort", "reached", "curve"}
    assert all(point.keys() == {"effort", "recall", "queries_per_second"} for point in tuned["curve"])
    assert tuned["reached"] is True
    with Engine(graph, create=False) as engine:
        assert engine.settings.ef_search == tuned["effort"]
    drawn = ElementTree.parse(found["svg"]).getroot()
    circles = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(tuned["curve"])
    assert f"hnsw: effort {tuned['effort']}" in rag("tune-index", "--recall", "0.5", *words).stdout
    as_json("tune-index", "--recall", "2", "--index", graph, exit_code=2)


def test_where_all_is_scanned_there_is_nothing_to_tune(kb: Path, tmp_path: Path) -> None:
    found = as_json("tune-index", "--svg", tmp_path / "curve.svg", "--index", kb)
    assert found == {"recall": 0.98, "tuned": {}, "svg": None}
    assert not (tmp_path / "curve.svg").exists()
    assert "nothing to tune" in rag("tune-index", "--index", kb).stdout


def test_a_recall_that_is_not_reached_is_exit_1(kb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    best = Tuned(4096, reached=False, curve=(Point(4096, 0.9, 10.0),))
    monkeypatch.setattr(Engine, "tune", lambda *_, **__: {"hnsw": best})
    assert as_json("tune-index", "--index", kb, exit_code=1)["tuned"]["hnsw"]["reached"] is False
    assert "none finds that much" in rag("tune-index", "--index", kb).stdout


def test_doctor_mends_a_damaged_index(kb: Path) -> None:
    vectors = next(kb.rglob("vectors-*.npy"))
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"\x00")
    as_json("doctor", "--index", kb, exit_code=2)
    mended = as_json("doctor", "--repair", "--index", kb)
    assert mended.keys() == {"ok", "findings"}
    repairs = [each["detail"] for each in mended["findings"] if each["name"] == "repair"]
    assert any("embedded anew" in line for line in repairs)
    assert len(as_json("search", "cars", "--index", kb)["hits"]) == 2
    assert "repair     nothing to mend" in rag("doctor", "--repair", "--index", kb).stdout
    none = as_json("doctor", "--repair", "--index", "none", exit_code=2)["findings"][0]
    assert (none["name"], none["ok"]) == ("repair", False)


def test_doctor_proves_that_a_document_is_gone(kb: Path, tmp_path: Path) -> None:
    (cars, ships) = as_json("list", "--index", kb)["documents"]
    words = ("doctor", "--forgotten", cars["id"], "--original", tmp_path / "cars.txt", "--index", kb)

    def finding(exit_code: int) -> tuple[bool, str]:
        found = as_json(*words, exit_code=exit_code)["findings"][-1]
        assert found["name"] == "forgotten"
        return found["ok"], found["detail"]

    assert finding(2)[0] is False
    as_json("delete", cars["id"], "--index", kb)
    assert "run `rag compact`" in finding(2)[1]
    as_json("compact", "--index", kb)
    good, detail = finding(0)
    assert good
    assert "wiped it" in detail
    never = as_json("doctor", "--forgotten", "0" * 64, "--index", kb, exit_code=2)["findings"][-1]
    assert "no note that it was ever deleted" in never["detail"]
    still = as_json("doctor", "--forgotten", ships["id"], "--index", kb, exit_code=2)["findings"][-1]
    assert still["ok"] is False
    as_json("doctor", "--original", tmp_path / "cars.txt", exit_code=2)


def test_the_encoder_is_changed_and_changed_back(kb: Path) -> None:
    done = as_json("reembed", "other", "--index", kb)
    assert done.keys() == REEMBEDDED
    assert (done["encoder"], done["chunks"], done["chunks_embedded"]) == ("other", 2, 2)
    assert as_json("search", "cars", "--index", kb, exit_code=2)["error"]["type"] == "EncoderMismatch"
    assert len(as_json("search", "cars", "--encoder", "other", "--index", kb)["hits"]) == 2
    back = as_json("rollback", "--index", kb)
    assert back.keys() == {"encoder", "commit"}
    assert back["encoder"] == "hashing"
    assert len(as_json("search", "cars", "--index", kb)["hits"]) == 2
    assert "--encoder other" in rag("reembed", "other", "--index", kb).stdout


def test_there_is_no_way_back_where_there_was_no_change(kb: Path) -> None:
    assert as_json("rollback", "--index", kb, exit_code=2)["error"]["type"] == "EncoderMismatch"


def test_a_backup_is_restored_whole(kb: Path, tmp_path: Path) -> None:
    copied = as_json("backup", tmp_path / "copy", "--index", kb)
    assert copied == {"backup": str(tmp_path / "copy"), "commit": as_json("stats", "--index", kb)["commit"]}
    as_json("delete", tmp_path / "cars.txt", "--index", kb)
    made = as_json("restore", tmp_path / "copy", tmp_path / "new")
    assert made == {"index": str(tmp_path / "new"), "commit": copied["commit"]}
    assert len(as_json("list", "--index", tmp_path / "new")["documents"]) == 2
    assert len(as_json("list", "--index", kb)["documents"]) == 1


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("backup", "kb", "--index", "kb"), "InputError"),
        (("backup", "new", "--index", "nowhere"), "IndexNotFound"),
        (("restore", "nowhere", "new"), "IndexNotFound"),
        (("restore", "kb", "kb"), "InputError"),
        (("reembed", "./nowhere", "--index", "nowhere"), "IndexNotFound"),
    ],
)
def test_what_cannot_be_copied_is_said(kb: Path, words: tuple[str, ...], kind: str) -> None:
    assert as_json(*words, exit_code=2)["error"]["type"] == kind
    assert not Path("new").exists()
