"""The data that flows through the house, one frozen dataclass a thing.

Offsets count characters (Unicode code points) of `Document.text`; ranges are
half-open; pages and ranks count from 1; a higher score is better.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Scalar: TypeAlias = str | int | float | bool | None
Metadata: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]
Filter: TypeAlias = Mapping[str, object]
"""A Mongo-like condition: `{"team": "hr", "year": {"$gte": 2020}}`."""

Vectors: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int32]
Scores: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of characters, `start <= end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a range of characters: [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Whether the two ranges share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone on whose behalf is read and written: a member of one tenant, known by a name and groups.

    A document that names its readers is seen by those of its tenant who have one of these
    names; one that names none is seen by all of its tenant. An `operator` sees all of it.
    """

    name: str = ""
    tenant: str = ""
    groups: tuple[str, ...] = ()
    operator: bool = False

    @property
    def names(self) -> frozenset[str]:
        """The name and the groups, any of which a document may let read."""
        return frozenset(name for name in (self.name, *self.groups) if name)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a document: its number, from 1, and the text that stands on it."""

    number: int
    span: Span


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (level 1 is the topmost) and the text it governs, the heading's own line included."""

    level: int
    title: str
    span: Span


@dataclass(frozen=True, slots=True)
class Document:
    """A file as text. `id` is the SHA-256 of its bytes, in hexadecimal.

    `pages` is empty for formats without pages, else in order and without gaps.
    `sections` are in order of their start; a deeper one lies inside its parent.
    `left_out` names, for a reader, what of the file is not in `text`.
    """

    id: str
    source: str
    title: str
    text: str
    pages: tuple[Page, ...] = ()
    sections: tuple[Section, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """The number of the page on which the character at `offset` stands."""
        at = bisect_right(self.pages, offset, key=lambda page: page.span.start) - 1
        return self.pages[at].number if at >= 0 else None

    def section_at(self, offset: int) -> str:
        """The headings above the character at `offset`, outermost first: `Leave > Parental leave`."""
        return " > ".join(s.title for s in self.sections if s.span.start <= offset < s.span.end)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: the characters of `span` in its document, verbatim.

    `page` is where it starts and `last_page` where it ends (None where the format
    has no pages); `section` is the path of headings above its first character, `""`
    where there is none.
    """

    document_id: str
    span: Span
    text: str
    page: int | None = None
    section: str = ""
    last_page: int | None = None

    @property
    def id(self) -> str:
        """`<document>:<start>-<end>`."""
        return f"{self.document_id}:{self.span.start}-{self.span.end}"

    @property
    def start(self) -> int:
        """The offset of its first character in the document's text."""
        return self.span.start

    @property
    def end(self) -> int:
        """The offset behind its last character in the document's text."""
        return self.span.end

    def is_on(self, page: int) -> bool:
        """Whether some of it stands on that page."""
        return self.page is not None and self.page <= page <= (self.last_page or self.page)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What makes two vectors comparable. Two encoders agree when all of it is equal."""

    name: str
    revision: str
    dimension: int
    pooling: str = "mean"
    prompt: str = ""
    normalized: bool = True


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best rows of one view of an index, best first: rows int32 (k,), scores float32 (k,).

    Rows are numbers that mean something to the view that gave them, and to nothing else.
    """

    rows: Rows
    scores: Scores


@dataclass(frozen=True, slots=True)
class LegScores:
    """What each stage thought of a hit; None where the stage did not see it."""

    bm25: float | None = None
    dense: float | None = None
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a retriever returned, with its rank (from 1) and score."""

    rank: int
    score: float
    chunk: Chunk
    source: str
    title: str
    scores: LegScores = LegScores()


@dataclass(frozen=True, slots=True)
class Citation:
    """The proof of a sentence: `quote == document.text[start:end]`, exactly.

    `highlight` is the part of the quote that answers a question for a name, a number or a date,
    at its place in the document; None where there is none.
    """

    number: int
    document_id: str
    source: str
    title: str
    page: int | None
    section: str
    start: int
    end: int
    quote: str
    highlight: Span | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer, the numbers of the citations that prove it, and how well (0..1).

    `faults` says, for a reader, what of it its citations do not prove.
    """

    text: str
    citations: tuple[int, ...]
    supported: bool
    support: float
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement and the passages that are to prove it, each verbatim.

    `question` is what it answers, whose names it may take up without proof.
    """

    text: str
    evidence: tuple[str, ...]
    question: str = ""


@dataclass(frozen=True, slots=True)
class Support:
    """How likely a claim follows from its evidence, calibrated in 0..1, and what of it is not there."""

    probability: float
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's verdict, 0 (no) to 1 (yes), and why. `value` is None where it gave none, for that reason."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AskedBack:
    """A question that a text would answer, and whether the text avoids an answer.

    Where one was asked for and none could be had, `question` is empty and `missed` says why.
    """

    question: str
    noncommittal: bool = False
    missed: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Citations of an answer that disagree: their numbers, newest first, each with its date or `""`."""

    citations: tuple[int, ...]
    dates: tuple[str, ...]
    about: str


@dataclass(frozen=True, slots=True)
class Message:
    """A turn of a conversation. `role` is `system`, `user` or `assistant`."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a language model read and wrote, in its own tokens, and how fast.

    `cached_tokens` of the prompt were taken from a kept state; `guessed_tokens` of those written were
    guessed right from the prompt.
    """

    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    guessed_tokens: int
    first_token_ms: float
    total_ms: float
    runtime: str


@dataclass(frozen=True, slots=True)
class Request:
    """How an answer was asked for: what it takes to ask again at the same commit.

    `mode` is `ask`, `chat`, `summarise` or `compare`; `messages` are a chat's, `documents` the ids of
    those that were summarised or compared, and `fold` how a generator read a summary's parts.
    """

    mode: str = "ask"
    k: int = 10
    where: Filter | None = None
    steps: int = 1
    policy: str = "drop"
    messages: tuple[Message, ...] = ()
    documents: tuple[str, ...] = ()
    fold: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. Each sentence cites; `abstained` is true where the documents hold none.

    `text` is the sentences with their marks (`... [1]`), or the words of the abstention.
    `confidence` is in 0..1; `contexts` are the hits that it was given to answer from. `queries` are what
    was searched for, where that is not the question alone, and `request` is how. `seal` tells whether any
    of it was changed since; `usage` is None where no language model wrote it.
    """

    question: str
    text: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    contexts: tuple[Hit, ...]
    abstained: bool
    confidence: float
    model: str
    index_commit: int = 0
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    queries: tuple[str, ...] = ()
    usage: Usage | None = None
    request: Request | None = None
    seal: str = ""


class Status(StrEnum):
    """What became of an input."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What became of one input, and why. `document_id` is None where it is not in the index."""

    source: str
    status: Status
    reason: str = ""
    document_id: str | None = None
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class AddReport:
    """What `add` did: an entry for every input, and where the time went (seconds by stage)."""

    entries: tuple[LedgerEntry, ...]
    chunks: int
    chunks_embedded: int
    seconds: float
    stage_seconds: Mapping[str, float] = field(default_factory=dict)

    def _with(self, status: Status) -> tuple[LedgerEntry, ...]:
        return tuple(entry for entry in self.entries if entry.status is status)

    @property
    def indexed(self) -> tuple[LedgerEntry, ...]:
        """The inputs that are new or changed, and in the index now."""
        return self._with(Status.INDEXED)

    @property
    def unchanged(self) -> tuple[LedgerEntry, ...]:
        """The inputs that were in the index already, as they are."""
        return self._with(Status.UNCHANGED)

    @property
    def skipped(self) -> tuple[LedgerEntry, ...]:
        """The inputs that were passed over, each with its reason."""
        return self._with(Status.SKIPPED)

    @property
    def failed(self) -> tuple[LedgerEntry, ...]:
        """The inputs that could not be read; they are tried again next time."""
        return self._with(Status.FAILED)


@dataclass(frozen=True, slots=True)
class Stats:
    """The size of an index. `bytes` is its folder on disk; `commit` counts from 0."""

    documents: int
    chunks: int
    segments: int
    bytes: int
    commit: int
    deleted_chunks: int
    kind: str
    encoder: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How an index is made and read. It is written down in the index when that is made.

    Chunks have at most `size_tokens` of the encoder's tokens and share up to
    `overlap_tokens` with the one before. `k1` and `b` are BM25's, `title_boost` is what a word
    in a chunk's headings counts beside one in its text, and `language` names the analyzer. `kind` is
    `flat` (exact), `hnsw`, `ivf_pq`, or `auto`, which scans segments below `auto_graph_rows` rows
    and else takes what is fastest within `memory_mb` (None: no bound). `codes` are what a graph or a
    scan compares, `float32`, `float16` or `int8` (`auto`: int8 for a graph, float32 for a scan); the
    best are always scored exactly. `graph_m`,
    `ef_construction` and `ef_search` are HNSW's: neighbours a node, candidates while building and
    while searching. `lists` and `pq_bytes` (0: by the rows and the dimension), `nprobe` and `refine`
    are IVF-PQ's: lists, bytes a vector, lists visited, and candidates that are scored exactly.
    """

    size_tokens: int = 200
    overlap_tokens: int = 40
    k1: float = 0.9
    b: float = 0.4
    title_boost: float = 2.0
    language: str = "english"
    kind: str = "auto"
    auto_graph_rows: int = 50_000
    memory_mb: float | None = None
    codes: str = "auto"
    graph_m: int = 32
    ef_construction: int = 200
    ef_search: int = 128
    lists: int = 0
    pq_bytes: int = 0
    nprobe: int = 256
    refine: int = 1600

    def __post_init__(self) -> None:
        if self.kind not in ("auto", "flat", "hnsw", "ivf_pq"):
            raise ValueError(f"kind is auto, flat, hnsw or ivf_pq, not {self.kind!r}")
        if self.codes not in ("auto", "float32", "float16", "int8"):
            raise ValueError(f"codes are auto, float32, float16 or int8, not {self.codes!r}")
        if not 0 <= self.overlap_tokens < self.size_tokens:
            raise ValueError("overlap_tokens must be less than size_tokens, and neither negative")
        if self.k1 < 0 or not 0 <= self.b <= 1:
            raise ValueError("k1 is 0 or more, b is in 0..1")
        if not 0 <= self.title_boost <= 100:
            raise ValueError("title_boost is in 0..100")
        if min(self.graph_m, self.ef_construction, self.ef_search) < 2:
            raise ValueError("graph_m, ef_construction and ef_search are 2 or more")
        if min(self.lists, self.pq_bytes) < 0 or min(self.nprobe, self.refine) < 1:
            raise ValueError("lists and pq_bytes are 0 or more, nprobe and refine 1 or more")
        if self.memory_mb is not None and self.memory_mb <= 0:
            raise ValueError("memory_mb is more than 0, or None for no bound")
