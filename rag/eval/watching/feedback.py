"""What people thought of answers, by the documents that the answers cite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rag.eval.statistics.intervals import wilson_interval
from rag.eval.watching.records import LoggedAnswer, Rating


@dataclass(frozen=True, slots=True)
class Rated:
    """How the answers that cite one document were rated.

    `answers` cite it, rated or not. `rate` is the share of good ratings with its 95 % interval `low` to
    `high`; all three are None without a rating. `questions` are those behind bad ratings, the newest first.
    `document_id` is `""` for answers that cite nothing.
    """

    document_id: str
    answers: int
    up: int
    down: int
    rate: float | None
    low: float | None
    high: float | None
    questions: tuple[str, ...] = ()


def rate_documents(answers: Sequence[LoggedAnswer], ratings: Sequence[Rating]) -> list[Rated]:
    """Join ratings with the documents that their answers cite, the worst rated first.

    Of one person's ratings of an answer the last counts. An answer counts once for each document. A
    document is worse the lower the upper end of its interval, so that one bad rating of one says little.
    """
    last = {(each.answer_id, each.principal or at): each for at, each in enumerate(ratings)}
    given = defaultdict[str, list[Rating]](list)
    for rating in last.values():
        given[rating.answer_id].append(rating)
    citing = defaultdict[str, dict[str, LoggedAnswer]](dict)
    for answer in answers:
        for document_id in {cited.document_id for cited in answer.citations} or {""}:
            citing[document_id][answer.id] = answer
    rated = [_rated(document, list(held.values()), given) for document, held in citing.items()]
    return sorted(rated, key=lambda each: (each.high is None, each.high or 0.0, -each.down, each.document_id))


def _rated(document_id: str, answers: Sequence[LoggedAnswer], given: dict[str, list[Rating]]) -> Rated:
    ratings = [rating for answer in answers for rating in given.get(answer.id, ())]
    up = sum(rating.rating > 0 for rating in ratings)
    bad = {rating.answer_id: rating.time for rating in ratings if rating.rating < 0}
    behind = sorted((a for a in answers if a.id in bad), key=lambda each: bad[each.id], reverse=True)
    questions = tuple(dict.fromkeys(each.question or each.question_hash for each in behind))
    down = len(ratings) - up
    if not ratings:
        return Rated(document_id, len(answers), 0, 0, None, None, None)
    low, high = wilson_interval(up, len(ratings))
    return Rated(document_id, len(answers), up, down, up / len(ratings), low, high, questions)
