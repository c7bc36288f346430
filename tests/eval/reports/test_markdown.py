"""The report in Markdown: the facts of the page, and nothing of what a document says is Markdown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reported import HOSTILE, evaluation

from rag.eval.reports.markdown import escaped, markdown_report
from rag.eval.reports.showing import one_line, visible

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def shape(text: str) -> list[str]:
    """What a reader of Markdown makes of a text: its blocks and marks, and the tags of its HTML."""
    found = []
    for token in READER.parse(text):
        for each in [token, *(token.children or [])]:
            if each.type in ("html_block", "html_inline"):
                found += re.findall(r"</?\w+", each.content)
            elif each.type not in ("text", "inline", "softbreak", "text_special"):
                found.append(each.type)
    return found


PLAIN = shape(markdown_report(evaluation(lambda text: "words", questions=2)))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_becomes_markdown(hostile: str):
    report = markdown_report(evaluation(lambda text: f"some {hostile} words", questions=2))
    assert shape(report) == PLAIN
    report.encode("utf-8")
    assert visible(report) == report
    # what GitHub makes a link, a mention or a reference to an issue without a mark; in code it does not
    report = re.sub(r"(?s)(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", report)
    assert not re.search(r"(?i)(?<![&\w])(https?|ftp)://|\bwww\.\w|(?<!\w)@\w|\w@evil|(?<![&\w])#\d", report)


@given(st.text(st.characters()).map("some {} words".format))
@settings(max_examples=25)
def test_whatever_is_said_the_shape_is_the_same(text: str):
    assert shape(markdown_report(evaluation(lambda each: text, questions=2))) == PLAIN


@given(st.text())
def test_what_is_escaped_reads_as_it_was(text: str):
    line = one_line(f"x {text} x")
    shown = "".join(
        child.content
        for token in READER.parseInline(escaped(f"x {text} x", 0))
        for child in token.children or []
    )
    assert shown.replace("\u200b", "") == line


@pytest.mark.parametrize("text", ["Success@10", "at 13:00", "13:00:05", "a: b", "the #gold", "p@5.", "v1.2"])
def test_what_is_no_link_is_left_alone(text: str):
    assert escaped(text) == text


@pytest.mark.parametrize(
    "text",
    ["@ann", "(@ann", "é@ann", "a@b.org", "a_b@c-d.e", "a#1", "#12", "https://a.b", "www.a.b", ":smile:",
     ":100:", ":heart_eyes:", "mailto:a", "x@0123abc", "GH-1"],
)  # fmt: skip
def test_what_would_be_a_link_is_stopped(text: str):
    assert "&#8203;" in escaped(text)


def test_of_metrics_is_said_how_they_came_about_and_none_is_a_row_of_dashes():
    found = evaluation(str)
    report = markdown_report(found)
    assert "| exact |" in report and "| judge |" in report
    kinds = report.partition("## By kind")[2].partition("##")[0]
    assert "`Recall@10`" in kinds and "exact_match" not in kinds  # which bears on no question
    assert "by 0." not in report.partition("## Metrics")[0]  # the columns say it


def test_the_facts_of_the_page_are_there():
    report = markdown_report(evaluation(lambda text: text))
    for part in (
        "Against the baseline",
        "`Recall@10`",
        "0.250 – 0.750",
        "ignored",
        "Mend it.",
        "calibration error",
    ):
        assert part in report
    assert "nan" not in report.lower().replace("|", " ").split()


def test_it_is_said_that_not_all_that_got_worse_is_shown():
    assert "3 questions got worse</summary>" in markdown_report(evaluation(str))
    assert "20 questions got worse, the worst 15 below</summary>" in markdown_report(
        evaluation(str, questions=20)
    )


def test_equal_evaluations_make_equal_reports():
    assert markdown_report(evaluation(str)) == markdown_report(evaluation(str))
