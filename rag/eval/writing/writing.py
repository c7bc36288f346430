"""The trip from documents to a question set: drafted, spread over kinds and documents, checked, counted."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rag.errors import InputError
from rag.eval.questions import Place, Question
from rag.eval.writing.checks import Asked, Checker
from rag.eval.writing.draft import Draft, Kind
from rag.eval.writing.drafting import draft_questions
from rag.eval.writing.unanswerable import draft_unanswerable
from rag.types import Document

Progress = Callable[[int, int], None]
Order = Callable[[Sequence[Draft], Sequence[Draft]], Iterator[Draft]]
"""The order in which drafts are tried, told which were good so far."""

_WEIGHT = {Kind.COMPARISON: 0.5, Kind.MULTI_DOCUMENT: 0.5}
MOST_TRIES = 30
"""Drafts that are checked for each question wanted, before it is given up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What set is wanted: how many questions, which share of them unanswerable, of which kinds."""

    count: int = 100
    unanswerable: float = 0.2
    kinds: tuple[Kind, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"count is how many questions to write, 1 or more, not {self.count}")
        if not 0 <= self.unanswerable <= 1:
            raise InputError(f"unanswerable is a share in 0..1, not {self.unanswerable}")


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions, and what became of all drafts of them.

    Of the `drafts`, unanswerable ones too, those that were looked at and are no question are `dropped`, by
    their reasons, and those that were not looked at, as there were questions enough, are `left`.
    """

    questions: tuple[Question, ...]
    drafts: int
    dropped: Mapping[str, int]
    left: int = 0


def write_questions(
    documents: Iterable[Document],
    checker: Checker,
    plan: Plan | None = None,
    *,
    more: Callable[[Sequence[Draft]], Iterable[Draft]] | None = None,
    progress: Progress | None = None,
) -> QuestionSet:
    """Write a question set from documents. Equal input and seed give an equal set.

    Args:
        documents: What is asked about, whole.
        checker: What every draft has to pass.
        plan: How many questions, and of which kinds.
        more: Makes further drafts from those of the rules, as a language model does.
        progress: Called with the questions written and how many are wanted.

    Returns:
        As many questions as there are good ones, at most `plan.count`. Each place of an answer is exact:
        `document.text[start:end]` is the reference context of the same number.

    Raises:
        InputError: There are no documents.
    """
    plan = plan or Plan()
    held = {document.id: document for document in documents}
    if not held:
        raise InputError("there are no documents to ask about; add some, or say who reads them")
    drafted = draft_questions(held, checker.terms)
    drafts = [*drafted.drafts, *(more(drafted.drafts) if more else ())]
    wanted = [draft for draft in drafts if not plan.kinds or draft.kind in plan.kinds]
    without = round(plan.count * plan.unanswerable)
    dropped = Counter[str]()
    asked = Asked(checker.terms)
    told = Counter[str]()

    def taken(pool: Sequence[Draft], count: int, order: Order) -> list[Draft]:
        good = list[Draft]()
        for draft in order(pool, good):
            if len(good) >= count or told["checked"] >= plan.count * MOST_TRIES:
                break
            fault = "" if asked.is_new(draft) else "it is asked already"
            told["checked"] += not fault
            fault = fault or checker.fault(draft, drafted.said)
            if fault:
                dropped[fault] += 1
                continue
            good.append(draft)
            asked.take(draft)
            told["done"] += 1
            if progress:
                progress(told["done"], plan.count)
        return good

    def spread(pool: Sequence[Draft], good: Sequence[Draft]) -> Iterator[Draft]:
        return _spread(pool, plan.seed, good)

    good = taken(_unambiguous(wanted, checker, dropped), plan.count - without, spread)
    pool = draft_unanswerable(drafted, held.values(), checker.alike, plan.seed) if without else []
    lacking = [draft for draft in pool if not plan.kinds or draft.kind in plan.kinds]
    good += taken(lacking, without, _by_template)
    random.Random(plan.seed).shuffle(good)
    questions = tuple(_question(draft, held) for draft in good)
    all_drafts = len(wanted) + len(lacking)
    left = all_drafts - len(good) - dropped.total()
    return QuestionSet(questions, all_drafts, dict(sorted(dropped.items())), left)


def _unambiguous(drafts: Sequence[Draft], checker: Checker, dropped: Counter[str]) -> list[Draft]:
    """The drafts but those whose words ask for several answers."""
    answers = defaultdict[frozenset[str], set[str]](set)
    keys = [frozenset(checker.terms(draft.question)) for draft in drafts]
    for key, draft in zip(keys, drafts, strict=True):
        answers[key].add(draft.answer.casefold())
    kept = [draft for key, draft in zip(keys, drafts, strict=True) if len(answers[key]) == 1]
    if len(kept) < len(drafts):
        dropped["it is asked elsewhere with another answer"] += len(drafts) - len(kept)
    return kept


def _by_template(drafts: Sequence[Draft], good: Sequence[Draft]) -> Iterator[Draft]:
    """Yield drafts in their order, each time of the template of which the fewest are `good` yet."""
    waiting = defaultdict[str, list[Draft]](list)
    for draft in reversed(drafts):
        waiting[template(draft.question)].append(draft)
    while waiting:
        held = Counter(template(draft.question) for draft in good)
        name = min(waiting, key=lambda each: (held[each], each))
        yield waiting[name].pop()
        if not waiting[name]:
            del waiting[name]


def template(question: str) -> str:
    """What a question begins with, by which one rule's are known: `how many`, `what is listed`."""
    words = question.casefold().split()
    return " ".join(words[: 2 if words[0] == "how" else 3])


def _spread(drafts: Sequence[Draft], seed: int, good: Sequence[Draft]) -> Iterator[Draft]:
    """Yield drafts, each time of the kind and the document of which the fewest are `good` yet."""
    chance = random.Random(seed)
    cells = defaultdict[Kind, dict[str, list[Draft]]](lambda: defaultdict(list))
    for draft in sorted(
        drafts, key=lambda each: (each.question, each.evidence[0].span, each.evidence[0].document_id)
    ):
        cells[draft.kind][draft.evidence[0].document_id].append(draft)
    order = {kind: chance.sample(sorted(cells[kind]), len(cells[kind])) for kind in sorted(cells)}
    for kind in order:
        for document in order[kind]:
            chance.shuffle(cells[kind][document])
    tried = Counter[tuple[Kind, str]]()
    while order:
        kinds = Counter(draft.kind for draft in good)
        held = Counter((draft.kind, draft.evidence[0].document_id) for draft in good)
        whole = Counter(draft.evidence[0].document_id for draft in good)
        kind = min(order, key=lambda each: (kinds[each] / _WEIGHT.get(each, 1), each))
        ranked = [(held[kind, d], whole[d], tried[kind, d], at) for at, d in enumerate(order[kind])]
        document = order[kind][min(ranked)[-1]]
        tried[kind, document] += 1
        yield cells[kind][document].pop()
        if not cells[kind][document]:
            order[kind].remove(document)
        if not order[kind]:
            del order[kind]


def _question(draft: Draft, documents: Mapping[str, Document]) -> Question:
    first = draft.evidence[0].document_id
    identity = hashlib.sha256(f"{first}\n{draft.question}".encode("utf-8", "replace")).hexdigest()[:12]
    split = "dev" if int(hashlib.sha256(first.encode()).hexdigest(), 16) % 2 else "test"
    if draft.missing:
        about = {"missing": draft.missing}
        return Question(
            identity, draft.question, answerable=False, kind=draft.kind.value, split=split, extra=about
        )
    places = (
        Place(documents[e.document_id].source, documents[e.document_id].page_at(e.span.start), e.span)
        for e in draft.evidence
    )
    return Question(
        identity,
        draft.question,
        reference=draft.answer,
        references=tuple(dict.fromkeys((draft.answer, *draft.answers))),
        reference_contexts=tuple(each.text for each in draft.evidence),
        documents=tuple(places),
        answerable=True,
        kind=draft.kind.value,
        split=split,
    )
