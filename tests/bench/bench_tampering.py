"""How many changed answers are found: each field of 1,000 saved answers is changed in turn.

    RAG_DATA=... python tests/bench/bench_tampering.py --answers 1000

Of each answer every field is changed once (of a list, in one item of it), the result is saved, read
and proven again. Twice: as anyone would change it, and as one would who holds the secret of the index and
seals the changed answer again. The second is not promised; it shows what the documents alone, and asking
again, prove. Without RAG_DATA the questions are the handbook's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path as File

sys.path.insert(0, str(File(__file__).parents[1]))

from tampering import Path, field_of, paths, tampered

import rag
from rag.api.saved import read_answer
from rag.api.schema import answer_json
from rag.errors import InputError
from rag.generation.proof import Documents, prove
from rag.generation.seal import sealed
from rag.types import Document

DATA = File(__file__).parents[2] / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    chance = random.Random(wanted.seed)
    with tempfile.TemporaryDirectory() as folder, rag.open(File(folder) / "index") as kb:
        questions = list(_questions(kb))[: wanted.answers]
        started = time.perf_counter()
        answers = [kb.ask(question) for question in questions]
        print(
            f"{len(answers)} answers, {sum(each.abstained for each in answers)} of them abstentions, "
            f"{time.perf_counter() - started:.0f} s"
        )
        documents = {each.id: kb.document(each.id) for each in kb.documents()}
        key = kb._store.seal_key
        print(
            f"proven as they are: {sum(_is_proven(answer, documents.__getitem__, key) for answer in answers)}"
        )
        _try_all(answers, documents.__getitem__, key, chance, forged=False)
        _try_all(answers, documents.__getitem__, key, chance, forged=True)


def _questions(kb: rag.Engine) -> Iterator[str]:
    if folder := os.environ.get("RAG_DATA"):
        xquad = File(folder) / "retrieval" / "xquad" / "en"
        kb.add(
            [
                Document(id=row["_id"], source=row["_id"], title=row["title"], text=row["text"])
                for row in _rows(xquad / "corpus.jsonl")
            ]
        )
        yield from (row["text"] for row in _rows(xquad / "queries.jsonl"))
    kb.add(DATA / "handbook")
    yield from (row["user_input"] for row in _rows(DATA / "questions.jsonl"))


def _rows(file: File) -> Iterator[dict]:
    return map(json.loads, file.read_text(encoding="utf-8").splitlines())


def _is_proven(answer: rag.Answer, documents: Documents, key: bytes) -> bool:
    return all(verdict.proven for verdict in prove(answer, documents, key))


def _try_all(answers: list, documents: Documents, key: bytes, chance: random.Random, *, forged: bool) -> None:
    tried, missed = Counter(), Counter()
    for answer in answers:
        printed = json.loads(json.dumps(answer_json(answer)))
        for path in _one_of_each(printed, chance):
            if forged and path[0] == "seal":
                continue
            _, wrong = tampered(printed, path, chance)
            tried[field_of(path)] += 1
            missed[field_of(path)] += _passes(wrong, documents, key, forged=forged)
    total, passed = sum(tried.values()), sum(missed.values())
    print(
        f"{'sealed again with the secret' if forged else 'changed'}: {total} in {len(tried)} fields, "
        f"found {total - passed} ({1 - passed / total:.2%}), missed {passed}"
    )
    for field, count in missed.most_common():
        if count:
            print(f"  {field}: missed {count} of {tried[field]}")


def _one_of_each(printed: dict, chance: random.Random) -> list[Path]:
    by_field: dict[str, list[Path]] = {}
    for path in paths(printed):
        by_field.setdefault(field_of(path), []).append(path)
    return [chance.choice(each) for each in by_field.values()]


def _passes(wrong: dict, documents: Documents, key: bytes, *, forged: bool) -> bool:
    try:
        answer, altered = read_answer(json.dumps(wrong), "answer")
        if altered:
            return False
        return _is_proven(sealed(answer, key) if forged else answer, documents, key)
    except (InputError, KeyError):  # a document of that id is not there
        return False


if __name__ == "__main__":
    main()
