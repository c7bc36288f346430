"""Links are seen however they are written, and compared as they would be followed."""

import pytest

from rag.generation.links import links_in, without_links


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("See https://evil.com/x.", "(https://evil.com/x)"),
        ("HTTPS://Evil.com/x", "https://evil.com/x"),
        ("ｈｔｔｐｓ：／／evil．com／x", "https://evil.com/x"),
        ("https&#58;//evil.com/x", "https://evil.com/x"),
        ("ht\u200btps://ev\u00adil.com/x", "https://evil.com/x"),
        ("evil․com", "evil.com"),
        ("**evil.com**", "evil.com"),
    ],
)
def test_spellings_of_one_link_are_one(one, other):
    assert links_in(one) == links_in(other) != frozenset()


@pytest.mark.parametrize(
    "one", ["evil.com/x", "https://evil.com/y", "https://evil.co/x", "http://evil.com/x", "evil.com"]
)
def test_links_that_lead_elsewhere_are_others(one):
    assert links_in(one) != links_in("https://evil.com/x")


@pytest.mark.parametrize(
    "text",
    [
        "e.g. 3.5 m, U.S. p.m. 10:30 1/2 and/or",
        "Sec. 4.a.ii; v1.2.3; a[i].b",
        "C:\\",
        "ratio 3:1",
        "これは。それは",
        "x" * 9000,
    ],
)
def test_what_is_no_link_is_none(text):
    assert links_in(text) == frozenset()


def test_a_link_in_an_endless_word_is_seen_wherever_it_stands():
    for before in (0, 3_595, 3_600, 3_990, 3_999, 4_000, 7_195):
        assert links_in(f"{'x' * before}|https://evil.com|{'y' * 5_000}")


def test_words_with_other_links_are_replaced():
    allowed = links_in("https://port.com/a")
    assert (
        without_links("See https://port.com/a, or evil.com!", allowed, "-") == "See https://port.com/a, or -"
    )
