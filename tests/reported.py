"""Evaluations for tests of reports: every text in them is the tester's."""

from __future__ import annotations

from collections.abc import Callable

from rag.eval.failures.diagnosis import Diagnosis, FailureMode
from rag.eval.questions import Place, Question
from rag.eval.report import Comparison, Earlier, Evaluation, Row
from rag.eval.sample import Ground, Score
from rag.eval.statistics.bootstrap import Estimate
from rag.eval.statistics.comparison import compare
from rag.types import Answer, Chunk, Citation, Hit, Judgement, Sentence, Span

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=http://evil.test/x onerror=alert(1)>',
    "</title></style></svg><a href=javascript:alert(1)>x</a>",
    "![x](http://evil.test/p.png) [y](http://evil.test) <http://evil.test> www.evil.test me@evil.test",
    "{{ 7*7 }} {% raw %} &lt;b&gt; &#x3c;script&#x3e;",
    "| a | b |\n| - | - |\n\n# Heading\n\n```\ncode\n- item\n@someone #123 ~~gone~~ **bold** `code`",
    "\x00\x07\x1b[31m\x7f\u202eexe.txt\u2066x\u2069\u200f\ufeff\u2028\ud800\udfff",
    "' autofocus onfocus=alert(1) x='",
    "<!-- --><![CDATA[<b>]]></desc></details></td></table>",
)


def evaluation(say: Callable[[str], str], questions: int = 3, words: int = 12) -> Evaluation:
    """An evaluation with a comparison, in which `say` makes every text of a harmless one."""
    rows = tuple(_row(say, at, words) for at in range(questions))
    scores = {name: {r.question.id: r.scores[name] for r in rows} for name in rows[0].scores}
    earlier = {name: {q: min(1.0, value + 0.2) for q, value in each.items()} for name, each in scores.items()}
    metric, kind, source = "Recall@10", say("kind"), say("a.md")
    summary = {
        metric: Estimate(0.5, 0.25, 0.75, questions),
        "faithfulness": Estimate(0.5, 0.25, 0.75, questions, missed=1),
        "exact_match": Estimate(float("nan"), float("nan"), float("nan"), 0),
    }
    return Evaluation(
        summary=summary,
        by_kind={kind: summary},
        by_document={source: summary},
        counts={"questions": questions, "failed": 1, "answered": questions - 1, "abstained": 0},
        rows=rows,
        setup={
            "questions": {"file": say("questions.jsonl"), "count": questions, "digest": "d" * 64},
            "system": {"encoder": say("encoder"), "settings": {"language": say("english")}},
            "judge": say("judge"),
            "metrics": {metric: {"formula": say("found / all"), "judged": False, "higher_is_better": True}},
        },
        notes=(say("note"),),
        comparison=Comparison(
            say("baseline"),
            tuple(compare(scores, earlier)),
            dict.fromkeys(scores, 0.7),
            (say("other questions"),),
            {
                row.question.id: Earlier(
                    say("before"), False, {name: earlier[name][row.question.id] for name in scores}
                )
                for row in rows
            },
        ),
    )


def _row(say: Callable[[str], str], at: int, words: int) -> Row:
    text = say("passage " * words)
    chunk = Chunk(say("document"), Span(0, len(text)), text, 1, say("section"))
    hit = Hit(1, 0.5, chunk, say("a.md"), say("title"))
    citation = Citation(1, chunk.document_id, hit.source, hit.title, 1, "", 0, len(text), text)
    sentence = Sentence(say("answer"), (1,), at % 2 == 0, 0.5, () if at % 2 == 0 else (say("fault"),))
    answer = Answer(
        "q", say("answer"), (sentence,), (citation,), (hit,) * 2, at % 3 == 2, 0.4 + at % 2 / 10, say("model")
    )
    return Row(
        question=Question(
            f"{at} {say('id')}",
            say("question"),
            say("reference"),
            reference_contexts=(say("gold"),),
            documents=(Place(hit.source, span=Span(0, 3)),),
            answerable=True,
            kind=say("kind"),
        ),
        hits=(hit,),
        answer=None if at == 1 else answer,
        right=None if at == 1 or at % 3 == 2 else False,
        scores={"Recall@10": at % 2 / 2, "faithfulness": 0.25},
        failure=say("error") if at == 1 else "",
        judged={
            "faithfulness": Score(
                0.25, (Ground(say("statement"), Judgement(None, say("reason"))),), (say("lost"),)
            )
        },
        diagnosis=Diagnosis(FailureMode.IGNORED, say("why"), "Mend it.") if at == 0 else None,
    )
