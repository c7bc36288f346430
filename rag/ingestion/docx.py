"""Word documents to lines of text, in the order of the body."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from rag.errors import DocumentTooLarge, EncryptedDocument, RagError, UnreadableDocument
from rag.ingestion.blocks import Block, clean, counted, join_blocks, name_of
from rag.types import Document

if TYPE_CHECKING:
    from lxml.etree import _Element

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SKIPPED = frozenset(
    {
        f"{_W}pPr",
        f"{_W}rPr",
        f"{_W}moveFrom",
        f"{_W}del",
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    },
)
_MAX_UNPACKED_BYTES = 400 * 1024 * 1024
_MAX_PARTS = 10_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADING_NAME = re.compile(r"heading\s*([1-9])$", re.IGNORECASE)


def load_docx(data: bytes, source: str) -> Document:
    """Read a Word document (.docx): paragraphs, lists, tables, text boxes and notes.

    Raises:
        UnreadableDocument: it is damaged, not a .docx, or holds no text.
        EncryptedDocument: it is protected by a password.
        DocumentTooLarge: it unpacks to over 400 MiB.
    """
    _check_archive(data, source)
    import docx

    try:
        package = docx.Document(io.BytesIO(data))
        reader = _Reader(package)
        text, sections = join_blocks(reader.blocks())
        properties = package.core_properties
        metadata = {
            "author": clean(properties.author or ""),
            "created": properties.created.isoformat() if properties.created else "",
            "language": clean(properties.language or ""),
        }
        title = clean(properties.title or "").strip()
        left_out = reader.left_out()
    except RagError:
        raise
    except Exception as error:  # the parsers below raise whatever they meet first
        raise UnreadableDocument(
            f"{source} is a damaged .docx, or a Strict one ({error}): save it as Word Document (.docx)"
        ) from error
    if not text.strip():
        raise UnreadableDocument(f"{source} holds no text: if it shows scanned pages, run OCR first")
    return Document(
        id=sha256(data).hexdigest(),
        source=source,
        title=title or (sections[0].title if sections else name_of(source)),
        text=text,
        sections=sections,
        metadata={key: value for key, value in metadata.items() if value},
        left_out=left_out,
    )


def _check_archive(data: bytes, source: str) -> None:
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise EncryptedDocument(f"{source} needs a password: save it in Word without one")
        raise UnreadableDocument(f"{source} is an old .doc file: save it in Word as .docx")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise UnreadableDocument(f"{source} is not a .docx, or is damaged: {error}") from error
    unpacked = sum(part.file_size for part in parts)
    if unpacked > _MAX_UNPACKED_BYTES or len(parts) > _MAX_PARTS:
        raise DocumentTooLarge(
            f"{source} unpacks to {unpacked:,} bytes in {len(parts):,} parts, over the limit of "
            f"{_MAX_UNPACKED_BYTES:,} bytes in {_MAX_PARTS:,}: split it",
        )
    if any(part.flag_bits & 1 for part in parts):
        raise EncryptedDocument(f"{source} needs a password: save it without one")


class _Reader:
    """The parts of one Word document."""

    def __init__(self, package: Any) -> None:
        self._package = package
        self._body: _Element = package.element.body
        self._seen: Counter[str] = Counter()
        self._levels, self._lists = _styles(package)
        self._notes = {kind: self._read_notes(kind) for kind in ("footnote", "endnote")}

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of the body."""
        yield from self._blocks(self._body)

    def left_out(self) -> tuple[str, ...]:
        """Name what `blocks` did not yield, after it has."""
        kinds = {relation.reltype.rpartition("/")[2] for relation in self._package.part.rels.values()}
        names = {"header": "page headers", "footer": "page footers", "comments": "comments"}
        out = [name for kind, name in names.items() if kind in kinds]
        out += [counted(number, what) for what, number in sorted(self._seen.items())]
        return tuple(out)

    def _blocks(self, parent: _Element) -> Iterator[Block]:
        for child in parent:
            if child.tag == f"{_W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                yield from self._table(child)
            elif child.tag in {f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml", f"{_W}moveTo"}:
                yield from self._blocks(child)

    def _paragraph(self, paragraph: _Element) -> Iterator[Block]:
        text, notes, boxes = self._content(paragraph)
        level, listed = self._kind(paragraph)
        lines = [" ".join(line.split()) for line in clean(text).split("\n")]
        lines = [line for line in lines if line]
        if lines and level:
            yield Block(" ".join(lines), level)
        elif lines:
            yield Block(("- " if listed else "") + lines[0])
            yield from map(Block, lines[1:])
        for note in notes:
            yield Block(note)
        for box in boxes:
            yield from self._blocks(box)

    def _content(self, element: _Element) -> tuple[str, list[str], list[_Element]]:
        """Return the text of a paragraph, the notes it refers to, and the text boxes anchored in it."""
        parts: list[str] = []
        notes: list[str] = []
        boxes: list[_Element] = []
        stack = list(reversed(element))
        while stack:
            node = stack.pop()
            tag = node.tag
            if tag in _SKIPPED or not isinstance(tag, str):
                continue
            name = tag.rpartition("}")[2]
            if tag == f"{_W}t":
                parts.append(node.text or "")
            elif tag == f"{_W}tab":
                parts.append("\t")
            elif tag in {f"{_W}br", f"{_W}cr"}:
                parts.append("\n")
            elif tag == f"{_W}noBreakHyphen":
                parts.append("-")
            elif tag in {f"{_W}footnoteReference", f"{_W}endnoteReference"}:
                number = node.get(f"{_W}id")
                note = self._notes[name.removesuffix("Reference")].get(number or "")
                if note:
                    parts.append(f"[{number}]")
                    notes.append(f"[{number}] {note}")
            elif name == "txbxContent":
                boxes.append(node)
            elif name == "t":  # mathematics
                parts.append(node.text or "")
            else:
                if name in {"blip", "imagedata"}:
                    self._seen["image"] += 1
                stack.extend(reversed(node))
        return "".join(parts), notes, boxes

    def _kind(self, paragraph: _Element) -> tuple[int, bool]:
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            return self._levels.get("", 0), False
        style = properties.find(f"{_W}pStyle")
        style_id = str(style.get(f"{_W}val")) if style is not None else ""
        level = _outline(properties)
        if level is None:
            level = self._levels.get(style_id, 0)
        numbered = properties.find(f"{_W}numPr")
        listed = style_id in self._lists if numbered is None else _number_id(numbered) != "0"
        return level, listed

    def _table(self, table: _Element) -> Iterator[Block]:
        for row in table.iter(f"{_W}tr"):
            if next(row.iterancestors(f"{_W}tbl")) is not table:
                continue  # of a table within a cell, which stands in that cell
            cells = [
                " ".join(block.text for block in self._blocks(cell)).strip()
                for cell in row.iter(f"{_W}tc")
                if next(cell.iterancestors(f"{_W}tr")) is row
            ]
            line = " | ".join(cell for cell in cells if cell)
            if line:
                yield Block(line)

    def _read_notes(self, kind: str) -> dict[str, str]:
        from lxml import etree

        notes: dict[str, str] = {}
        for relation in self._package.part.rels.values():
            if relation.is_external or not relation.reltype.endswith(f"/{kind}s"):
                continue
            parser = etree.XMLParser(resolve_entities=False, no_network=True)
            root = etree.fromstring(relation.target_part.blob, parser)
            for note in root.iter(f"{_W}{kind}"):
                text = " ".join("".join(node.text or "" for node in note.iter(f"{_W}t")).split())
                notes[str(note.get(f"{_W}id"))] = clean(text)
        return notes


def _styles(package: Any) -> tuple[dict[str, int], set[str]]:
    """Return the heading level of each style that has one, and the styles of list items.

    Word keeps the English name of its own styles in every language; others tell by outline level.
    """
    styles = {str(style.get(f"{_W}styleId")): style for style in package.styles.element.iter(f"{_W}style")}
    levels: dict[str, int] = {}
    lists: set[str] = set()
    for style_id in styles:
        level, listed = _style_kind(styles, style_id)
        if level:
            levels[style_id] = level
        elif listed:
            lists.add(style_id)
    return levels, lists


def _style_kind(styles: dict[str, Any], style_id: str) -> tuple[int, bool]:
    seen: set[str] = set()
    listed = False
    while style_id in styles and style_id not in seen:
        seen.add(style_id)
        style = styles[style_id]
        name_element = style.find(f"{_W}name")
        name = str(name_element.get(f"{_W}val")) if name_element is not None else ""
        properties = style.find(f"{_W}pPr")
        level = _outline(properties) if properties is not None else None
        if level is not None:
            return level, False
        match = _HEADING_NAME.match(name)
        if match:
            return int(match.group(1)), False
        if name.lower() == "title":
            return 1, False
        listed = listed or (properties is not None and properties.find(f"{_W}numPr") is not None)
        based_on = style.find(f"{_W}basedOn")
        style_id = str(based_on.get(f"{_W}val")) if based_on is not None else ""
    return 0, listed


def _outline(properties: _Element) -> int | None:
    outline = properties.find(f"{_W}outlineLvl")
    if outline is None:
        return None
    value = str(outline.get(f"{_W}val") or "9")
    return int(value) + 1 if value.isdigit() and int(value) < 9 else 0


def _number_id(numbered: _Element) -> str:
    number = numbered.find(f"{_W}numId")
    return str(number.get(f"{_W}val")) if number is not None else "0"
