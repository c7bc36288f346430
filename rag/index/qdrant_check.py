"""Whether an index on a Qdrant server holds together."""

from __future__ import annotations

from collections import Counter

from rag.index.documents import BLOCK
from rag.index.qdrant_filter import all_of, match
from rag.index.qdrant_points import Manifest, Record, block_id
from rag.index.qdrant_remote import Remote


def find_problems(remote: Remote, names: tuple[str, str], manifest: Manifest) -> list[str]:
    """Return what is wrong with the commit that `manifest` names, nothing where all is well.

    It reads every document, every text and the place of every passage, and changes nothing.
    """
    chunks, documents = names
    seen = manifest.seen()
    passages: Counter[str] = Counter()
    ends: dict[str, int] = {}
    if manifest.serving:
        for point in remote.scroll(chunks, seen, keys=["text_id", "end"]):
            text_id = point.payload["text_id"]
            passages[text_id] += 1
            ends[text_id] = max(ends.get(text_id, 0), point.payload["end"])
    problems = []
    for point in remote.scroll(documents, all_of([match("kind", "document"), seen])):
        record = Record.of(point.payload)
        found = passages.pop(record.text_id, 0)
        if found != record.chunks:
            problems.append(f"document {record.document_id} has {found} of its {record.chunks} passages")
        blocks = [block_id(record.text_id, at) for at in range(-(-record.characters // BLOCK))]
        length = sum(len(block.payload["text"]) for block in remote.get(documents, blocks).values())
        if length != record.characters:
            problems.append(
                f"document {record.document_id} has {length} of its {record.characters} characters"
            )
        if ends.get(record.text_id, 0) > record.characters:
            problems.append(f"document {record.document_id} is shorter than its last passage")
    problems += [
        f"{count} passages are of text {text_id}, which is of no document"
        for text_id, count in passages.items()
    ]
    return problems
