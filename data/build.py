"""Build the sample corpus: the PDF and DOCX files of `handbook/`, and `questions.jsonl`.

    python data/build.py                write the PDF and DOCX files from `source/`
    python data/build.py --questions    find every gold quote in the loaded documents
    python data/build.py --scan         draw `source/muster-card.jpg` anew

The sources are plain text: `key: value` lines, an empty line, then blocks set apart by
empty lines. `# ` and `## ` start headings, `- ` and `1. ` lists, `| ` table rows; `!image NAME`
places a picture; `=== page ===` and `=== page, columns ===` start a page (PDF alone).
The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import datetime
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docx
from docx.shared import Pt
from PIL import Image, ImageDraw, ImageFont
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    ListFlowable,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Table,
)
from reportlab.platypus import (
    Image as Picture,
)

DATA = Path(__file__).parent
SOURCE = DATA / "source"
HANDBOOK = DATA / "handbook"
MADE_AT = datetime.datetime(2024, 9, 2, 9, 0, 0)
COMPANY = "Merrow Sound Ferries"
PAGE_MARK = re.compile(r"^=== page(, columns)? ===$", re.MULTILINE)

HYPHENATION = """
ac-cept-able ac-ci-dent ac-coun-tants ad-di-tion ad-di-tion-al ad-just-able aero-plane after-wards agree-ment
al-low-ance alu-minium an-nounce-ment ap-pa-ra-tus ap-pli-ca-tion ap-point-ment ap-proved as-sem-bly
au-thor-ity avail-able bat-ter-ies bi-cy-cles break-fast breath-ing busi-ness cal-cu-lat-ed ca-pac-i-ty
cer-tifi-cate chil-dren cir-cuits col-league col-li-sion com-pan-ion com-part-ment com-part-ments com-plete
con-cerned con-fi-den-tial con-nect-ed con-sump-tion con-tents con-tract con-trac-tor con-trac-tors
cor-rec-tions coun-sel-lor cou-plings cur-ren-cy cyl-in-der cyl-in-ders de-fend-ers de-liv-ered de-part-ment
de-par-ture de-scribes de-tec-tor dif-fer-ence dif-fer-ent-ly di-rec-tor dis-charge dis-con-nect-ed
dis-pos-able dis-tance di-vert-ed doc-u-ment doc-u-ments down-wind drench-er elec-tric elec-tri-cal
elec-tric-i-ty emer-gency emis-sions em-ploy-ee en-gi-neer en-gi-neer-ing en-gi-neers en-vi-ron-ment
es-ti-mat-ed evac-u-a-tion ex-chang-ers ex-er-cise ex-haus-tion ex-pect-ed ex-plains ex-ten-sion
ex-tin-guisher for-bid-den fort-night gen-er-a-tor gen-er-a-tors hand-books helms-man hy-drau-lic im-me-di-ate
in-ci-dent in-clud-ed in-di-ca-tor in-jec-tors in-spec-tion in-su-la-tion in-sur-ance iso-lat-ed jour-ney
jour-neys kilo-grams kilo-me-tre kilo-me-tres kilo-watts lab-o-ra-to-ry life-buoy life-jack-ets life-rafts
lu-bri-cat-ing ma-chin-ery main-te-nance man-age-ment man-ag-er man-ag-ing ma-te-ri-al meet-ings na-tion-al
neigh-bour-ing op-er-a-tion other-wise over-board over-writes pas-sen-ger pas-sen-gers per-mit-ted play-ground
poi-son-ous pol-i-cy por-pois-es prac-tise pres-sure pre-vent-ed pre-vious prom-ises pro-pel-ler pro-pul-sion
pub-lic ques-tioned ques-tions re-ceipt re-ceipts re-cord-er re-cov-ered re-cy-cled re-duc-tion re-im-bursed
re-leased re-placed re-pro-duced re-spon-si-ble re-tract-ed sen-tence sep-a-rate-ly sep-a-ra-tors shel-tered
smoth-ered some-thing sound-ings star-board steer-ing strain-ers sub-sis-tence su-per-in-tend-ent su-per-sedes
sup-pli-ers sur-viv-al sus-pi-cious switch-board tele-phone tem-per-a-ture ter-mi-nal ter-mi-nals them-selves
thrust-ers time-table trans-form-er trans-port trans-port-ed trav-el-ler trav-el-ling uni-ver-si-ty
un-nec-es-sary ve-hi-cles ven-ti-lat-ed ven-ti-la-tion ves-sel ves-sels vi-bra-tion vol-un-teers waist-coats
watch-keep-er watch-man what-ever when-ever
""".split()
SOFT_HYPHENS = {word.replace("-", ""): word.replace("-", "\u00ad") for word in HYPHENATION}


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list, table or image, with its lines."""

    kind: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourcePage:
    """The blocks between two page marks."""

    columns: bool
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One source file, read."""

    properties: dict[str, str]
    pages: tuple[SourcePage, ...]


def read_source(path: Path) -> Source:
    """Read a source file; what stands before its first page mark is its first page."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    properties = dict(line.split(": ", 1) for line in head.splitlines())
    parts = PAGE_MARK.split(body)
    texts, columns = parts[::2], [False, *(mark is not None for mark in parts[1::2])]
    pages = (SourcePage(c, tuple(_blocks(text))) for c, text in zip(columns, texts, strict=True))
    return Source(properties, tuple(pages))


def _blocks(text: str) -> list[Block]:
    blocks = []
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.splitlines()
        first = lines[0]
        if first.startswith("## "):
            blocks.append(Block("heading 2", (first[3:],)))
        elif first.startswith("# "):
            blocks.append(Block("heading 1", (first[2:],)))
        elif first.startswith("!image "):
            blocks.append(Block("image", (first[7:],)))
        elif first.startswith("| "):
            blocks.append(Block("table", tuple(lines)))
        elif first.startswith("- "):
            blocks.append(Block("bullets", tuple(" ".join(lines)[2:].split(" - "))))
        elif re.match(r"1\. ", first):
            blocks.append(Block("numbers", tuple(re.split(r" ?\b\d{1,2}\. ", " ".join(lines))[1:])))
        else:
            blocks.append(Block("paragraph", (" ".join(lines),)))
    return blocks


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=12, leading=15.5, alignment=TA_JUSTIFY)
BODY.spaceAfter, BODY.embeddedHyphenation, BODY.spaceShrinkage = 6, 1, 0
CELL = ParagraphStyle("cell", fontName="Helvetica", fontSize=8.5, leading=10.5)
HEAD_CELL = ParagraphStyle("head cell", parent=CELL, fontName="Helvetica-Bold")
HEADINGS = {
    "title": ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=20, leading=25, spaceAfter=10),
    "heading 1": ParagraphStyle(
        "h1",
        fontName="Helvetica-Bold",
        fontSize=15.5,
        leading=19,
        spaceBefore=10,
        spaceAfter=5,
        keepWithNext=1,
    ),
    "heading 2": ParagraphStyle(
        "h2",
        fontName="Helvetica-Bold",
        fontSize=13,
        leading=16.5,
        spaceBefore=7,
        spaceAfter=3,
        keepWithNext=1,
    ),
}


def _hyphenated(text: str) -> str:
    def soften(match: re.Match[str]) -> str:
        soft = SOFT_HYPHENS.get(match[0].lower(), match[0])
        return match[0][0] + soft[1:]

    return re.sub(r"[A-Za-z]+", soften, text).replace("&", "&amp;")


def _flowable(block: Block) -> Flowable:
    if block.kind in HEADINGS:
        return Paragraph(block.lines[0], HEADINGS[block.kind])
    if block.kind == "image":
        # As bytes: of a file, the PDF would hold a digest of its path.
        picture = io.BytesIO((SOURCE / block.lines[0]).read_bytes())
        return Picture(picture, width=168 * mm, height=232 * mm)
    if block.kind == "table":
        texts = [_cells(line) for line in block.lines]
        rows = [
            [Paragraph(cell, CELL if number else HEAD_CELL) for cell in row]
            for number, row in enumerate(texts)
        ]
        widths = [10 + max(map(len, column)) for column in zip(*texts, strict=True)]
        style = [("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]
        style.append(("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke))
        widths = [170 * mm * width / sum(widths) for width in widths]
        return Table(rows, widths, style=style, spaceBefore=4, spaceAfter=8, repeatRows=1)
    if block.kind in ("bullets", "numbers"):
        items = [Paragraph(_hyphenated(line), BODY) for line in block.lines]
        if block.kind == "numbers":
            return ListFlowable(items, bulletType="1", bulletFormat="%s.", leftIndent=16)
        return ListFlowable(items, bulletType="bullet", start="•", leftIndent=14)
    return Paragraph(_hyphenated(block.lines[0]), BODY)


def build_pdf(source: Source) -> bytes:
    """Lay out a source as a PDF; every source page must fit on one page.

    Raises:
        SystemExit: If a source page runs over.
    """
    rl_config.useA85 = 0
    properties, count = source.properties, len(source.pages)
    width, height = A4

    def furniture(canvas: Canvas, _: Any) -> None:
        if all(block.kind == "image" for block in source.pages[canvas.getPageNumber() - 1].blocks):
            return  # a scanned page has no text at all
        canvas.setFont("Helvetica", 8)
        canvas.drawString(20 * mm, height - 14 * mm, COMPANY)
        canvas.drawRightString(width - 20 * mm, height - 14 * mm, properties["title"])
        canvas.line(20 * mm, height - 16 * mm, width - 20 * mm, height - 16 * mm)
        canvas.drawString(20 * mm, 12 * mm, f"{properties['number']} · {properties['version']}")
        canvas.drawRightString(width - 20 * mm, 12 * mm, f"Page {canvas.getPageNumber()} of {count}")

    box = {"topPadding": 0, "bottomPadding": 0, "leftPadding": 0, "rightPadding": 0}
    one = Frame(35 * mm, 20 * mm, 140 * mm, 256 * mm, **box)
    two = [Frame(left * mm, 76 * mm, 80 * mm, 200 * mm, **box) for left in (20, 110)]
    templates = [
        PageTemplate("one", [one], onPage=furniture),
        PageTemplate("two", two, onPage=furniture),
    ]
    story: list[Flowable] = [_flowable(Block("title", (properties["title"],)))]
    for number, page in enumerate(source.pages):
        if number:
            story += [NextPageTemplate("two" if page.columns else "one"), PageBreak()]
        story += [_flowable(block) for block in page.blocks]
    out = io.BytesIO()
    template = BaseDocTemplate(
        out,
        pagesize=A4,
        pageTemplates=templates,
        title=properties["title"],
        author=COMPANY,
        invariant=1,
        pageCompression=0,  # compressed bytes differ from one zlib to another
    )
    template.build(story)
    if template.page != count:
        raise SystemExit(f"{properties['title']}: {count} source pages became {template.page} pages")
    return out.getvalue()


def build_docx(source: Source) -> bytes:
    """Write a source as a Word file with heading, list and table styles."""
    properties = source.properties
    word = docx.Document()
    word.styles["Normal"].font.name = "Calibri"
    word.styles["Normal"].font.size = Pt(11)
    core = word.core_properties
    core.title, core.author, core.last_modified_by = properties["title"], COMPANY, COMPANY
    core.created = core.modified = MADE_AT
    core.comments, core.revision = "", 1
    word.sections[0].header.paragraphs[0].text = f"{COMPANY} | {properties['number']}"
    word.sections[0].footer.paragraphs[0].text = properties["version"]
    word.add_heading(properties["title"], 0)
    styles = {"bullets": "List Bullet", "numbers": "List Number", "paragraph": "Normal"}
    for block in source.pages[0].blocks:
        if block.kind.startswith("heading"):
            word.add_heading(block.lines[0], int(block.kind[-1]))
        elif block.kind == "table":
            rows = [_cells(line) for line in block.lines]
            table = word.add_table(len(rows), len(rows[0]), "Table Grid")
            for table_row, row in zip(table.rows, rows, strict=True):
                for cell, text in zip(table_row.cells, row, strict=True):
                    cell.text = text
        else:
            for line in block.lines:
                word.add_paragraph(line, styles[block.kind])
    out = io.BytesIO()
    word.save(out)
    return _fixed_zip(out.getvalue())


def _fixed_zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, MADE_AT.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return out.getvalue()


def draw_scan() -> None:
    """Draw the muster card as a slightly crooked, greyish picture: a page without a text layer."""
    image = Image.new("L", (1240, 1712), 238)
    draw = ImageDraw.Draw(image)
    draw.rectangle((70, 70, 1170, 1640), outline=70, width=4)
    y = 130
    for line in (SOURCE / "muster-card.txt").read_text(encoding="utf-8").splitlines():
        size = 44 if line.isupper() else 30
        draw.text((120, y), line, fill=45, font=ImageFont.load_default(size))
        y += size + 22
    image = image.rotate(0.7, fillcolor=238)
    image.resize((930, 1284)).save(SOURCE / "muster-card.jpg", quality=45)


def built_files() -> dict[str, bytes]:
    """Build every PDF and DOCX file: its name to its bytes."""
    files = {}
    for path in sorted(SOURCE.glob("*.pdf.txt")):
        files[path.stem] = build_pdf(read_source(path))
    for path in sorted(SOURCE.glob("*.docx.txt")):
        files[path.stem] = build_docx(read_source(path))
    return files


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description="Build the sample corpus.")
    parser.add_argument("--questions", action="store_true", help="write questions.jsonl")
    parser.add_argument("--scan", action="store_true", help="draw the scanned page anew")
    asked = parser.parse_args()
    if asked.questions:
        from build_questions import built_questions  # the package itself is needed for this step alone

        (DATA / "questions.jsonl").write_text(built_questions(), encoding="utf-8")
        return
    if asked.scan:
        draw_scan()
    for name, data in built_files().items():
        (HANDBOOK / name).write_bytes(data)
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
