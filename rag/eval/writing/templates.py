"""Rules that make a question of a clause: its answer is taken out, and asked for by what it looks like.

Each rule gives the question, the answer as it stands in the sentence, and what kind of question that is.
Where a part of the clause is taken out, the rest keeps its order.

Source: Heilman and Smith 2010, Good Question! Statistical Ranking for Question Generation, for making
questions from declarative sentences by taking the answer phrase out and ranking what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rag.eval.writing.asked import Asked
from rag.eval.writing.clauses import Clause
from rag.eval.writing.date_rules import DATE_RULES
from rag.eval.writing.fact_rules import FACT_RULES
from rag.eval.writing.number_rules import NUMBER_RULES

_RULES: tuple[Callable[[Clause], Iterator[Asked]], ...] = (*NUMBER_RULES, *DATE_RULES, *FACT_RULES)


def ask_clause(clause: Clause) -> Iterator[Asked]:
    """Yield every question that a rule makes of the clause, in the order of the rules."""
    if clause.rest.split()[0].lower() in ("not", "never", "also", "only", "neither", "either", "no"):
        return
    for rule in _RULES:
        yield from rule(clause)
