"""Published test collections through the engine, so that its numbers stand beside other people's."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.eval.collections import Collection, CollectionDocument, read_collection
from rag.eval.measures import mean_run
from rag.intake import Progress
from rag.pipeline import Engine, Mode
from rag.protocols import Encoder, Reranker, Retriever
from rag.types import Chunk, Document, Settings, Span

MEASURES = ("nDCG@10", "Recall@100", "RR@10", "AP")
MODES: tuple[Mode, ...] = ("lexical", "dense", "hybrid")
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What one mode of search scored on a collection: means over its judged queries."""

    dataset: str
    split: str
    mode: Mode
    measures: dict[str, float]
    queries: int
    documents: int
    seconds: dict[str, float]

    @property
    def queries_per_second(self) -> float:
        """How many queries were searched a second, one after the other."""
        return self.queries / self.seconds["search"]

    def json(self) -> dict[str, object]:
        """The benchmark as `bench retrieval --json` prints it."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "mode": self.mode,
            "measures": self.measures,
            "queries": self.queries,
            "documents": self.documents,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "queries_per_second": round(self.queries_per_second, 2),
        }


def run_benchmark(
    folder: str | Path,
    *,
    split: str = "test",
    modes: Sequence[Mode] = ("hybrid",),
    settings: Settings | None = None,
    encoder: str | Path | Encoder | None = None,
    reranker: Reranker | None = None,
    progress: Progress | None = None,
) -> list[Benchmark]:
    """Index a BEIR folder in a temporary place and score each of `modes` on one split.

    Each document is one passage, as in the published runs: its title above its text, of which the
    encoder sees what it can. Each query is searched to depth 100. The one index serves all modes.

    Args:
        folder: `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`.
        split: Which judgments.
        modes: Which kinds of search.
        settings: BM25's k1 and b, and the kind of vector index.
        encoder: As for `rag.open`.
        reranker: Judges the candidates of each search once more; none by default.
        progress: As for `Engine.add`; the stage of the queries is the mode.

    Raises:
        QuestionFileError: The folder is not a collection.
    """
    collection = read_collection(folder, split)
    with (
        tempfile.TemporaryDirectory(prefix="rag-bench-") as place,
        Engine(
            Path(place) / "index", encoder=encoder, reranker=reranker, settings=settings, chunker=_whole
        ) as engine,
    ):
        started = time.perf_counter()
        engine.add(list(_documents(collection)), progress=progress)
        index_s = time.perf_counter() - started
        results = []
        with engine.view() as view:
            for mode in modes:
                retriever = engine.retriever(view, mode)
                search_s, run = _search(retriever, collection, _named(mode, progress))
                means = mean_run(run, collection.qrels, MEASURES)
                results.append(_benchmark(collection, mode, means, index_s, search_s))
    return results


def _benchmark(
    collection: Collection, mode: Mode, means: dict[str, float], index_s: float, search_s: float
) -> Benchmark:
    return Benchmark(
        dataset=collection.name,
        split=collection.split,
        mode=mode,
        measures=means,
        queries=len(collection.queries),
        documents=len(collection.documents),
        seconds={"index": index_s, "search": search_s},
    )


def _whole(document: Document) -> list[Chunk]:
    """The whole document as one chunk."""
    return [Chunk(document.id, Span(0, len(document.text)), document.text)]


def _documents(collection: Collection) -> Iterator[Document]:
    """The documents that hold anything; one with a title alone is found by that."""
    for each in collection.documents:
        title, text = (each.title, each.text) if each.text.strip() else ("", each.title)
        if text.strip():
            yield Document(id=each.id, source=each.id, title=title, text=text)


def _search(
    retriever: Retriever, collection: Collection, progress: Callable[[int, int], None]
) -> tuple[float, dict[str, dict[str, float]]]:
    """Run every query; return the seconds that took and the scores, without a query's own document."""
    documents = {each.id: each for each in collection.documents}
    run: dict[str, dict[str, float]] = {}
    seconds = 0.0
    retriever(next(iter(collection.queries.values())), k=DEPTH)  # so that no model is loaded in the time
    for done, (query, text) in enumerate(collection.queries.items()):
        progress(done, len(collection.queries))
        started = time.perf_counter()
        hits = retriever(text, k=DEPTH + 1)
        seconds += time.perf_counter() - started
        others = [hit for hit in hits if not _is_query(documents[hit.chunk.document_id], query, text)]
        run[query] = {hit.chunk.document_id: hit.score for hit in others[:DEPTH]}
    progress(len(collection.queries), len(collection.queries))
    return seconds, run


def _is_query(document: CollectionDocument, query: str, text: str) -> bool:
    """Whether the document is the query itself, as in collections that search with their documents."""
    return document.id == query and text.strip() in (document.text.strip(), document.title.strip())


def _named(mode: Mode, progress: Progress | None) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if progress:
            progress(mode, done, total)

    return report
