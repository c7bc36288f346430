"""Answer relevancy: whether the questions that an answer would answer are the one that was asked."""

from __future__ import annotations

import math

from rag.eval.metrics.verdicts import ask_similarities, judged
from rag.eval.sample import Ground, Sample, Score
from rag.protocols import Judge
from rag.types import Judgement

ASKED_BACK = 3


def answer_relevancy(sample: Sample, judge: Judge) -> Score | None:
    """The mean cosine of three questions asked back from the response with the one that was asked.

    0 where all of them are from a response that avoids an answer, where no question can be asked back,
    and for a failure or a refusal of what has an answer. None for a refusal of what has none. A mean of
    cosines can be below 0. A question that the judge failed to ask counts 0 in it, and is missed.

    Source: Es et al. 2024, RAGAS, with three questions and the rule for noncommittal answers of its code.
    """
    if sample.abstained:
        return None if sample.question.answerable is False else Score(0.0)
    if not sample.response.strip():
        return Score(0.0)
    given = judge.questions(sample.response, ASKED_BACK)
    missed = tuple(each.missed for each in given if each.missed)
    asked = [each for each in given if each.question.strip() and not each.missed]
    if not asked:
        return Score(0.0, missed=missed)
    cosines = ask_similarities(judge, sample.question.user_input, [each.question for each in asked])
    ground = tuple(
        Ground(each.question, Judgement(cosine, "noncommittal" if each.noncommittal else "cosine"))
        for each, cosine in zip(asked, cosines, strict=True)
    )
    if all(each.noncommittal for each in asked):
        return Score(0.0, ground, missed)
    return Score(math.fsum(cosines) / (len(cosines) + len(missed)), ground, missed)


ANSWER_RELEVANCY = judged(
    "answer_relevancy", answer_relevancy, "mean cosine of 3 questions asked back with the question"
)
