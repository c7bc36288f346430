"""Ten thousand lies: no mark points nowhere, no quote is altered, no link or image comes out."""

import random
import re
from collections.abc import Callable

from liar import DOCUMENTS, hits, lying_answer, lying_text
from markdown_it import MarkdownIt
from scripted import ScriptedModel

from rag.generation.citations import grounded
from rag.generation.proving import proven
from rag.generation.safe import safe
from rag.generation.verify import default_verifier
from rag.generation.writer import written
from rag.index.analyzer import english
from rag.types import Answer

RENDER = MarkdownIt("commonmark", {"html": True})
MARKS = re.compile(r"[\[［【]\s*\d[\d\s,;†x–-]*[\]］】]")
NUMBERS = re.compile(r"\[(\d+(?:, \d+)*)\]")
NUMBERED = re.compile(r"\[([0-9]{1,6}(?:\s{0,3},\s{0,3}[0-9]{1,6})*)\]")
FIGURES = re.compile(r"(?<![\w.,])\d[\d,]{2,}(?![\w])")
LINKS = re.compile(
    r"https?:[^\s)\]>]*\w[^\s)\]>]*|\bjavascript:\w\S*|\bdata:\w\S*|[\w.]*@?(?:evil|port)\.com(?!\w)[^\s)\]>]*|(?<![\w:])//\w+",
    re.IGNORECASE,
)


def check(answer: Answer, text_of: Callable[[str], str] = DOCUMENTS.__getitem__) -> None:
    """Hold an answer against the documents by rules of this file's own."""
    by_number = {citation.number: citation for citation in answer.citations}
    assert len(by_number) == len(answer.citations), "a number has one citation"
    for citation in answer.citations:
        assert citation.quote
        assert text_of(citation.document_id)[citation.start : citation.end] == citation.quote
    rest = " ".join(answer.text.split())
    for sentence in answer.sentences:
        quotes = [by_number[number].quote for number in sentence.citations]
        assert quotes or not sentence.supported
        body = " ".join(sentence.text.split())
        verbatim = body in [" ".join(quote.split()) for quote in quotes]
        shown = NUMBERED.sub(r"⟨\1⟩", body)
        assert rest.startswith(shown)
        rest = rest[len(shown) :].lstrip()
        while mark := NUMBERS.match(rest):
            assert {int(number) for number in mark[1].split(",")} == set(sentence.citations)
            rest = rest[mark.end() :].lstrip()
        for mark in MARKS.findall(body):
            numbers = NUMBERS.fullmatch(mark)
            assert verbatim or {int(each) for each in numbers[1].split(",")} <= set(by_number), mark
        led = {link.rstrip(".,;:!") for link in LINKS.findall(body)} | rendered(body)
        for link in led:
            assert any(link in quote for quote in quotes), (link, body)
        assert verbatim or not re.search("[\x00-\x08\x0b-\x1f\u200b\u202e\ud800]", body)
    if answer.sentences:
        assert not rest, "the text says no more than its sentences"
    else:
        assert not LINKS.search(answer.text)
        assert not MARKS.search(answer.text)
        assert not rendered(answer.text)


def rendered(text: str) -> set[str]:
    found = set()
    for token in RENDER.parse(text.encode("utf-8", "replace").decode()):
        for each in [token, *(token.children or [])]:
            if each.type in ("link_open", "image"):
                found.add(str(each.attrs.get("href") or each.attrs.get("src")))
            elif each.type.startswith("html"):
                found.add(each.content)
    return found


def test_ten_thousand_lies():
    given = hits()
    choose = random.Random(1)
    seen = {"supported": 0, "unsupported": 0, "cited": 0, "abstained": 0}
    for at in range(10_000):
        if at % 2:
            model = ScriptedModel(lying_text(choose), size=choose.choice((20, 5000)))
            answer = written(model, constrained=False)("?", given)
        else:
            answer = lying_answer(choose)
        shown = safe(grounded(answer, given))
        check(shown)
        assert at % 10 or safe(grounded(shown, given)) == shown
        seen["supported"] += sum(sentence.supported for sentence in shown.sentences)
        seen["unsupported"] += sum(not sentence.supported for sentence in shown.sentences)
        seen["cited"] += len(shown.citations)
        seen["abstained"] += shown.abstained
    assert min(seen.values()) > 100, f"the lies must not all be of one kind: {seen}"


def test_no_altered_figure_is_shown_as_proven():
    given = hits()
    choose = random.Random(3)
    verifier = default_verifier(english)
    judged = {True: 0, False: 0}
    for at in range(1_000):
        if at % 2:
            text = lying_text(choose).replace("1,200", "7,200").replace("1871", "1971")
            answer = written(ScriptedModel(text, size=50), constrained=False)("?", given)
        else:
            answer = lying_answer(choose)
        policy = ("drop", "repair", "flag")[at % 3]
        shown = safe(grounded(proven(grounded(answer, given), verifier, policy=policy), given))
        check(shown)
        quotes = {citation.number: citation.quote for citation in shown.citations}
        for sentence in shown.sentences:
            judged[sentence.supported] += 1
            cited = " ".join(quotes[number] for number in sentence.citations)
            if sentence.supported:
                assert set(FIGURES.findall(sentence.text)) <= set(FIGURES.findall(cited)), sentence
    assert min(judged.values()) > 50, judged


def test_lies_through_the_engine(open_engine, tmp_path):
    for name, text in DOCUMENTS.items():
        (tmp_path / f"{name}.txt").write_text(text)
    choose = random.Random(2)

    def lies(question, found):
        model = ScriptedModel(lying_text(choose))
        return written(model, constrained=False)(question, found)

    engine = open_engine(generator=lies)
    engine.add([tmp_path / f"{name}.txt" for name in DOCUMENTS])
    answered = 0
    for _ in range(100):
        answer = engine.ask("Who lights the lamp of the harbour?")
        check(answer, lambda name: engine.document(name).text)
        answered += len(answer.sentences)
    assert answered > 20
