"""`rag` as it comes, or with torch as the encoder's runtime. Started by `bench_peer.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peer_worker import work


class Rag:
    """The engine with the settings of a new index."""

    packages = ("spanrag", "openvino", "torch", "sentence-transformers", "faiss-cpu", "pypdfium2", "numpy")

    def __init__(self, job: dict[str, Any]) -> None:
        self._torch = job["encoder"] == "torch"

    def load(self) -> None:
        import rag
        from rag.index.encoder_folder import bundled_folder
        from rag.index.encoder_torch import SentenceTransformerEncoder

        self._encoder = (
            SentenceTransformerEncoder(bundled_folder(), device="cpu")
            if self._torch
            else rag.resolve_encoder(device="cpu")
        )
        self._encoder.encode(["a text"])

    def ingest(self, pdfs: Sequence[Path], folder: Path) -> None:
        with self._opened(folder) as kb:
            self._report = kb.add(pdfs)
        self._folder = folder

    def facts(self) -> dict[str, Any]:
        with self._opened(self._folder) as kb:
            documents = [kb.document(document.id) for document in kb.documents()]
            pages = [
                document.text[page.span.start : page.span.end]
                for document in documents
                for page in document.pages
            ]
            return {
                "chunks": kb.stats().chunks,
                "pages": len(pages),
                "pages_without_text": sum(not page.strip() for page in pages),
                "characters": sum(len(page) for page in pages),
                "failed": [f"{entry.source}: {entry.reason}" for entry in self._report.failed],
                "left_out": {
                    Path(document.source).name: document.left_out
                    for document in documents
                    if document.left_out
                },
                "stage_seconds": dict(self._report.stage_seconds),
                "encoder": type(self._encoder).__name__,
            }

    def again(self, pdfs: Sequence[Path], folder: Path) -> int:
        with self._opened(folder) as kb:
            return int(kb.add(pdfs).chunks_embedded)

    def open(self, folder: Path) -> None:
        self._kb = self._opened(folder)

    def search(self, query: str, mode: str, k: int) -> Sequence[Any]:
        return self._kb.search(query, k=k, mode=mode)

    def place(self, hit: Any) -> tuple[str, int | None, int | None]:
        return Path(hit.source).name, hit.chunk.page, hit.chunk.last_page

    def _opened(self, folder: Path) -> Any:
        import rag

        return rag.open(folder, encoder=self._encoder)


if __name__ == "__main__":
    work(Rag)
