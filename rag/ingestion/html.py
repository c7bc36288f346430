"""HTML to lines of text: one block a line, one table row a line, headings as sections."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING

from rag.errors import UnreadableDocument
from rag.ingestion.blocks import Block, clean, counted, join_blocks, name_of
from rag.ingestion.decode import decode
from rag.types import Document

if TYPE_CHECKING:
    from lxml.etree import _Element

_SILENT = frozenset(
    "script style template noscript svg head math iframe object audio video canvas map".split()
)
_FURNITURE = {"nav": "navigation", "footer": "page footer", "menu": "menu"}
_FIELDS = frozenset("select textarea button input datalist".split())
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p pre section "
    "summary table tbody tfoot thead tr ul br td th option".split(),
)
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CREATED = ("article:published_time", "date", "dcterms.created", "dc.date")


def load_html(data: bytes, source: str) -> Document:
    """Read a page of HTML; what a browser does not show, and the page's furniture, are left out.

    Raises:
        UnreadableDocument: it is empty, not text, or nested too deeply to parse.
    """
    text = decode(data, source, _declared(data))
    root = _parsed(text, source)
    walk = _Walk()
    walk.run(root, frozenset(_FURNITURE))
    if not walk.blocks:
        walk = _Walk()
        walk.run(root, frozenset())
    body, sections = join_blocks(walk.blocks)
    if not body:
        raise UnreadableDocument(
            f"{source} shows no text: a browser may build it from scripts; save what it shows"
        )
    metadata = _metadata(root)
    title = metadata.pop("title", "") or (sections[0].title if sections else name_of(source))
    return Document(
        id=sha256(data).hexdigest(),
        source=source,
        title=title,
        text=body,
        sections=sections,
        metadata=metadata,
        left_out=tuple(counted(number, what) for what, number in sorted(walk.left_out.items())),
    )


def _declared(data: bytes) -> str | None:
    match = _CHARSET.search(data[:4096])
    if match is None:
        return None
    name = match.group(1).decode("ascii").lower()
    if name in {"iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"}:
        name = "cp1252"  # as browsers read it
    try:
        return None if codecs.lookup(name).name.startswith("utf-16") else name
    except LookupError:
        return None


def _parsed(text: str, source: str) -> _Element:
    from lxml import etree

    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_pis=True, remove_comments=True)
    try:
        root: _Element | None = etree.fromstring(text.encode(), parser)
    except (etree.LxmlError, ValueError) as error:
        raise UnreadableDocument(f"{source} is no HTML that can be parsed: {error}") from error
    for entry in parser.error_log:
        if "depth" in entry.message.lower():
            raise UnreadableDocument(f"{source} is nested too deeply: {entry.message}; flatten it")
    if root is None:
        raise UnreadableDocument(f"{source} holds no HTML elements and no text")
    return root


def _metadata(root: _Element) -> dict[str, str]:
    found = {"title": " ".join(clean(str(root.findtext(".//head/title") or "")).split())}
    found["language"] = root.get("lang") or ""
    named: dict[str, str] = {}
    for meta in root.iter("meta"):
        key = meta.get("name") or meta.get("property")
        if key:
            named.setdefault(key.lower(), " ".join(clean(meta.get("content") or "").split()))
    found["author"] = named.get("author", "")
    found["created"] = next((named[key] for key in _CREATED if named.get(key)), "")
    return {key: value for key, value in found.items() if value}


class _Walk:
    """One pass over a tree, without recursion: the tree may be 100,000 deep."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.left_out: Counter[str] = Counter()
        self._inline: list[str] = []
        self._rows: list[list[str]] = []
        self._level = 0
        self._preformatted = 0
        self._bullet = ""

    def run(self, root: _Element, furniture: frozenset[str]) -> None:
        from lxml import etree

        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                if self._skipped(element, tag, furniture):
                    walk.skip_subtree()
                    continue
                self._open(tag)
                self._add(element.text)
            else:
                self._close(tag)
                self._add(element.tail)
        self._flush()

    def _skipped(self, element: _Element, tag: str, furniture: frozenset[str]) -> bool:
        what = ""
        if tag == "img":
            what = "image"
        elif tag in furniture:
            what = _FURNITURE[tag]
        elif tag in _FIELDS:
            what = "form field"
        elif element.attrib and (
            element.get("hidden") is not None or _HIDING.search(element.get("style") or "")
        ):
            what = "hidden element"
        elif tag not in _SILENT:
            return False
        if what:
            self.left_out[what] += 1
        return True

    def _open(self, tag: str) -> None:
        if tag not in _BLOCKS:
            return
        if self._rows and tag not in {"table", "tr", "td", "th"}:
            self._inline.append(" ")
            return
        if tag in {"td", "th"}:
            self._inline.clear()
            return
        self._flush()
        if tag == "table":
            self._flush_row()
        elif tag == "tr":
            self._rows.append([])
        elif tag == "li":
            self._bullet = "- "
        elif tag == "pre":
            self._preformatted += 1
        elif tag[0] == "h" and tag[1:].isdigit():
            self._level = int(tag[1])

    def _close(self, tag: str) -> None:
        if tag not in _BLOCKS:
            return
        if self._rows and tag in {"td", "th"}:
            self._rows[-1].append(self._taken())
            return
        if self._rows and tag == "tr":
            self._flush_row()
            self._rows.pop()
            return
        if self._rows and tag != "table":
            self._inline.append(" ")
            return
        self._flush()
        if tag == "pre":
            self._preformatted -= 1
        elif tag == "li":
            self._bullet = ""
        self._level = 0

    def _add(self, text: str | None) -> None:
        if text:
            self._inline.append(text)

    def _taken(self) -> str:
        text = " ".join(clean("".join(self._inline)).split())
        self._inline.clear()
        return text

    def _flush_row(self) -> None:
        if not self._rows:
            return
        row = self._rows[-1]
        row.append(self._taken())
        cells = [cell for cell in row if cell]
        if cells:
            self.blocks.append(Block(" | ".join(cells)))
        row.clear()

    def _flush(self) -> None:
        if self._rows:
            return
        if self._preformatted:
            lines = clean("".join(self._inline)).split("\n")
            self._inline.clear()
            self.blocks.extend(Block(line.rstrip()) for line in lines if line.strip())
            return
        text = self._taken()
        if text:
            self.blocks.append(Block(self._bullet + text, self._level))
            self._bullet = ""
