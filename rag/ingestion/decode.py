"""Bytes to text, when nobody says in which encoding."""

from __future__ import annotations

import codecs
import re

from rag.errors import DocumentTooLarge, UnreadableDocument
from rag.ingestion.blocks import clean

MAX_CHARACTERS = 50_000_000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = bytes(sorted({*range(0x20)} - {0x08, 0x09, 0x0A, 0x0C, 0x0D, 0x1A, 0x1B}))
_SAMPLE_BYTES = 1 << 16
_MOST_CONTROLS = 0.01  # of all bytes; one in ten of random bytes is a control character


def decode(data: bytes, source: str, declared: str | None = None) -> str:
    r"""Decode `data` by byte order mark, then as `declared`, then as UTF-8, then by a guess.

    Line ends become `\n`; control characters, lone surrogates and the mark itself are dropped.

    Raises:
        UnreadableDocument: it is empty, or not text.
        DocumentTooLarge: it has over 50 million characters.
    """
    if not data.strip():
        raise UnreadableDocument(f"{source} is empty: there is nothing to index")
    text = clean(_decoded(data, source, declared).replace("\r\n", "\n").replace("\r", "\n"))
    if len(text) > MAX_CHARACTERS:
        raise DocumentTooLarge(
            f"{source} has {len(text):,} characters, over the limit of {MAX_CHARACTERS:,}: split it"
        )
    if not text.strip():
        raise UnreadableDocument(f"{source} holds no text, only white space and control characters")
    return text


def _decoded(data: bytes, source: str, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    wide = _wide_encoding(data)
    if wide is None:
        controls = len(data) - len(data.translate(None, _CONTROLS))
        if controls > _MOST_CONTROLS * len(data) + 1:
            raise UnreadableDocument(
                f"{source} is not text: {controls} of its {len(data)} bytes are controls"
            )
    for candidate in (declared, "utf-8", wide):
        if candidate:
            try:
                return data.decode(candidate)
            except (UnicodeDecodeError, LookupError, ValueError):
                continue
    return _guessed(data, source)


def _wide_encoding(data: bytes) -> str | None:
    """Tell UTF-16 without a mark from the zero bytes beside its Latin letters."""
    sample = data[:_SAMPLE_BYTES]
    half = max(1, len(sample) // 2)
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd > 0.5 and even < 0.05:
        return "utf-16-le"
    if even > 0.5 and odd < 0.05:
        return "utf-16-be"
    return None


def _guessed(data: bytes, source: str) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(_sample(data))
    best = matches.best()
    if best is None:
        raise UnreadableDocument(
            f"{source} is text in no encoding that could be recognised: save it as UTF-8 and add it again",
        )
    for match in matches:
        if match.encoding == "cp1252" and match.coherence >= best.coherence:
            best = match  # the one that is likeliest before the text is seen
    return data.decode(best.encoding, errors="replace")


def _sample(data: bytes) -> bytes:
    """Take the lines that hold bytes beyond ASCII first: they alone tell encodings apart."""
    lines = [line for line in re.split(rb"(?<=\n)", data[: 32 * _SAMPLE_BYTES]) if not line.isascii()]
    return b"".join(lines)[:_SAMPLE_BYTES] or data[:_SAMPLE_BYTES]
