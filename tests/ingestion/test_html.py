from __future__ import annotations

import pytest

from rag.errors import UnreadableDocument
from rag.ingestion.html import load_html


def test_blocks_rows_items_and_headings() -> None:
    page = b"""<html lang=en><head><title>My  page</title><meta name=author content="Ann">
    <style>p{}</style></head><body><nav>Home</nav><h1>Leave</h1><p>Some <b>bold</b>
    text.<!-- no -->tail<br>Next</p><script>alert()</script><ul><li>one<ul><li>deep</li></ul></li>
    <li><p>two</p></li></ul>
    <h2>Pay</h2><table><tr><th>Weeks<th>Paid</tr><tr><td><p>12</p><td> full   pay</table>
    <pre>a  b
  c</pre><p hidden>secret</p><img src=x><footer>Imprint</footer></body></html>"""
    document = load_html(page, "a.html")
    assert document.text.split("\n") == [
        "Leave",
        "Some bold text.tail",
        "Next",
        "- one",
        "- deep",
        "- two",
        "Pay",
        "Weeks | Paid",
        "12 | full pay",
        "a  b",
        "  c",
    ]
    assert document.title == "My page"
    assert document.metadata == {"author": "Ann", "language": "en"}
    assert document.section_at(document.text.index("full pay")) == "Leave > Pay"
    assert document.left_out == ("1 hidden element", "1 image", "1 navigation", "1 page footer")
    assert document.pages == ()


def test_tables_within_tables_lose_nothing() -> None:
    document = load_html(b"<table><tr><td>a<table><tr><td>b<td>c</table>d<td>e</table>", "a.html")
    assert document.text.replace("\n", " | ").split(" | ") == ["a", "b", "c", "d", "e"]


def test_the_charset_that_the_page_declares() -> None:
    page = '<meta charset="windows-1251"><p>Привет, мир</p>'.encode("cp1251")
    assert load_html(page, "a.html").text == "Привет, мир"


def test_a_hundred_thousand_nested_blocks_are_read_or_refused() -> None:
    page = b"<div>" * 100_000 + b"deep" + b"</div>" * 100_000
    try:
        text = load_html(page, "a.html").text
    except UnreadableDocument as error:
        assert "deep" in str(error)
    else:
        assert text == "deep"


def test_a_page_of_furniture_alone_keeps_it() -> None:
    assert load_html(b"<nav><a>Home</a></nav>", "a.html").text == "Home"


def test_a_page_without_text_is_unreadable() -> None:
    with pytest.raises(UnreadableDocument, match="scripts"):
        load_html(b"<html><body><script>x()</script></body></html>", "a.html")
