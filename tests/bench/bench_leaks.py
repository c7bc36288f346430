"""Does anything leak: random questions of members of 20 tenants, over one index and over one of each tenant.

    OMP_NUM_THREADS=1 python tests/bench/bench_leaks.py --queries 100000 --folder /tmp/leaks

Tenants share words, sources, and some of their documents to the byte; half of the documents name
readers. Between the rounds tenants add, change and delete documents, and the index is compacted. Every
hit is held to rules kept beside the index: its tenant, its readers, the filter. Every question is also put
to an index that holds nothing but the asker's tenant: the two answers must be the same to the bit.
Prints a table in Markdown, and ends with 1 where anything leaked or differed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes import HashingEncoder, document

from rag.pipeline import Engine
from rag.types import Document, Hit, Principal, Settings

TENANTS = [f"tenant{at:02d}" for at in range(20)]
NAMES, GROUPS = ["ann", "bob", "cid", "dan"], ["hr", "it", "law"]
MODES = ("lexical", "dense", "hybrid")
WORDS = [f"{start}{end}" for start in "bcdfghklmnprst" for end in ("alo", "eni", "ira", "omu", "uta", "ybe")]


PARTS = 4
"""The calls of `add` that a tenant makes a round."""


@dataclass
class Kept:
    """What a tenant's documents are, kept beside the index: by source the text, fields and readers."""

    documents: dict[str, tuple[Document, frozenset[str]]] = field(default_factory=dict)

    def may_read(self, who: Principal) -> dict[str, Document]:
        """What one may read, by source."""
        names = {who.name, *who.groups}
        return {
            source: each
            for source, (each, readers) in self.documents.items()
            if who.operator or not readers or readers & names
        }


def some_text(choose: random.Random, tenant: str) -> str:
    own = f"{tenant}own{choose.randrange(30)}"
    drawn = choose.choices(WORDS, k=choose.randint(8, 60))
    return " ".join([*drawn, own]) + ".\n" + " ".join(choose.choices(WORDS, k=20)) + "."


def change(kept: Kept, engines: list[Engine], tenant: str, choose: random.Random, count: int) -> None:
    """Write some documents of a tenant to both indexes, each part with its readers, and delete one."""
    for _ in range(PARTS):
        readers = choose.sample(NAMES + GROUPS, choose.randint(1, 3)) if choose.random() < 0.5 else []
        new: dict[str, Document] = {}
        for _ in range(count // PARTS):
            number = choose.randrange(7)
            shared = choose.random() < 0.2
            # The same bytes under the same source as in any other tenant.
            text = some_text(random.Random(f"shared{number}"), "all") if shared else some_text(choose, tenant)
            source = f"shared{number}" if shared else f"note{choose.randrange(90)}"
            new[source] = document(text, source, size=len(text) % 7, team=choose.choice(GROUPS))
        kept.documents |= {source: (each, frozenset(readers)) for source, each in new.items()}
        for engine in engines:
            assert not engine.add(list(new.values()), tenant=tenant, readers=readers).failed
    gone = choose.choice(sorted(kept.documents))
    lost, _ = kept.documents.pop(gone)
    for engine in engines:
        engine.delete(lost.id, tenant=tenant)


def some_query(choose: random.Random) -> str:
    parts = choose.choices(WORDS, k=choose.randint(1, 5))
    if choose.random() < 0.3:
        parts.append(f"{choose.choice(TENANTS)}own{choose.randrange(30)}")  # a word of one tenant's alone
    sign = choose.random()
    if sign < 0.05:
        parts[0] = f"+{parts[0]}"
    elif sign < 0.1:
        parts = [f'"{parts[0]} {choose.choice(WORDS)}"', choose.choice(WORDS), *parts]
    elif sign < 0.15:
        parts.append(f"-{choose.choice(WORDS)}")
    return " ".join(parts)


def some_filter(choose: random.Random) -> dict[str, object] | None:
    limit, team = choose.randrange(7), choose.choice(GROUPS)
    return choose.choice(
        [
            None,
            None,
            {"team": team},
            {"size": {"$lte": limit}},
            {"$or": [{"team": team}, {"size": {"$gt": limit}}]},
            {"$nor": [{"tenant": "tenant00"}]},
            {"source": {"$ne": "shared1"}},
        ]
    )


def passes(each: Document, where: dict[str, object] | None) -> bool:
    """Whether a document is inside one of the filters above."""
    size, team = each.metadata["size"], each.metadata["team"]
    match where:
        case {"team": str(wanted)}:
            return team == wanted
        case {"size": {"$lte": limit}}:
            return size <= limit
        case {"$or": [{"team": wanted}, {"size": {"$gt": limit}}]}:
            return team == wanted or size > limit
        case {"source": {"$ne": source}}:
            return each.source != source
    return True


def somebody(choose: random.Random, tenant: str) -> Principal:
    kind = choose.random()
    if kind < 0.1:
        return Principal(tenant=tenant, operator=True)
    if kind < 0.2:
        return Principal(tenant=tenant)
    return Principal(choose.choice(NAMES), tenant, tuple(choose.sample(GROUPS, choose.randint(0, 2))))


def foreign(hits: tuple[Hit, ...] | list[Hit], allowed: dict[str, Document], where: object) -> int:
    """How many hits are not of a document that may be read, or outside the filter, or of another text."""
    wrong = 0
    for hit in hits:
        each = allowed.get(hit.source)
        chunk = hit.chunk
        right = each is not None and each.id == chunk.document_id and passes(each, where)
        wrong += not (right and each.text[chunk.start : chunk.end] == chunk.text)
    return wrong


def question(
    shared: Engine, alone: Engine, kept: Kept, choose: random.Random, who: Principal, ask: bool
) -> Counter[str]:
    """Put one question to both indexes."""
    allowed, where = kept.may_read(who), some_filter(choose)
    query, k = some_query(choose), choose.choice([1, 3, 10, 50])
    if ask:
        one, other = (each.ask(query, k=min(k, 10), where=where, principal=who) for each in (shared, alone))
        ids = {each.id for each in allowed.values()}
        wrong = foreign(one.contexts, allowed, where)
        wrong += sum(citation.document_id not in ids for citation in one.citations)
        told = [
            [each.text, each.sentences, each.citations, each.contexts, each.confidence]
            for each in (one, other)
        ]
        return Counter(
            questions=1, hits=len(one.contexts), foreign=wrong, different=repr(told[0]) != repr(told[1])
        )
    mode = choose.choice(MODES)
    one, other = (each.search(query, k=k, mode=mode, where=where, principal=who) for each in (shared, alone))
    return Counter({mode: 1}) + Counter(
        questions=1, hits=len(one), foreign=foreign(one, allowed, where), different=repr(one) != repr(other)
    )


def round_of(folder: Path, kept: dict[str, Kept], seed: str, count: int, ask_every: int) -> Counter[str]:
    """Put a number of questions. Runs in a process of its own."""
    choose, told = random.Random(seed), Counter[str]()
    tenants = choose.sample(TENANTS, len(TENANTS))
    with Engine(folder / "shared", encoder=HashingEncoder()) as shared:
        assert shared.search("balo beni", principal=None) == []
        for place, tenant in enumerate(tenants):
            with Engine(folder / tenant, encoder=HashingEncoder()) as alone:
                for at in range(place, count, len(tenants)):
                    who = somebody(choose, tenant)
                    ask = at % ask_every == ask_every - 1
                    told += question(shared, alone, kept[tenant], choose, who, ask)
                    told["answers"] += ask
                told["documents"] += len(shared.documents(principal=Principal(tenant=tenant, operator=True)))
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="a new folder")
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=25, help="how many each tenant writes a round")
    parser.add_argument("--ask-every", type=int, default=101)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kind", default="flat")
    asked = parser.parse_args()
    os.fsync = lambda descriptor: None  # nobody cuts the power here
    started, told = time.perf_counter(), Counter[str]()
    choose, kept = random.Random(20), {tenant: Kept() for tenant in TENANTS}
    options = {
        "encoder": HashingEncoder(),
        "settings": Settings(kind=asked.kind, size_tokens=30, overlap_tokens=5),
    }
    part = asked.queries // asked.rounds // asked.processes
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for at in range(asked.rounds):
            with Engine(asked.folder / "shared", **options) as shared:
                for tenant in choose.sample(TENANTS, len(TENANTS)):
                    with Engine(asked.folder / tenant, **options) as alone:
                        change(kept[tenant], [shared, alone], tenant, choose, asked.documents)
                if at == asked.rounds // 2:
                    shared.compact()
                    for tenant in TENANTS:
                        with Engine(asked.folder / tenant, **options) as alone:
                            alone.compact()
                stats = shared.stats()
            work = [
                (asked.folder, kept, f"{at}-{each}", part, asked.ask_every) for each in range(asked.processes)
            ]
            told += sum(pool.starmap(round_of, work), Counter[str]())
            print(f"round {at + 1}: {dict(told)}", file=sys.stderr)
    seconds = time.perf_counter() - started
    print(
        "| questions | lexical | dense | hybrid | ask | hits | foreign hits | different answers | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    columns = ("questions", "lexical", "dense", "hybrid", "answers", "hits", "foreign", "different")
    print("| " + " | ".join(f"{told[name]:,}" for name in columns) + f" | {seconds:.0f} |")
    print(
        f"\n{len(TENANTS)} tenants, {stats.documents} documents, {stats.chunks} passages, kind {asked.kind}"
    )
    sys.exit(bool(told["foreign"] or told["different"]))


if __name__ == "__main__":
    main()
