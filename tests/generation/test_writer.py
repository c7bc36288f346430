"""A model's text becomes an answer whose marks are exact spans, sentence by sentence."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import LAMPS, hit_of, lamps
from scripted import ScriptedModel

from rag.errors import PromptTooLong
from rag.generation.citations import grounded
from rag.generation.extractive import NO_ANSWER
from rag.generation.writer import sentences_of, written
from rag.protocols import Generator, Sampling, StreamingGenerator
from rag.types import Message

# The passages are shown as [1] lamps, [2] harbour, [3] tickets.
TWO = "The keeper lights the lamp at dusk [1]. It was built in 1871 by Ada Marwick. [2]"


def test_marks_become_the_spans_that_support_the_sentence():
    answer = written(ScriptedModel(TWO))("Who?", lamps())
    assert answer.text == "The keeper lights the lamp at dusk. [1] It was built in 1871 by Ada Marwick. [2]"
    assert [citation.quote for citation in answer.citations] == [
        "The keeper lights the lamp at dusk.",
        LAMPS[2],
    ]
    first, second = answer.citations
    assert (first.number, first.document_id, first.start, first.end, first.page) == (1, "d1", 100, 135, 3)
    assert (second.number, second.document_id) == (2, "d3")
    assert [sentence.supported for sentence in answer.sentences] == [True, True]
    assert not answer.abstained
    assert 0.5 < answer.confidence <= 1
    assert grounded(answer, lamps()) is answer


def test_citations_are_numbered_by_first_use_and_a_span_has_one_number():
    text = "A ticket is valid for a day [3]. The lamp is lit at dusk [1]. Valid for one day is a ticket [3]."
    answer = written(ScriptedModel(text))("?", lamps())
    assert [sentence.citations for sentence in answer.sentences] == [(1,), (2,), (1,)]
    assert [citation.document_id for citation in answer.citations] == ["d2", "d1"]


def test_a_sentence_without_a_mark_or_with_a_dangling_one_is_not_supported():
    text = (
        "The lamp is lit at dusk [1, 9]. The moon is cheese. The rope is dry [7]. The fog horn sounds 【3】."
    )
    answer = written(ScriptedModel(text), constrained=False)("?", lamps())
    assert [sentence.supported for sentence in answer.sentences] == [False] * 4
    assert [sentence.citations for sentence in answer.sentences] == [(1,), (), (), ()]
    assert all(sentence.faults for sentence in answer.sentences)
    assert answer.text.count("[") == 1


@pytest.mark.parametrize(
    "text",
    [NO_ANSWER, f" {NO_ANSWER}\n", "The passages do not contain this.", "I don't know.", "", "[1]", " . "],
)
def test_a_refusal_is_an_abstention(text):
    answer = written(ScriptedModel(text))("?", lamps())
    assert (answer.abstained, answer.text, answer.sentences, answer.confidence) == (True, NO_ANSWER, (), 0.0)
    assert answer.contexts == tuple(lamps())


def test_without_hits_the_model_is_not_asked():
    model = ScriptedModel(TWO)
    assert written(model)("?", []).abstained
    assert model.prompts == []


def test_a_refusal_behind_sentences_ends_the_answer():
    answer = written(ScriptedModel(f"The lamp is lit at dusk [1]. {NO_ANSWER} More [1]."))("?", lamps())
    assert [sentence.text for sentence in answer.sentences] == ["The lamp is lit at dusk."]


def test_the_stream_grows_a_sentence_at_a_time_and_ends_whole():
    model = ScriptedModel(TWO)
    answers = list(written(model).stream("?", lamps()))
    assert [len(answer.sentences) for answer in answers] == [1, 2, 2]
    for one, other in pairwise(answers):
        assert other.sentences[: len(one.sentences)] == one.sentences
    assert answers[0].usage is None
    assert answers[-1].usage is not None
    assert answers[-1].model == "scripted (script)"
    assert answers[-1] == written(model)("?", lamps())


def test_closing_the_stream_stops_the_model():
    model = ScriptedModel(TWO * 50)
    growing = written(model).stream("?", lamps())
    next(growing)
    growing.close()
    assert model.closed == 1


def test_an_answer_that_is_long_enough_stops_the_model():
    model = ScriptedModel("The lamp is lit at dusk [1]. " * 50)
    answer = written(model, most_sentences=3)("?", lamps())
    assert (len(answer.sentences), model.closed) == (3, 1)


def test_what_was_cut_off_before_its_mark_is_left_out():
    text = "The lamp is lit at dusk [1]. The rope is kept"
    full, not_full = Sampling(max_tokens=12), Sampling(max_tokens=13)
    assert len(written(ScriptedModel(text), full)("?", lamps()).sentences) == 1
    assert len(written(ScriptedModel(text), not_full)("?", lamps()).sentences) == 2


def test_tenant_history_and_sampling_reach_the_model():
    model = ScriptedModel(TWO)
    writer = (
        written(model, Sampling(max_tokens=99, seed=7)).for_tenant("a").with_history([Message("user", "Hi")])
    )
    writer("Who?", lamps())
    assert model.partitions == ["a"]
    assert (model.samplings[0].max_tokens, model.samplings[0].seed) == (99, 7)
    assert "number ::= " in model.samplings[0].grammar
    assert model.prompts[0].messages[0] == Message("user", "Hi")
    assert written(model, constrained=False)("Who?", lamps()).sentences
    assert model.samplings[1].grammar == ""


def test_of_a_long_conversation_the_end_is_shown():
    model = ScriptedModel(TWO, context_tokens=2000)
    said = [Message("user", f"{at} " + "word " * 100) for at in range(20)]
    written(model).with_history(said)("Who?", lamps())
    shown = model.prompts[0].messages[:-1]
    assert 1 <= len(shown) <= 4
    assert list(shown) == said[-len(shown) :]


def test_marks_of_earlier_answers_are_not_shown():
    model = ScriptedModel(TWO)
    written(model).with_history([Message("assistant", "It is lit. [1]")])("Who?", lamps())
    assert model.prompts[0].messages[0] == Message("assistant", "It is lit.")


def test_datamarks_are_counted():
    class Words(ScriptedModel):
        def count(self, text):
            return len(text.split()) + 2 * text.count("^")

    hits = [hit_of(f"{rank} " + "word " * 40, rank) for rank in range(1, 9)]
    shown = []
    for datamark in (False, True):
        model = Words(TWO)
        written(model, budget_tokens=200, datamark=datamark)("?", hits)
        shown.append(model.prompts[0].context.count("end of passage"))
    assert shown == [3, 2]


def test_no_room_for_passages_is_an_error_that_says_so():
    with pytest.raises(PromptTooLong, match="shorten the question"):
        written(ScriptedModel(TWO, context_tokens=600))("?", lamps())


def test_passages_are_kept_within_the_budget():
    model = ScriptedModel(TWO)
    hits = [hit_of(f"{rank} " + "word " * 40, rank) for rank in range(1, 9)]
    written(model, budget_tokens=200)("?", hits)
    assert model.prompts[0].context.count("end of passage") == 2
    with pytest.raises(ValueError, match="64 or more"):
        written(model, budget_tokens=10)


def test_a_scorer_chooses_the_sentence():
    def last(query, texts):
        return [float(at) for at in range(len(texts))]

    answer = written(ScriptedModel("Crowns [1]."), scorer=last)("?", lamps())
    assert answer.citations[0].quote == "The keeper is paid 1,200 crowns a year."


def test_a_statement_that_shares_no_word_cites_the_whole_passage():
    answer = written(ScriptedModel("Ein Billett gilt nicht ewig [3]."))("?", lamps())
    assert answer.citations[0].quote == LAMPS[1]
    assert answer.sentences[0].support == 0


def test_it_is_a_streaming_generator():
    generator: Generator = written(ScriptedModel(TWO))
    assert isinstance(generator, StreamingGenerator)


PIECES = st.sampled_from(
    [
        "The lamp is lit",
        ". ",
        " [1]",
        " [2, 3]",
        "Mr. Hale",
        "U.S. ",
        "Then ",
        " and ",
        "。",
        "!",
        "\n",
        "- item ",
        "[",
        "9",
        "No. 5 ",
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join), st.lists(st.integers(1, 30), min_size=1, max_size=9))
def test_how_the_text_comes_makes_no_difference(text, sizes):
    pieces, at = [], 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    clean = [" ".join(each.split()) for each in sentences_of(iter(pieces))]
    whole = [" ".join(each.split()) for each in sentences_of(iter([text]))]
    assert [each for each in clean if each] == [each for each in whole if each]
    assert "".join("".join(clean).split()) == "".join(text.split())


@given(st.lists(PIECES, max_size=25).map("".join), st.booleans())
def test_whatever_is_written_every_citation_is_exact_and_every_mark_has_one(text, constrained):
    answer = written(ScriptedModel(text), constrained=constrained)("?", lamps())
    assert grounded(answer, lamps()) is answer
    used = [number for sentence in answer.sentences for number in sentence.citations]
    assert list(dict.fromkeys(used)) == [citation.number for citation in answer.citations]
    assert all(sentence.citations for sentence in answer.sentences if sentence.supported)


def test_marks_behind_a_wide_full_stop_go_with_their_sentence():
    text = "灯は夕暮れに灯る。[1]霧笛は霧の中で鳴る。[2]"
    assert list(sentences_of(iter([text]))) == list(sentences_of(iter(text))) == [text[:12], text[12:]]


def test_an_endless_sentence_and_an_endless_text_are_cut():
    sentences = list(sentences_of(iter(["word " * 50] * 10_000)))
    assert max(map(len, sentences)) <= 4_000
    assert sum(map(len, sentences)) <= 101_000
