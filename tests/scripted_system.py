"""A system over one document that counts what it is asked, errs and abstains where a question says so."""

from __future__ import annotations

from pathlib import Path

from rag.errors import DocumentNotFound, IndexCorrupt
from rag.eval.questions import Place, Question
from rag.types import Answer, Chunk, Citation, Document, Hit, Sentence, Span

TEXT = "Leave is ten days. It ends in March."
GOLD = (Place("leave.md", 1, Span(0, 9)),)


class Scripted:
    """`at` is its state; `fails` breaks every question that says so, until it is mended."""

    def __init__(self, at: str = "commit 1", *, fails: bool = True) -> None:
        self.at = at
        self.fails = fails
        self.searched: list[str] = []
        self.asked: list[str] = []

    def state(self) -> str:
        return self.at

    def search(self, question: str, *, k: int = 10) -> list[Hit]:
        self.searched.append(question)
        self._break(question)
        return [_hit(question)]

    def ask(self, question: str) -> Answer:
        self.asked.append(question)
        self._break(question)
        if "abstain" in question:
            return Answer(question, "The documents do not say.", (), (), (), True, 0.0, "m")
        citation = Citation(1, "d", "/x/leave.md", "Leave", 1, "", 0, 18, TEXT[:18], Span(9, 17))
        sentence = Sentence("Ten days.", (1,), True, 1.0, ("a fault",))
        return Answer(
            question, "Ten days. [1]", (sentence,), (citation,), (_hit(question),), False, 0.9, "m", 3
        )

    def document(self, document_id: str) -> Document:
        if document_id != "d":
            raise DocumentNotFound(document_id)
        return Document("d", "/x/leave.md", "Leave", TEXT)

    def _break(self, question: str) -> None:
        if self.fails and "break" in question:
            raise IndexCorrupt("segment 3 is damaged: restore it")


def _hit(question: str) -> Hit:
    return Hit(1, len(question) / 7, Chunk("d", Span(0, 18), TEXT[:18], page=1), "/x/leave.md", "Leave")


def questions(count: int = 12) -> list[Question]:
    """Questions of three kinds, one of which breaks the system, one with what UTF-8 cannot hold."""
    words = ("how long", "abstain wrongly", "how long \ud800 \u2028 {n}", "break", "abstain", "how many")
    return [
        Question(
            f"q{n}",
            f"{words[n % 6]} {n}",
            "ten days",
            documents=GOLD,
            answerable=n % 6 != 4,
            kind=("fact", "none", "list")[n % 3],
            extra={"seen": [n, {"deep": None}]},
        )
        for n in range(count)
    ]


def files(folder: Path) -> dict[str, bytes]:
    """What a run leaves that has to be equal for equal runs."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in ("timings.jsonl", "journal.jsonl", ".lock")
    }
