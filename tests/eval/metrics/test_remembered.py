import pytest

from rag.errors import JudgeFailed
from rag.eval.catalogue import METRICS
from rag.eval.metrics.remembered import remembered
from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.types import AskedBack, Claim, Judgement
from tests.scripted_judge import ScriptedJudge

CLAIMS = [Claim("a", ("x",)), Claim("b", ("x",)), Claim("a", ("x",))]


def test_a_claim_is_judged_once() -> None:
    seen: list[str] = []
    judge = ScriptedJudge(supports=lambda claim: seen.append(claim.text) or 1.0)
    keeps = remembered(judge)
    assert keeps.name == judge.name
    assert keeps.supported(CLAIMS) == [Judgement(1.0)] * 3
    assert keeps.supported([Claim("b", ("x",)), Claim("c", ("x",))]) == [Judgement(1.0)] * 2
    assert keeps.supported(CLAIMS) == [Judgement(1.0)] * 3
    assert seen == ["a", "b", "c"]
    assert remembered(keeps) is keeps


def test_what_it_gives_is_not_what_it_keeps() -> None:
    keeps = remembered(ScriptedJudge())
    keeps.statements("a. b").clear()
    assert keeps.statements("a. b") == ["a", "b"]


@pytest.mark.parametrize(
    "task", ["statements", "supported", "useful", "questions", "entities", "similarities"]
)
def test_a_failure_is_kept_too(task: str) -> None:
    judge = ScriptedJudge(broken=frozenset({task}))
    given = {
        "statements": ("a",), "supported": (CLAIMS,), "useful": ("q", "a", ["x"]), "questions": ("a", 3),
        "entities": ("a",), "similarities": ("a", ["x"]),
    }[task]  # fmt: skip
    keeps = remembered(judge)
    for _ in range(2):
        with pytest.raises(JudgeFailed, match=f"{task}: no reply"):
            getattr(keeps, task)(*given)
    assert judge.asked == [task]


def test_all_metrics_of_a_sample_ask_for_nothing_twice() -> None:
    claims: list[Claim] = []
    judge = ScriptedJudge(
        supports=lambda claim: claims.append(claim) or 1.0,
        helps={"c": 1.0, "d": 0.0},
        back=[AskedBack("q?")] * 3,
        names={"R": ["R"], "c\nd": []},
        cosines={"q?": 0.5, "A. B": 0.5},
    )
    sample = Sample(Question("q", "Q?", reference="R"), "A. B", ("c", "d"))
    keeps = remembered(judge)
    scores = [metric.measure(sample, keeps) for metric in METRICS.values() if "judge" in metric.needs]
    assert sum(score is not None for score in scores) >= 11
    assert len(claims) == len(set(claims))
    assert judge.asked.count("statements") == 2  # of the response and the reference
    assert judge.asked.count("useful") == 2  # by the reference and by the response
    assert judge.asked.count("similarities") == 2
