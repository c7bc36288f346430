from pathlib import Path

import pytest

from rag.errors import QuestionFileError
from rag.eval.trec import read_judgments, read_trec_qrels, read_trec_run

QRELS = "q1 0 d1 2\nq1 0 d2\t-1\n\nq2 0 d1 0\n"
RUN = "q1 Q0 d2 7 1.5 mine\nq1\tQ0\td1\t1\t-2e3\tmine\nq9 Q0 d1 1 +.5E1 mine\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "file"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_judgments_and_runs(tmp_path: Path) -> None:
    assert read_trec_qrels(write(tmp_path, QRELS)) == {"q1": {"d1": 2, "d2": -1}, "q2": {"d1": 0}}
    run = read_trec_run(write(tmp_path, "\ufeff" + RUN.replace("\n", "\r\n")))
    assert run == {"q1": {"d2": 1.5, "d1": -2000.0}, "q9": {"d1": 5.0}}


def test_an_id_may_hold_a_space_that_is_not_of_ascii(tmp_path: Path) -> None:
    assert read_trec_qrels(write(tmp_path, "q1 0 d\u00a0x 1\n")) == {"q1": {"d\u00a0x": 1}}
    assert read_trec_run(write(tmp_path, "q1 Q0 d\u2003x 1 2 m\n")) == {"q1": {"d\u2003x": 2.0}}


def test_tells_beirs_judgments_from_trecs(tmp_path: Path) -> None:
    beir = "query-id\tcorpus-id\tscore\nq1\td1\t2\n"
    assert read_judgments(write(tmp_path, beir)) == {"q1": {"d1": 2}}
    assert read_judgments(write(tmp_path, QRELS))["q2"] == {"d1": 0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no judgments"),
        (QRELS + "q1 d3 1\n", "line 5: 3 columns: write query, 0, document and grade"),
        (QRELS + "q1 0 d1 1\n", "line 5: document 'd1' is judged twice for query 'q1'"),
        (QRELS + "q1 0 d3 1_0\n", "line 5: the grade '1_0' is not a whole number"),
        (QRELS + "q1 0 d3 ١\n", "line 5: the grade '١' is not a whole number"),
        (QRELS + "q1 0 d3 0.5\n", r"line 5: the grade '0\.5' is not a whole number"),
    ],
)
def test_damaged_judgments_say_where(tmp_path: Path, text: str, message: str) -> None:
    for read in (read_trec_qrels, read_judgments):
        with pytest.raises(QuestionFileError, match=message):
            read(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "holds no results"),
        (RUN + "q1 Q0 d3 1 0.5\n", "line 4: 5 columns: write query, Q0, document, rank, score"),
        (RUN + "q1 Q0 d1 1 0.5 mine\n", "line 4: document 'd1' comes twice for query 'q1'"),
        (RUN + "q1 Q0 d3 1 best mine\n", "line 4: the score 'best' is not a number"),
        (RUN + "q1 Q0 d3 1 nan mine\n", "line 4: the score 'nan' is not a number"),
        (RUN + "q1 Q0 d3 1 -inf mine\n", "line 4: the score '-inf' is not a number"),
        (RUN + "q1 Q0 d3 1 1_0 mine\n", "line 4: the score '1_0' is not a number"),
        (RUN + "q1 Q0 d3 1 ١٢ mine\n", "line 4: the score '١٢' is not a number"),
        (RUN + "q1 Q0 d3 1 1e400 mine\n", "line 4: the score '1e400' is too large"),
    ],
)
def test_a_damaged_run_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(QuestionFileError, match=message):
        read_trec_run(write(tmp_path, text))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    for read in (read_trec_run, read_judgments):
        with pytest.raises(QuestionFileError, match="cannot read"):
            read(tmp_path / "none")
