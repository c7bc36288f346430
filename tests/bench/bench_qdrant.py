"""What an index on Qdrant costs, and how near its BM25 is to ours: the figures of docs/sizing.md.

    python tests/bench/bench_qdrant.py pages FOLDER...          # PDF files -> pages, chunks, bytes, terms
    python tests/bench/bench_qdrant.py encode FOLDER [DEVICE]   # their chunks encoded a second; DEVICE cuda
    python tests/bench/bench_qdrant.py bm25 BEIR_FOLDER         # nDCG@10 by the average length that is taken
    python tests/bench/bench_qdrant.py store VECTORS.npz [ROWS] # bytes, upload and searches, real vectors
    python tests/bench/bench_qdrant.py idf                      # what counting idf over a filter costs

Qdrant is its engine in this process (qdrant-edge-py), so no network is in the times, which are of the CPU
unless a device is named. VECTORS.npz is of `real_vectors.py`.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "index"))

from edge_client import EdgeClient

from rag.index import qdrant_points
from rag.index.analyzer import english
from rag.index.documents import Fields, Prepared
from rag.index.qdrant_address import Address
from rag.index.qdrant_filter import all_of, in_range, match
from rag.index.qdrant_points import CHUNK_INDEXES, DOCUMENT_INDEXES, Manifest, Record, chunk_points
from rag.index.qdrant_remote import Point, Remote
from rag.index.qdrant_sparse import average_length, chunk_vector, query_vector
from rag.types import Chunk, Document, Settings, Span

SETTINGS = Settings()
VOCABULARY = 200_000


def remote(place: str) -> tuple[Remote, EdgeClient]:
    client = EdgeClient(Path(place))
    return Remote(client, Address.parse("qdrant://host/bench")), client


def pages(folders: list[str]) -> None:
    from rag.index.encoder import resolve_encoder
    from rag.ingestion.chunk import RecursiveChunker
    from rag.ingestion.load import load_bytes

    encoder: Any = resolve_encoder(None)
    cut = RecursiveChunker(SETTINGS.size_tokens, SETTINGS.overlap_tokens, encoder.token_offsets)
    total: Counter[str] = Counter()
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.pdf")):
        document = load_bytes(path.read_bytes(), str(path))
        total.update(documents=1, pages=len(document.pages), text_bytes=len(document.text.encode()))
        for chunk in cut(document):
            terms = english(chunk.text)
            total.update(chunks=1, chunk_bytes=len(chunk.text.encode()), terms=len(terms))
            total.update(distinct_terms=len(set(terms)), tokens=len(encoder.token_offsets(chunk.text)))
    chunks = total["chunks"]
    each = {f"{name}_a_chunk": total[name] / chunks for name in ("terms", "distinct_terms", "tokens")}
    show(
        {
            **total,
            "chunks_a_page": chunks / total["pages"],
            "bytes_a_page": total["text_bytes"] / total["pages"],
        }
        | each
        | {"bytes_a_chunk": total["chunk_bytes"] / chunks}
    )


def encode(folder: str, device: str = "cpu") -> None:
    """A CPU is the default encoder's, in seconds of CPU time; another device is torch's, by the clock."""
    from rag.index.encoder import resolve_encoder
    from rag.index.encoder_folder import bundled_folder
    from rag.index.encoder_torch import SentenceTransformerEncoder
    from rag.ingestion.chunk import RecursiveChunker
    from rag.ingestion.load import load_bytes

    own: Any = resolve_encoder(None)
    cut = RecursiveChunker(SETTINGS.size_tokens, SETTINGS.overlap_tokens, own.token_offsets)
    files = sorted(Path(folder).rglob("*.pdf"))
    few, many = 128, 50_000
    texts: list[str] = []
    for path in files:
        texts += [f"{path.stem}\n{chunk.text}" for chunk in cut(load_bytes(path.read_bytes(), str(path)))]
        if device == "cpu" and len(texts) >= few:
            break
    encoder = own if device == "cpu" else SentenceTransformerEncoder(bundled_folder(), device)
    texts = texts[:few] if device == "cpu" else (texts * (many // len(texts) + 1))[:many]
    encoder.encode(texts[:32])
    clock = time.process_time if device == "cpu" else time.perf_counter
    began = clock()
    encoder.encode(texts)
    tokens = sum(len(own.token_offsets(text)) for text in texts[:few]) / few
    show({"device": device, "tokens_a_text": tokens, "texts_a_second": len(texts) / (clock() - began)})


def bm25(folder: str) -> None:
    from rag.eval.collections import read_collection
    from rag.eval.measures import mean_run

    collection = read_collection(folder, "test")
    rows = [([], english(f"{each.title}\n{each.text}")) for each in collection.documents]
    lengths = np.array([len(terms) for _, terms in rows])
    first = average_length(rows[:2048], SETTINGS)
    for name, average in (("exact", lengths.mean()), ("first commit", first), ("100", 100.0), ("200", 200.0)):
        with tempfile.TemporaryDirectory() as place:
            server, client = remote(place)
            server.make_collection("bench", {"since": CHUNK_INDEXES["since"]}, (1, SETTINGS))
            points = [
                Point(f"00000000-0000-0000-0000-{at:012}", {"at": at, "since": 1}, [1.0], vector)
                for at, row in enumerate(rows)
                if (vector := chunk_vector(row, float(average), SETTINGS))["indices"]
            ]
            server.put("bench", points)
            client._shard("bench").optimize()
            seen, run = all_of([in_range("since", lte=1)]), {}
            for query, text in collection.queries.items():
                terms = query_vector(english(text))
                found = server.search("bench", terms, seen, 100, ["at"], corpus=seen)
                run[query] = {collection.documents[hit.payload["at"]].id: hit.score for hit in found}
            show(
                {"average": name, "terms": float(average)}
                | mean_run(run, collection.qrels, ("nDCG@10", "Recall@100"))
            )


def store(vectors: str, wanted: str = "50000") -> None:
    """Chunks of 100 terms and 730 bytes, as `pages` finds them in annual reports, ten a document."""
    cache, rng = np.load(vectors), np.random.default_rng(1)
    dense, queries = cache["vectors"][: int(wanted)], cache["queries"]
    weights = np.cumsum(1 / np.arange(1, VOCABULARY + 1) ** 1.05)
    names = np.array([f"term{n}" for n in range(VOCABULARY)])
    words = lambda n: names[np.searchsorted(weights / weights[-1], rng.random(n))].tolist()  # noqa: E731
    with tempfile.TemporaryDirectory() as place:
        server, client = remote(place)
        server.make_collection("bench-documents", DOCUMENT_INDEXES)
        server.make_collection("bench-1", CHUNK_INDEXES, (dense.shape[1], SETTINGS))
        prepared_s = written_s = 0.0
        for start in range(0, len(dense), 2000):
            began = time.process_time()
            stored, chunks = [], []
            for at in range(start, min(start + 2000, len(dense)), 10):
                record, prepared = _prepared(at, dense[at : at + 10], words)
                sparse = [chunk_vector(terms, 100.0, SETTINGS) for terms in prepared.terms]
                stored += [record.point(1), *qdrant_points.text_points(record, prepared.document.text, 1)]
                chunks += chunk_points(record, prepared, sparse, 1)
            made = time.process_time()
            server.put("bench-documents", stored)
            server.put("bench-1", chunks)
            prepared_s, written_s = prepared_s + made - began, written_s + time.process_time() - made
        began = time.process_time()
        for name in ("bench-1", "bench-documents"):
            client._shard(name).optimize()
            client._shard(name).flush()
        optimized_s = time.process_time() - began
        show(
            {
                "chunks": len(dense),
                "prepare_chunks_a_cpu_second": len(dense) / prepared_s,
                "write_chunks_a_cpu_second": len(dense) / written_s,
                "optimize_chunks_a_cpu_second": len(dense) / optimized_s,
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
        for name in ("bench-1", "bench-documents"):
            show({"collection": name} | _bytes_a_chunk(Path(place) / name, len(dense)))
        _searches(server, dense, queries[:200], words)


def _prepared(at: int, vectors: Any, words: Any) -> tuple[Record, Prepared]:
    text = " ".join(words(1000))[: 730 * len(vectors)].ljust(730 * len(vectors), "x")
    document = Document(f"{at:064x}", f"/archive/report-{at}.pdf", f"Report {at}", text)
    spans = [Span(730 * n, 730 * (n + 1)) for n in range(len(vectors))]
    chunks = tuple(Chunk(document.id, s, text[s.start : s.end], 1, "Part I > Item 1", 1) for s in spans)
    prepared = Prepared(
        document,
        Fields({"team": f"team-{at % 7}", "year": 2000 + at % 25}),
        b"0" * 16,
        chunks,
        tuple(([], words(100)) for _ in chunks),
        tuple((at + n).to_bytes(16) for n in range(len(chunks))),
        vectors,
    )
    return Record.new("", prepared, 1), prepared


def _bytes_a_chunk(folder: Path, chunks: int) -> dict[str, float]:
    """The bytes on disk for each chunk, by what the engine keeps apart."""
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file():
            parts = path.relative_to(folder).parts
            name = parts[2] if parts[0] == "segments" and len(parts) > 3 else parts[0]
            if name == "payload_index":
                name = f"index of {parts[3].partition('-')[0]}"
            if path.name == "quantized.data":
                name = "codes"
            found[name] += path.stat().st_blocks * 512
    return {name: round(count / chunks, 1) for name, count in found.most_common()} | {
        "all": round(sum(found.values()) / chunks, 1)
    }


def _searches(server: Remote, dense: Any, queries: Any, words: Any) -> None:
    seen = all_of([match("tenant", ""), Manifest("", commit=1).seen()])
    best = [np.argsort(-(dense @ query))[:10] for query in queries]
    for ef in (32, 64, 128, 256):
        began, hits = time.process_time(), 0
        for query, wanted in zip(queries, best, strict=True):
            found = server.search("bench-1", query, seen, 10, ["content"], ef_search=ef)
            got = {int.from_bytes(bytes.fromhex(hit.payload["content"].replace("-", ""))) for hit in found}
            hits += len(got & set(wanted.tolist()))
        milliseconds = 1e3 * (time.process_time() - began) / len(queries)
        show({"dense": f"ef_search {ef}", "cpu_ms": milliseconds, "recall@10": hits / 10 / len(queries)})
    for name, corpus in (("seen", seen), ("all", None)):
        asked = [query_vector(words(6)) for _ in queries]
        began = time.process_time()
        for query in asked:
            server.search("bench-1", query, seen, 100, ["content"], corpus=corpus)
        show({"bm25": f"idf over {name}", "cpu_ms": 1e3 * (time.process_time() - began) / len(queries)})


def idf() -> None:
    rng = np.random.default_rng(1)
    weights = np.cumsum(1 / np.arange(1, VOCABULARY + 1) ** 1.05)
    seen = Manifest("", commit=1).seen()
    keys = {key: CHUNK_INDEXES[key] for key in ("tenant", "since", "until")}
    for rows in (20_000, 80_000):
        with tempfile.TemporaryDirectory() as place:
            server, client = remote(place)
            server.make_collection("bench", keys, (1, SETTINGS))
            payload = {"tenant": "", "since": 1, "until": qdrant_points.FOREVER}
            for start in range(0, rows, 2000):
                batch = []
                for at in range(start, start + 2000):
                    terms = np.unique(np.searchsorted(weights / weights[-1], rng.random(100)))
                    sparse = {"indices": terms.tolist(), "values": rng.random(len(terms)).tolist()}
                    batch.append(Point(f"00000000-0000-0000-0000-{at:012}", payload, [1.0], sparse))
                server.put("bench", batch)
            client._shard("bench").optimize()
            mine = all_of([match("tenant", "")])
            for name, corpus in (("all", None), ("tenant", mine), ("seen", all_of([mine, seen]))):
                times = []
                for seed in range(40):
                    terms = np.unique(
                        np.searchsorted(weights / weights[-1], np.random.default_rng(seed).random(6) ** 0.5)
                    )
                    query = {"indices": terms.tolist(), "values": [1.0] * len(terms)}
                    began = time.process_time()
                    server.search("bench", query, all_of([mine, seen]), 100, [], corpus=corpus)
                    times.append(time.process_time() - began)
                show({"rows": rows, "idf over": name, "cpu_ms": 1e3 * float(np.median(times))})


def show(line: dict[str, Any]) -> None:
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in line.items()}
    print(json.dumps(rounded), flush=True)


if __name__ == "__main__":
    commands = {
        "pages": lambda *a: pages(list(a)),
        "encode": encode,
        "bm25": bm25,
        "store": store,
        "idf": idf,
    }
    commands[sys.argv[1]](*sys.argv[2:])
