"""What a run is of: the state of system and code, and all that was set, in words."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rag.eval.keys import code_digest, digest, file_digest, package_version
from rag.eval.metric import Metric
from rag.eval.questions import Question
from rag.eval.trial import KnowledgeBase, Plan
from rag.protocols import Judge


def state_of(kb: KnowledgeBase, given: str | None) -> str:
    """The state of the system and of this code, `""` where nobody tells the system's."""
    tell: Callable[[], str] | None = getattr(kb, "state", None)
    own = tell() if callable(tell) else ""
    said = own or given
    return digest(said, code_digest()) if said else ""


def describe_run(
    plan: Plan,
    given: str | Path | Sequence[Question],
    questions: Sequence[Question],
    drawn: Mapping[str, object],
    name: str = "",
) -> dict[str, object]:
    """What was run, without times and without folders, so that equal runs say the same.

    `name` is what the questions are called, where that is not the name of their file.
    """
    path = Path(given) if isinstance(given, str | Path) else None
    describe: Callable[[], Mapping[str, object]] | None = getattr(plan.kb, "describe", None)
    return {
        "rag": {"version": package_version(), "code": code_digest()},
        "python": platform.python_version(),
        "questions": {
            "file": path.name if path else None,
            "sha256": file_digest(path) if path and path.is_file() else None,
            "digest": digest(*questions),
            "count": len(questions),
            **({"name": name} if name else {}),
            **drawn,
        },
        "system": dict(describe()) if callable(describe) else {},
        "k": plan.k,
        "depth": plan.depth,
        "judge": plan.judge.name if plan.judge else None,
        "metrics": {
            metric.name: {
                "formula": _formula(metric, plan.judge),
                "judged": "judge" in metric.needs,
                "higher_is_better": metric.higher_is_better,
            }
            for metric in plan.metrics
        },
        "set_metrics": {
            metric.name: {"formula": metric.formula, "higher_is_better": metric.higher_is_better}
            for metric in plan.set_metrics
        },
    }


def _formula(metric: Metric, judge: Judge | None) -> str:
    """The metric's formula, and what the judge does otherwise, where it has `ways` that say so."""
    ways: Mapping[str, str] = getattr(judge, "ways", {}) if "judge" in metric.needs else {}
    return "; ".join(filter(None, (metric.formula, ways.get(metric.name))))
