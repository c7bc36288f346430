from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DocumentTooLarge, InputError, UnreadableDocument, UnsupportedFormat
from rag.ingestion.load import LOADERS, find_files, load, load_bytes, read_bytes
from rag.types import Document


def check(document: Document) -> None:
    """Assert what holds of every document."""
    assert document.text.strip() and document.title
    assert not any(character in document.text for character in "\0\r\ufffe\ufeff")
    document.text.encode()
    end = 0
    for number, page in enumerate(document.pages, 1):
        assert (page.number, page.span.start) == (number, end)
        end = page.span.end
    assert not document.pages or end == len(document.text)
    starts = [section.span.start for section in document.sections]
    assert starts == sorted(starts) and all(s.span.end <= len(document.text) for s in document.sections)


@given(st.sampled_from(sorted(LOADERS)), st.binary(max_size=400))
def test_rubbish_is_a_document_or_an_error_of_ours(suffix: str, data: bytes) -> None:
    try:
        document = load_bytes(data, f"rubbish{suffix}")
    except InputError as error:
        assert f"rubbish{suffix}" in str(error)
    else:
        check(document)


def test_a_document_is_named_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "A note.TXT"
    path.write_bytes(b"\xef\xbb\xbfHello\r\nworld\rend")
    document = load(path)
    assert document.id == sha256(path.read_bytes()).hexdigest()
    assert (document.source, document.title, document.text) == (str(path), "A note", "Hello\nworld\nend")


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("x")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "large.txt").write_text("x" * 100)
    with pytest.raises(UnsupportedFormat, match=r"a\.xyz.*\.pdf"):
        load(tmp_path / "a.xyz")
    with pytest.raises(UnreadableDocument, match="empty"):
        load(tmp_path / "empty.txt")
    with pytest.raises(DocumentTooLarge, match="max_bytes"):
        load(tmp_path / "large.txt", max_bytes=99)
    for missing in ("none.txt", "bad\0name.txt"):
        with pytest.raises(UnreadableDocument):
            load(str(tmp_path / missing))


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    for name in ("pipe.txt", "folder.txt"):
        with pytest.raises(UnreadableDocument, match="regular"):
            read_bytes(tmp_path / name)


def test_a_name_that_is_no_text_is_named_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read_bytes(tmp_path / "\udcff.txt")
    assert "udcff.txt" in str(caught.value).encode().decode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_text_in_any_usual_encoding(encoding: str) -> None:
    text = "Über die Größe der Straße — „schön“, naïve façade, déjà vu. " * 20
    assert load_bytes(text.encode(encoding), "a.txt").text == text


def test_binary_rubbish_is_no_text() -> None:
    with pytest.raises(UnreadableDocument, match="not text"):
        load_bytes(bytes(range(256)) * 40, "a.txt")


def test_form_feeds_make_pages() -> None:
    document = load_bytes(b"one\n\x0ctwo\n\x0c", "a.txt")
    check(document)
    assert [document.text[p.span.start : p.span.end] for p in document.pages] == ["one\n\f", "two\n\f"]
    assert document.page_at(document.text.index("two")) == 2


def test_markdown_is_verbatim_and_its_headings_nest() -> None:
    text = (
        "---\ntitle: The handbook\nauthor: Ann\n---\n\nIntro\n\n# Leave *and* [rest](x.md)\n\nA\n\n"
        "```\n# not a heading\n```\n\n## Parental\n\nB\n\nPay\n===\n\nC\n"
    )
    document = load_bytes(text.encode(), "a.md")
    check(document)
    assert document.text == text
    assert document.title == "The handbook" and document.metadata == {"author": "Ann"}
    assert document.section_at(text.index("\nB")) == "Leave and rest > Parental"
    assert document.section_at(text.index("\nC")) == "Pay"
    assert document.section_at(0) == ""
    assert all(text[s.span.start :].lstrip("# ")[:3] == s.title[:3] for s in document.sections)


def test_folders_are_walked_in_order_without_hidden_files_and_loops(tmp_path: Path) -> None:
    for name in ("b.txt", "a.xyz", ".hidden.txt", "c/d.md", ".git/e.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    (tmp_path / "c" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [str(path.relative_to(tmp_path)) for path in find_files(tmp_path)] == ["a.xyz", "b.txt", "c/d.md"]
    assert list(find_files(tmp_path / ".hidden.txt")) == [tmp_path / ".hidden.txt"]
