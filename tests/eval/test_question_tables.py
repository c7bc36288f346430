import csv
from pathlib import Path

import pytest

from rag.errors import QuestionFileError
from rag.eval.questions import Place, Question, read_questions


def write(folder: Path, text: str, name: str = "q.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def test_reads_every_column(tmp_path: Path) -> None:
    text = (
        "id,user_input,reference,references,reference_contexts,reference_context_ids,documents,answerable,kind,team\r\n"
        '7,"How long,\nat most?",ten days,"[""ten"", ""10""]",one || two,a:0-9; b:1-2,'
        "a.pdf#page=3; b.md,TRUE,fact,hr\r\n"
        "\r\n"
        ",Why?,,,,,,,,\r\n"
    )
    first, second = read_questions(write(tmp_path, "\ufeff" + text))
    assert first == Question(
        id="7",
        user_input="How long,\nat most?",
        reference="ten days",
        references=("ten", "10"),
        reference_contexts=("one", "two"),
        reference_context_ids=("a:0-9", "b:1-2"),
        documents=(Place("a.pdf", 3), Place("b.md")),
        answerable=True,
        kind="fact",
        extra={"team": "hr"},
    )
    assert second == Question(id="line-5", user_input="Why?")


@pytest.mark.parametrize(("name", "delimiter"), [("q.csv", ","), ("q.csv", ";"), ("q.tsv", "\t")])
def test_what_ragas_writes_is_read(tmp_path: Path, name: str, delimiter: str) -> None:
    """Its lists are Python's, for the csv module writes them so."""
    row = {
        "user_input": "How long?",
        "retrieved_contexts": ["it's one", "two"],
        "reference_contexts": ["ten; days || long", 'of "leave"'],
        "response": "Ten.",
        "reference": "ten days",
    }
    with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row, delimiter=delimiter)
        writer.writeheader()
        writer.writerow(row)
    (question,) = read_questions(tmp_path / name)
    assert question.reference_contexts == ("ten; days || long", 'of "leave"')
    assert question.extra == {"retrieved_contexts": ["it's one", "two"], "response": "Ten."}


def test_a_dataset_that_ragas_wrote_is_read(tmp_path: Path) -> None:
    ragas = pytest.importorskip("ragas.dataset_schema")
    sample = ragas.SingleTurnSample(
        user_input="How long?", reference="ten", reference_contexts=["a", "b"], reference_context_ids=[3, "x"]
    )
    dataset = ragas.EvaluationDataset(samples=[sample])
    dataset.to_csv(tmp_path / "q.csv")
    dataset.to_jsonl(tmp_path / "q.jsonl")
    for name in ("q.csv", "q.jsonl"):
        (question,) = read_questions(tmp_path / name)
        assert (question.user_input, question.reference) == ("How long?", "ten")
        assert (question.reference_contexts, question.reference_context_ids) == (("a", "b"), ("3", "x"))


def test_older_names_are_known(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path, "question,ground_truth\nWhy?,so\n"))
    assert (question.user_input, question.reference) == ("Why?", "so")
    (question,) = read_questions(write(tmp_path, "question,user_input\nold,new\n"))
    assert (question.user_input, question.extra) == ("new", {"question": "old"})


def test_a_text_may_begin_with_a_bracket(tmp_path: Path) -> None:
    for text in ("[1] First see the note", "[sic] so [2]", "[1, 2] and more"):
        (question,) = read_questions(write(tmp_path, f'user_input,reference_contexts\nq,"{text} || b"\n'))
        assert question.reference_contexts == (text, "b")


def test_what_pandas_writes_for_nothing_is_empty(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path, "question,ground_truth,kind\nq,NaN,nan\n"))
    assert (question.reference, question.kind) == (None, "")


def test_delimiters_in_quoted_names_are_not_counted(tmp_path: Path) -> None:
    for blank in ("", "\n"):
        text = blank + 'user_input,reference,"note; a; b ""c; d"";"\nq,r,n\n'
        (question,) = read_questions(write(tmp_path, text))
        assert (question.user_input, question.reference) == ("q", "r")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("user_input\n", "is empty"),
        ("query,answer\na,b\n", "line 1: no column 'user_input' among query, answer"),
        ("user_input,kind,kind\na,b,c\n", "line 1: two columns are named 'kind'"),
        ("user_input,kind\na,b\na\n", "line 3: 1 cells under 2 columns"),
        ('user_input,kind\n"a"x,b\n', "line 2: not a row"),
        ('user_input,kind\n"a,b\n', "line 2: not a row"),
        ("user_input,answerable\na,maybe\n", "line 2: 'maybe' in the column 'answerable'"),
        ("user_input,references\na,[open(1)]\n", "line 2: the column 'references' is not a list"),
        (
            "user_input,references\na,\"['a' 'b']\"\n",
            "line 2: the column 'references' has strings without commas",
        ),
        ("user_input,references\na,\"['a'\n 'b']\"\n", "line 3: the column 'references' has strings without"),
        ("user_input,references\na,\"['a', 'b\"\n", "line 2: the column 'references' is not a list"),
        ("user_input,references\na,[1]\n", "line 2: the field 'references' must be a list of strings"),
        ("user_input,documents\na,a.pdf#page=x\n", "line 2: the document 'a.pdf#page=x'"),
        ("user_input,documents\na,[1]\n", "line 2: an entry of 'documents' is not an object"),
        ("id,user_input\n1,a\n1,b\n", "line 3: the id '1' comes twice"),
        ("user_input,kind\n,b\n", "line 2: no question"),
    ],
)
def test_a_damaged_table_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(QuestionFileError, match=message.replace("[", r"\[").replace("(", r"\(")):
        read_questions(write(tmp_path, text))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(QuestionFileError, match="cannot read"):
        read_questions(tmp_path / "none.csv")
    (tmp_path / "q.csv").write_bytes(b"user_input\n\xff\n")
    with pytest.raises(QuestionFileError, match="not UTF-8"):
        read_questions(tmp_path / "q.csv")
    write(tmp_path, f"user_input\n{'x' * 200_000}\n")
    with pytest.raises(QuestionFileError, match=r"more than 131,072 characters.*JSON Lines"):
        read_questions(tmp_path / "q.csv")
