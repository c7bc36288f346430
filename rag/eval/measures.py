"""Retrieval measures, named as ir_measures names them and equal to trec_eval's to the last digit.

A run maps query id to document id to score; judgments (qrels) map query id to
document id to grade. A grade of 1 or more is relevant; 0, a negative grade and
no judgment are not, and gain nothing. bpref alone tells them apart: it looks at the
documents judged not relevant (a grade of 0) and passes over those without a
judgment; a grade below 0 is to trec_eval neither relevant nor judged so, and is passed over too.

Documents are ranked as trec_eval ranks them: by score, descending, and equal
scores by document id, descending. It holds scores in single precision, so two
that differ only beyond that are equal here too.

Source: Buckley, trec_eval (https://github.com/usnistgov/trec_eval).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from rag.errors import InputError

Run: TypeAlias = Mapping[str, Mapping[str, float]]
Qrels: TypeAlias = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of one query's ranking, with the rank it looks down to (None: to the end).

    nDCG: discounted gain, gain = grade, discount = log2(rank + 1), over that of the best order.
        Source: Jarvelin and Kekalainen 2002, Cumulated gain-based evaluation of IR techniques.
    Recall: relevant documents found, over all relevant ones.
    RR: 1 / rank of the first relevant document, 0 where there is none.
    AP: the mean, over all relevant documents, of precision at their ranks (0 where not found).
    P: relevant documents found, over the cutoff, also where fewer were returned.
    Success: 1 where a relevant document was found, else 0.
    Bpref: the mean, over all R relevant documents, of 1 - min(documents judged not relevant above it, R)
        / min(N, R), N being how many are judged so (0 where not found). It takes no cutoff.
        Source: Buckley and Voorhees 2004, Retrieval Evaluation with Incomplete Information, in the
        form with min(N, R) that trec_eval has had since its version 8.

    A query without a relevant document scores 0 in all of them.
    """

    name: str
    cutoff: int | None = None

    def __call__(self, scores: Mapping[str, float], grades: Mapping[str, int]) -> float:
        """Measure one query: its documents' scores against its documents' grades, 0..1."""
        return self.of_ranking(rank_documents(scores), grades)

    def of_ranking(self, ranking: Sequence[str], grades: Mapping[str, int]) -> float:
        """Measure document ids that are in order already, best first."""
        wanted = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
        if not wanted:
            return 0.0
        if self.name == "Bpref":
            return _bpref([grades.get(document, -1) for document in ranking], grades)
        found = [max(grades.get(document, 0), 0) for document in ranking[: self.cutoff]]
        return _FORMULAS[self.name](found, wanted, self.cutoff)

    def __str__(self) -> str:
        return self.name if self.cutoff is None else f"{self.name}@{self.cutoff}"


def parse_measure(name: str) -> Measure:
    """Read a measure's name: `nDCG@10`, `Recall@100`, `RR@10`, `AP`, `P@5`, `Success@5`, `Bpref`.

    Raises:
        InputError: no such measure, one that needs a cutoff and has none, or takes none and has one.
    """
    parts = re.fullmatch(r"(\w+?)(?:@([1-9][0-9]*))?", name, re.ASCII)
    if parts is None or (parts[1] not in _FORMULAS and parts[1] != "Bpref"):
        known = ", ".join((*_FORMULAS, "Bpref"))
        raise InputError(f"no measure {name!r}: use one of {known}, with a cutoff from 1, as in 'nDCG@10'")
    if parts[2] is None and parts[1] in _NEED_CUTOFF:
        raise InputError(f"measure {name!r} needs a cutoff: write '{name}@10'")
    if parts[1] == "Bpref" and parts[2] is not None:
        raise InputError(f"measure {name!r} has a cutoff, and looks at all of a run: write 'Bpref'")
    return Measure(parts[1], int(parts[2]) if parts[2] else None)


def rank_documents(scores: Mapping[str, float]) -> list[str]:
    """Order document ids as trec_eval does: by float32 score, then by id, both descending.

    Raises:
        InputError: a score is not a number.
    """
    with np.errstate(over="ignore"):
        single = np.array(list(scores.values()), dtype=np.float64).astype(np.float32).tolist()
    pairs = list(zip(single, scores, strict=True))
    for score, document in pairs:
        if math.isnan(score):
            raise InputError(
                f"document {document!r} has a score of NaN, which has no rank: mend the retriever"
            )
    return [document for _, document in sorted(pairs, reverse=True)]


def measure_run(run: Run, qrels: Qrels, measures: Sequence[str | Measure]) -> dict[str, dict[str, float]]:
    """Measure a run: measure name to query id to value, for every judged query.

    A judged query has at least one judgment, of whatever grade. One that the run
    lacks counts 0 (trec_eval leaves it out unless told `-c`); queries of the run
    without judgments are left out.

    Raises:
        InputError: a measure's name is wrong, or a score is not a number.
    """
    chosen = [parse_measure(m) if isinstance(m, str) else m for m in measures]
    rankings = {query: rank_documents(run.get(query, {})) for query, grades in qrels.items() if grades}
    return {
        str(measure): {
            query: measure.of_ranking(ranking, qrels[query]) for query, ranking in rankings.items()
        }
        for measure in chosen
    }


def mean_run(run: Run, qrels: Qrels, measures: Sequence[str | Measure]) -> dict[str, float]:
    """Measure a run as means over all judged queries, those that the run lacks counted 0.

    Raises:
        InputError: no query is judged, a measure's name is wrong, or a score is not a number.
    """
    if not any(qrels.values()):
        raise InputError("no query is judged, so there is nothing to take a mean of: give other qrels")
    per_query = measure_run(run, qrels, measures)
    return {name: math.fsum(values.values()) / len(values) for name, values in per_query.items()}


# Each formula takes the grades found, in rank order and cut already; the grades above 0 that
# are wanted, highest first; and the cutoff.


def _ndcg(found: Sequence[int], wanted: Sequence[int], cutoff: int | None) -> float:
    return _discounted(found) / _discounted(wanted[:cutoff])


def _discounted(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def _recall(found: Sequence[int], wanted: Sequence[int], cutoff: int | None) -> float:
    return _hits(found) / len(wanted)


def _hits(found: Sequence[int]) -> int:
    return sum(grade > 0 for grade in found)


def _reciprocal_rank(found: Sequence[int], wanted: Sequence[int], cutoff: int | None) -> float:
    return next((1 / rank for rank, grade in enumerate(found, 1) if grade > 0), 0.0)


def _average_precision(found: Sequence[int], wanted: Sequence[int], cutoff: int | None) -> float:
    relevant = [grade > 0 for grade in found]
    at_rank = enumerate(zip(relevant, accumulate(relevant), strict=True), 1)
    return sum(hits / rank for rank, (here, hits) in at_rank if here) / len(wanted)


def _precision(found: Sequence[int], wanted: Sequence[int], cutoff: int | None) -> float:
    return _hits(found) / (cutoff or 1)


def _success(found: Sequence[int], wanted: Sequence[int], cutoff: int | None) -> float:
    return float(any(grade > 0 for grade in found))


def _bpref(found: Sequence[int], grades: Mapping[str, int]) -> float:
    relevant = sum(grade > 0 for grade in grades.values())
    refused = sum(grade == 0 for grade in grades.values())
    total, above = 0.0, 0
    for grade in found:
        if grade > 0:
            total += 1 - min(above, relevant) / min(refused, relevant) if above else 1.0
        above += grade == 0
    return total / relevant


_Formula: TypeAlias = Callable[[Sequence[int], Sequence[int], int | None], float]
_FORMULAS: Mapping[str, _Formula] = {
    "nDCG": _ndcg,
    "Recall": _recall,
    "RR": _reciprocal_rank,
    "AP": _average_precision,
    "P": _precision,
    "Success": _success,
}
_NEED_CUTOFF = ("Recall", "P", "Success")
