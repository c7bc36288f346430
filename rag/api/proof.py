"""An answer, checked against the documents it cites, by nothing but what it says and what they hold."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rag.errors import DocumentNotFound, InputError
from rag.types import Document

_MARK = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a citation or a mark is right; `reason` is empty where it is."""

    what: str
    reason: str

    @property
    def proven(self) -> bool:
        """Whether nothing is wrong."""
        return not self.reason

    def json(self) -> dict[str, object]:
        """The verdict as `verify --json` prints it."""
        return {"what": self.what, "proven": self.proven, "reason": self.reason}


def read_answer(text: str, where: str) -> Mapping[str, Any]:
    """Read what `ask --json` printed.

    Raises:
        InputError: It is something else; `where` names it in the message.
    """
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({error}); give the output of `rag ask --json`") from error
    lists = ("citations", "sentences")
    if (
        not isinstance(answer, dict)
        or not isinstance(answer.get("answer"), str)
        or not all(isinstance(answer.get(name), list) for name in lists)
        or not all(isinstance(item, dict) for name in lists for item in answer[name])
    ):
        raise InputError(f"{where} is not an answer; give the output of `rag ask --json`")
    return answer


def check_answer(answer: Mapping[str, Any], document: Callable[[str], Document]) -> list[Verdict]:
    """Check every citation and every mark of an answer, as `read_answer` gives it.

    A citation is right where its document exists, its range lies in it, the quote is the very
    characters there, and the page is the one they begin on. A mark is right where one citation has its
    number. A sentence that is called supported needs a mark, and one of an extractive
    answer is a quote. The text is the sentences and their marks.

    Args:
        answer: The answer.
        document: Returns the document of an id, or raises `DocumentNotFound`.
    """
    numbers = Counter(str(citation.get("number")) for citation in answer["citations"])
    verdicts = []
    for citation in answer["citations"]:
        number = str(citation.get("number"))
        reason = "two citations have this number" if numbers[number] > 1 else _fault(citation, document)
        verdicts.append(Verdict(f"[{number}]", reason))
    for place, sentence in enumerate(answer["sentences"], start=1):
        fault = _sentence_fault(sentence, numbers)
        if not fault and answer.get("model") == "extractive" and not _quoted(answer, sentence):
            fault = "it is not what it cites, and an extractive answer quotes"
        verdicts.append(Verdict(f"sentence {place}", fault))
    verdicts.append(Verdict("text", _text_fault(answer)))
    marks = {mark.strip() for group in _MARK.findall(_own_words(answer)) for mark in group.split(",")}
    dangling = sorted(marks - set(numbers), key=int)
    verdicts.append(Verdict("marks", f"no citation has the number {', '.join(dangling)}" if dangling else ""))
    return verdicts


def _own_words(answer: Mapping[str, Any]) -> str:
    """The answer's text without what it quotes: a quote may hold a mark of its document's own."""
    text = str(answer["answer"])
    for citation in answer["citations"]:
        quote = " ".join(str(citation.get("quote", "")).split())
        if _MARK.search(quote):
            text = text.replace(quote, " ")
    return text


def _flat(text: object) -> str:
    return " ".join(str(text).split())


def _text_fault(answer: Mapping[str, Any]) -> str:
    """What is wrong with the text of an answer: it is its sentences and their marks, and nothing else."""
    if answer.get("abstained") is True and not answer["citations"] and not answer["sentences"]:
        return ""
    rest = _flat(answer["answer"])
    for text in sorted((_flat(each.get("text", "")) for each in answer["sentences"]), key=len, reverse=True):
        if text not in rest:
            return "a sentence of it is not in its text"
        rest = rest.replace(text, " ", 1)
    return "its text says more than its sentences" if _MARK.sub("", rest).strip() else ""


def _quoted(answer: Mapping[str, Any], sentence: Mapping[str, Any]) -> bool:
    """Whether a sentence is, to the letter, one of the quotes that it cites."""
    cited = sentence.get("citations")
    quotes = {_flat(each.get("quote")) for each in answer["citations"] if each.get("number") in (cited or ())}
    return _flat(sentence.get("text")) in quotes


def _sentence_fault(sentence: Mapping[str, Any], numbers: Mapping[str, int]) -> str:
    cited = sentence.get("citations")
    if not isinstance(cited, list):
        return "it has no list of citations"
    dangling = [str(number) for number in cited if str(number) not in numbers]
    if dangling:
        return f"no citation has the number {', '.join(dangling)}"
    return "it is called supported and cites nothing" if sentence.get("supported") and not cited else ""


def _fault(citation: Mapping[str, Any], document: Callable[[str], Document]) -> str:
    """What is wrong with a citation, empty where nothing is."""
    start, end = citation.get("start"), citation.get("end")
    if type(start) is not int or type(end) is not int:
        return "it has no range of characters"
    try:
        cited = document(str(citation.get("document_id")))
    except DocumentNotFound:
        return "its document is not in the index"
    if not 0 <= start < end <= len(cited.text):
        return f"[{start}, {end}) is no range of its document, which has {len(cited.text)} characters"
    if citation.get("quote") != cited.text[start:end]:
        return "the quote is not what stands there"
    page = cited.page_at(start)
    if citation.get("page") != page:
        return (
            f"it stands on page {page}, not {citation.get('page')}" if page else "the document has no pages"
        )
    return ""
