"""The grammar of a cited answer: whatever a model is, it can write no other mark than of a given passage.

A sentence is words, a full stop and a mark. No bracket can be written but around the numbers that
were given; no word but the last ends with a full stop (abbreviations may), so a sentence cannot
end without its mark. The only other thing that can be written is the abstention. What
`max_tokens` cuts off is the end of a sentence, and with it its mark.
"""

from __future__ import annotations

from rag.generation.extractive import NO_ANSWER

_STOPS = ".!?\\u2026"
_WIDE_STOPS = "\\u3002\\uFF01\\uFF1F\\uFF61"
_CLOSERS = "\\x22')*_`}\\u201D\\u2019\\xBB\\u203A"
# Controls, spaces but the plain one, brackets and what looks like them, and characters nobody sees.
_NEVER = (
    "\\x00-\\x20\\x7F-\\xA0\\xAD\\u034F\\u061C\\u115F-\\u1160\\u1680\\u17B4-\\u17B5\\u180B-\\u180F\\u2000-\\u200F"
    "\\u2028-\\u202F\\u205F-\\u206F\\u2800\\u3000\\u3164\\uFEFF\\uFFA0\\uFFF0-\\uFFFB\\U000E0000-\\U000E0FFF"
    "\\x5B\\x5D\\x5C\\uFF3B\\uFF3D\\u3010\\u3011\\u3014\\u3015\\u27E6\\u27E7\\u301A\\u301B\\u2772\\u2773"
    "\\uFE5D\\uFE5E"
)
# Few: each is tried at the start of every word. Initials such as "U.S." and "e.g." need not be listed.
_ABBREVIATIONS = "Mr Mrs Ms Dr Prof St No Inc Ltd Co vs etc"


def cited_answer(passages: int, *, most_sentences: int = 12, most_marks: int = 3) -> str:
    """The GBNF of an answer that cites passages 1 to `passages`, or abstains.

    A mark has at most `most_marks` numbers. With no passages only the abstention can be written.

    Raises:
        ValueError: A number is out of range.
    """
    if passages < 0 or most_sentences < 1 or most_marks < 1:
        raise ValueError("a cited answer has 0 or more passages, and 1 or more sentences and marks")
    abstention = f'abstention ::= "{NO_ANSWER}"'
    if passages == 0:
        return f"root ::= abstention\n{abstention}\n"
    shortened = " | ".join(f'"{word}."' for word in _ABBREVIATIONS.split())
    numbers = " | ".join(f'"{number}"' for number in range(1, passages + 1))
    return "\n".join(
        (
            f"root ::= abstention | sentence (gap sentence){{0,{most_sentences - 1}}}",
            abstention,
            'gap ::= " " | "\\n"',
            'sentence ::= first (" " word)* ending',
            'ending ::= stop+ closer* " " mark | wide+ closer* " "? mark | " " mark stop',
            f'mark ::= "[" number (", " number){{0,{most_marks - 1}}} "]"',
            f"number ::= {numbers}",
            "first ::= closer? capital plain* inner* closer* | short",
            "word ::= closer* stop* plain+ inner* closer* | closer+ | short",
            f'short ::= ([A-Za-z] ".")+ | {shortened}',
            "inner ::= (closer | stop)+ plain+",
            f"capital ::= [^a-z{_STOPS}{_WIDE_STOPS}{_CLOSERS}{_NEVER}]",
            f"plain ::= [^{_STOPS}{_WIDE_STOPS}{_CLOSERS}{_NEVER}]",
            f"closer ::= [{_CLOSERS}]",
            f"stop ::= [{_STOPS}]",
            f"wide ::= [{_WIDE_STOPS}]",
            "",
        )
    )
