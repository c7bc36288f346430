"""Versions of a document, and what they say differently."""

import re

import numpy as np
import pytest

from rag.generation.conflicts import Version, recency, version_of
from rag.generation.extractive import extractive
from rag.index.analyzer import english
from rag.types import Chunk, Fingerprint, Hit, Span


class Words:
    """An encoder of one dimension a word, so that sentences of the same words have the same vector."""

    fingerprint = Fingerprint("words", "1", 512)

    def encode(self, texts, *, query=False):
        vectors = np.full((len(texts), 512), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"[a-z]+", text.lower()):
                vectors[row, sum(map(ord, word)) * 7 % 512] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("source", "title", "version"),
    [
        ("/docs/dog-rules-2021.pdf", "Dog rules", Version("dog rules", "2021")),
        ("C:\\docs\\dog_rules_2024-03.md", "", Version("dog rules", "2024-03")),
        ("a/rules.txt", "Dog rules 2023", Version("dog rules", "2023")),
        ("a/rules v2.txt", "", Version("rules", "version 2")),
        ("a/rules-20211.txt", "Rules", Version("rules 20211", "")),
        ("rules.txt", "Rules", Version("rules", "")),
    ],
)
def test_the_name_of_a_file_tells_its_version(source, title, version):
    assert version_of(source, title) == version


def ask(question: str, **texts: str):
    hits = [
        Hit(rank, 1 / rank, Chunk(name, Span(0, len(text)), text), f"docs/{name.replace('_', '-')}.txt", name)
        for rank, (name, text) in enumerate(texts.items(), start=1)
    ]
    return extractive(Words(), english, least_confidence=0.0)(question, hits)


QUESTION = "How many days ahead is a dog booked on the boat?"


def test_an_old_and_a_new_rule_are_shown_newest_first():
    answer = ask(
        QUESTION,
        dogs_2021="A dog is booked on the boat three days ahead. The lamp is red.",
        dogs_2024="A dog is booked on the boat five days ahead. The lamp is green.",
    )
    (conflict,) = answer.conflicts
    assert conflict.dates == ("2024", "2021")
    quotes = {each.number: each.quote for each in answer.citations}
    assert [quotes[number] for number in conflict.citations] == [
        "A dog is booked on the boat five days ahead.",
        "A dog is booked on the boat three days ahead.",
    ]
    assert answer.citations[0].quote.endswith("five days ahead.")
    assert conflict.about == "5 days or 3 days"


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("three days", "3 days", ("dogs_2021", "dogs_2024")),  # the same, written otherwise
        ("three days", "five days", ("dogs_2021", "cats_2024")),  # another document
        ("three days", "five days", ("dogs", "dogs_copy")),  # no dates
    ],
)
def test_no_alarm_without_two_versions_that_differ(first, second, names):
    texts = (
        f"A dog is booked on the boat {first} ahead.",
        f"A dog is booked on the boat {second} ahead. Woof.",
    )
    assert ask(QUESTION, **dict(zip(names, texts, strict=True))).conflicts == ()


def test_versions_that_speak_of_other_things_do_not_conflict():
    answer = ask(
        QUESTION,
        dogs_2021="The lamp of the pier was painted on 4 May by two keepers.",
        dogs_2024="A dog is booked on the boat five days ahead.",
    )
    assert answer.conflicts == ()


def test_a_version_may_stand_behind_a_line_below_and_ten_is_newer_than_nine():
    assert version_of("policy_v9.md", "").date == "version 9"
    assert version_of("policy_v9.md", "").family == version_of("policy_v10.md", "").family
    assert recency("version 10") > recency("version 9")
