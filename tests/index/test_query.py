from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.index.analyzer import analyzer, english
from rag.index.query import Conditions, Query, conditions, holds, parse_query, terms_of_phrase

TAKEN_APART = {
    '"sick leave" +parental pay -unpaid': (
        "sick leave parental pay",
        ["sick leave"],
        ["parental"],
        ["unpaid"],
    ),
    '+"sick leave" pay': ("sick leave pay", ["sick leave"], [], []),
    'pay -"sick leave" now': ("pay now", [], [], ["sick leave"]),
    "“sick leave” „Wort hier“ -“no way”": (
        "sick leave Wort hier",
        ["sick leave", "Wort hier"],
        [],
        ["no way"],
    ),
    'who said "to be"?': ("who said to be?", ["to be"], [], []),
    '"one"two': ("one two", ["one"], [], []),
    'zero -"one"two': ("zero two", [], [], ["one"]),
    '"he said “hi” there"': ("he said “hi” there", ["he said “hi” there"], [], []),
    r'"a \"b\" c" d': (r"a \"b\" c d", [r"a \"b\" c"], [], []),
    "one -two, three": ("one three", [], [], ["two"]),
    "+C++ -wi-fi": ("C++", [], ["C++"], ["wi-fi"]),
    "-1st +2024 -5G": ("2024", [], ["2024"], ["1st", "5G"]),
    'unclosed "quote -but': ('unclosed "quote', [], [], ["but"]),
    "line\n-two\nline  three": ("line\nline  three", [], [], ["two"]),
    "-only -“this one”": ("", [], [], ["only", "this one"]),
}

AS_IT_IS = [
    "",
    " ",
    "  two  spaces ",
    "co-operation C++ C# F-16",
    "-5 degrees",
    "-3.5% and -1,000",
    "-5°C",
    "-2024-01-31",
    "- item",
    "+ item",
    "-",
    "+",
    '"',
    '""',
    '" "',
    '"?!"',
    '-"',
    '+""',
    "--verbose",
    "−minus –dash",
    "-_x",
    "it's 'single quotes' o’neil ‘so’",
    r"\"escaped\" text",
    r"\-escaped \+too",
    '5" x 7" paper',
    'f("x")',
    "(-bracket) [+too]",
    "a +- b",
    'unclosed "quote',
    "„unclosed „again",
    "NOT this AND that",
    "日本語 -",
    "\ud800 \x00",
]


@pytest.mark.parametrize("text", TAKEN_APART)
def test_operators_take_a_query_apart(text: str) -> None:
    plain, phrases, required, excluded = TAKEN_APART[text]
    query = parse_query(text)
    assert query == Query(plain, tuple(phrases), tuple(required), tuple(excluded))
    assert query.words == plain


@pytest.mark.parametrize("text", AS_IT_IS)
def test_text_without_operators_is_left_as_it_is(text: str) -> None:
    query = parse_query(text)
    assert query == Query(text)
    assert query.words == query.plain == text


def test_a_query_of_exclusions_scores_nothing() -> None:
    assert parse_query("-one -“two three”").scores_nothing
    assert parse_query(" ").scores_nothing
    assert not parse_query("-one two").scores_nothing


@given(st.text() | st.text(alphabet='+-"“”„\\ ab5.,', max_size=24))
@example("„" * 10_000 + '" ' * 10_000)
@example("„ " * 30_000)
@example('" ' + '\\" ' * 30_000)
@example("-1" * 30_000)
@example('" 0"')
def test_any_text_is_a_query(text: str) -> None:
    query = parse_query(text)
    for part in (*query.phrases, *query.required):
        assert part in query.plain and any(map(str.isalnum, part))
    for part in query.excluded:
        assert part in text and any(map(str.isalnum, part))
    assert isinstance(conditions(query, english), Conditions)
    if not (query.phrases + query.required + query.excluded):
        assert query.plain == text


WORD = st.from_regex(r"[a-z]{1,6}", fullmatch=True)


@given(st.lists(st.tuples(st.sampled_from(["", "+", "-"]), st.lists(WORD, min_size=1, max_size=3))))
def test_what_is_written_is_read(parts: list[tuple[str, list[str]]]) -> None:
    texts = [" ".join(words) for _, words in parts]
    query = parse_query(
        " ".join(
            sign + (f'"{text}"' if len(words) > 1 else text)
            for (sign, words), text in zip(parts, texts, strict=True)
        )
    )
    signed = list(zip(parts, texts, strict=True))
    assert query.excluded == tuple(text for (sign, _), text in signed if sign == "-")
    assert query.required == tuple(text for (sign, words), text in signed if sign == "+" and len(words) == 1)
    assert query.phrases == tuple(text for (sign, words), text in signed if sign != "-" and len(words) > 1)
    assert query.plain == " ".join(text for (sign, _), text in signed if sign != "-")


def test_a_phrase_keeps_the_places_of_its_stop_words() -> None:
    assert terms_of_phrase("Bank of the West", english) == ("bank", None, None, "west")
    assert terms_of_phrase("The Beatles are", english) == ("beatl",)
    assert terms_of_phrase("to be or not to be", english) == ()
    assert terms_of_phrase("wi-fi", english) == ("wi", "fi")


def test_stop_words_alone_are_no_condition() -> None:
    query = parse_query('+the "to be or not" -of leave')
    assert (query.required, query.phrases, query.excluded) == (("the",), ("to be or not",), ("of",))
    assert conditions(query, english) == Conditions()
    assert not conditions(query, english)


@pytest.mark.parametrize(
    ("query", "text", "met"),
    [
        ('"bank of the west"', "The Bank of the West opened.", True),
        ('"bank of the west"', "A bank in our west.", True),  # as in Lucene, a gap holds any word
        ('"bank of the west"', "West of the bank", False),
        ('"bank of the west"', "The bank of west", False),
        ('"parental leave"', "parents leave; parental leaves", True),
        ('"parental leave"', "leave for parental reasons", False),
        ("+leave pay", "no pay", False),
        ("+leave pay", "it leaves", True),
        ("+wi-fi", "fi and wi", False),
        ("pay -leave", "pay without leaves", False),
        ('pay -"sick leave"', "leave when sick", True),
        ('pay -"sick leave"', "sick leave", False),
        ('"x x y"', "x x x y", True),
    ],
)
def test_conditions_hold_or_not(query: str, text: str, met: bool) -> None:
    assert conditions(parse_query(query), english).met_by(english.positions(text)) is met


def test_phrases_cross_the_parts_of_an_identifier_and_runs_of_characters() -> None:
    code, cjk = analyzer("code"), analyzer("cjk")
    for text in ("x = parseUrl(y)", "parse_url", "to parse URLs"):
        assert conditions(parse_query('"parse url"'), code).met_by(code.positions(text))
    assert not conditions(parse_query('"url parse"'), code).met_by(code.positions("parseUrl"))
    assert conditions(parse_query("+京都"), cjk).met_by(cjk.positions("東京都"))
    assert not conditions(parse_query('"東京都"'), cjk).met_by(cjk.positions("東京 京都"))


TERM = st.sampled_from(["a", "b", None])


@given(st.lists(TERM, max_size=12), st.lists(TERM, max_size=4))
def test_a_phrase_is_found_where_brute_force_finds_it(
    positions: list[str | None], phrase: list[str | None]
) -> None:
    phrase = list(itertools.dropwhile(lambda term: term is None, phrase))
    windows = (positions[at : at + len(phrase)] for at in range(len(positions) - len(phrase) + 1))
    found = any(
        all(term is None or term == there for term, there in zip(phrase, window, strict=True))
        for window in windows
    )
    assert holds(positions, phrase) is (found or not phrase)
