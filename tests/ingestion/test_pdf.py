from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag.errors import EncryptedDocument, RagError, UnreadableDocument
from rag.ingestion.load import LOADERS, find_files, load
from rag.ingestion.pdf import load_pdf
from rag.types import Document


def made(*pages: Callable[[Any], None], **options: Any) -> Document:
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, **options)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return load_pdf(buffer.getvalue(), "a.pdf")


def write(
    canvas: Any, x: float, y: float, lines: list[str], font: str = "Helvetica", size: float = 10
) -> None:
    canvas.setFont(font, size)
    for number, line in enumerate(lines):
        canvas.drawString(x, y - 1.2 * size * number, line)


PROSE = [
    "The committee met in the spring of that year and heard the first reports on the infor-",
    "mation that had been gathered in the months before, which was more than anyone had",
    "hoped for. It went on to discuss the budget of the coming year and came to no end of it,",
    "so the meeting closed.",
]
JOINED = " ".join(PROSE).replace("infor- mation", "information")


def test_lines_join_to_paragraphs_and_hyphens_go() -> None:
    document = made(lambda canvas: (write(canvas, 72, 700, PROSE), write(canvas, 72, 620, PROSE)))
    assert document.text.split("\n") == [JOINED, JOINED]
    assert [page.span.end for page in document.pages] == [len(document.text)]


def test_a_compound_that_the_document_knows_keeps_its_hyphen() -> None:
    lines = [
        "It was found to be cost-effective in all of the cases that the committee had looked at since",
        "the spring, and so everyone agreed in the end that what is needed is a measure as cost-",
        "effective as this one.",
    ]
    assert "as cost-effective as" in made(lambda canvas: write(canvas, 72, 700, lines)).text


def test_a_number_word_keeps_the_hyphen_at_which_its_line_ends() -> None:
    lines = [
        "A first report goes to the authority of the coast on the very day, or else within twenty-",
        "four hours of the accident.",
    ]
    assert "within twenty-four hours" in made(lambda canvas: write(canvas, 72, 700, lines)).text


@pytest.mark.parametrize(("gap", "paragraphs"), [(12, 1), (14, 1), (18, 2)])
def test_a_gap_ends_a_paragraph_whose_last_line_is_full(gap: float, paragraphs: int) -> None:
    first, second = [*PROSE[:2], PROSE[2].replace("end of it,", "end of it.")], ["The meeting closed."]

    def draw(canvas: Any) -> None:
        write(canvas, 72, 700, first)
        write(canvas, 72, 700 - 12 * 2 - gap, second)

    assert len(made(draw).text.split("\n")) == paragraphs


def test_a_bold_line_smaller_than_the_text_stands_alone() -> None:
    full = "So the meeting closed in the evening, and everyone went home to think about it all."

    def draw(canvas: Any) -> None:
        write(canvas, 72, 700, [*PROSE[:2], full])
        write(canvas, 72, 664, ["What came of it later"], "Helvetica-Bold", 9.3)
        write(canvas, 72, 652, PROSE)

    assert made(draw).text.split("\n")[1:] == ["What came of it later", JOINED]


@pytest.mark.parametrize("interleaved", [False, True])
def test_the_left_column_is_read_before_the_right(interleaved: bool) -> None:
    left = [f"left column line {n} with several words" for n in range(14)]
    right = [f"right column line {n} with several words" for n in range(14)]

    def draw(canvas: Any) -> None:
        if not interleaved:
            write(canvas, 60, 700, left)
            write(canvas, 320, 700, right)
            return
        for number, pair in enumerate(zip(left, right, strict=True)):
            write(canvas, 60, 700 - 12 * number, [pair[0]])
            write(canvas, 320, 700 - 12 * number, [pair[1]])

    words = made(draw).text.split()
    assert words == " ".join(left + right).split()


def test_headers_footers_and_empty_pages_are_named() -> None:
    def page(number: int) -> Callable[[Any], None]:
        def draw(canvas: Any) -> None:
            write(canvas, 72, 800, [f"ACME Annual Report 202{number}"])
            write(
                canvas,
                72,
                700,
                [f"This is what page {'abcde'[number]} has to say about itself, in one sentence."],
            )
            write(canvas, 300, 30, [str(number + 1)])

        return draw

    document = made(*map(page, range(4)), lambda canvas: None)
    assert len(document.text.split("\n")) == 4
    assert "ACME" not in document.text
    assert document.page_at(document.text.index("page c")) == 3
    assert document.pages[4].span.start == document.pages[4].span.end == len(document.text)
    assert document.left_out == (
        "page 5 has no text (scanned?)",
        "page numbers on 4 pages",
        "running header or footer 'ACME Annual Report 2020' on 4 pages",
    )


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_of_two_pages_only_the_margins_are_looked_at(turned: int) -> None:
    width, height = 595, 842
    corner = {0: (0, 0), 90: (height, 0), 180: (width, height), 270: (0, width)}[turned]

    def page(number: int) -> Callable[[Any], None]:
        def draw(canvas: Any) -> None:
            canvas.setPageRotation(turned)
            canvas.translate(*corner)
            canvas.rotate(turned)
            write(canvas, 72, 805, ["ACME Travel Policy"], size=8)
            write(canvas, 72, 760, [f"Schedule {number}", f"The rates of {'xyz'[number]} follow below."])
            write(canvas, 72, 100, ["Signed by both of the parties"])
            write(canvas, 280, 30, [f"Page {number} of 2"], size=8)

        return draw

    document = made(page(1), page(2), pagesize=(width, height))  # as it is seen
    assert "ACME" not in document.text and "of 2" not in document.text
    assert document.text.count("Schedule") == document.text.count("Signed by both of the parties") == 2
    assert document.left_out == (
        "page numbers on 2 pages",
        "running header or footer 'ACME Travel Policy' on 2 pages",
    )


def rows(canvas: Any, top: float, lefts: list[float], *texts: list[str], size: float = 10) -> None:
    for number, cells in enumerate(texts):
        for left, cell in zip(lefts, cells, strict=True):
            write(canvas, left, top - 16 * number, [cell], size=size)


def test_narrow_cells_of_a_head_are_cut_at_the_columns_below() -> None:
    def draw(canvas: Any) -> None:
        lefts = [72.0, 180, 236, 300, 364]
        head = ["Vessel", "Length, m", "Draught, m", "Passengers", "Cost, €"]
        rows(
            canvas,
            700,
            lefts,
            head,
            ["Sandling", "61.4", "3.2", "420", "62"],
            ["Turnstone", "78.9", "3.9", "610", "98"],
        )
        rows(canvas, 600, [72.0, 300, 364], ["Place", "Full day, €", "Half day, €"], ["Orran", "40", "18"])

    assert made(draw).text.split("\n") == [
        "Vessel | Length, m | Draught, m | Passengers | Cost, €",
        "Sandling | 61.4 | 3.2 | 420 | 62",
        "Turnstone | 78.9 | 3.9 | 610 | 98",
        "Place | Full day, € | Half day, €",
        "Orran | 40 | 18",
    ]


@pytest.mark.parametrize("figures", [True, False])
def test_a_head_of_two_lines_is_one_row_over_figures(figures: bool) -> None:
    cells = ["688", "731"] if figures else ["many people", "much power"]

    def draw(canvas: Any) -> None:
        write(canvas, 72, 700, ["Vessel"])
        write(canvas, 220, 700, ["Passengers,", "thousands"])
        write(canvas, 380, 700, ["Shore power,", "MWh"])
        rows(canvas, 670, [72.0, 220, 380], ["Turnstone", *cells], ["Dunlin", *cells])

    lines = made(draw).text.split("\n")
    assert (lines[0] == "Vessel | Passengers, thousands | Shore power, MWh") is figures
    assert lines[-2:] == [f"Turnstone | {' | '.join(cells)}", f"Dunlin | {' | '.join(cells)}"]


def test_a_heading_between_the_rows_of_a_table_stays_a_line() -> None:
    def draw(canvas: Any) -> None:
        rows(canvas, 700, [72.0, 300, 400], ["Years ended", "2022", "2021"])
        write(canvas, 72, 688, ["Operating activities"])
        rows(canvas, 676, [72.0, 300, 400], ["Net earnings", "1,419", "2,454"])

    assert made(draw).text.split("\n") == [
        "Years ended | 2022 | 2021",
        "Operating activities",
        "Net earnings | 1,419 | 2,454",
    ]


def test_headings_make_sections_and_rows_keep_their_cells() -> None:
    def draw(canvas: Any) -> None:
        write(canvas, 72, 780, ["Annual report"], "Helvetica-Bold", 20)
        write(canvas, 72, 740, ["Income"], "Helvetica-Bold", 12)
        write(canvas, 72, 720, PROSE)
        for row, cells in enumerate((("Revenue", "$ 1,234", "5,678"), ("Cost of sales", "(90)", "(12)"))):
            for column, cell in enumerate(cells):
                write(canvas, 72 + 150 * column, 640 - 14 * row, [cell])

    document = made(draw)
    assert document.text.split("\n") == [
        "Annual report",
        "Income",
        JOINED,
        "Revenue | $ 1,234 | 5,678",
        "Cost of sales | (90) | (12)",
    ]
    assert document.section_at(len(document.text) - 1) == "Annual report > Income"


def test_a_paragraph_goes_on_behind_a_page_break() -> None:
    document = made(
        lambda canvas: write(canvas, 72, 100, PROSE[1:3]),
        lambda canvas: write(canvas, 72, 700, PROSE[3:]),
    )
    assert document.text == " ".join(PROSE[1:])
    assert document.page_at(document.text.index("so the meeting")) == 2
    assert document.page_at(document.text.index("so the meeting") - 1) == 1


def test_pages_that_only_repeat_themselves_keep_their_text() -> None:
    document = made(*[lambda canvas: write(canvas, 72, 700, ["Document 3"])] * 3)
    assert document.text.split("\n") == ["Document 3"] * 3


def test_a_password_is_asked_for() -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption

    with pytest.raises(EncryptedDocument, match="password"):
        made(lambda canvas: write(canvas, 72, 700, PROSE), encrypt=StandardEncryption("secret"))


def test_files_that_are_no_pdf_or_have_no_text() -> None:
    with pytest.raises(UnreadableDocument, match=r"a\.pdf"):
        load_pdf(b"%PDF-1.7 rubbish", "a.pdf")
    with pytest.raises(UnreadableDocument, match="OCR"):
        made(lambda canvas: canvas.rect(10, 10, 50, 50))


def data_folder(name: str) -> Path:
    folder = Path(os.environ.get("RAG_DATA", "")) / name
    if not os.environ.get("RAG_DATA") or not folder.is_dir():
        pytest.skip(f"RAG_DATA has no {name}")
    return folder


@pytest.mark.parametrize("name", ["unstructured", "docling", "pypdf-samples", "pdfjs"])
def test_real_files_are_documents_or_errors_of_ours(name: str) -> None:
    outcomes: Counter[str] = Counter()
    for path in find_files(data_folder(f"documents/{name}")):
        if path.suffix.lower() not in LOADERS or path.stat().st_size > 500_000:
            continue
        try:
            document = load(path)
        except RagError as error:
            outcomes[type(error).__name__] += 1
            continue
        outcomes["read"] += 1
        ends = [0, *(page.span.end for page in document.pages)]
        assert [page.span.start for page in document.pages] == ends[:-1]
        assert not document.pages or ends[-1] == len(document.text)
        assert all(section.span.end <= len(document.text) for section in document.sections)
        document.text.encode()
    assert 2 * outcomes["read"] > outcomes.total()  # pdfjs has many drawings without text


@pytest.mark.parametrize("name", ["AMCOR_2022_8K_dated-2022-07-01", "PEPSICO_2023Q1_EARNINGS"])
def test_words_are_those_that_pypdf_reads(name: str) -> None:
    import re

    from pypdf import PdfReader

    path = data_folder("qa/financebench/pdfs") / f"{name}.pdf"
    ours = Counter(re.findall(r"\w+", load(path).text))
    theirs = Counter(re.findall(r"\w+", "\n".join(page.extract_text() for page in PdfReader(path).pages)))
    assert (ours & theirs).total() >= 0.97 * theirs.total()
    assert (ours & theirs).total() >= 0.97 * ours.total()
