"""Bytes to documents to chunks."""

from rag.ingestion.chunk import RecursiveChunker, word_offsets
from rag.ingestion.load import find_files, load, load_bytes

__all__ = ["RecursiveChunker", "find_files", "load", "load_bytes", "word_offsets"]
