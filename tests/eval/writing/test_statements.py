from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.eval.writing.statements import common_words, find_statements
from rag.types import Document

TABLE = """Limits

| Vessel | Wind, kn | Note |
|--------|---------:|------|
| Dunlin |       36 | calm |
| Petrel |       34 |      |

The kit contains:

- a lamp
- a rope;
- two flares.
"""


def document(text: str) -> Document:
    return Document("d" * 64, "a.md", "a", text)


def test_a_table_has_its_columns_and_rows_at_their_places() -> None:
    (table,) = find_statements(document(TABLE)).tables
    assert table.columns.cells[:2] == ("Vessel", "Wind, kn")
    assert [row.cells[1] for row in table.rows] == ["36", "34"]
    row = table.rows[0]
    assert TABLE[row.span.start : row.span.end] == "| Dunlin |       36 | calm |"


def test_a_list_has_its_lead_and_items() -> None:
    (listing,) = find_statements(document(TABLE)).listings
    assert listing.lead == "The kit contains"
    assert listing.items == ("a lamp", "a rope", "two flares")
    assert TABLE[listing.span.start : listing.span.end].startswith("The kit contains:\n")
    assert TABLE[listing.span.start : listing.span.end].endswith("two flares.")


def test_rows_of_one_name_are_left_out() -> None:
    text = "Name | Age\nAnn | 3\nAnn | 4\nBob | 5\nEve | 6"
    (table,) = find_statements(document(text)).tables
    assert [row.cells[0] for row in table.rows] == ["Bob", "Eve"]


def test_a_word_is_common_where_it_is_mostly_small() -> None:
    words = common_words(["We saw Petrel at sea. The petrel flew off. We like Petrel, and rope, and rope."])
    assert "rope" in words
    assert "petrel" not in words


@given(st.text(alphabet="aB |-\n.:*1é\f", max_size=200))
def test_places_are_inside_any_text(text: str) -> None:
    found = find_statements(document(text))
    spans = [each.span for each in found.sentences]
    spans += [row.span for table in found.tables for row in (table.columns, *table.rows)]
    spans += [each.span for each in found.listings]
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    for table in found.tables:
        for row in table.rows:
            assert row.cells[0] in text
