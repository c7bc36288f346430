from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.eval.questions import Place
from rag.eval.writing.naming import relative_names

PART = st.sampled_from(["a", "b", "c", "x.md"])
SOURCE = st.lists(PART, min_size=1, max_size=5).map("/".join)


def test_the_shared_folder_is_left_out() -> None:
    names = relative_names(["/home/me/docs/a.md", "/home/me/docs/pdfs/b.pdf"])
    assert list(names.values()) == ["a.md", "pdfs/b.pdf"]
    assert relative_names(["/home/me/a.md"]) == {"/home/me/a.md": "a.md"}
    assert relative_names([r"C:\docs\a.md", r"C:\docs\in\b.md"])[r"C:\docs\in\b.md"] == "in/b.md"
    assert relative_names(["welcome.md", "pdfs/b.pdf"]) == {
        "welcome.md": "welcome.md",
        "pdfs/b.pdf": "pdfs/b.pdf",
    }
    assert relative_names([]) == {}


def test_a_name_that_ends_another_source_has_more_folders() -> None:
    names = relative_names(["/home/docs/a.md", "/home/docs/old/a.md"])
    assert list(names.values()) == ["docs/a.md", "old/a.md"]


@given(st.lists(SOURCE, unique=True, max_size=8))
def test_every_name_is_in_one_source_alone(below: list[str]) -> None:
    sources = [f"/home/{each}" for each in below]
    for source, name in relative_names(sources).items():
        assert [each for each in sources if Place(name).is_in(each, "")] == [source]
        assert Place(name).is_in(f"/elsewhere/{source}", "")
        assert name == source or not name.startswith("/")
