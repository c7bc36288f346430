"""Our own store as a subject of the laboratory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fakes import HashingEncoder, document
from harness import check_consistent

from lab.script import Disagreement, State
from rag.index import plan
from rag.pipeline import Engine
from rag.repair import repair
from rag.types import Settings

plan.FEWEST_ROWS = 1  # so that the few rows here have every kind of file

ENCODERS = (HashingEncoder(), HashingEncoder(32, "another"))
MODES = ("lexical", "dense", "hybrid")


class Store:
    """An index; what `read` shows was compared with every table, segment and leg."""

    def __init__(self, folder: Path, *, create: bool):
        settings = Settings(kind="hnsw") if create else None
        self._engine = Engine(folder, encoder=ENCODERS[0], create=create, settings=settings)
        self._encoder = ENCODERS[0]
        self._take_the_encoder_that_serves()

    def _take_the_encoder_that_serves(self) -> None:
        """Open the index again where it is searched with another encoder than one has."""
        before, serving = self._engine, self._engine._store.fingerprint()
        if serving in (None, self._encoder.fingerprint):
            return
        encoder = next(each for each in ENCODERS if each.fingerprint == serving)
        self._engine = Engine(before._store.folder, encoder=encoder, create=False)
        self._encoder = encoder
        before.close()

    def add(self, texts: Mapping[str, str]) -> None:
        report = self._engine.add([document(text, name) for name, text in texts.items()])
        assert not report.failed and not report.skipped, report

    def delete(self, names: Sequence[str]) -> None:
        self._engine.delete([each.id for each in self._engine.documents() if each.source in names])

    def compact(self) -> None:
        self._engine.compact()

    def reembed(self) -> None:
        another = next(each for each in ENCODERS if each is not self._encoder)
        self._engine.reembed(another)
        self._encoder = another

    def roll_back(self) -> None:
        self._engine.roll_back()
        self._take_the_encoder_that_serves()

    def read(self) -> State:
        self._take_the_encoder_that_serves()
        try:
            check_consistent(self._engine._store)
            with self._engine.view() as view:
                state = {each.source: view.document(each.id).text for each in view.documents()}
            for mode in MODES if state else ():
                hits = self._engine.search("file version document", k=1000, mode=mode)
                found = {hit.source for hit in hits}
                assert found == set(state), f"{mode} shows {found}, the index {set(state)}"
                for hit in hits:
                    assert state[hit.source][hit.chunk.start : hit.chunk.end] == hit.chunk.text
        except AssertionError as error:
            raise Disagreement(str(error)) from error
        return state

    def answers(self) -> Any:
        """All that can be asked: every document, and the hits of some queries with their scores."""
        with self._engine.view() as view:
            documents = {
                each.id: [each.source, each.title, view.document(each.id).text, dict(each.metadata)]
                for each in view.documents()
            }
        hits = {
            f"{mode} {query}": [
                [hit.chunk.id, hit.chunk.text, hit.source, round(hit.score, 5)]
                for hit in self._engine.search(query, k=20, mode=mode)
            ]
            for mode in MODES
            for query in ("file version", "more words of b", "afterwards")
        }
        return {"documents": documents, "hits": hits}

    def problems(self) -> list[str]:
        """What the index finds wrong with itself."""
        return self._engine.problems()

    @staticmethod
    def mend(folder: Path) -> list[str]:
        """Repair a damaged index, and say what was done and what is lost."""
        return repair(folder, lambda: ENCODERS[1])  # the script ends with it

    def close(self) -> None:
        self._engine.close()


class Careless(Store):
    """The same index on a disk that is never asked to be sure: what the laboratory must find wrong."""

    def __init__(self, folder: Path, *, create: bool):
        os.fsync = os.fdatasync = lambda descriptor: None
        super().__init__(folder, create=create)
