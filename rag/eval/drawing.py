"""A part of a question set that stands for the whole."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

from rag.errors import InputError
from rag.eval.questions import Question

Stratum = TypeVar("Stratum")


def draw_questions(questions: Sequence[Question], count: int, seed: int = 0) -> tuple[Question, ...]:
    """Draw `count` questions, stratified by kind, in their order; all of them where there are no more.

    Each kind gets its share, fractions by largest remainder, ties to the kind named first. Within a kind
    a question's turn is the digest of the seed and its id: it stays where others come or go.

    Raises:
        InputError: `count` is not positive.
    """
    if count < 1:
        raise InputError(f"a sample has at least 1 question, not {count}")
    if count >= len(questions):
        return tuple(questions)
    kinds: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        kinds[question.kind].append(question.id)
    sizes = apportion({kind: len(ids) for kind, ids in kinds.items()}, count)
    drawn: set[str] = set()
    for kind, ids in kinds.items():
        drawn.update(sorted(ids, key=lambda each: _turn(seed, each))[: sizes[kind]])
    return tuple(question for question in questions if question.id in drawn)


def apportion(sizes: Mapping[Stratum, int], count: int) -> dict[Stratum, int]:
    """Part `count` among strata by their sizes, fractions by largest remainder, ties to the first."""
    total = sum(sizes.values())
    shares = {name: count * size / total for name, size in sizes.items()} if total else {}
    taken = {name: int(share) for name, share in shares.items()}
    by_rest = sorted(shares, key=lambda name: taken[name] - shares[name])
    for name in by_rest[: count - sum(taken.values())]:
        taken[name] += 1
    return taken


def _turn(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode(errors="backslashreplace")).digest()
