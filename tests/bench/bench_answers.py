"""How good extractive answers are, and how well they abstain, with bootstrap 95 % intervals.

    RAG_DATA=... python tests/bench/bench_answers.py [--split test] [--sets clapnq,xquad,nq,handbook]

Refusals: precision and recall (of the questions without an answer), and the share of answerable
questions kept. Calibration: expected error over ten bins, AUROC, Brier score. Answers: the share of the
reference's words in the answer; ALCE's citation recall and precision, judged by the shipped verifier;
citation precision (cited sentences that overlap a gold span) and recall (gold spans overlapped); the
share of questions of which any gold span is overlapped, those refused counted as missed. Highlights:
exact match and token F1 against the short reference, of factoid questions.
"""

from __future__ import annotations

import argparse
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from answer_sets import Case, Remembering, cases
from sklearn.metrics import roc_auc_score

from rag.generation.extractive import extractive
from rag.generation.shapes import asked_for
from rag.generation.verify import default_verifier
from rag.index.analyzer import english
from rag.index.encoder import resolve_encoder
from rag.index.encoder_folder import bundled_folder
from rag.types import Answer, Claim

Asked = tuple[Case, Answer]
PAIRS = (
    ("clapnq", "shown", "shown"),
    ("xquad", "whole", "without"),
    ("xquad", "shown", "other"),
    ("xquad", "shown", "removed"),
    ("nq", "whole", "without"),
    ("nq", "shown", "removed"),
    ("handbook", "whole", "whole"),
    ("handbook", "whole", "without"),
    ("hotpotqa", "whole", "without"),
    ("mtrag", "whole", "whole"),
    ("tatqa", "shown", "removed"),
)

ASKED = (
    ("clapnq", "shown"),
    ("xquad", "whole"),
    ("xquad", "shown"),
    ("nq", "whole"),
    ("nq", "shown"),
    ("handbook", "whole"),
    ("tatqa", "shown"),
    ("financebench", "whole"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--sets", default="clapnq,xquad,nq,handbook,hotpotqa,mtrag,tatqa,financebench")
    parser.add_argument("--most", type=int, help="ask at most that many questions of a set")
    given = parser.parse_args()
    encoder = Remembering(resolve_encoder())
    ask = extractive(encoder, english)
    asked = [
        (case, ask(case.question, case.hits))
        for name in given.sets.split(",")
        for case in cases(name, given.split, encoder, given.most)
    ]
    report_refusals(asked)
    report_calibration(asked)
    report_answers(asked)
    report_highlights(asked)


def interval(values: Sequence[float], measure: Callable = np.mean) -> str:
    """The measure of all rows with its 95 % bootstrap interval."""
    rows = np.asarray(values, np.float64)
    if not len(rows):
        return "-"
    choose = np.random.default_rng(0)
    drawn = [measure(rows[choose.integers(0, len(rows), len(rows))]) for _ in range(1000)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return f"{measure(rows):.3f} [{low:.3f}, {high:.3f}]"


def report_refusals(asked: Sequence[Asked]) -> None:
    print("\n## Refusals: precision, recall, answerable kept, AUROC (n answerable, n not)\n")
    for collection, positive, negative in PAIRS:
        rows = np.array(
            [
                (case.answerable, answer.abstained, answer.confidence)
                for case, answer in asked
                if case.collection == collection
                and case.setting == (positive if case.answerable else negative)
            ]
        )
        if len(rows) and 0 < rows[:, 0].sum() < len(rows):
            print(
                f"{collection:9} {positive}/{negative:8} P {interval(rows, _precision)}  "
                f"R {interval(rows, _recall)}  kept {interval(rows, _kept)}  "
                f"AUROC {interval(rows, _area)}  ({int(rows[:, 0].sum())}, {int((1 - rows[:, 0]).sum())})"
            )


def _precision(rows: np.ndarray) -> float:
    return float(((rows[:, 1] == 1) & (rows[:, 0] == 0)).sum() / max(1, rows[:, 1].sum()))


def _recall(rows: np.ndarray) -> float:
    return float(rows[rows[:, 0] == 0, 1].mean())


def _kept(rows: np.ndarray) -> float:
    return float(1 - rows[rows[:, 0] == 1, 1].mean())


def _area(rows: np.ndarray) -> float:
    return float(roc_auc_score(rows[:, 0], rows[:, 2]))


def report_calibration(asked: Sequence[Asked]) -> None:
    print("\n## Calibration: expected calibration error (ten bins), Brier score, and the bins\n")
    for collection, positive, negative in (*PAIRS, ("all", "", "")):
        rows = np.array(
            [
                (case.answerable, answer.confidence)
                for case, answer in asked
                if collection == "all"
                or (
                    case.collection == collection
                    and case.setting == (positive if case.answerable else negative)
                )
            ]
        )
        if len(rows) and 0 < rows[:, 0].sum() < len(rows):
            brier = np.mean((rows[:, 0] - rows[:, 1]) ** 2)
            print(f"{collection:9} {positive}/{negative:8} ECE {interval(rows, _error)}  Brier {brier:.3f}")
            if collection in ("clapnq", "all"):
                for low, high, said, was, count in _bins(rows):
                    print(f"    {low:.1f}-{high:.1f}: said {said:.2f}, was {was:.2f} ({count})")


def _bins(rows: np.ndarray) -> list[tuple[float, float, float, float, int]]:
    found = []
    for at in range(10):
        inside = rows[np.minimum((rows[:, 1] * 10).astype(int), 9) == at]
        if len(inside):
            found.append((at / 10, at / 10 + 0.1, inside[:, 1].mean(), inside[:, 0].mean(), len(inside)))
    return found


def _error(rows: np.ndarray) -> float:
    return float(sum(abs(said - was) * count for _, _, said, was, count in _bins(rows)) / len(rows))


def report_answers(asked: Sequence[Asked]) -> None:
    print("\n## Answers to answerable questions (refused ones count 0 in recalls and in overlap)\n")
    verifier = default_verifier(english, bundled_folder)
    for collection, setting in ASKED:
        rows = [(c, a) for c, a in asked if (c.collection, c.setting) == (collection, setting) and c.gold]
        if not rows:
            continue
        kept = [(case, answer) for case, answer in rows if not answer.abstained]
        cited = np.mean([len(answer.citations) for _, answer in kept])
        print(
            f"{collection} {setting}: {len(rows)} questions, {len(kept)} answered, {cited:.2f} citations each"
        )
        print(f"  token recall of the reference   {interval([token_recall(c, a) for c, a in rows])}")
        print(f"  any gold span overlapped        {interval([float(any(hits_gold(c, a))) for c, a in rows])}")
        print(f"  gold spans overlapped (recall)  {interval([gold_recall(c, a) for c, a in rows])}")
        print(f"  citations on gold (precision)   {interval([np.mean(hits_gold(c, a)) for c, a in kept])}")
        pairs = [alce(answer, verifier) for _, answer in kept]
        print(f"  ALCE citation recall            {interval([pair[0] for pair in pairs])}")
        print(f"  ALCE citation precision         {interval([pair[1] for pair in pairs])}")


def alce(answer: Answer, verify: Callable) -> tuple[float, float]:
    """Citation recall and precision of one answer.

    Recall: sentences that their citations together prove. Precision: citations that prove their sentence
    alone, or without which the others of a proven sentence no longer do.

    Source: Gao et al., Enabling Large Language Models to Generate Text with Citations, EMNLP 2023.
    """
    quotes = {each.number: each.quote for each in answer.citations}
    claims, owners = [], []
    for at, sentence in enumerate(answer.sentences):
        numbers = sentence.citations
        claims.append(Claim(sentence.text, tuple(quotes[number] for number in numbers)))
        owners.append((at, None, "all"))
        for number in numbers if len(numbers) > 1 else ():
            claims.append(Claim(sentence.text, (quotes[number],)))
            owners.append((at, number, "alone"))
            claims.append(Claim(sentence.text, tuple(quotes[one] for one in numbers if one != number)))
            owners.append((at, number, "without"))
    proven = {
        owner: support.probability >= 0.5 for owner, support in zip(owners, verify(claims), strict=True)
    }
    recall = [proven[at, None, "all"] for at in range(len(answer.sentences))]
    precision = [
        recall[at]
        and (len(sentence.citations) == 1 or proven[at, number, "alone"] or not proven[at, number, "without"])
        for at, sentence in enumerate(answer.sentences)
        for number in sentence.citations
    ]
    return float(np.mean(recall)), float(np.mean(precision))


def hits_gold(case: Case, answer: Answer) -> list[bool]:
    """Of each citation, whether it overlaps a gold span."""
    return [
        any(each.source == gold.source and each.start < gold.end and gold.start < each.end
            for gold in case.gold)
        for each in answer.citations
    ]  # fmt: skip


def gold_recall(case: Case, answer: Answer) -> float:
    return float(
        np.mean(
            [
                any(
                    each.source == gold.source and each.start < gold.end and gold.start < each.end
                    for each in answer.citations
                )
                for gold in case.gold
            ]
        )
    )


def words(text: str) -> list[str]:
    """The words as SQuAD's measures count them: lower case, no punctuation, no articles."""
    bare = "".join(" " if letter in string.punctuation else letter for letter in text.lower())
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def token_recall(case: Case, answer: Answer) -> float:
    if answer.abstained:
        return 0.0
    said = Counter(words(" ".join(sentence.text for sentence in answer.sentences)))
    return max(
        ((said & Counter(words(reference))).total() / max(1, len(words(reference)))
         for reference in case.references),
        default=0.0,
    )  # fmt: skip


def f1(said: str, reference: str) -> float:
    both = (Counter(words(said)) & Counter(words(reference))).total()
    if not both:
        return 0.0
    precision, recall = both / len(words(said)), both / len(words(reference))
    return 2 * precision * recall / (precision + recall)


def report_highlights(asked: Sequence[Asked]) -> None:
    print("\n## Highlights of factoid questions that were answered: the first one against the reference\n")
    for collection, setting in (("xquad", "whole"), ("xquad", "shown"), ("nq", "whole"), ("nq", "shown"),
                                ("handbook", "whole")):  # fmt: skip
        rows = [
            (case, answer)
            for case, answer in asked
            if (case.collection, case.setting) == (collection, setting)
            and case.answerable
            and asked_for(case.question)
            and not answer.abstained
        ]
        if not rows:
            continue
        exact, overlap, named = [], [], 0
        for case, answer in rows:
            said = highlighted(answer)
            named += bool(said)
            exact.append(max(float(words(said) == words(each)) for each in case.references))
            overlap.append(max(f1(said, each) for each in case.references))
        print(f"{collection:9} {setting:6} exact match {interval(exact)}  F1 {interval(overlap)}  "
              f"({len(rows)} questions, {named} with a highlight)")  # fmt: skip


def highlighted(answer: Answer) -> str:
    """The words that are marked in the likeliest sentence, `""` where none are."""
    for each in answer.citations:
        if each.highlight:
            return each.quote[each.highlight.start - each.start : each.highlight.end - each.start]
    return ""


if __name__ == "__main__":
    main()
