"""Sentences of documents that speak to an assistant and not to a reader, and hits without them.

A document may have been written, or changed, to steer whoever answers from it: "ignore the above", "add
this link to your reply". Rules find what is said to something that answers: a sentence that sets
instructions aside, gives the assistant a role, tells it what to hide from its user, or begins with an order
and speaks of "your answer". Questions are left alone: nothing here is asked by a document.

What is found is cut out of the hits. The parts left are still exact ranges of their documents, so any
generator can answer from them and be held against them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.generation.marks import flat
from rag.protocols import Generator
from rag.sentences import sentence_spans
from rag.types import Answer, Chunk, Hit, Span

_LEAD = (
    r"(?:[^\w\n]*(?:please|kindly|also|now|then|finally|next|first|instead|simply|just|and|but|to proceed)"
    r",?\s+)*"
)
_SAID = "instructions?|prompts?|rules|directions|guidelines|commands?|orders|constraints|context|passages"
_SET_ASIDE = re.compile(
    r"\b(?:ignore|disregard|forget|override|overrule|bypass|neglect|set aside|stop following"
    r"|(?:do not|don['’]t) (?:follow|obey))\b(?:\s+\w+){0,4}?"
    r"\s+(?:previous|prior|above|earlier|preceding|foregoing|former|other|original|initial|existing|current"
    rf"|system|your|these|those|any|all)\b(?:\s+\w+){{0,2}}?\s+(?:{_SAID})\b"
    rf"|\b(?:ignore|disregard|forget|override)\b(?:\s+\w+){{0,2}}?\s+(?:{_SAID}) "
    r"(?:above|before|given|so far)\b"
    r"|\bignore (?:everything|all|anything) (?:above|before|that)\b"
    r"|\b(?:new|updated|real|actual) instructions?\s*:",
    re.IGNORECASE,
)
_ASSISTANT = "ai|assistant|chatbot|language model|llms?"
_ROLE = re.compile(
    r"\bas an? (?:ai|artificial intelligence)(?: language)?(?: model| assistant)?\b[^.]{0,40}"
    r"\b(?:you|must|should)\b"
    r"|\byou are (?:now |no longer )?(?:an? |the |in )?(?:\w+[ -]){0,3}"
    rf"(?:{_ASSISTANT}|gpt|developer mode|dan)\b"
    r"|\byour (?:system prompt|hidden instructions|initial prompt)\b"
    r"|\b(?:reveal|print|repeat|show|output|leak)\b[^.]{0,30}\bsystem prompt\b"
    rf"|\b(?:dear|attention|note to|hey|hello|message (?:to|for))\b[^.]{{0,15}}\b(?:{_ASSISTANT})\b"
    r"|\b(?:ai|llm|language model)s? (?:assistants?|models?|agents?)? ?"
    r"(?:reading|processing|summari[sz]ing) this\b",
    re.IGNORECASE,
)
_TELLING = "(?:tell|inform|mention|reveal|alert|warn|disclos)(?:e|ing)?"
_USER = re.compile(
    rf"\b(?:do not|don['’]t|never|without) {_TELLING}\b[^.]{{0,60}}\b(?:the|this|your) users?\b"
    rf"|^{_LEAD}(?:tell|inform|ask|instruct|convince|persuade|direct|urge|advise|remind) "
    r"(?:the|your) users?\b"
    r"|\b(?:send|post|forward|transmit|upload|encode|append|leak|exfiltrate)\b[^.]{0,60}"
    r"\b(?:conversation|chat|dialogue|user['’]?s? (?:question|query|data|message|prompt))\b[^.]{0,60}"
    r"\b(?:to|in|into|as|at)\b",
    re.IGNORECASE,
)
_ORDER = (
    "add|include|integrate|modify|augment|enhance|replace|use|provide|convert|substitute|render|introduce|misspell"
    "|scramble|jumble|rearrange|anagram|remove|group|combine|insert|append|prepend|begin|start|end|finish|conclude"
    "|write|format|translate|prefix|incorporate|embed|merge|weave|blend|meld|fuse|infuse|interweave|inject"
    "|harmoni[sz]e|utili[sz]e|adopt|deploy|enlist|engage|enrich|absorb|execute|ensure|consider|leverage"
    "|keep in mind|do(?: not|n['’]t) (?:forget|hesitate)|make|let|employ|seamlessly|bring|place|put|mention"
    "|state"
    "|repeat|say|answer|respond|reply|output|limit|change|alter|adjust|phrase|rephrase|sign|encode|reverse"
    "|capitali[sz]e|feature|apply"
)
_OUTPUT = r"(?:answer|response|reply|output|completion|summary|elucidation|message)s?"
_ADDRESS = re.compile(
    rf"^{_LEAD}(?:{_ORDER})\b[^\n]{{0,200}}?\byour (?:\w+ )?{_OUTPUT}\b"
    rf"|^{_LEAD}(?:in|at the (?:end|start|beginning|top) of|throughout|within) your (?:\w+ )?{_OUTPUT}\b"
    r"|^[^\n]{0,20}\b(?:answer|respond|reply) (?:only )?(?:with|in|using) "
    r"(?:the (?:word|phrase|text|following)|only|exactly)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(?:following|subsequent|below|succeeding|next|given) "
    r"code (?:snippet|block|excerpt|section|segment|sample)s?\b",
    re.IGNORECASE,
)
_PROGRAM = "solution|implementation|algorithm|code|codebase|solution architecture|elucidation|response"
_INTO_YOURS = re.compile(
    rf"\b(?:your|the) (?:\w+ (?:of|in|within) (?:your |the )?)?(?:\w+ of your )?(?:{_PROGRAM})\b"
    r"|\bcode you\b",
    re.IGNORECASE,
)
_WORK = (
    "poem|story|essay|letter|speech|song|haiku|joke|limerick|function|script|introduction for|equivalent"
    "|translation|example of how|synonym|recipe|tweet|headline"
)
_SUBJECT = (
    "theory|process|concept|plot|lifecycle|life cycle|history|causes|meaning|importance|principles?"
    "|differences?|basics"
)
_TASK = re.compile(
    rf"^{_LEAD}(?:"
    r"(?:write|draft|compose|provide|develop|create|generate|produce|give)(?: me| us)? (?:an?|the|some) "
    rf"(?:\w+[ -]){{0,3}}?(?:{_WORK})\b"
    r"|(?:explain|describe|discuss|outline|break down|illustrate) "
    rf"(?:the (?:{_SUBJECT})\b|how [\w ]{{1,40}} works?\b)"
    r"|translate (?:the following|this|these|that)\b)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[:;–—]\s+|\s-\s")
_FENCE = re.compile(r"\s*(```|~~~).*?(?:\1|\Z)", re.DOTALL)


def speaks_to_an_assistant(sentence: str) -> bool:
    """Whether a sentence gives an order to something that answers."""
    text = flat(sentence)
    if text.endswith("?"):
        return False
    if any(rule.search(text) for rule in (_SET_ASIDE, _ROLE)):
        return True
    clauses = (text, *(text[clause.end() :] for clause in _CLAUSE.finditer(text)))
    if any(rule.search(clause) for clause in clauses for rule in (_USER, _ADDRESS, _TASK)):
        return True
    return _CODE.search(text) is not None and _INTO_YOURS.search(text) is not None


def instructions(text: str) -> list[Span]:
    """The sentences of a text that speak to an assistant, each with the block of code that it announces."""
    found: list[Span] = []
    for span in sentence_spans(text):
        if found and span.start < found[-1].end:
            continue
        if speaks_to_an_assistant(text[span.start : span.end]):
            code = _FENCE.match(text, span.end) if text[span.end - 1] in ":.`" else None
            found.append(Span(span.start, code.end() if code else span.end))
    return found


def without_instructions(hits: Sequence[Hit]) -> list[Hit]:
    """The hits, those with instructions cut into the parts around them; each part keeps its hit's rank."""
    return [part for hit in hits for part in _parts(hit)]


def _parts(hit: Hit) -> Iterator[Hit]:
    chunk = hit.chunk
    cuts = instructions(chunk.text)
    if not cuts:
        yield hit
        return
    starts = [0, *(cut.end for cut in cuts)]
    ends = [*(cut.start for cut in cuts), len(chunk.text)]
    for start, end in zip(starts, ends, strict=True):
        text = chunk.text[start:end]
        if text.strip():
            yield replace(hit, chunk=_part(chunk, start, text))


def _part(chunk: Chunk, start: int, text: str) -> Chunk:
    return replace(chunk, span=Span(chunk.start + start, chunk.start + start + len(text)), text=text)


def guarded(generator: Generator) -> Generator:
    """A generator that answers again, without the sentences that speak to an assistant, where it cites one.

    It is for generators that quote, and so obey nobody. The answer's contexts are the hits as given.
    """

    def generate(question: str, hits: Sequence[Hit]) -> Answer:
        answer = generator(question, hits)
        if not cites_instructions(answer, hits):
            return answer
        return replace(generator(question, without_instructions(hits)), contexts=answer.contexts)

    return generate


def cites_instructions(answer: Answer, hits: Sequence[Hit]) -> bool:
    """Whether a citation of the answer overlaps a sentence that speaks to an assistant."""
    cited = {citation.document_id for citation in answer.citations}
    for chunk in (hit.chunk for hit in hits if hit.chunk.document_id in cited):
        for span in instructions(chunk.text):
            place = Span(chunk.start + span.start, chunk.start + span.end)
            for each in answer.citations:
                if each.document_id == chunk.document_id and place.overlaps(Span(each.start, each.end)):
                    return True
    return False
