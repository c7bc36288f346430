"""ALCE's citation recall and precision: whether each sentence follows from what it cites, all needed."""

from __future__ import annotations

from dataclasses import dataclass

from rag.eval.metrics.verdicts import ask_supported, grounds, holds, judged, reasons
from rag.eval.sample import Sample, Score
from rag.protocols import Judge
from rag.types import Claim, Judgement


@dataclass(frozen=True, slots=True)
class _Cited:
    """A sentence and the quotes that it cites; None for a mark that no citation has."""

    text: str
    quotes: tuple[str | None, ...]

    @property
    def whole(self) -> bool:
        return bool(self.quotes) and None not in self.quotes

    def without(self, at: int) -> tuple[str, ...]:
        return tuple(quote for place, quote in enumerate(self.quotes) if quote and place != at)


def alce_citation_recall(sample: Sample, judge: Judge) -> Score | None:
    """Sentences that follow from all that they cite together, over all sentences.

    A sentence that cites nothing, or a mark that no citation has, counts 0; so does one without a
    verdict. None where there are no sentences: a refusal, a failure, an answer that lists none.

    Source: Gao et al. 2023, Enabling Large Language Models to Generate Text with Citations (ALCE).
    """
    sentences = _sentences(sample)
    if not sentences:
        return None
    verdicts = _together(sample, judge, sentences)
    value = sum(map(holds, verdicts)) / len(sentences)
    return Score(value, grounds([each.text for each in sentences], verdicts), reasons(verdicts))


def alce_citation_precision(sample: Sample, judge: Judge) -> Score | None:
    """Citations that are needed, over all citations of sentences.

    One is needed where its sentence follows from all that it cites together, and either follows from
    this one alone or not from the others without it. A missing verdict counts against the citation.
    0 where sentences cite nothing; None where there are no sentences.

    Source: as `alce_citation_recall`.
    """
    sentences = _sentences(sample)
    if not sentences:
        return None
    cited = sum(len(each.quotes) for each in sentences)
    if not cited:
        return Score(0.0)
    together = _together(sample, judge, sentences)
    proven = [each for each, verdict in zip(sentences, together, strict=True) if holds(verdict)]
    single = sum(len(each.quotes) == 1 for each in proven)
    several = [(each, at) for each in proven if len(each.quotes) > 1 for at in range(len(each.quotes))]
    alone = _ask(sample, judge, [(each.text, (each.quotes[at] or "",)) for each, at in several])
    unsure = [pair for pair, verdict in zip(several, alone, strict=True) if not holds(verdict)]
    rest = _ask(sample, judge, [(each.text, each.without(at)) for each, at in unsure])
    # a verdict missing of the others: they may do without it
    needed = single + len(several) - len(unsure) + sum(not holds(each, missing=True) for each in rest)
    ground = (
        *grounds([each.text for each in sentences], together, "all citations together"),
        *grounds([f"{each.text} [{at + 1}]" for each, at in several], alone, "this citation alone"),
        *grounds([f"{each.text} [{at + 1}]" for each, at in unsure], rest, "the others without it"),
    )
    return Score(needed / cited, ground, reasons([*together, *alone, *rest]))


def _sentences(sample: Sample) -> list[_Cited]:
    if sample.answer is None or sample.abstained:
        return []
    quotes = {citation.number: citation.quote for citation in sample.answer.citations}
    return [
        _Cited(sentence.text, tuple(quotes.get(number) for number in dict.fromkeys(sentence.citations)))
        for sentence in sample.answer.sentences
    ]


def _together(sample: Sample, judge: Judge, sentences: list[_Cited]) -> list[Judgement]:
    verdicts = iter(_ask(sample, judge, [(each.text, each.without(-1)) for each in sentences if each.whole]))
    unproven = Judgement(0.0, "cites nothing, or a mark that no citation has")
    return [next(verdicts) if each.whole else unproven for each in sentences]


def _ask(sample: Sample, judge: Judge, pairs: list[tuple[str, tuple[str, ...]]]) -> list[Judgement]:
    asked = sample.question.user_input
    return ask_supported(judge, [Claim(text, evidence, asked) for text, evidence in pairs])


ALCE = (
    judged("alce_citation_recall", alce_citation_recall, "sentences that all they cite supports / sentences"),
    judged("alce_citation_precision", alce_citation_precision, "citations that are needed / citations"),
)
