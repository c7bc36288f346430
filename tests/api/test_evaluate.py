"""`rag eval` over the handbook, with the engine itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from shell import as_json, process, rag

from rag.api.access import SeenBy
from rag.eval.experiment import evaluate
from rag.eval.questions import Question
from rag.index.encoder import resolve_encoder
from rag.pipeline import Engine
from rag.types import Principal

DATA = Path(__file__).parents[2] / "data"
FILES = (
    "welcome.md",
    "it-guide.md",
    "operating-limits.md",
    "passenger-care.md",
    "faq.html",
    "fares-2024.html",
)
NOT_COMPARED = {"timings.jsonl", "journal.jsonl", ".lock"}
CHEAP = ("--metrics", "Recall@5,citation_validity,refusal_f1,expected_calibration_error")


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handbook") / "index"
    with Engine(folder, encoder=resolve_encoder()) as engine:
        engine.add([DATA / "handbook" / name for name in FILES])
    rows = [json.loads(line) for line in (DATA / "questions.jsonl").read_text("utf-8").splitlines()]
    held = [row for row in rows if {place["source"] for place in row["documents"]} <= {*FILES}]
    (folder.parent / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in held))
    return folder


def _asked(handbook: Path) -> Path:
    return handbook.parent / "questions.jsonl"


def _words(handbook: Path, *more: object) -> tuple[object, ...]:
    return ("eval", _asked(handbook), "--sample", 6, "--index", handbook, *CHEAP, *more)


def _files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name not in NOT_COMPARED}


def test_again_is_the_same_and_killed_is_the_same(handbook: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    first = as_json(*_words(handbook, "--out", whole))
    left = _files(whole)
    again = rag(*_words(handbook, "--out", whole, "--json"))
    assert json.loads(again.stdout) == first
    assert "6 of 6 questions were known" in again.stderr
    assert _files(whole) == left

    words = [sys.executable, "-m", "rag", *map(str, _words(handbook, "--out", cut, "--concurrency", 2))]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        while killed.poll() is None and not _kept(cut):
            pass
        killed.send_signal(signal.SIGKILL)
    kept = _kept(cut)
    assert 0 < kept < 6
    resumed = rag(*_words(handbook, "--out", cut))
    assert f"{kept} of 6 questions were known" in resumed.stderr
    assert _files(cut) == left


def _kept(folder: Path) -> int:
    journal = folder / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def test_every_line_has_what_it_takes_to_argue(handbook: Path, tmp_path: Path) -> None:
    rag(*_words(handbook, "--out", tmp_path))
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == 6
    assert sum(bool(line["citations"]) for line in lines) >= 2
    assert sum(bool(gold["rank"]) for line in lines for gold in line["gold"]) >= 2
    with Engine(handbook, create=False) as engine:
        for line in lines:
            for hit in line["hits"] + line["contexts"]:
                assert engine.document(hit["document_id"]).text[hit["start"] : hit["end"]] == hit["text"]
            for citation in line["citations"]:
                text = engine.document(citation["document_id"]).text
                assert text[citation["start"] : citation["end"]] == citation["quote"]
            for gold in line["gold"]:
                assert gold.keys() >= {"rank", "context_rank"}
                if gold["rank"]:
                    assert Path(line["hits"][gold["rank"] - 1]["source"]).name == Path(gold["source"]).name
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert summary["setup"]["system"]["commit"] == 1
    assert summary["setup"]["questions"]["count"] == 6
    assert str(tmp_path) not in json.dumps(summary)


def test_a_loss_exits_3_and_a_like_run_exits_0(tmp_path: Path) -> None:
    index, asked = tmp_path / "index", tmp_path / "questions.jsonl"
    fish = "cod eel ray bass carp hake perch pike shad tuna trout".split()
    with Engine(index) as engine:
        for name in fish:
            (tmp_path / f"{name}.txt").write_text(f"The {name} is brought to the quay.\n")
        engine.add([tmp_path / f"{name}.txt" for name in fish])
    rows = [
        {"user_input": f"where is the {name} brought", "documents": [{"source": f"{name}.txt"}]}
        for name in fish
    ]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("eval", asked, "--index", index, "--metrics", "Recall@1", "-k", 1)
    rag(*words, "--out", tmp_path / "good")
    same = rag(*words, "--baseline", tmp_path / "good")
    assert same.exit_code == 0
    assert "unchanged: 1 metric" in same.stdout
    assert same.stdout.splitlines()[-1] == "Nothing is significantly worse than the baseline."
    assert "the same in all 11 questions" in rag(*words, "--baseline", tmp_path / "good", "--verbose").stdout
    lost = rag(*words, "--where", "title=none", "--out", tmp_path / "lost", "--baseline", tmp_path / "good")
    assert lost.exit_code == 3, lost.output
    assert "worse by 1.000" in lost.stdout
    assert lost.stdout.splitlines()[-1] == "Significantly worse in: Recall@1."
    found = json.loads((tmp_path / "lost" / "summary.json").read_text())
    assert found["comparison"]["differences"][0]["worse"] is True
    means = as_json(*words, "--baseline", _alone(tmp_path))
    assert means["difference"] == {"Recall@1": 0.0}
    assert "only means can be compared" in " ".join(means["comparison"]["notes"])


def _alone(folder: Path) -> Path:
    path = folder / "old.json"
    path.write_bytes((folder / "good" / "summary.json").read_bytes())
    return path


def test_a_question_is_text_whatever_signs_are_in_it(handbook: Path) -> None:
    with Engine(handbook, create=False) as engine:
        asked = [
            Question("1", '-"password" +zebra who helps with a lost password', documents=()),
            Question("2", "-password"),
        ]
        for kb in (engine, SeenBy(engine, None)):
            found = evaluate(kb, asked, metrics=["Recall@5", "citation_validity"])
            assert [row.failure for row in found.rows] == ["", ""]
            assert all(row.hits for row in found.rows)


def test_a_state_is_that_of_commit_reader_and_settings(handbook: Path, tmp_path: Path) -> None:
    with Engine(handbook, create=False) as engine, Engine(tmp_path / "other") as other:
        assert len(engine.state()) == 64
        assert engine.state() == engine.state()
        before = other.state()
        other.add(DATA / "handbook" / "welcome.md")
        assert len({before, other.state(), engine.state()}) == 3
        seen = [
            SeenBy(engine, None),
            SeenBy(engine, Principal("ann")),
            SeenBy(engine, None, where={"title": "x"}),
            SeenBy(engine, None, steps=2),
            SeenBy(engine, None, contexts=5),
            SeenBy(engine, None, mode="dense"),
        ]
        assert len({kb.state() for kb in seen}) == len(seen)
    with Engine(handbook, create=False, reranker=lambda query, texts: [0.0] * len(texts)) as engine:
        assert engine.state() == SeenBy(engine, None).state() == ""  # an anonymous part cannot be told
    with Engine(handbook, create=False, policy="flag") as flagged, Engine(handbook, create=False) as engine:
        assert flagged.state() != engine.state()


def test_an_interrupt_says_how_to_go_on(
    handbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask(self: Engine, question: str, **options: object) -> object:
        asked.append(question)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(self, question, **options)

    whole = Engine.ask
    monkeypatch.setattr(Engine, "ask", ask)
    stopped = rag(*_words(handbook, "--out", tmp_path))
    assert stopped.exit_code == 130
    assert f"stopped after 2 of 6 questions; the same command goes on from {tmp_path}" in stopped.stderr
    assert _kept(tmp_path) == 2


def test_the_judge_is_the_engines_own_where_a_metric_needs_one(handbook: Path, tmp_path: Path) -> None:
    words = ("eval", _asked(handbook), "--index", handbook, "--sample", 3, "--metrics", "faithfulness")
    found = as_json(*words, "--out", tmp_path / "one")
    assert found["setup"]["judge"].startswith("local")
    lines = [
        json.loads(line) for line in (tmp_path / "one" / "results.jsonl").read_text("utf-8").splitlines()
    ]
    judged = [line["grounds"]["faithfulness"] for line in lines if line["grounds"]]
    assert judged
    assert all(each["judge"] == found["setup"]["judge"] and each["grounds"] for each in judged)
    as_json(*words, "--judge", "local", "--concurrency", 2, "--out", tmp_path / "two")
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


_WITH_RUN = "rag: --run goes with --metrics, --out, --baseline, --verbose and --json alone\n"


def test_a_trec_run_needs_no_index(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("1 0 a 1\n1 0 b 0\n2 0 c 2\n")
    (tmp_path / "run.txt").write_text("1 Q0 b 1 2.0 x\n1 Q0 a 2 1.0 x\n2 Q0 c 1 1.0 x\n")
    words = ("eval", tmp_path / "qrels.txt", "--run", tmp_path / "run.txt", "--index", tmp_path / "none")
    found = as_json(*words, "--metrics", "RR@10,AP")
    assert {name: each["mean"] for name, each in found["metrics"].items()} == {"RR@10": 0.75, "AP": 0.75}
    assert "RR@10" in rag(*words).stdout
    for more in ("--sample 1", "--split test", "--judge local", "--where title=a", "-k 10"):
        refused = rag(*words, *more.split())
        assert (refused.exit_code, refused.stderr) == (2, _WITH_RUN)
    as_json("eval", tmp_path / "run.txt", "--run", tmp_path / "qrels.txt", exit_code=2)
    kept = as_json(*words, "--out", tmp_path / "out")
    assert kept["setup"]["questions"]["file"] == "qrels.txt"
    left = {each.name for each in (tmp_path / "out").iterdir()}
    assert left >= {"results.jsonl", "report.html", "report.md"}
    again = rag(*words, "--baseline", tmp_path / "out")
    assert again.exit_code == 0, again.output
    assert "Nothing is significantly worse than the baseline" in again.stdout.splitlines()[-1]
    (tmp_path / "run.txt").write_text("1 Q0 b 1 2.0 x\n1 Q0 a 2 1.0 x\n")
    assert "the run lacks 1 of the judged queries, which counts 0: 2" in rag(*words).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--concurrency", "0"),
        ("--sample", "0"),
        ("--split", "nowhere"),
        ("--baseline", "nowhere"),
        ("--baseline", str(DATA / "questions.jsonl")),
        ("--metrics", "truth"),
        ("--metrics", ","),
        ("--metrics", ""),
        ("--judge", "oracle"),
        ("--judge-model", "small"),
        ("-k", "0"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(handbook: Path, words: tuple[str, ...]) -> None:
    done = rag("eval", _asked(handbook), "--index", handbook, *words)
    assert done.exit_code == 2
    assert done.stderr.startswith("rag: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_of_something_else_is_left_alone(handbook: Path, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"mine": 1}')
    done = rag(*_words(handbook, "--out", tmp_path))
    assert (done.exit_code, (tmp_path / "summary.json").read_text()) == (2, '{"mine": 1}')
    assert "no evaluation's" in done.stderr


def test_results_of_another_evaluation_are_replaced_and_that_is_said(handbook: Path, tmp_path: Path) -> None:
    words = ("eval", _asked(handbook), "--index", handbook, "--metrics", "Recall@3", "--out", tmp_path)
    rag(*words)
    done = rag(*words, "-k", 3)
    assert "had the results of another evaluation (depth, k, system): they are replaced" in done.stderr
    assert json.loads((tmp_path / "summary.json").read_text())["setup"]["k"] == 3


def test_help_shows_the_options() -> None:
    done = process("eval", "--help")
    assert done.returncode == 0
    for option in ("--baseline", "--concurrency", "--no-resume", "--sample", "--split", "--run"):
        assert option in done.stdout


def test_a_judge_that_is_down_and_gold_of_elsewhere_exit_1(handbook: Path, tmp_path: Path) -> None:
    words = ("eval", _asked(handbook), "--index", handbook, "--sample", 2, "--metrics", "faithfulness")
    done = rag(*words, "--judge", "http://127.0.0.1:9/v1", "--judge-model", "foo")
    assert done.exit_code == 1, done.output
    assert "the judge gave no verdict for faithfulness" in done.stdout
    other = tmp_path / "other.jsonl"
    other.write_text('{"user_input": "where is Gallia", "documents": [{"source": "caesar.pdf"}]}\n')
    done = rag("eval", other, "--index", handbook, "--metrics", "Recall@5")
    assert done.exit_code == 1, done.output
    assert "none of the gold documents is in this index: caesar.pdf" in done.stdout
    assert "answered" not in done.stdout


def test_means_by_kind_are_for_the_verbose_and_rough_intervals_are_marked(handbook: Path) -> None:
    words = _words(handbook)
    short, long = rag(*words), rag(*words, "--verbose")
    assert "by kind" not in short.stdout
    assert "by kind" in long.stdout
    assert "rough: of few questions" in short.stdout
    assert len(short.stdout.splitlines()) < len(long.stdout.splitlines())
