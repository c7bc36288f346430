"""Markdown: the file itself; a parser finds the headings only."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import accumulate, pairwise

from rag.errors import UnreadableDocument
from rag.ingestion.blocks import Heading, name_of, nest
from rag.ingestion.decode import decode
from rag.types import Document

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_PAIR = re.compile(r"^([A-Za-z][\w-]*):[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_LONGEST_TITLE = 300  # characters; what is longer is cut, and parsed no further
_MARKUP = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])|<[^>]*>|[*`]+|(?<!\w)_+|_+(?!\w)")


def load_markdown(data: bytes, source: str) -> Document:
    """Read Markdown verbatim, but for line ends and the byte order mark.

    Raises:
        UnreadableDocument: it is empty, or not text.
    """
    text = decode(data, source)
    front = _FRONT_MATTER.match(text)
    metadata = (
        {key.lower(): value.strip("\"'") for key, value in _PAIR.findall(front.group(1))} if front else {}
    )
    headings = _headings(text, front.end() if front else 0, source)
    titles = [heading.title for heading in headings if heading.title]
    return Document(
        id=sha256(data).hexdigest(),
        source=source,
        title=metadata.get("title") or (titles[0] if titles else name_of(source)),
        text=text,
        sections=nest(headings, len(text)),
        metadata={key: value for key, value in metadata.items() if key != "title"},
    )


def _headings(text: str, start: int, source: str) -> list[Heading]:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").disable(["inline", "text_join"])
    try:
        tokens = parser.parse(text[start:])
    except (RecursionError, IndexError, ValueError) as error:
        raise UnreadableDocument(f"{source} is no Markdown that can be parsed: {error}") from error
    line_starts = [start, *accumulate((len(line) + 1 for line in text[start:].split("\n")), initial=start)][
        1:
    ]
    headings = []
    for token, content in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            title = " ".join(_MARKUP.sub(r"\1", content.content[:_LONGEST_TITLE]).split())
            headings.append(Heading(int(token.tag[1]), title, line_starts[token.map[0]]))
    return headings
