from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import document

from rag.errors import AnswerNotFound, InputError
from rag.eval.watching.records import log_files, read_log
from rag.pipeline import Engine
from rag.query_log import REDACTED, QueryLog
from rag.redaction import redact
from rag.types import Answer, Citation, Principal, Sentence

KEY = b"secret"
ANN = Principal("Ann Fox", "acme")
SECRET = "The vault opens with the word marigold."


def answer(question: str = "How wide is the quay?", seal: str = "s1") -> Answer:
    citation = Citation(1, "d" * 64, "a.md", "a", None, "", 3, 9, "marigold quote")
    sentence = Sentence("It is marigold wide.", (1,), supported=True, support=0.9)
    return Answer(
        question,
        "It is marigold wide. [1]",
        (sentence,),
        (citation,),
        (),
        False,
        0.7,
        "extractive",
        4,
        seal=seal,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queries.jsonl"


def test_nothing_is_written_unless_asked_for(open_engine: Callable[..., Engine], tmp_path: Path) -> None:
    engine = open_engine()
    engine.add(document(SECRET, "a.txt"))
    engine.ask("Which word opens the vault?")
    assert [each.name for each in tmp_path.iterdir()] == ["index"]
    with pytest.raises(InputError, match="no query log"):
        engine.feedback("s1", 1)


def test_every_way_of_asking_is_logged_without_any_text_of_documents(
    open_engine: Callable[..., Engine], path: Path
) -> None:
    engine = open_engine(query_log=path)
    engine.add(document(SECRET, "a.txt"))
    first = engine.ask("Which word opens the vault?")
    engine.chat([{"role": "user", "content": "Which word opens the vault?"}])
    list(engine.stream("Which word opens the vault?"))
    found = read_log(path, "").answers
    assert [each.mode for each in found] == ["ask", "chat", "ask"]
    assert found[0].id == first.seal
    assert found[0].commit == 1
    assert list(found[0].hits) == [hit.chunk.id for hit in first.contexts]
    assert [(c.start, c.end) for c in found[0].citations] == [(c.start, c.end) for c in first.citations]
    assert "marigold" not in path.read_text()


def test_it_is_the_owners_alone(path: Path) -> None:
    QueryLog(path, max_bytes=1, files=2).write(answer(), ANN, KEY)
    QueryLog(path, max_bytes=1, files=2).write(answer(), ANN, KEY)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("Mail ann.fox@acme.example about it", f"Mail {REDACTED} about it"),
        ("Call +49 (170) 123-4567 today", f"Call {REDACTED} today"),
        ("What is on account 00123456?", f"What is on account {REDACTED}?"),
        ("Is Ann on leave, or is FOX?", f"Is {REDACTED} on leave, or is {REDACTED}?"),
        ("What was the fare in 2024 for 12 cars?", "What was the fare in 2024 for 12 cars?"),
        ("What happened on 2024-01-15 and 3. 5. 2024?", "What happened on 2024-01-15 and 3. 5. 2024?"),
        ("At 2024-01-15 10:30, in 2019 - 2020?", "At 2024-01-15 10:30, in 2019 - 2020?"),
        ("Costs 10.000.000 in 2019-2020?", "Costs 10.000.000 in 2019-2020?"),
        ("Is it 100.000.000.000 or 1.5 / 2.5 / 3.5?", "Is it 100.000.000.000 or 1.5 / 2.5 / 3.5?"),
        ("On 2024-01-15 0170 1234567 rang", f"On {REDACTED} rang"),
        ("Ring 555.123.4567 or (030) 12 34 56", f"Ring {REDACTED} or {REDACTED}"),
        ("Is 123-45-6789 hers?", f"Is {REDACTED} hers?"),
        ("Card 4111-1111-1111-1111, DE89 3704 0044 0532", f"Card {REDACTED}, DE89 {REDACTED}"),
        ("Is the annual foxglove tour on?", "Is the annual foxglove tour on?"),
    ],
)
def test_what_tells_people_is_redacted(question: str, kept: str, path: Path) -> None:
    QueryLog(path).write(answer(question), ANN, KEY)
    (found,) = read_log(path, "acme").answers
    assert found.question == kept
    assert "ann" not in found.principal.lower() and len(found.principal) == 32


@pytest.mark.parametrize("piece", ["a", "a-", "1-", "1 ", "a.b+", "a@", "a@a.", "1.5 / ", "2020-", "(1"])
def test_no_question_takes_long_to_redact(piece: str) -> None:
    long = piece * (200_000 // len(piece)) + "a"
    started = time.perf_counter()
    assert len(redact(long)) <= 4_000
    assert time.perf_counter() - started < 1


def test_what_was_cut_at_the_end_of_a_long_text_is_not_kept() -> None:
    numbers = redact("0170 1234567, " * 600 + "x")
    assert "0" not in numbers and "7" not in numbers


def test_a_number_that_json_has_not_fails_no_answer(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in (float("nan"), float("inf")):
        QueryLog(path).write(replace(answer(), confidence=number), ANN, KEY)
    assert "cannot be written" in caplog.text
    QueryLog(path).write(answer(), ANN, KEY)
    assert len(read_log(path, "acme").answers) == 1


def test_without_a_secret_there_is_no_log(
    open_engine: Callable[..., Engine], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"no secret .* make a new index"):
        QueryLog(path).write(answer(), ANN, b"")
    assert not path.exists()
    open_engine().close()
    monkeypatch.setattr("rag.index.store.read_meta", lambda connection, key: None)
    with pytest.raises(InputError, match="no secret"):
        open_engine(query_log=path)


def test_a_rating_is_quick_in_a_large_log(path: Path) -> None:
    kept = QueryLog(path)
    kept.write(answer(seal="first"), None, KEY)
    line = path.read_bytes().replace(b'"first"', b'"other"')
    with path.open("ab") as file:
        file.write(line * (20_000_000 // len(line)))
    started = time.perf_counter()
    kept.rate("first", 1, "", None, KEY)
    assert time.perf_counter() - started < 0.3


def test_only_who_was_answered_and_an_operator_rate(path: Path) -> None:
    kept = QueryLog(path)
    kept.write(answer(), ANN, KEY)
    for other in (Principal("bob", "acme"), Principal(tenant="acme"), Principal("Ann Fox", "globex")):
        with pytest.raises(AnswerNotFound):
            kept.rate("s1", -1, "", other, KEY)
    kept.rate("s1", 1, "", replace(ANN, groups=("crew",)), KEY)
    kept.rate("s1", -1, "", Principal("chief", "acme", operator=True), KEY)
    assert [each.rating for each in read_log(path, "acme").ratings] == [1, -1]


def test_a_hash_alone_tells_equal_questions_and_no_words(path: Path) -> None:
    hashed = QueryLog(path, "hashed")
    for asked in ("How wide is the quay?", "how wide  is the QUAY?", "How long is it?"):
        hashed.write(answer(asked), None, KEY)
    found = read_log(path, "").answers
    assert {each.question for each in found} == {""}
    assert found[0].question_hash == found[1].question_hash != found[2].question_hash
    assert "quay" not in path.read_text().lower()
    QueryLog(path, "hashed").write(answer(), None, b"another index")
    assert read_log(path, "").answers[-1].question_hash != found[0].question_hash


def test_answers_and_comments_are_kept_only_where_asked_for(path: Path) -> None:
    quiet, full = QueryLog(path), QueryLog(path, answers=True, comments=True)
    quiet.write(answer(), ANN, KEY)
    quiet.rate("s1", -1, "marigold is wrong", ANN, KEY)
    assert "marigold" not in path.read_text()
    full.write(answer(), ANN, KEY)
    full.rate("s1", 1, "thanks, ann.fox@acme.example", ANN, KEY)
    found = read_log(path, "acme")
    assert [each.response for each in found.answers] == ["", "It is marigold wide. [1]"]
    assert [each.comment for each in found.ratings] == ["", f"thanks, {REDACTED}"]


def test_a_tenant_rates_and_reads_only_its_own(path: Path) -> None:
    kept = QueryLog(path)
    kept.write(answer(), ANN, KEY)
    for other in (Principal("bob", "globex"), None):
        with pytest.raises(AnswerNotFound):
            kept.rate("s1", 1, "", other, KEY)
        assert read_log(path, other.tenant if other else "").answers == ()
    with pytest.raises(AnswerNotFound):
        kept.rate("s2", 1, "", ANN, KEY)
    with pytest.raises(AnswerNotFound):
        kept.rate("", 1, "", ANN, KEY)
    with pytest.raises(InputError, match="1 or -1"):
        kept.rate("s1", 0, "", ANN, KEY)
    with pytest.raises(InputError, match="1,000 characters"):
        kept.rate("s1", 1, "x" * 1001, ANN, KEY)
    assert read_log(path, "acme").ratings == ()


def test_it_is_rotated_and_bounded(path: Path) -> None:
    kept = QueryLog(path, max_bytes=2_000, files=2)
    for number in range(30):
        kept.write(answer(seal=f"s{number}"), None, KEY)
    files = log_files(path)
    assert [each.name for each in files] == ["queries.jsonl.2", "queries.jsonl.1", "queries.jsonl"]
    assert all(each.stat().st_size <= 2_000 for each in files)
    ids = [each.id for each in read_log(path, "").answers]
    assert ids == [f"s{number}" for number in range(30 - len(ids), 30)]
    QueryLog(path, max_bytes=1, files=0).write(answer(seal="last"), None, KEY)
    assert path.read_text().count("\n") == 1


def test_threads_and_processes_write_whole_lines(path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from rag.query_log import QueryLog\nfrom rag.types import Answer\n"
        "for n in range(40):\n"
        "    one = Answer('q', 'a', (), (), (), False, .5, 'm', seal=f'{sys.argv[2]}-{n}')\n"
        "    QueryLog(Path(sys.argv[1]), max_bytes=9_000, files=20).write(one, None, b'k')\n"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, str(path), str(number)]) for number in range(2)]
    kept = QueryLog(path, max_bytes=9_000, files=20)

    def write(name: int) -> None:
        for number in range(40):
            kept.write(answer(seal=f"t{name}-{number}"), None, KEY)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0]
    found = read_log(path, "")
    assert found.damaged == 0
    wanted = {f"t{name}-{number}" for name in range(3) for number in range(40)}
    wanted |= {f"{name}-{number}" for name in range(2) for number in range(40)}
    assert {each.id for each in found.answers} == wanted


def test_a_line_that_a_crash_cut_short_is_counted_and_swallows_nothing(path: Path) -> None:
    kept = QueryLog(path)
    kept.write(answer(seal="s1"), None, KEY)
    with path.open("ab") as file:
        file.write(b'{"type": "answer", "tenant": "", "id"')
    kept.write(answer(seal="s2"), None, KEY)
    with path.open("ab") as file:
        file.write(b'\n[1]\n\xff\n{"type": "feedback", "tenant": "", "rating": 7}\n')
    found = read_log(path, "")
    assert [each.id for each in found.answers] == ["s1", "s2"]
    assert found.damaged == 4


def test_an_answer_goes_on_where_the_log_cannot(
    open_engine: Callable[..., Engine], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log").mkdir()
    engine = open_engine(query_log=tmp_path / "log")
    engine.add(document(SECRET, "a.txt"))
    assert not engine.ask("Which word opens the vault?").abstained
    assert "cannot be written" in caplog.text


def test_bad_settings_are_refused(path: Path) -> None:
    for wrong in ({"questions": "some"}, {"max_bytes": 0}, {"files": -1}, {"patterns": ["("]}):
        with pytest.raises(InputError):
            QueryLog(path, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no query log at"):
        read_log(path, "")


def test_odd_questions_are_kept_as_json(path: Path) -> None:
    for asked in ("\ud800 \x00 \u2028 \n line", "x" * 10_000, "日本"):
        QueryLog(path).write(replace(answer(), question=asked), None, KEY)
    lines = path.read_text().splitlines()
    assert len(lines) == 3 and all(json.loads(line) for line in lines)
    assert len(read_log(path, "").answers[1].question) == 4_000
