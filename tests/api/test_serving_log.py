"""That the service alone keeps the log that the settings name."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import rag

from rag.api.settings import DoorSettings
from rag.eval.watching.records import read_log
from rag.pipeline import Engine


@pytest.mark.parametrize("by_flag", [True, False])
def test_serve_keeps_a_log_and_ask_keeps_none(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_flag: bool
) -> None:
    log = tmp_path / "queries.jsonl"

    def serve(engine: Engine, settings: DoorSettings) -> None:
        engine.ask("Call +49 170 1234567: how many days of annual leave are there?")

    monkeypatch.setattr("rag.api.app.serve", serve)
    monkeypatch.setenv("RAG_QUERY_LOG_QUESTIONS", "hashed" if by_flag else "redacted")
    if not by_flag:
        monkeypatch.setenv("RAG_QUERY_LOG", str(log))
    served = rag("serve", "--index", index, *(("--query-log", log) if by_flag else ()))
    assert served.exit_code == 0, served.output
    assert rag("ask", "How many days of annual leave are there?", "--index", index).exit_code == 0
    (kept,) = read_log(log, "").answers
    assert kept.question == ("" if by_flag else "Call [redacted]: how many days of annual leave are there?")


def test_a_wrong_way_of_keeping_questions_is_refused(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_QUERY_LOG_QUESTIONS", "some")
    refused = rag("serve", "--index", index)
    assert refused.exit_code == 2 and "redacted, hashed or plain" in refused.stderr
