"""One PDF page becomes a cited answer."""

from pathlib import Path

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen import canvas

import rag

FIRST = ["Merits of the lighthouse", "The lighthouse was built of granite from Orran in the year 1871."]
SECOND = [
    "Keepers",
    "The last keeper, Ada Marwick, left the lighthouse in 1988.",
    "Since then a lamp on the mainland watches over it.",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    page = canvas.Canvas(str(folder / "lighthouse.pdf"), pagesize=A4)
    for lines in (FIRST, SECOND):
        for at, line in enumerate(lines):
            page.setFont("Helvetica-Bold" if at == 0 else "Helvetica", 16 if at == 0 else 11)
            page.drawString(72, 760 - 40 * at, line)
        page.showPage()
    page.save()
    return folder


def test_a_page_becomes_a_cited_answer(folder: Path, tmp_path: Path):
    with rag.open(tmp_path / "index") as kb:
        report = kb.add(folder)
        assert [entry.status for entry in report.entries] == ["indexed"]
        answer = kb.ask("Who was the last keeper of the lighthouse?")
        assert not answer.abstained
        citation = answer.citations[0]
        document = kb.document(citation.document_id)
        assert citation.quote == document.text[citation.start : citation.end] == SECOND[1]
        assert citation.page == 2
        assert citation.section == "Keepers" or citation.section.endswith("> Keepers")
        assert answer.text.startswith(f"{SECOND[1]} [1]")

    with rag.open(tmp_path / "index") as again:
        assert again.ask("Who was the last keeper of the lighthouse?").citations == answer.citations
        assert again.add(folder).chunks_embedded == 0
        assert again.ask("What is the boiling point of mercury?").abstained
