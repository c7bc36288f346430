"""`rag watch` and `rag feedback` over a log that an engine kept."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shell import as_json, rag

from rag.api.watch import parse_duration, watch
from rag.errors import InputError
from rag.eval.watching.records import read_log
from rag.pipeline import Engine
from rag.query_log import QueryLog
from rag.types import Answer, Principal

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
LEAVE = (
    "How many weeks of leave has the parent who gives birth?",
    "How many days of annual leave are there?",
)
ELSE = ("Who won the chess match in Reykjavik?", "What colour has the moon of Jupiter?")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log" / "queries.jsonl"


def asked(log: Path, monkeypatch: pytest.MonkeyPatch, day: int, questions: tuple[str, ...]) -> None:
    """Log 24 answers of one day: refusals of what no document answers."""
    for number in range(24):
        when = NOW - timedelta(days=day, minutes=number)
        monkeypatch.setattr("rag.query_log._now", when.isoformat)
        question = questions[number % len(questions)]
        refused = question in ELSE
        said = f"{question}{' Please' * (number % 5)}"
        answer = Answer(said, "", (), (), (), refused, 0.1 if refused else 0.9, "m", seal=f"{day}-{number}")
        QueryLog(log).write(answer, None, b"key")


@pytest.fixture
def logged(log: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of two weeks, in the second of which people ask what no document answers."""
    log.parent.mkdir()
    asked(log, monkeypatch, 10, LEAVE)
    asked(log, monkeypatch, 2, ELSE)
    return log


def test_a_look_measures_compares_and_raises_an_alarm(engine: Engine, logged: Path, tmp_path: Path) -> None:
    out = tmp_path / "watch"
    found = watch(engine, logged, out, sample=6, end=NOW)
    assert (found.answers, found.before, found.asked) == (24, 24, 6)
    changes = {each.metric: each for each in found.changes}
    assert changes["logged_abstained"].worse and changes["logged_confidence"].worse
    assert {"centroid", "abstention"} <= {each.measure for each in found.drifts if each.drifted}
    assert found.alarm
    assert found.folder == out / "20260520T120000Z"
    title = f"{found.asked} logged questions, 2026-05-13 12:00 to 2026-05-20 12:00 UTC"
    assert f"<h1><bdi>{title}</bdi></h1>" in (found.folder / "report.html").read_text()
    left = json.loads((found.folder / "watch.json").read_text())
    assert left["alarm"] is True and (found.folder / "summary.json").is_file()
    assert stat.S_IMODE(out.stat().st_mode) == 0o700

    overlapping = watch(engine, logged, out, sample=6, end=NOW + timedelta(hours=1))
    assert "abstained" not in {each.metric for each in overlapping.changes}
    again = watch(engine, logged, out, sample=6, end=NOW + timedelta(hours=1), window=timedelta(days=3))
    assert "abstained" not in {each.metric for each in again.changes}
    (found.folder / "watch.json").write_text(
        json.dumps(left | {"end": (NOW - timedelta(days=7)).isoformat(), "window_s": 86_400})
    )
    again = watch(engine, logged, out, sample=6, end=NOW + timedelta(hours=2))
    compared = {each.metric for each in again.changes}
    assert {"abstained", "confidence"} <= compared
    assert not any(each.worse for each in again.changes if each.metric in ("abstained", "confidence"))


def test_what_a_look_leaves_is_the_owners_alone_also_where_the_folder_was(
    engine: Engine, logged: Path, tmp_path: Path
) -> None:
    out = tmp_path / "watch"
    (out / "20260520T120000Z").mkdir(parents=True)
    out.chmod(0o755)
    (out / "20260520T120000Z").chmod(0o755)
    found = watch(engine, logged, out, sample=2, end=NOW)
    assert found.folder and stat.S_IMODE(found.folder.stat().st_mode) == 0o700
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in found.folder.iterdir()}
    assert {"watch.json", "results.jsonl", "journal.jsonl"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_scores_of_another_judge_are_not_compared_and_that_is_said(
    engine: Engine, logged: Path, tmp_path: Path
) -> None:
    out = tmp_path / "watch"
    found = watch(engine, logged, out, sample=2, end=NOW)
    assert found.folder
    left = json.loads((found.folder / "watch.json").read_text())
    early = left | {"end": (NOW - timedelta(days=7)).isoformat()}
    early["setup"] = left["setup"] | {"judge": "another"}
    (found.folder / "watch.json").write_text(json.dumps(early))
    again = watch(engine, logged, out, sample=2, end=NOW + timedelta(hours=1))
    compared = {each.metric for each in again.changes}
    assert "faithfulness" not in compared and "confidence" in compared
    assert "another judge" in again.notes[0]


def test_the_same_week_twice_is_no_alarm(
    engine: Engine, log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log.parent.mkdir()
    for day in (10, 2):
        asked(log, monkeypatch, day, (*LEAVE, *ELSE))
    found = watch(engine, log, tmp_path / "watch", sample=4, end=NOW)
    assert not found.alarm
    assert found.changes and found.drifts


def test_the_command_exits_3_on_an_alarm(
    index: Path, logged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [json.loads(line) for line in logged.read_text().splitlines()]
    late = datetime.now(UTC) - NOW
    for line in lines:
        line["time"] = (datetime.fromisoformat(line["time"]) + late).isoformat()
    logged.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ("watch", "--log", logged, "--index", index, "--out", tmp_path / "watch", "--sample", 3, "--once")
    told = as_json(*words, exit_code=3)
    assert told["alarm"] is True and told["asked"] == 3
    shown = rag(*words)
    assert shown.exit_code == 3
    assert "something is worse or has drifted" in shown.stdout
    quiet = rag(*words[:-1], "--window", "1s")
    assert quiet.exit_code == 0 and "0 answers" in quiet.stdout


def test_only_one_tenants_questions_are_looked_at(engine: Engine, logged: Path, tmp_path: Path) -> None:
    found = watch(engine, logged, tmp_path / "watch", end=NOW, principal=Principal(tenant="acme"))
    assert (found.answers, found.asked, found.folder, found.alarm) == (0, 0, None, False)


def test_feedback_is_joined_by_document(index: Path, log: Path) -> None:
    log.parent.mkdir()
    with Engine(index, create=False, query_log=log) as engine:
        good, bad = engine.ask(LEAVE[0]), engine.ask(LEAVE[1])
        engine.feedback(good.seal, 1)
        engine.feedback(bad.seal, -1)
        cited = bad.citations[0].document_id
    found = as_json("feedback", "--log", log, "--index", index)
    by_id = {each["document_id"]: each for each in found["documents"]}
    assert (by_id[cited]["up"], by_id[cited]["down"]) == (1, 1)
    assert by_id[cited]["source"].endswith("leave.md")
    assert by_id[cited]["questions"] == [LEAVE[1]]
    shown = rag("feedback", "--log", log, "--index", index)
    assert shown.exit_code == 0 and "0.50" in shown.stdout


def test_feedback_tells_a_reader_only_of_what_they_may_read(docs: Path, tmp_path: Path, log: Path) -> None:
    log.parent.mkdir()
    index = tmp_path / "index"
    ann = Principal("ann", "acme")
    with Engine(index, query_log=log) as engine:
        engine.add(docs / "leave.md", tenant="acme", readers=["ann"])
        engine.add(docs / "boats.txt", tenant="acme")
        answer = engine.ask(LEAVE[1], principal=ann)
        engine.feedback(answer.seal, -1, principal=ann)
    words = ("feedback", "--log", log, "--index", index, "--tenant", "acme")
    (whole,) = as_json(*words)["documents"]
    assert (whole["down"], whole["questions"]) == (1, [LEAVE[1]])
    (own,) = as_json(*words, "--principal", "ann")["documents"]
    assert (own["down"], own["questions"]) == (1, [])
    other = as_json(*words, "--principal", "bob")
    assert (other["documents"], other["hidden"]) == ([], 1)
    shown = rag(*words, "--principal", "bob").stdout
    assert "leave.md" not in shown and LEAVE[1] not in shown and "1 more documents" in shown


def test_of_a_deleted_document_only_the_id_is_left(own_index: Path, log: Path) -> None:
    log.parent.mkdir()
    with Engine(own_index, create=False, query_log=log) as engine:
        answer = engine.ask(LEAVE[1])
        engine.feedback(answer.seal, -1)
        cited = answer.citations[0].document_id
        engine.delete(cited)
        engine.compact()
    (found,) = as_json("feedback", "--log", log, "--index", own_index)["documents"]
    assert (found["document_id"], found["source"], found["down"]) == (cited, None, 1)
    assert "25 days" not in log.read_text()
    assert len(read_log(log, "").answers) == 1


def test_times_are_read_or_refused() -> None:
    assert parse_duration("90s") == timedelta(seconds=90)
    assert parse_duration("2w") == timedelta(days=14)
    for wrong in ("", "h", "0d", "1 h", "-1h", "1y", "99999999d"):
        with pytest.raises(InputError, match="is no time"):
            parse_duration(wrong)


def test_wrong_use_is_told(index: Path, tmp_path: Path) -> None:
    missing = rag("watch", "--log", tmp_path / "none", "--index", index, "--out", tmp_path / "o")
    assert missing.exit_code == 2 and "no query log at" in missing.stderr
    assert not (tmp_path / "o").exists()
