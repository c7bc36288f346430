"""The modes of asking: what streams, what a chat asks, what is summarised and compared, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import document, no_answer_yet, with_quote
from scripted import ScriptedModel

from rag.errors import DocumentNotFound, FilterError, InputError
from rag.pipeline import Engine
from rag.types import Answer, Claim, Hit, Message, Principal, Sentence, Support

Open = Callable[..., Engine]

LEAVE = "Parental leave lasts sixteen weeks. The notice period is four weeks. Annual leave is 25 days."


class Growing:
    """A streaming generator that quotes the first sentence of each hit, or says something of it."""

    def __init__(self, says: str = "") -> None:
        self.says = says
        self.tenant = ""
        self.asked: list[str] = []
        self.written = 0
        self.closed = False

    def for_tenant(self, tenant: str) -> Growing:
        self.tenant = tenant
        return self

    def __call__(self, question: str, hits: Sequence[Hit]) -> Answer:
        return list(self.stream(question, hits))[-1]

    def stream(self, question: str, hits: Sequence[Hit]) -> Iterator[Answer]:
        self.asked.append(question)
        answer = no_answer_yet(question, hits)
        try:
            if not hits:
                yield answer
            for hit in hits:
                self.written += 1
                answer = with_quote(answer, hit, self.says)
                yield answer
        finally:
            self.closed = True


@pytest.fixture
def kb(open_engine: Open) -> Engine:
    engine = open_engine()
    engine.add([document(LEAVE, "leave.txt"), document("The ferry sails at seven. It is blue.", "ferry.txt")])
    return engine


def test_a_stream_ends_in_what_ask_returns(kb: Engine) -> None:
    *sentences, answer = kb.stream("How long is the notice period?")
    assert isinstance(answer, Answer)
    assert sentences == list(answer.sentences)
    assert sentences
    whole = kb.ask("How long is the notice period?")
    assert replace(answer, timings_ms={}, seal="") == replace(whole, timings_ms={}, seal="")
    assert [each for each in kb.verify(answer) if not each.proven] == []


def test_sentences_are_shown_as_they_are_written_and_closing_stops_the_writer(open_engine: Open) -> None:
    writer = Growing()
    engine = open_engine(generator=writer)
    engine.add([document(f"Word {at} is here. More of it.", f"{at}.txt") for at in range(5)])
    told = engine.stream("word")
    assert isinstance(next(told), Sentence)
    assert (writer.written, writer.closed) == (1, False)
    next(told)
    assert writer.written == 2
    told.close()
    assert (writer.written, writer.closed) == (2, True)
    *sentences, answer = engine.stream("word")
    assert len(sentences) == 5
    assert answer.sentences == tuple(sentences)


def test_an_invented_quote_is_no_proven_sentence_of_a_stream(open_engine: Open) -> None:
    class Lying(Growing):
        def stream(self, question: str, hits: Sequence[Hit]) -> Iterator[Answer]:
            for answer in super().stream(question, hits):
                forged = tuple(replace(each, quote=each.quote.upper()) for each in answer.citations)
                yield replace(answer, citations=forged)

    engine = open_engine(generator=Lying())
    engine.add(document(LEAVE, "leave.txt"))
    *sentences, answer = engine.stream("notice")
    assert not any(sentence.supported for sentence in (*sentences, *answer.sentences))
    assert answer.citations == ()


def test_what_is_not_proven_is_dropped_repaired_or_flagged(open_engine: Open) -> None:
    judged: list[Claim] = []

    def verifier(claims: Sequence[Claim]) -> list[Support]:
        judged.extend(claims)
        return [Support(0.1, ("not so",)) for _ in claims]

    writer = Growing(says="Parental leave lasts two years.")
    options = {"generator": writer, "verifier": verifier}
    open_engine().add(document(LEAVE, "leave.txt"))
    dropped = open_engine(**options).ask("notice")
    assert (dropped.abstained, dropped.sentences, dropped.citations) == (True, (), ())
    assert [type(part) for part in open_engine(**options).stream("notice")] == [Answer]
    repaired = open_engine(**options, policy="repair").ask("notice")
    assert [each.text for each in repaired.sentences] == ["Parental leave lasts sixteen weeks."]
    (flagged,) = open_engine(**options, policy="flag").ask("notice").sentences
    assert (flagged.text, flagged.supported, flagged.faults) == (writer.says, False, ("not so",))
    assert {claim.text for claim in judged} == {writer.says}
    with pytest.raises(InputError, match="policy"):
        open_engine(policy="hope")


def test_who_writes_is_told_of_which_tenant(open_engine: Open) -> None:
    writer = Growing()
    engine = open_engine(generator=writer)
    engine.add(document(LEAVE, "leave.txt"), tenant="acme")
    engine.ask("notice", principal=Principal(tenant="acme"))
    assert writer.tenant == "acme"
    list(engine.stream("notice", principal=Principal(tenant="globex")))
    assert writer.tenant == "globex"
    engine.ask("notice")
    assert writer.tenant == ""


def test_whatever_a_model_reads_is_kept_for_its_tenant_alone(open_engine: Open) -> None:
    model = ScriptedModel("Parental leave lasts sixteen weeks [1].", context_tokens=2_000)
    engine = open_engine(model=model)
    engine.add([document(LEAVE * 40, "leave.txt"), document(LEAVE, "more.txt")], tenant="acme")
    ann = Principal(tenant="acme")
    talk = [Message("user", "How long is leave?"), Message("user", "And parental leave?")]
    answers = [
        engine.chat(talk, principal=ann, steps=3),
        engine.summarise(engine.documents(principal=ann)[0].id, principal=ann),
        *(each for each in engine.stream(talk, principal=ann) if isinstance(each, Answer)),
    ]
    assert len(model.prompts) > 6
    assert set(model.partitions) == {"acme"}
    for answer in answers:
        assert answer.text == "Parental leave lasts sixteen weeks. [1]"
        assert answer.usage is not None
        assert [each for each in engine.verify(answer, principal=ann) if not each.proven] == []
    assert answers[0].queries[0] == "Parental leave lasts sixteen weeks [1]."


def test_closing_a_stream_stops_the_model(open_engine: Open) -> None:
    model = ScriptedModel("Parental leave lasts sixteen weeks [1]. Annual leave is 25 days [1]. " * 9, size=3)
    engine = open_engine(model=model)
    engine.add(document(LEAVE, "leave.txt"))
    told = engine.stream("How long is leave?")
    assert isinstance(next(told), Sentence)
    told.close()
    assert model.closed == 1


def test_a_conversation_is_asked_as_a_question_that_stands_by_itself(open_engine: Open) -> None:
    writer = Growing()
    engine = open_engine(generator=writer)
    engine.add(document(LEAVE, "leave.txt"))
    messages = [
        Message("user", "How long is parental leave?"),
        Message("assistant", "Sixteen weeks."),
        Message("user", "And annual?"),
    ]
    answer = engine.chat(messages)
    assert answer.question == "And annual?"
    assert answer.queries == ("And annual? parental leave",)
    assert writer.asked == ["And annual? parental leave"]
    assert answer.request is not None
    assert (answer.request.mode, answer.request.messages) == ("chat", tuple(messages))
    as_mappings = [{"role": each.role, "content": each.text} for each in messages]
    assert replace(engine.chat(as_mappings), timings_ms={}, seal="") == replace(
        answer, timings_ms={}, seal=""
    )
    *_, streamed = engine.stream(messages)
    assert replace(streamed, timings_ms={}, seal="") == replace(answer, timings_ms={}, seal="")


def test_more_steps_are_written_down(open_engine: Open) -> None:
    engine = open_engine(generator=Growing())
    engine.add(
        [
            document("Salt Harbour is a novel that was published by Marrow Press.", "novel"),
            document("Marrow Press has an office in Tarnwick.", "press"),
        ]
    )
    question = "Where is the publisher of the novel Salt Harbour?"
    answer = engine.ask(question, steps=2)
    assert answer.queries[0] == question
    assert "Marrow Press" in answer.queries[1]
    assert engine.ask(question).queries == ()


def test_what_cannot_be_asked(kb: Engine) -> None:
    (first, second) = (each.id for each in kb.documents())
    for use in (
        lambda: kb.stream(""),
        lambda: kb.stream("ferry", k=0),
        lambda: kb.chat([]),
        lambda: kb.stream([Message("assistant", "Yes?")]),
        lambda: kb.ask("ferry", steps=0),
        lambda: kb.ask("ferry", steps=9),
        lambda: kb.stream("ferry", steps=0),
        lambda: kb.summarise(first, sentences=0),
        lambda: kb.summarise(first, fold="origami"),
        lambda: kb.compare(first, first),
        lambda: kb.compare(first, second, lines=0),
    ):
        with pytest.raises(InputError):
            use()
    for use in (lambda: kb.summarise("none"), lambda: kb.compare(first, "none")):
        with pytest.raises(DocumentNotFound):
            use()
    with pytest.raises(FilterError):
        kb.summarise(where={"$near": 1})
    with pytest.raises(FilterError):
        next(kb.stream("ferry", where={"$near": 1}))


def test_summaries_and_comparisons_are_proven_like_any_answer(kb: Engine) -> None:
    (ferry, leave) = (each.id for each in kb.documents())
    one = kb.summarise(leave, sentences=2)
    assert len(one.sentences) == 2
    assert {citation.document_id for citation in one.citations} == {leave}
    everything = kb.summarise(sentences=9)
    assert {citation.document_id for citation in everything.citations} == {ferry, leave}
    assert kb.summarise(where={"source": "nothing"}).abstained
    both = kb.compare(ferry, leave)
    for answer in (one, everything, both):
        assert [each for each in kb.verify(answer) if not each.proven] == []
        assert answer.request is not None
    assert both.request.documents == (ferry, leave)


def test_a_long_document_is_summarised_by_a_generator_in_parts(open_engine: Open) -> None:
    writer = Growing()
    engine = open_engine(generator=writer)
    text = " ".join(f"On day {at} the ferry sailed to island number {at}." for at in range(2_000))
    engine.add(document(text, "log.txt"))
    for fold in ("map_reduce", "refine"):
        writer.asked.clear()
        answer = engine.summarise(engine.documents()[0].id, fold=fold)
        assert 3 < len(writer.asked) < 60
        assert answer.citations
        assert [each for each in engine.verify(answer) if not each.proven] == []


def test_every_mode_shows_each_reader_what_they_may_read_and_no_more(open_engine: Open) -> None:
    engine = open_engine()
    secret = document("The merger with Quaffwell is in autumn. It costs nine crowns.", "board")
    other = document("Globex plans a kiosk in Xanadu. It costs ten crowns.", "globex")
    mine = document("The kiosk opens at nine. Its till holds forty crowns.", "kiosk")
    engine.add(mine, tenant="acme")
    engine.add(secret, tenant="acme", readers=["board"])
    engine.add(other, tenant="globex")
    ann = Principal("ann", "acme")
    talk = [Message("user", "What of the merger in Xanadu?"), Message("user", "And the crowns?")]
    answers = [
        engine.ask("merger kiosk crowns", principal=ann, steps=3),
        engine.chat(talk, principal=ann, steps=3),
        engine.summarise(principal=ann),
        engine.summarise(principal=ann, where={"$or": [{}, {"tenant": "globex"}]}),
        *(each for each in engine.stream("merger crowns", principal=ann) if isinstance(each, Answer)),
    ]
    for answer in answers:
        assert {hit.chunk.document_id for hit in answer.contexts} <= {mine.id}
        for word in ("Quaffwell", "Globex"):
            assert word not in answer.text
    for hidden in (secret.id, other.id):
        with pytest.raises(DocumentNotFound):
            engine.summarise(hidden, principal=ann)
        for pair in ((mine.id, hidden), (hidden, mine.id)):
            with pytest.raises(DocumentNotFound):
                engine.compare(*pair, principal=ann)
    with pytest.raises(DocumentNotFound):
        engine.summarise(mine.id)
    assert engine.summarise().abstained
    assert not engine.compare(mine.id, secret.id, principal=Principal("eve", "acme", ("board",))).abstained


def test_a_stream_that_is_left_lets_go_of_the_index(kb: Engine, tmp_path: Path) -> None:
    told = kb.stream("notice")
    next(told)
    told.close()
    kb.delete(kb.documents()[0].id)
    kb.compact()
    assert kb.stats().documents == 1
