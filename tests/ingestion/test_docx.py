from __future__ import annotations

import io
import zipfile
from typing import Any

import docx
import pytest

from rag.errors import DocumentTooLarge, EncryptedDocument, UnreadableDocument
from rag.ingestion.docx import load_docx


def saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_paragraphs_headings_lists_and_tables_in_order() -> None:
    made = docx.Document()
    made.core_properties.title = "Handbook"
    made.core_properties.author = "Ann"
    made.add_heading("Leave", 1)
    made.add_paragraph("First  line\nafter a break")
    made.add_paragraph("an item", style="List Bullet")
    table = made.add_table(2, 2)
    for number, text in enumerate(("Weeks", "Paid", "12", "full\npay")):
        table.cell(number // 2, number % 2).text = text
    made.add_heading("Parental leave", 2)
    made.add_paragraph("End.")
    made.sections[0].header.paragraphs[0].text = "Confidential"
    document = load_docx(saved(made), "a.docx")
    assert document.text.split("\n") == [
        "Leave",
        "First line",
        "after a break",
        "- an item",
        "Weeks | Paid",
        "12 | full pay",
        "Parental leave",
        "End.",
    ]
    assert (document.title, document.metadata["author"]) == ("Handbook", "Ann")
    assert document.section_at(len(document.text) - 1) == "Leave > Parental leave"
    assert "page headers" in document.left_out


def test_files_that_are_no_docx() -> None:
    whole = saved(docx.Document())
    for rubbish in (
        b"PK\x03\x04rubbish",
        whole[: len(whole) // 2],
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    ):
        with pytest.raises(UnreadableDocument, match=r"a\.docx"):
            load_docx(rubbish, "a.docx")
    with pytest.raises(UnreadableDocument, match="no text"):
        load_docx(whole, "a.docx")
    encrypted = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(EncryptedDocument, match="password"):
        load_docx(encrypted, "a.docx")


def test_a_zip_bomb_is_refused_before_it_unpacks() -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w") as part,
    ):
        for _ in range(401):
            part.write(bytes(1 << 20))
    with pytest.raises(DocumentTooLarge, match="unpacks"):
        load_docx(buffer.getvalue(), "a.docx")
