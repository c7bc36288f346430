"""Question sets from an index: the engine's search, verifier, encoder and language model do the checking."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import InputError
from rag.eval.failures.trace import enough
from rag.eval.questions import Question
from rag.eval.writing.checks import Checker
from rag.eval.writing.draft import Draft, Kind
from rag.eval.writing.lines import question_lines
from rag.eval.writing.naming import relative_names
from rag.eval.writing.writing import Plan, QuestionSet
from rag.eval.writing.writing import write_questions as write

if TYPE_CHECKING:
    from rag.pipeline import Engine
    from rag.types import Document, Principal, Span, Vectors

MOST_DOCUMENTS = 2_000
"""Documents that are asked about at most, taken by the seed: all are held in memory at once."""


def write_questions(
    engine: Engine,
    count: int = 100,
    *,
    unanswerable: float = 0.2,
    kinds: Sequence[str] = (),
    seed: int = 0,
    chunk_ids: bool = False,
    principal: Principal | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> QuestionSet:
    """Write a question set from the documents that `principal` may read, each question checked.

    Documents are named below the folder that all of them share, so that the set holds wherever that is.
    With the engine's language model, where it has one, it also writes questions of its own and puts some
    of the rules' in other words.

    Args:
        engine: The index, and what checks.
        count: How many questions at most; fewer where the documents hold no more good ones.
        unanswerable: Which share of them no document answers.
        kinds: `single_fact`, `number`, `date`, `definition`, `table`, `list`, `comparison`,
            `multi_document`, and with a model `paraphrase`; all by default.
        seed: Equal documents and seed give equal questions.
        chunk_ids: Whether the passages of this index that hold the answer are named too. They are then
            what retrieval is measured by, and are others once documents are cut anew.
        principal: Who reads, as in `search`.
        progress: Called with the questions written and how many are wanted.

    Raises:
        InputError: There are no documents, no such kind, or a number is out of range.
    """
    from rag.generation.verify import THRESHOLD
    from rag.index.analyzer import analyzer
    from rag.tracing import chunks_of

    plan = Plan(count, unanswerable, tuple(_kind(name) for name in kinds), seed)
    with engine.view(principal) as view:
        retrieve = engine.retriever(view)
        encoder = engine.encoder

        known: dict[str, Vectors] = {}

        def alike(text: str, others: Sequence[str]) -> list[float]:
            new = [each for each in dict.fromkeys((text, *others)) if each not in known]
            if new:
                known.update(zip(new, encoder.encode(new), strict=True))
            return [float(known[each] @ known[text]) for each in others]

        checker = Checker(
            lambda question, k: retrieve(question, k=k),
            engine.verifier,
            analyzer(engine.settings.language),
            THRESHOLD,
            alike,
        )
        listed = list(view.documents())
        documents = [view.document(each) for each in _chosen([d.id for d in listed], seed)]
        more = _author(engine, documents, plan, principal)
        found = write(documents, checker, plan, more=more, progress=progress)
        asked = found.questions
        if chunk_ids:
            ids = {document.source: document.id for document in documents}
            chunks = functools.cache(functools.partial(chunks_of, view, encoder))
            asked = tuple(_with_chunks(each, ids, chunks) for each in asked)
        names = relative_names(each.source for each in listed)
        return replace(found, questions=tuple(_renamed(each, names) for each in asked))


def write_file(found: QuestionSet, out: Path) -> None:
    """Write a question set as a question file, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        part.write_text(question_lines(found.questions), encoding="utf-8", errors="backslashreplace")
        part.replace(out)
    except OSError as error:
        raise InputError(
            f"cannot write {out}: {error.strerror}; name a file in a folder that exists"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _with_chunks(
    question: Question, ids: Mapping[str, str], chunks: Callable[[str], Mapping[str, Span]]
) -> Question:
    """The question with every chunk that holds enough of one of its places to answer from, best first."""
    found: dict[str, None] = {}
    for place in question.documents:
        held = chunks(ids[place.source]) if place.span and place.source in ids else {}
        shared = {name: _shared(span, place.span) for name, span in held.items() if place.span}
        whole = len(place.span) if place.span else 0
        best = sorted(shared, key=lambda name: (-shared[name], name))
        found.update(dict.fromkeys(name for name in best if enough(shared[name], whole)))
    return replace(question, reference_context_ids=tuple(found))


def _shared(one: Span, other: Span) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _renamed(question: Question, names: Mapping[str, str]) -> Question:
    places = tuple(
        replace(place, source=names.get(place.source, place.source)) for place in question.documents
    )
    return replace(question, documents=places)


def _chosen(ids: Sequence[str], seed: int) -> list[str]:
    import random

    if len(ids) <= MOST_DOCUMENTS:
        return list(ids)
    return sorted(random.Random(seed).sample(sorted(ids), MOST_DOCUMENTS))


def _kind(name: str) -> Kind:
    try:
        return Kind(name.strip())
    except ValueError as error:
        raise InputError(f"no kind {name!r} of question: use {', '.join(Kind)}") from error


def _author(
    engine: Engine, documents: Sequence[Document], plan: Plan, principal: Principal | None
) -> Callable[[Sequence[Draft]], list[Draft]] | None:
    model = engine.model
    if model is None:
        if Kind.PARAPHRASE in plan.kinds:
            raise InputError("paraphrase needs a language model: name one with --model FILE")
        return None
    from rag.eval.writing.language import Author

    author = Author(model, principal.tenant if principal else "")

    def more(drafts: Sequence[Draft]) -> list[Draft]:
        own = author.questions(documents, plan.count, plan.seed)
        return [*own, *author.paraphrases(drafts, plan.count // 4 + 1, plan.seed)]

    return more
