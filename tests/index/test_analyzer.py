from __future__ import annotations

import itertools
import json
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import pytrec_eval
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.index.analyzer import _ASCII_WORD, _WORD, STOP_WORDS, Analyzer, analyzer, english, words
from rag.index.analyzer_languages import CODES

# What Apache Lucene's EnglishAnalyzer gives (StandardTokenizer, possessives, lower case, stop, Porter).
LUCENE = {
    "The cats' owners": ["cat", "owner"],
    "Peter's and Peter’s PETER'S": ["peter", "peter", "peter"],
    "it's its": ["it"],
    "weren't can't": ["weren't", "can't"],
    "O'Neil o’neil": ["o'neil", "o’neil"],
    "1,000 3.5 1,000,000.50 2024-01-31": ["1,000", "3.5", "1,000,000.50", "2024", "01", "31"],
    "v1.2.3 a.b 3.x x.3": ["v1.2.3", "a.b", "3", "x", "x", "3"],
    "U.S.A. e.g. example.com": ["u.s.a", "e.g", "example.com"],
    "foo_bar ___ user@mail.org c++ C#": ["foo_bar", "user", "mail.org", "c", "c"],
    "日本語 カタカナ ひら 한국어": ["日", "本", "語", "カタカナ", "ひ", "ら", "한국어"],
    "naïve café Zürich": ["naïv", "café", "zürich"],
    "cafe\u0301's": ["cafe\u0301"],
    "C:高 a.中": ["c", "高", "中"],
    "wi-fi 10% $5.00": ["wi", "fi", "10", "5.00"],
    "US OS": ["us", "os"],
}

# Pairs of M. F. Porter's published vocabulary, with the departures of his own program (Lucene's too).
PORTER = (
    "caresses caress ponies poni ties ti cats cat feed feed agreed agre plastered plaster bled bled "
    "motoring motor sing sing conflated conflat troubled troubl sized size hopping hop tanned tan "
    "falling fall hissing hiss fizzed fizz failing fail filing file happy happi sky sky "
    "relational relat conditional condit rational ration "
    "valenci valenc digitizer digit operator oper feudalism feudal decisiveness decis hopefulness hope "
    "formaliti formal triplicate triplic formative form formalize formal electrical electr goodness good "
    "revival reviv allowance allow inference infer adjustable adjust effective effect bowdlerize bowdler "
    "probate probat rate rate cease ceas controll control roll roll "
    "technology technolog technologies technolog topology topolog geology geologi possibly possibl "
    "assembly assembl terribly terribl ably abli us us"
).split()


@pytest.mark.parametrize("text", LUCENE)
def test_cuts_as_lucene_does(text: str) -> None:
    assert english(text) == LUCENE[text]


@pytest.mark.parametrize(("word", "stem"), list(zip(PORTER[::2], PORTER[1::2], strict=True)))
def test_stems_as_porter_published(word: str, stem: str) -> None:
    assert english(word) == [stem]


def test_every_stop_word_of_lucene_is_dropped() -> None:
    assert len(STOP_WORDS) == 33
    assert english(" ".join(STOP_WORDS) + " " + " ".join(STOP_WORDS).upper()) == []


@given(st.text())
def test_any_text_gives_terms_that_say_something(text: str) -> None:
    for word in words(text):
        assert word in text
    for term in english(text):
        assert term.strip("_") and term not in STOP_WORDS
        assert any(character.isalnum() for character in term)


@given(st.text(alphabet="aé中1.,'_ ’\u0301:", max_size=12))
def test_no_word_ends_in_a_joiner(text: str) -> None:
    assert not [word for word in words(text) if word[-1] in ".,'’:" or word[0] in ".,'’:"]


@given(st.text(st.characters(max_codepoint=127)) | st.text(alphabet="aZ1.,;'_ :-", max_size=16))
def test_ascii_text_is_cut_like_any_other(text: str) -> None:
    assert _ASCII_WORD.findall(text) == _WORD.findall(text)


LANGUAGES = sorted(set(Stemmer.algorithms()) - {"porter"})
SAMPLE = (
    "bücher häuser livres avions книги елки libros casas boeken huizen knjige źródłami knihy kirjat könyvek "
    "hästarna gatene kitaplar மரங்கள் किताबें كتب کتابها βιβλία liburuak llibres 2024"
).split()
ANY = st.sampled_from([*LANGUAGES, "simple", "cjk", "code"])


@given(ANY, st.text() | st.text(alphabet="aBé中カひ한1.,'’_ \u0301\u0307İßﬁ\u0b95\u0bcd٣", max_size=16))
def test_terms_and_their_places_agree(name: str, text: str) -> None:
    analyze = analyzer(name)
    terms = analyze(text)
    assert [term for term in analyze.positions(text) if term is not None] == terms
    assert all(terms)


@pytest.mark.parametrize("name", [*LANGUAGES, "simple", "cjk", "code"])
def test_an_analyzer_is_known_by_its_name(name: str) -> None:
    assert analyzer(name).name == name
    assert analyzer(f" {name.upper()} ")("") == []
    copy: Analyzer = pickle.loads(pickle.dumps(analyzer(name)))
    assert copy.name == name


@pytest.mark.parametrize("name", ["klingon", "", "xx", "porter"])
def test_an_unknown_language_names_the_known(name: str) -> None:
    with pytest.raises(InputError, match=r"english.*german.*\bde\b.*simple.*cjk.*code"):
        analyzer(name)


@pytest.mark.parametrize("code", [code for code, name in CODES.items() if name in LANGUAGES])
def test_codes_are_those_of_snowball(code: str) -> None:
    assert analyzer(code) is analyzer(CODES[code])
    snowballs = Stemmer.Stemmer("no" if code in ("nb", "nn") else code)
    assert snowballs.stemWords(SAMPLE) == Stemmer.Stemmer(CODES[code]).stemWords(SAMPLE)


SAME = {
    "german": [
        "Straße STRASSE",
        "Häuser haeuser Haus",
        "schön schoen scho\u0308n",
        "Donau\u00addampf Donaudampf",
    ],
    "french": ["l'avion L’AVION avions avion", "e\u0301coles d'école écoles"],
    "italian": ["dell'anno dell’anno anno"],
    "catalan": ["l'home L’HOME home", "d'homes homes"],
    "turkish": ["İSTANBUL istanbul İstanbul’da", "IŞIK ışık"],
    "greek": ["ΟΔΟΣ οδός οδος", "άνθρωποι ΑΝΘΡΩΠΟΙ"],
    "russian": ["ёлка ЕЛКА елки"],
    "arabic": ["الكِتَاب الكتاب", "أحمد احمد"],
    "persian": ["كتاب کتاب"],
    "hindi": ["किताबें किताब"],
    "tamil": ["மரங்கள்", "மரம்"],
    "spanish": ["acción ACCION"],
    "simple": ["ﬁne FINE ｆｉｎｅ", "o’neil O'Neil"],
}


@pytest.mark.parametrize("language", SAME)
def test_what_is_written_differently_is_one_term(language: str) -> None:
    for forms in SAME[language]:
        terms = analyzer(language)(forms)
        assert len(terms) == len(forms.split()), terms
        assert len(set(terms)) == 1, terms


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "english"])
def test_stems_are_snowballs(language: str) -> None:
    stems = Stemmer.Stemmer(language).stemWords(SAMPLE)
    assert analyzer(language)(" ".join(SAMPLE)) == stems


def test_one_analyzer_serves_many_threads() -> None:
    texts = [f"Häuser{at} Straßen{at} Aufgaben{at * 7} gelaufen" for at in range(400)]
    alone = [Stemmer.Stemmer("german").stemWords(text.lower().split()) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(analyzer("german"), texts)) == alone


# What Apache Lucene's CJKAnalyzer gives, None where its position increment is above 1.
LUCENE_CJK = {
    "一二三四五六七八九十": "一二 二三 三四 四五 五六 六七 七八 八九 九十",
    "一 二三四 五六七八九 十": "一 二三 三四 - 五六 六七 七八 八九 - 十",
    "abc defgh ijklmn opqrstu vwxy z": "abc defgh ijklmn opqrstu vwxy z",
    "あい": "あい",
    "あい   ": "あい",
    "あいtest": "あい - test",
    "testあい    ": "test あい",
    "あいうえおabcかきくけこ": "あい いう うえ えお - abc かき きく くけ けこ",
    "あいうえおabんcかきくけ こ": "あい いう うえ えお - ab ん c かき きく くけ - こ",
    "一 روبرت موير": "一 روبرت موير",
    "一 رُوبرت موير": "一 رُوبرت موير",
    "𩬅艱鍟䇹愯瀛": "𩬅艱 艱鍟 鍟䇹 䇹愯 愯瀛",
    "一丁丂": "一丁 丁丂",
    "한국어": "한국 국어",
    "ｶﾞｷﾞ ＡＢＣ": "ガギ - abc",
}


@pytest.mark.parametrize("text", LUCENE_CJK)
def test_cuts_chinese_japanese_and_korean_as_lucene_does(text: str) -> None:
    wanted = [None if term == "-" else term for term in LUCENE_CJK[text].split()]
    places = analyzer("cjk").positions(text)
    assert places[: len(wanted)] == wanted and set(places[len(wanted) :]) <= {None}
    assert analyzer("cjk")(text) == [term for term in wanted if term]


def test_a_latin_word_is_found_in_a_korean_sentence() -> None:
    assert analyzer("cjk")("GPU는 the 빠르다") == ["gpu", "는", "빠르", "르다"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("getHTTPResponse_2", ["gethttpresponse_2", "get", "http", "respons", "2"]),
        ("snake_case CamelCase", ["snake_case", "snake", "case", "camelcase", "camel", "case"]),
        ("__init__ MAX_SIZE", ["init", "max_size", "max", "size"]),
        ("the URLs of x.parseUrl()", ["url", "x", "parseurl", "pars", "url"]),
        ("NaïveÉtude", ["naïveétud"]),
        ("is_valid", ["is_valid", "valid"]),
        ("vec3 u8", ["vec3", "vec", "3", "u8", "u", "8"]),
    ],
)
def test_identifiers_are_taken_apart_and_kept(text: str, terms: list[str]) -> None:
    assert analyzer("code")(text) == terms


def _ndcg_at_10(name: str, *analyzers: str) -> dict[str, float]:
    """BM25's (k1 .9, b .4) nDCG@10 on the development questions, counted by trec_eval."""
    folder = Path(os.environ.get("RAG_DATA", "missing")) / "retrieval" / name
    if not folder.is_dir():
        pytest.skip(f"needs the evaluation set retrieval/{name} under RAG_DATA")
    documents, queries = (
        {
            row["_id"]: f"{row.get('title', '')} {row['text']}"
            for row in map(json.loads, path.read_bytes().splitlines())
        }
        for path in (folder / "corpus.jsonl", folder / "queries.jsonl")
    )
    judged: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels" / "dev.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        judged.setdefault(query, {})[document] = int(grade)
    found = {}
    for analyze in map(analyzer, analyzers):
        score = _bm25([analyze(text) for text in documents.values()])
        run = {
            query: dict(zip(documents, score(analyze(queries[query])).tolist(), strict=True))
            for query in judged
        }
        measures = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10"}).evaluate(run)
        found[analyze.name] = round(float(np.mean([each["ndcg_cut_10"] for each in measures.values()])), 4)
    return found


def _bm25(documents: list[list[str]]) -> Callable[[list[str]], npt.NDArray[np.float32]]:
    number_of = {term: at for at, term in enumerate(dict.fromkeys(itertools.chain.from_iterable(documents)))}
    counts = np.zeros((len(number_of), len(documents)), np.float32)
    for row, terms in enumerate(documents):
        np.add.at(counts[:, row], [number_of[term] for term in terms], 1)
    lengths = counts.sum(0)
    holding = (counts > 0).sum(1, keepdims=True)
    weights = np.log1p((len(documents) - holding + 0.5) / (holding + 0.5))
    scores = weights * counts / (counts + 0.9 * (0.6 + 0.4 * lengths / lengths.mean()))
    return lambda terms: scores[[number_of[term] for term in terms if term in number_of]].sum(0)


def test_german_finds_more_of_german_text() -> None:
    found = _ndcg_at_10("xquad/de", "german", "english", "simple")  # .9468, .9301, .9134
    assert found["german"] > max(found["english"], found["simple"]) + 0.01, found


def test_code_finds_more_of_source_code() -> None:
    found = _ndcg_at_10("code-chunks", "code", "english")  # .7388, .6065
    assert found["code"] > found["english"] + 0.1, found
