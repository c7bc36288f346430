"""The page of an evaluation: nothing in it is loaded, run, or made of what a document says."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from html.parser import HTMLParser
from inspect import signature
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reported import HOSTILE, evaluation

import rag
from rag.eval.catalogue import metric_named
from rag.eval.failures.diagnosis import FIXES, Diagnosis, FailureMode
from rag.eval.reports.cards import parts
from rag.eval.reports.findings import claim, mean_score
from rag.eval.reports.markdown import markdown_report
from rag.eval.reports.page import html_report
from rag.eval.reports.showing import visible
from rag.eval.retrieval import PLACE_MEASURES, RANKING_MEASURES
from rag.eval.statistics.bootstrap import Estimate
from rag.types import Span

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OWN = re.compile(r"\.(google|googleapis|gvt1)\.com[:/]")  # whom Chromium asks for on its own account
VOID = {"meta", "line", "rect", "circle", "wbr"}


class Elements(HTMLParser):
    """Every element with the names of its attributes, the texts, and what is open that should be closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def harmless(text: str) -> str:
    return text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_becomes_markup(hostile: str):
    page = html_report(evaluation(lambda text: hostile))
    found, plain = Elements(page), Elements(html_report(evaluation(lambda text: "words")))
    assert not found.open
    assert found.found == plain.found
    page.encode("utf-8")
    assert visible(page) == page


PLAIN = Elements(html_report(evaluation(lambda text: "words", questions=2))).found


@given(st.text(st.characters()).map("some {} words".format))
@settings(max_examples=15)
def test_whatever_is_said_the_elements_are_the_same(text: str):
    page = html_report(evaluation(lambda harmless: text, questions=2))
    assert Elements(page).found == PLAIN


def test_a_hostile_text_is_shown_as_it_is():
    page = html_report(evaluation(lambda text: HOSTILE[0]))
    assert HOSTILE[0] in "".join(Elements(page).texts)
    assert "‹U+202E›exe.txt" in html_report(evaluation(lambda text: HOSTILE[6]))


def test_nothing_can_be_loaded_or_run():
    found = Elements(html_report(evaluation(harmless)))
    tags = {tag for tag, _ in found.found}
    assert not tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "image", "use"}
    for tag, name, value in found.attributes:
        assert not name.startswith("on") and name not in ("src", "srcset", "style", "action", "xlink:href")
        assert name != "href" or (tag == "a" and value.startswith("#"))
    policy = next(v for t, n, v in found.attributes if n == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_what_a_reader_needs_is_there():
    page = html_report(evaluation(harmless))
    found = Elements(page)
    text = " ".join(" ".join(found.texts).split())
    for part in (
        "Against the baseline",
        "Distributions",
        "By kind of question",
        "By document",
        "ignored",
        "Mend it.",
    ):
        assert part in text
    assert "1 missed" in text and "Missed: lost" in text
    assert "nan" not in text.lower().split()
    ids = {value for _, name, value in found.attributes if name == "id"}
    assert {v[1:] for _, name, v in found.attributes if name == "href"} <= ids
    assert all("scope" in attributes for tag, attributes in found.found if tag == "th")
    pictures = [attributes for tag, attributes in found.found if tag == "svg"]
    assert pictures and all({"role", "aria-label"} <= set(attributes) for attributes in pictures)
    assert [tag for tag, _ in found.found].count("title") == len(pictures) + 1


def test_equal_evaluations_make_equal_pages():
    assert html_report(evaluation(harmless)) == html_report(evaluation(harmless))


def test_three_hundred_questions_are_less_than_three_megabytes():
    assert len(html_report(evaluation(harmless, questions=300, words=150)).encode()) < 3_000_000


@given(
    st.text(min_size=1, max_size=40),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=4),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=4),
)
def test_the_marked_parts_are_the_text(
    text: str, start: int, cited: list[tuple[int, int]], gold: list[tuple[int, int]]
):
    spans = [[Span(at, at + length) for at, length in each] for each in (cited, gold)]
    found = parts(text, start, *spans)
    assert "".join(part for _, part in found) == "".join(visible(each) for each in text)
    at = start
    for kind, part in found:
        raw = next(
            end
            for end in range(at, start + len(text) + 1)
            if visible(text[at - start : end - start]) == part and end > at
        )
        for position in range(at, raw):
            for name, each in zip("cg", spans, strict=True):
                assert (name in kind) == any(span.start <= position < span.end for span in each)
        at = raw


@contextmanager
def recording_proxy() -> Iterator[tuple[int, list[str]]]:
    """A proxy that writes down who was asked for, and answers nobody."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    asked.append(connection.recv(4096).decode("latin-1").split("\r\n")[0])

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)


def opened(path: Path, profile: Path) -> tuple[str, list[str], list[str]]:
    """A page as Chromium has it after loading, what it says of it on the console, and whom it asked for."""
    with recording_proxy() as (port, asked):
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
            "--disable-background-networking --disable-component-update --disable-default-apps "
            "--disable-features=NetworkTimeServiceQuerying --enable-logging=stderr --v=0"
        )
        done = subprocess.run(
            [
                str(CHROMIUM),
                *flags.split(),
                f"--user-data-dir={profile}",
                f"--proxy-server=127.0.0.1:{port}",
                "--proxy-bypass-list=<-loopback>",
                "--dump-dom",
                path.as_uri(),
            ],
            capture_output=True,
            timeout=60,
            check=True,
        )
    console = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode("utf-8"), console, [line for line in asked if not OWN.search(line)]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_opens_it_without_a_request_or_an_error(tmp_path: Path):
    shown = iter(range(10_000))
    page = tmp_path / "report.html"
    page.write_text(html_report(evaluation(lambda text: HOSTILE[next(shown) % len(HOSTILE)])), "utf-8")
    dom, console, asked = opened(page, tmp_path / "profile")
    assert "The worst questions" in dom
    assert (console, asked) == ([], [])


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_page_that_loads_something_would_be_seen(tmp_path: Path):
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://evil.test/x.png"><script>console.error("seen")</script>', "utf-8")
    _, console, asked = opened(page, tmp_path / "profile")
    assert any("evil.test" in line for line in asked) and any("seen" in line for line in console)


def test_questions_without_a_file_are_counted_or_called_by_their_name():
    found = evaluation(harmless)
    for known, title in (
        ({}, "3 questions"),
        ({"name": "3 logged questions, May"}, "3 logged questions, May"),
        ({"name": "May", "split": "dev"}, "May, split dev"),
    ):
        page = html_report(replace(found, setup={"questions": {"file": None, **known}}))
        assert f"<title>Evaluation: {title}</title>" in page


def test_the_judge_is_named_once_and_a_row_says_whether_it_had_a_part():
    found = evaluation(lambda text: "the long name of a judge" if text == "judge" else text)
    page = html_report(found)
    assert page.count("the long name of a judge") == 2  # at the top, and in the settings
    assert '<td class="judge">exact</td>' in page and '<td class="judge">judge</td>' in page


def test_what_is_always_small_is_not_painted_and_does_not_count():
    found = evaluation(harmless)
    rows = tuple(replace(row, scores={**row.scores, "SpanIoU@10": 0.02}) for row in found.rows)
    low = replace(found, rows=rows, summary={**found.summary, "SpanIoU@10": Estimate(0.02, 0.01, 0.03, 3)})
    low = replace(low, by_kind={"kind": low.summary})
    page = html_report(low)
    assert re.search(r'<li class=""><span>SpanIoU@10</span> <b>0.02</b>', page)
    assert re.search(r'SpanIoU@10</bdi></th><td class="n "', page)
    assert [mean_score(row, frozenset()) for row in rows] == [
        mean_score(row, frozenset()) for row in found.rows
    ]


def test_a_measure_of_places_says_how_it_is_worked_out():
    page = html_report(replace(evaluation(harmless), setup={}))
    assert "gold places that the first 10 hits find / gold places" in page
    for name in (*PLACE_MEASURES, *RANKING_MEASURES):
        assert "7" in metric_named(f"{name}@7").formula


@pytest.mark.parametrize(
    ("significant", "worse", "spread", "detectable", "words"),
    [
        (True, True, 0.1, 0.2, "worse"),
        (True, False, 0.1, 0.2, "better"),
        (False, False, 0.0, 0.0, "the same"),
        (False, False, 0.1, 0.25, "not significant; one below 0.250 would not be seen"),
        (False, False, 0.1, None, "not significant"),
        (False, False, 0.1, 1.7, "not significant"),
    ],
)
def test_what_a_difference_shows(significant, worse, spread, detectable, words):
    (one, *_) = evaluation(harmless).comparison.differences
    found = replace(
        one,
        significant=significant,
        worse=worse,
        low=-spread,
        high=spread,
        minimum_detectable=detectable,
        of_these_documents=False,
    )
    assert claim(found) == words
    assert claim(replace(found, of_these_documents=True)) == f"{words}, for these documents alone"


def test_what_is_typed_in_advice_is_shown_as_code():
    found = evaluation(harmless)
    fix = FIXES[FailureMode.WRONGLY_REFUSED]
    rows = tuple(
        replace(row, diagnosis=Diagnosis(FailureMode.WRONGLY_REFUSED, "why", fix)) for row in found.rows
    )
    page = html_report(replace(found, rows=rows))
    assert page.count("<code>--policy flag</code>") == 1 + len(rows)
    assert "`--policy flag`" in markdown_report(replace(found, rows=rows))


@pytest.mark.parametrize("fix", FIXES.values())
def test_advice_names_what_there_is(fix: str):
    for name in re.findall(r"rag\.(\w+)", fix):
        assert hasattr(rag, name)
    for name in re.findall(r"(\w+)=", fix):
        known = {*signature(rag.extractive).parameters, *signature(rag.open_model).parameters}
        assert name in known | {field.name for field in fields(rag.Settings)}
    for option in re.findall(r"(?<!\w)--?[a-z]+", fix):
        assert option in ("-k", "--encoder", "--reranker", "--model", "--policy", "--setting")


def test_an_answer_that_is_wrong_for_no_known_reason_is_counted_and_marked():
    found = evaluation(harmless)
    rows = tuple(
        replace(row, right=False, diagnosis=row.diagnosis if at == 0 else None, failure="")
        for at, row in enumerate(found.rows)
    )
    page = html_report(replace(found, rows=rows))
    assert "3 answered or refused wrongly; most often ignored (1)" in page
    assert "3 of 3 questions were answered wrongly or refused wrongly; of 1 it can be told why" in page
    assert page.count('<td class="bad-cell">wrong</td>') == 2
