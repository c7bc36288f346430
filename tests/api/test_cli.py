from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from shell import as_json, process, rag

from rag import __version__

HIT = set("rank score chunk_id document_id source title page section start end text scores".split())
CITATION = set("number document_id source title page section start end quote".split())
ANSWER = set(
    "question answer abstained confidence sentences citations contexts model index_commit timings_ms".split()
)
ADD = set("indexed unchanged skipped failed chunks chunks_embedded files seconds".split())
BENCH = set("dataset mode measures queries documents seconds queries_per_second".split())
COMMANDS = [
    "add",
    "search",
    "ask",
    "chat",
    "summarise",
    "compare",
    "eval",
    "list",
    "delete",
    "compact",
    "stats",
    "serve",
    "verify",
    "doctor",
    "mcp",
    "tune-index",
    "reembed",
    "rollback",
    "backup",
    "restore",
]


def test_add_reports_every_file(tmp_path: Path, docs: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "boats.txt").write_text((docs / "boats.txt").read_text())
    (tmp_path / "more" / "picture.xyz").write_bytes(b"?")
    (tmp_path / "more" / "broken.pdf").write_bytes(b"not a PDF")
    report = as_json("add", tmp_path / "more", "--index", tmp_path / "kb", exit_code=1)
    assert report.keys() >= ADD
    assert {key: report[key] for key in ("indexed", "unchanged", "skipped", "failed")} == {
        "indexed": 1,
        "unchanged": 0,
        "skipped": 1,
        "failed": 1,
    }
    by_name = {Path(entry["source"]).name: entry for entry in report["files"]}
    assert {name: entry["status"] for name, entry in by_name.items()} == {
        "boats.txt": "indexed",
        "broken.pdf": "failed",
        "picture.xyz": "skipped",
    }
    assert by_name["broken.pdf"]["reason"]
    assert len(by_name["boats.txt"]["document_id"]) == 64
    again = as_json("add", tmp_path / "more" / "boats.txt", "--index", tmp_path / "kb")
    assert (again["unchanged"], again["chunks_embedded"]) == (1, 0)
    people = rag("add", tmp_path / "more", "--index", tmp_path / "kb")
    assert people.exit_code == 1
    assert "failed  " in people.stdout
    assert "1 unchanged; 1 skipped; 1 failed" in people.stdout


def test_add_takes_metadata(own_index: Path, docs: Path) -> None:
    report = as_json("add", docs / "leave.md", "--metadata", "level=3", "--index", own_index)
    assert report["chunks_embedded"] == 0
    hits = as_json("search", "leave", "--where", "level>=3", "--index", own_index)["hits"]
    assert {Path(hit["source"]).name for hit in hits} == {"leave.md"}


def test_search_gives_the_contract(index: Path) -> None:
    found = as_json("search", "parental leave", "-k", "2", "--index", index)
    assert found.keys() >= {"query", "hits", "timings_ms"}
    assert [hit["rank"] for hit in found["hits"]] == [1, 2]
    first = found["hits"][0]
    assert first.keys() >= HIT
    assert first["scores"].keys() == {"bm25", "dense", "rerank"}
    assert (first["title"], first["section"]) == ("Leave", "Leave")
    assert first["page"] is None
    assert first["chunk_id"] == f"{first['document_id']}:{first['start']}-{first['end']}"


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_no_hit_is_outside_the_filter(index: Path, mode: str) -> None:
    words = ("search", "leave of the ferry", "--mode", mode, "--index", index)
    assert len({hit["source"] for hit in as_json(*words)["hits"]}) == 2
    hits = as_json(*words, "--where", "team=fleet", "--where", "year>=2021")["hits"]
    assert {Path(hit["source"]).name for hit in hits} == {"boats.txt"}


def test_search_for_people_is_plain_where_it_is_no_terminal(index: Path, docs: Path) -> None:
    text = rag("search", "methanol", "-k", "1", "--mode", "lexical", "--index", index).stdout
    assert "\x1b" not in text
    assert "Her engines burn methanol." in " ".join(text.split())
    assert str(docs / "boats.txt") in text
    nothing = rag("search", "zebra", "--mode", "lexical", "--index", index)
    assert (nothing.stdout, nothing.stderr) == ("Nothing found.\n", "")


def test_sources_are_shown_relative_to_the_folder_one_is_in(
    index: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(docs.parent)
    lines = rag("search", "methanol", "-k", "1", "--index", index).stdout.splitlines()
    assert str(Path("docs", "boats.txt")) in [line.strip() for line in lines]


def test_ask_gives_the_contract_and_verify_proves_it(index: Path, tmp_path: Path) -> None:
    question = "How many weeks of leave has the parent who gives birth?"
    answer = as_json("ask", question, "--index", index)
    assert answer.keys() >= ANSWER
    assert not answer["abstained"]
    assert "26 weeks" in answer["answer"]
    assert answer["sentences"][0].keys() >= {"text", "citations", "supported", "support"}
    assert all(citation.keys() >= CITATION for citation in answer["citations"])
    assert all(hit.keys() >= HIT for hit in answer["contexts"])
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(answer))
    verdict = as_json("verify", file, "--index", index)
    assert verdict["proven"] is True
    judged = [f"[{each['number']}]" for each in answer["citations"]]
    judged += [f"sentence {place}" for place in range(1, len(answer["sentences"]) + 1)]
    places = [each["what"] for each in verdict["verdicts"] if not each["what"].startswith("context ")]
    assert places == ["form", *judged, "text", "citations", "conflicts", "seal"]
    answer["citations"][0]["start"] += 1
    file.write_text(json.dumps(answer))
    verdict = as_json("verify", file, "--index", index, exit_code=1)
    assert verdict["proven"] is False
    reasons = [each["reason"] for each in verdict["verdicts"] if not each["proven"]]
    assert reasons == [
        "the quote is not what stands there",
        "something of the answer was changed, or another index made it",
    ]
    assert "problem  [1]" in rag("verify", file, "--index", index).stdout


def test_ask_for_people_numbers_its_proof(index: Path) -> None:
    text = rag("ask", "Do her engines burn methanol?", "--index", index).stdout
    assert re.search(r"Her engines burn methanol\. \[\d\]", " ".join(text.split()))
    assert "\n[1] boats  (" in text
    assert "“Her engines burn methanol.”" in text


def test_a_streamed_answer_is_the_answer(index: Path) -> None:
    question = "Do her engines burn methanol?"
    whole = rag("ask", question, "--index", index).stdout
    told = rag("ask", question, "--index", index, "--stream").stdout
    assert " ".join(told.split()) == " ".join(whole.split())
    assert "confidence 0." in told or "confidence 1.0" in told


def test_a_chat_goes_on_from_line_to_line(index: Path) -> None:
    lines = "How many weeks of leave has the parent who gives birth?\nAnd the other parent?\n"
    done = process("chat", "--index", index, stdin=lines)
    assert (done.returncode, done.stderr) == (0, "")
    assert "26 weeks" in done.stdout
    assert "The other parent has ten weeks. [" in done.stdout
    answers = [
        json.loads(line)
        for line in process("chat", "--json", "--index", index, stdin=lines).stdout.splitlines()
    ]
    assert [answer["question"] for answer in answers] == lines.splitlines()
    assert answers[0]["queries"] == [lines.splitlines()[0]]
    assert "leave" in answers[1]["queries"][0]
    afresh = process("chat", "--json", "--index", index, stdin=lines.replace("\nAnd", "\n\nAnd")).stdout
    assert json.loads(afresh.splitlines()[1])["queries"] == ["And the other parent?"]


def test_a_document_is_summarised_by_its_file(index: Path, docs: Path) -> None:
    answer = as_json("summarise", docs / "leave.md", "--sentences", "2", "--index", index)
    assert len(answer["sentences"]) == 2
    assert {Path(citation["source"]).name for citation in answer["citations"]} == {"leave.md"}
    assert "[2]" in rag("summarise", docs / "leave.md", "--index", index).stdout
    everything = as_json("summarise", "--where", "team=fleet", "--index", index)
    assert {Path(citation["source"]).name for citation in everything["citations"]} == {"boats.txt"}


def test_what_differs_is_marked_in_the_quotes(own_index: Path, docs: Path, tmp_path: Path) -> None:
    newer = tmp_path / "leave-new.md"
    newer.write_text((docs / "leave.md").read_text().replace("25 days", "28 days"))
    as_json("add", newer, "--index", own_index)
    words = ("compare", docs / "leave.md", newer, "--index", own_index)
    answer = as_json(*words)
    assert answer["sentences"][0]["text"].startswith("Changed: “Every member of staff has 25 days")
    assert answer["conflicts"][0]["citations"] == [1, 2]
    told = " ".join(rag(*words).stdout.split())
    assert "has **25** days of annual leave" in told
    assert "has **28** days of annual leave" in told
    assert "They disagree on Annual leave: [1], [2]" in told


def test_a_policy_is_written_down(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_POLICY", "flag")
    question = "Do her engines burn methanol?"
    assert as_json("ask", question, "--index", index)["request"]["policy"] == "flag"
    assert as_json("ask", question, "--policy", "repair", "--index", index)["request"]["policy"] == "repair"


def test_no_answer_is_no_error(index: Path) -> None:
    answer = as_json("ask", "Who painted the Mona Lisa?", "--index", index)
    assert (answer["abstained"], answer["citations"]) == (True, [])


def test_a_document_is_deleted_by_the_start_of_its_id_and_compact_wipes_it(own_index: Path) -> None:
    listed = as_json("list", "--index", own_index)["documents"]
    boats = next(document for document in listed if document["title"] == "boats")
    assert boats.keys() >= {"id", "source", "title", "metadata"}
    assert as_json("delete", boats["id"][:8], "--index", own_index) == {"deleted": [boats["id"]]}
    assert as_json("search", "methanol", "--mode", "lexical", "--index", own_index)["hits"] == []
    stats = as_json("stats", "--index", own_index)
    assert stats.keys() >= {"documents", "chunks", "segments", "bytes", "commit"}
    assert (stats["documents"], stats["deleted_chunks"]) == (1, 1)
    assert as_json("compact", "--index", own_index).keys() == {"bytes_before", "bytes"}
    assert as_json("stats", "--index", own_index)["deleted_chunks"] == 0


def test_a_document_is_deleted_by_its_file(own_index: Path, docs: Path) -> None:
    assert rag("delete", docs / "leave.md", "--index", own_index).stdout == "1 deleted\n"
    assert [each["title"] for each in as_json("list", "--index", own_index)["documents"]] == ["boats"]


def test_eval_measures_and_compares(index: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    rows: Sequence[dict[str, object]] = [
        {
            "user_input": "What fuel do the engines burn?",
            "kind": "fact",
            "documents": [{"source": "boats.txt"}],
        },
        {
            "user_input": "How many days of annual leave?",
            "kind": "fact",
            "documents": [{"source": "leave.md"}],
        },
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("eval", questions, "--metrics", "Success@1,citation_validity", "--index", index)
    found = as_json(*words, "--out", tmp_path / "out")
    estimate = found["metrics"]["Success@1"]
    assert [estimate[part] for part in ("mean", "high", "n", "missed")] == [1.0, 1.0, 2, 0]
    assert found["by_kind"].keys() == {"fact"}
    summary = tmp_path / "out" / "summary.json"
    compared = as_json(*words, "--baseline", summary)
    assert compared["difference"] == {"Success@1": 0.0, "citation_validity": 0.0}
    assert [each["worse"] for each in compared["comparison"]["differences"]] == [False, False]
    table = rag(*words, "--baseline", tmp_path / "out").stdout
    assert "Success@1" in table
    assert "unchanged: 2 metrics" in table
    as_json(*words, "--baseline", questions, exit_code=2)


def test_bench_scores_a_collection(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    corpus = [("a", "Ferries", "They carry cars."), ("b", "Whales sing", ""), ("c", "", "")]
    lines = [json.dumps({"_id": key, "title": title, "text": text}) for key, title, text in corpus]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "whales"}\n{"_id": "2", "text": "cars"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tb\t1\n2\ta\t1\n")
    found = as_json("bench", "retrieval", folder, "--mode", "lexical")
    assert found.keys() >= BENCH
    assert found["measures"] == {"nDCG@10": 1.0, "Recall@100": 1.0, "RR@10": 1.0, "AP": 1.0}
    assert (found["dataset"], found["queries"], found["documents"]) == ("tiny", 2, 3)
    every = as_json("bench", "retrieval", folder, "--mode", "all")["benchmarks"]
    assert [each["mode"] for each in every] == ["lexical", "dense", "hybrid"]
    as_json("bench", "retrieval", tmp_path, exit_code=2)


def test_doctor_finds_a_whole_index_whole_and_a_damaged_one_damaged(own_index: Path) -> None:
    findings = as_json("doctor", "--index", own_index)["findings"]
    assert {each["name"] for each in findings} >= {"python", "packages", "encoder", "index"}
    assert "2 documents" in findings[-1]["detail"]
    vectors = next(own_index.rglob("vectors-*.npy"))
    data = bytearray(vectors.read_bytes())
    data[-1] ^= 1
    vectors.write_bytes(data)
    damaged = as_json("doctor", "--index", own_index, exit_code=2)
    assert damaged["findings"][-1]["ok"] is False
    assert f"{vectors.name} is damaged" in damaged["findings"][-1]["detail"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("search", "x", "--index", "nowhere"), "IndexNotFound"),
        (("ask", "x", "--index", "nowhere"), "IndexNotFound"),
        (("add", "nowhere"), "InputError"),
        (("search", " "), "InputError"),
        (("ask", ""), "InputError"),
        (("search", "x", "-k", "0"), "InputError"),
        (("search", "x", "--where", "team"), "FilterError"),
        (("search", "x", "--where", '{"year": {"$near": 1}}'), "FilterError"),
        (("delete", "0000000000"), "DocumentNotFound"),
        (("verify", "nowhere.json"), "FileNotFoundError"),
        (("eval", "nowhere.jsonl"), "QuestionFileError"),
        (("search", "x", "--encoder", "./nowhere"), "EncoderNotFound"),
        (("ask", "x", "--steps", "9"), "InputError"),
        (("ask", "x", "--policy", "hope"), "InputError"),
        (("ask", "x", "--policy", ""), "InputError"),
        (("summarise", "nowhere.md"), "DocumentNotFound"),
        (("summarise", "--sentences", "0"), "InputError"),
        (("compare", "nowhere.md", "elsewhere.md"), "DocumentNotFound"),
    ],
)
def test_what_cannot_work_is_one_line_and_exit_2(index: Path, words: tuple[str, ...], kind: str) -> None:
    place = () if "--index" in words else ("--index", str(index))
    error = as_json(*words, *place, exit_code=2)["error"]
    assert error["type"] == kind
    people = rag(*words, *place)
    assert (people.exit_code, people.stdout) == (2, "")
    assert len(people.stderr.splitlines()) == 1
    assert not Path("nowhere").exists()


def test_a_missing_package_is_one_line_and_doctor_survives_it(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rag.pipeline", None)
    result = rag("search", "x", "--index", index)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "`rag doctor`" in result.stderr
    findings = as_json("doctor", "--index", index, exit_code=2)["findings"]
    assert "rag.pipeline" in findings[-1]["detail"]


@pytest.mark.parametrize("words", [("search",), ("search", "x", "--mode", "psychic"), ("dance",)])
def test_wrong_usage_is_exit_2(words: tuple[str, ...]) -> None:
    assert rag(*words).exit_code == 2


@pytest.mark.parametrize("command", [*COMMANDS, "bench retrieval"])
def test_help_has_an_example(command: str) -> None:
    result = rag(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: rag {'ask' if command == 'verify' else command}" in result.stdout


def test_the_version_is_the_packages() -> None:
    assert rag("--version").stdout == f"rag {__version__}\n"


def test_the_module_runs_and_imports_nothing_heavy() -> None:
    assert "Commands:" in process("--help").stdout
    heavy = "('torch', 'faiss', 'openvino', 'onnxruntime', 'fastapi', 'numpy')"
    code = f"import sys, rag.api.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


def test_a_whole_trip_as_processes(own_index: Path) -> None:
    asked = process("ask", "How many cars does the Kittiwake carry? 🚢", "--index", own_index, "--json")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "120 cars" in json.loads(asked.stdout)["answer"]
    checked = process("verify", "-", "--index", own_index, stdin=asked.stdout)
    assert checked.returncode == 0
    assert checked.stdout.endswith("all proven\n")
    failed = process("search", "x", "--index", "nowhere")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert "Traceback" not in failed.stderr


def test_of_upkeep_too_nothing_but_json_is_on_standard_output(index: Path) -> None:
    for words in (
        ("backup", "copy", "--index", index),
        ("restore", "copy", "new"),
        ("stats", "--index", "new"),
    ):
        done = process(*words, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert isinstance(json.loads(done.stdout), dict)
