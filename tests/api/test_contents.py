from __future__ import annotations

from pathlib import Path

import pytest
from fakes import HashingEncoder
from shell import as_json, rag

from rag.pipeline import Engine
from rag.protocols import Encoder
from rag.types import Principal

ADD = set("indexed unchanged skipped failed chunks chunks_embedded files seconds".split())
PLAN = set("added changed moved removed unchanged refusal".split())


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return HashingEncoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three files that are in the index `kb` beside it."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("one", "two", "three"):
        (folder / f"{name}.txt").write_text(f"The file {name} speaks of {name} things.\n")
    as_json("add", folder, "--index", "kb")
    return folder


def titles(*words: str) -> list[str]:
    return [each["title"] for each in as_json("list", "--index", "kb", *words)["documents"]]


def changed(folder: Path) -> None:
    (folder / "one.txt").unlink()
    (folder / "two.txt").rename(folder / "second.txt")
    (folder / "four.txt").write_text("The file four is new.\n")


def test_sync_takes_out_what_is_gone_and_keeps_what_moved(folder: Path) -> None:
    changed(folder)
    report = as_json("add", folder, "--sync", "--index", "kb")
    assert report.keys() >= ADD | {"dry_run", "plan"}
    plan = report["plan"]
    assert plan.keys() == PLAN
    assert report["dry_run"] is False
    assert plan["moved"] == [{"from": str(folder / "two.txt"), "to": str(folder / "second.txt")}]
    assert [Path(source).name for source in plan["removed"]] == ["one.txt"]
    assert [Path(source).name for source in plan["added"]] == ["four.txt"]
    assert report["chunks_embedded"] == 1
    assert sorted(titles()) == ["four", "three", "two"]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(folder: Path) -> None:
    changed(folder)
    before = as_json("stats", "--index", "kb")
    planned = as_json("add", folder, "--sync", "--dry-run", "--index", "kb")
    assert planned.keys() == {"dry_run", "plan"}
    assert planned["dry_run"] is True
    text = rag("add", folder, "--sync", "--dry-run", "--index", "kb").stdout
    assert "1 would be removed; 1 would be moved; 1 would be added; 1 would be unchanged" in text
    assert "moved   docs/second.txt  from docs/two.txt" in text
    assert as_json("stats", "--index", "kb") == before
    as_json("add", folder, "--sync", "--dry-run", "--index", "none", exit_code=2)
    assert not Path("none").exists()
    done = rag("add", folder, "--sync", "--index", "kb").stdout
    assert done.splitlines()[:3] == [
        "removed docs/one.txt",
        "moved   docs/second.txt  from docs/two.txt",
        "1 removed; 1 moved",
    ]


def test_a_removal_that_looks_like_a_mistake_is_refused_until_it_is_meant(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    words = ("add", folder, "--sync", "--index", "kb")
    assert as_json(*words, exit_code=2)["error"]["type"] == "SyncRefused"
    assert "it would be refused" in rag(*words, "--dry-run").stdout
    assert len(titles()) == 3
    assert len(as_json(*words, "--allow-mass-deletion")["plan"]["removed"]) == 3
    assert titles() == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--dry-run",), "are of --sync"),
        (("--allow-mass-deletion",), "are of --sync"),
        (("--language", "klingon"), "klingon"),
        (("--setting", "size=3"), "size"),
        (("--setting", "overlap_tokens=300"), "overlap_tokens"),
        (("--setting", "kind"), "is not metadata"),
    ],
)
def test_what_cannot_be_meant_makes_no_index(folder: Path, words: tuple[str, ...], says: str) -> None:
    error = as_json("add", folder, *words, "--index", "new", exit_code=2)["error"]
    assert says in error["message"]
    assert not Path("new").exists()


def test_a_sync_of_a_folder_that_is_nowhere_makes_no_index() -> None:
    assert as_json("add", "nowhere", "--sync", exit_code=2)["error"]["type"] == "IndexNotFound"
    assert not Path(".rag").exists()


def test_a_new_index_is_made_as_one_says_and_stays_so(folder: Path) -> None:
    words = ("add", folder, "--language", "german", "--kind", "flat", "--index", "neu")
    as_json(*words, "--setting", "size_tokens=120", "--setting", "title_boost=2.5")
    with Engine(Path("neu"), create=False) as engine:
        made = engine.settings
    assert (made.language, made.kind, made.size_tokens, made.title_boost) == ("german", "flat", 120, 2.5)
    assert as_json(*words)["unchanged"] == 3
    other = as_json("add", folder, "--language", "french", "--index", "neu", exit_code=2)["error"]
    assert other["type"] == "IndexFormatError"
    assert "language=german" in other["message"]


def test_documents_are_of_their_tenant_and_for_their_readers(folder: Path) -> None:
    as_json(
        "add", folder / "one.txt", "--tenant", "acme", "--reader", "ann", "--reader", "hr", "--index", "kb"
    )
    with Engine(Path("kb"), create=False) as engine:

        def seen(*names: str) -> int:
            return len(engine.documents(principal=Principal(names[0], "acme", names[1:])))

        assert (seen("ann"), seen("bob", "hr"), seen("bob")) == (1, 1, 0)
    assert titles("--tenant", "acme") == ["one"]
    as_json("add", folder / "one.txt", "--tenant", "acme", "--index", "kb")  # says nothing of readers
    assert as_json("search", "one", "--tenant", "acme", "--index", "kb")["hits"] == []
    as_json("add", folder / "one.txt", "--tenant", "acme", "--reader", "", "--index", "kb")
    assert len(as_json("search", "one", "--tenant", "acme", "--index", "kb")["hits"]) == 1


def test_a_delete_is_of_one_tenant(folder: Path) -> None:
    as_json("add", folder / "one.txt", "--tenant", "acme", "--index", "kb")
    (held,) = as_json("list", "--tenant", "acme", "--index", "kb")["documents"]
    as_json("delete", held["id"], "--tenant", "globex", "--index", "kb", exit_code=2)
    assert as_json("delete", held["id"], "--tenant", "acme", "--index", "kb") == {"deleted": [held["id"]]}
    assert (titles("--tenant", "acme"), len(titles())) == ([], 3)


def test_a_typed_query_has_conditions_and_a_plain_one_has_none(folder: Path) -> None:
    def found(*words: str) -> set[str]:
        return {hit["title"] for hit in as_json("search", *words, "--index", "kb")["hits"]}

    assert found("things -two") == {"one", "three"}
    assert found('things +"file one"') == {"one"}
    assert found("things -two", "--plain") == {"one", "two", "three"}
