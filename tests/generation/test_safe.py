"""Nothing that could lead a reader away comes out but what a cited span holds."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rag.generation.links import links_in
from rag.generation.marks import composed
from rag.generation.safe import HIDDEN_FAULT, LINK_FAULT, REMOVED, cleaned, safe
from rag.types import Answer, Citation, Sentence

RENDER = MarkdownIt("commonmark", {"html": True})

# A reader of links that shares nothing with the code: coarse, and so it sees more than it must.
SEEN = re.compile(
    r"https?:|www\.|javascript:|data:|mailto:|evil\.com|ｅｖｉｌ|evil。com|xn--|@evil|//evil", re.IGNORECASE
)


def rendered(text: str) -> set[str]:
    """The links, images and HTML that Markdown makes of a text, by another's renderer."""
    found = set()
    for token in RENDER.parse(text):
        for each in [token, *(token.children or [])]:
            if each.type in ("link_open", "image"):
                found.add(str(each.attrs.get("href") or each.attrs.get("src")))
            elif each.type in ("html_inline", "html_block"):
                found.add(each.content)
    return found


def answer_of(*sentences: tuple[str, str]) -> Answer:
    """An answer of sentences, each with the quote that it cites, or `""`."""
    citations = [
        Citation(at, "d", "d.txt", "Paper", None, "", 0, len(quote), quote)
        for at, (_, quote) in enumerate(sentences, start=1)
        if quote
    ]
    said = tuple(
        Sentence(text, (at,) if quote else (), bool(quote), 1.0)
        for at, (text, quote) in enumerate(sentences, start=1)
    )
    return Answer("?", composed(said), said, tuple(citations), (), False, 1.0, "scripted")


ATTACKS = (
    "See https://evil.com/x?q=1 now.",
    "See HTTP://EVIL.COM now.",
    "See www.evil.com now.",
    "See evil.com now.",
    "See evil.com/path?x=1, now.",
    "Write to a@evil.com now.",
    "Write to mailto:a@evil.com now.",
    "Open javascript:alert(1) now.",
    "Open java&#115;cript:alert(1) now.",
    "Open data:text/html;base64,PHNjcmlwdD4= now.",
    "Open //evil.com/x now.",
    "Open \\\\evil.com\\x now.",
    "Open http\\://evil.com now.",
    "Open http&#58;//evil.com now.",
    "Open ht\u200btps://ev\u00adil.com now.",
    "Open ｈｔｔｐ：／／ｅｖｉｌ．ｃｏｍ now.",
    "Open evil。com now.",
    "Open xn--80ak6aa92e.com now.",
    "Open аpple.com now.",
    "Open evil․com now.",
    "Open пример.рф now.",
    "Open 10.0.0.1:8080/x now.",
    "Open ftp://evil.com/x and tel:+123 now.",
    "A [click](https://evil.com) here.",
    "A [click here now](<https://evil.com> 'title') here.",
    "A ![image](https://evil.com/x.png?q=secret) here.",
    "A [![image](https://evil.com/x.png)](https://evil.com) here.",
    "A ![a [b](https://evil.com) c](https://evil.com/y) here.",
    "A [click][1] here.\n\n[1]: https://evil.com",
    "[1]: https://evil.com",
    "[1]:evil",
    "A <https://evil.com> here.",
    "A <a@evil.com> here.",
    "A <a href='https://evil.com'>click</a> here.",
    "A <img src=https://evil.com/x.png> here.",
    "A <img src=x onerror=alert(1)> here.",
    "A <script>alert(1)</script> here.",
    "A <scr<b>ipt>alert(1)</scr</b>ipt> here.",
    "A <!-- hidden --> comment <b onmouseover=alert(1)>here</b>.",
    "A <svg/onload=alert(1)> here <",
    "A <iframe\nsrc=//evil.com> here.",
    "A <![CDATA[ x ]]> and <?php x ?> here.",
    "A \x1b]8;;https://evil.com\x07click\x1b]8;;\x07 here.",
    "A \x1b[31mred\x1b[0m \x9b2J here.",
    "A \u202etxet\u202c \u2066here\u2069.",
    "A \U000e0048\U000e0069 tag.",
    "A \ud800 surrogate.",
    "A !![](u)[b](u) !<i></i>[b](u) here.",
    "A [a]\x00(https://evil.com) \x000\x00 here.",
    "A [a](\nhttps://evil.com\n) here.",
    "A \\[a](https://evil.com) here.",
    "A `[a](https://evil.com)` here.",
)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("quote", ["", "The keeper lights the lamp."])
def test_what_no_cited_span_holds_does_not_come_out(attack, quote):
    shown = safe(answer_of((attack, quote)))
    for text in (shown.text, *(sentence.text for sentence in shown.sentences)):
        assert not rendered(text)
        assert not SEEN.search(text)
        assert not links_in(text)
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text
        )
        text.encode()
    assert any(sentence.faults for sentence in shown.sentences) or not shown.sentences
    assert safe(shown) is shown


HARMLESS = (
    "The U.S. Army paid 3.5 million, e.g. in Sec. 4.a.ii, to Dr. Hale (see p. 3).",
    "If a < b and c > d, then f(x) = a[i] * 2; the ratio is 3:1.",
    'AT&T said: "no" – at 10:30 a.m. on 1.2.2020, v1.2.3.',
    "Über 1.200,50 € für die Fähre nach Föhr; это так.",
    "این متن فارسی است.",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_stays(text):
    answer = answer_of((text, "Something else."), (text, ""))
    assert safe(answer) is answer


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_sentence_that_is_its_quote_stays_to_the_letter(attack):
    answer = answer_of((attack, attack))
    assert safe(answer) is answer


def test_a_link_stays_where_the_cited_span_holds_the_very_same():
    quote = "Ask at https://port.com/help, or help@port.com."
    answer = safe(answer_of(("They answer at https://port.com/help.", quote)))
    assert answer.sentences[0].text == "They answer at https://port.com/help."
    assert answer.sentences[0].supported
    for near in (
        "https://port.com/hel",
        "https://port.com/help2",
        "port.com",
        "https://port.com.evil.com",
    ):
        answer = safe(answer_of((f"They answer at {near}.", quote)))
        assert answer.sentences[0].text == f"They answer at {REMOVED}"
        assert answer.sentences[0].faults == (LINK_FAULT,)
        assert not answer.sentences[0].supported


def test_a_link_of_another_sentences_span_does_not_count():
    answer = safe(answer_of(("See evil.com.", "The lamp."), ("The lamp.", "At evil.com it is said.")))
    assert REMOVED in answer.sentences[0].text


def test_a_joiner_stays_in_a_word_that_is_cited():
    quote = "این می\u200cشود."
    assert safe(answer_of(("می\u200cشود. این", quote))).sentences[0].text == "می\u200cشود. این"
    changed = safe(answer_of(("م\u200cی", quote))).sentences[0]
    assert (changed.text, changed.faults, changed.supported) == ("می", (HIDDEN_FAULT,), True)


def test_where_it_is_strict_markup_and_hidden_characters_go_although_cited():
    quote = "A <b>bold</b> ![x](u) [b](u) w\u200bord."
    shown = safe(answer_of((quote, quote)), strict=True).sentences[0]
    assert shown.text == "A ‹b›bold‹/b› x [b](u) word."


def test_html_that_is_cited_is_named_where_the_sentence_is_not_a_quote():
    sentence = safe(answer_of(("Use <script> alert(1) and <b>.", "The <script> tag and <b> too."))).sentences[
        0
    ]
    assert (sentence.text, sentence.supported) == ("Use ‹script› alert(1) and ‹b›.", True)


def test_an_abstention_and_a_text_that_says_more_than_its_sentences_are_no_way_out():
    answer = answer_of(("The lamp is lit.", "The lamp is lit."))
    assert safe(replace(answer, text=answer.text + " See evil.com")).text == answer.text
    abstention = Answer("?", "No. See <b>evil.com</b>", (), (), (), True, 0.0, "scripted")
    assert safe(abstention).text == f"No. See {REMOVED}"


def test_an_answer_of_which_nothing_is_left_abstains():
    shown = safe(answer_of(("<b></b>", "The lamp.")))
    assert shown.abstained
    assert shown.sentences == ()


WORDS = (
    "[ ] ( ) ! < > / \\ : . , ` * _ \n | & ; # @ http https :// www. evil com .com evil.com javascript: data:"
    " 0 １ 。 [a](u) ![a](u) <b> </b> <!-- --> [1]: <script &#58; \u200b \x1b[31m \x00 ｈｔｔｐ xn-- word a b"
)
PIECES = st.sampled_from([*WORDS.split(" "), " "])
TEXTS = st.lists(PIECES, max_size=25).map("".join)


@given(TEXTS, TEXTS)
def test_whatever_is_written_only_what_is_cited_is_rendered(text, quote):
    shown, _ = cleaned(text, (quote,))
    assert links_in(shown) <= links_in(quote)
    held = re.sub(r"\s+", " ", quote)
    for each in rendered(shown):
        assert each in held or each in quote
    assert cleaned(shown, (quote,))[0] == shown


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_an_answer_that_was_made_safe_is_safe(pairs):
    shown = safe(answer_of(*pairs))
    assert safe(shown) is shown


def test_huge_texts_take_no_time():
    for attack in (
        "[" * 20_000,
        "<!--" * 20_000,
        "[](" * 20_000,
        "a." * 20_000,
        "<a " * 10_000,
        "\x1b]" * 10_000,
        "![x" * 20_000,
    ):
        cleaned(attack, (attack[:2000],))
