"""What is asked of a Qdrant server, in plain data, tried again where the network fails.

Every request here may be sent twice: points have names that are given by what they
hold, and a payload that is set a second time is set to the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from rag.errors import IndexFailed, MissingExtra
from rag.index.qdrant_address import Address
from rag.index.qdrant_filter import Condition
from rag.index.qdrant_retry import tried
from rag.types import Settings, Vectors

T = TypeVar("T")

DENSE, SPARSE = "dense", "bm25"
TIMEOUT_S = 60
PAGE = 256
"""So many points go into a request, and come with an answer."""

OLDEST_SERVER = (1, 19)
"""The first release that counts idf over the points that a filter names."""

_IN_CODES = ("auto", "int8")
_OVERSAMPLING = 2.0
_EXTRA = "a Qdrant index needs the package qdrant-client: pip install 'spanrag[qdrant]'"


def connect(address: Address) -> Any:
    """A client of the server at `address`. Nothing is sent yet.

    Raises:
        MissingExtra: qdrant-client is not installed.
    """
    try:
        qdrant = import_module("qdrant_client")
    except ImportError as error:
        raise MissingExtra(_EXTRA) from error
    return qdrant.QdrantClient(
        host=address.host,
        port=address.port,
        https=address.tls,
        api_key=address.key,
        grpc_port=address.grpc or 6334,
        prefer_grpc=address.grpc is not None,
        timeout=TIMEOUT_S,
        check_compatibility=False,
    )


@dataclass(frozen=True, slots=True)
class Point:
    """A point to be written: its id, its payload, and its vectors where it has any."""

    id: str
    payload: Mapping[str, Any]
    dense: Any = None
    sparse: Any = None


@dataclass(frozen=True, slots=True)
class Found:
    """A point that was found: its id, as much of its payload as was asked for, and its score."""

    id: str
    payload: Mapping[str, Any]
    score: float = 0.0
    dense: Any = None
    sparse: Any = None


class Remote:
    """The requests that the index makes of a server, through `client`."""

    def __init__(self, client: Any, address: Address, sleep: Callable[[float], None] = time.sleep):
        self._client = client
        self._models = import_module("qdrant_client.models")
        self._sleep = sleep
        self.address = address

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def version(self) -> str:
        """The server's release."""
        return str(self._tried("its release", self._client.info).version)

    def has_collection(self, name: str) -> bool:
        """Whether there is a collection of that name, or an alias."""
        return bool(self._tried("a collection", lambda: self._client.collection_exists(name)))

    def make_collection(
        self, name: str, indexes: Mapping[str, Mapping[str, Any]], vectors: tuple[int, Settings] | None = None
    ) -> None:
        """Make a collection and its payload indexes where they are missing.

        `vectors` is the dimension of its dense vectors and how they are searched; without, it has none.
        """
        models = self._models
        options: dict[str, Any] = {"vectors_config": {}}
        if vectors is not None:
            dimension, settings = vectors
            options = {
                "vectors_config": {DENSE: self._dense_params(dimension, settings.codes)},
                "sparse_vectors_config": {SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                "hnsw_config": models.HnswConfigDiff(
                    m=settings.graph_m, ef_construct=settings.ef_construction
                ),
            }
        if not self.has_collection(name):
            try:
                self._tried(
                    "to make a collection",
                    lambda: self._client.create_collection(
                        name,
                        shard_number=self.address.shards,
                        replication_factor=self.address.replicas,
                        write_consistency_factor=self.address.replicas,
                        on_disk_payload=True,
                        **options,
                    ),
                )
            except IndexFailed:  # another may have made it meanwhile
                if not self.has_collection(name):
                    raise
        for key, schema in indexes.items():
            self.index(name, key, schema)

    def _dense_params(self, dimension: int, codes: str) -> Any:
        """With codes of int8 these are in memory and the vectors on disk, else the vectors are in memory."""
        models = self._models
        scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        return models.VectorParams(
            size=dimension,
            distance=models.Distance.DOT,
            on_disk=codes in _IN_CODES,
            quantization_config=models.ScalarQuantization(scalar=scalar) if codes in _IN_CODES else None,
        )

    def index(self, name: str, key: str, schema: Mapping[str, Any]) -> None:
        """Index a payload key; where it is, nothing happens."""
        kinds = {
            "keyword": "KeywordIndexParams",
            "integer": "IntegerIndexParams",
            "float": "FloatIndexParams",
            "uuid": "UuidIndexParams",
            "text": "TextIndexParams",
        }
        params = getattr(self._models, kinds[schema["type"]])(**schema)
        self._tried(
            "to index a field",
            lambda: self._client.create_payload_index(name, key, field_schema=params, wait=True),
        )

    def drop_collection(self, name: str) -> None:
        """Remove a collection with all that is in it."""
        self._tried("to drop a collection", lambda: self._client.delete_collection(name))

    def point_alias(self, alias: str, name: str) -> None:
        """Let `alias` name the collection `name`, in the place of what it named before."""
        models = self._models
        held = self._tried("its aliases", self._client.get_aliases).aliases
        steps: list[Any] = [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
            )
        ]
        if any(each.alias_name == alias for each in held):
            gone = models.DeleteAlias(alias_name=alias)
            steps.insert(0, models.DeleteAliasOperation(delete_alias=gone))
        self._tried("to move an alias", lambda: self._client.update_collection_aliases(steps))

    def segments(self, name: str) -> int:
        """How many segments the server keeps a collection in."""
        return int(self._tried("a collection", lambda: self._client.get_collection(name)).segments_count or 0)

    def put(self, name: str, points: Sequence[Point], *, only_new: bool = False) -> None:
        """Write points, a page a request; with `only_new` those that are there stay as they are."""
        models = self._models
        mode = models.UpdateMode.INSERT_ONLY if only_new else models.UpdateMode.UPSERT
        for at in range(0, len(points), PAGE):
            batch = [
                models.PointStruct(id=point.id, payload=dict(point.payload), vector=self._vectors(point))
                for point in points[at : at + PAGE]
            ]
            self._tried(
                "to take points",
                partial(self._client.upsert, name, points=batch, wait=True, update_mode=mode),
            )

    def _vectors(self, point: Point) -> dict[str, Any]:
        vectors: dict[str, Any] = {}
        if point.dense is not None:
            vectors[DENSE] = point.dense if isinstance(point.dense, list) else point.dense.tolist()
        if point.sparse:
            vectors[SPARSE] = self._models.SparseVector(**dict(point.sparse))
        return vectors

    def set_payload(self, name: str, where: Condition, payload: Mapping[str, Any]) -> None:
        """Set keys of the payload of every point of which `where` is true."""
        condition = self._filter(where)
        self._tried(
            "to change points",
            lambda: self._client.set_payload(
                name,
                payload=dict(payload),
                points=condition,
                wait=True,
                ordering=self._models.WriteOrdering.STRONG,
            ),
        )

    def delete(self, name: str, where: Condition) -> None:
        """Delete every point of which `where` is true."""
        selector = self._models.FilterSelector(filter=self._filter(where))
        self._tried(
            "to delete points",
            lambda: self._client.delete(
                name, points_selector=selector, wait=True, ordering=self._models.WriteOrdering.STRONG
            ),
        )

    def count(self, name: str, where: Condition, *, exact: bool = True) -> int:
        """How many points there are of which `where` is true, or about how many."""
        condition = self._filter(where)
        return int(
            self._tried(
                "to count", lambda: self._client.count(name, count_filter=condition, exact=exact)
            ).count
        )

    def values(self, name: str, key: str, where: Condition, limit: int) -> list[str]:
        """The values under an indexed `key` of the points of which `where` is true."""
        condition = self._filter(where)
        answer = self._tried(
            "for values",
            lambda: self._client.facet(name, key, facet_filter=condition, limit=limit, exact=True),
        )
        return [str(hit.value) for hit in answer.hits]

    def get(self, name: str, ids: Sequence[str], *, payload: bool = True) -> dict[str, Found]:
        """The points of these ids, by id; one that is not there is left out."""
        found: dict[str, Found] = {}
        for at in range(0, len(ids), PAGE):
            part = list(ids[at : at + PAGE])
            records = self._tried(
                "for points",
                partial(self._client.retrieve, name, ids=part, with_payload=payload, with_vectors=False),
            )
            found.update((str(record.id), _found(record)) for record in records)
        return found

    def scroll(
        self, name: str, where: Condition, *, keys: Sequence[str] | bool = True, vectors: bool = False
    ) -> Iterator[Found]:
        """Every point of which `where` is true, in the order of their ids."""
        start: str | None = None
        while True:
            points, start = self.page(name, where, start, keys=keys, vectors=vectors)
            yield from points
            if start is None:
                return

    def page(
        self,
        name: str,
        where: Condition,
        start: str | None,
        *,
        keys: Sequence[str] | bool = True,
        vectors: bool = False,
    ) -> tuple[list[Found], str | None]:
        """The next points of which `where` is true, from the id `start` on, and the id behind them."""
        condition = self._filter(where)
        records, after = self._tried(
            "for points",
            lambda: self._client.scroll(
                name,
                scroll_filter=condition,
                limit=PAGE,
                offset=start,
                with_payload=keys if isinstance(keys, bool) else list(keys),
                with_vectors=vectors,
            ),
        )
        return [_found(record) for record in records], None if after is None else str(after)

    def search(
        self,
        name: str,
        query: Vectors | Mapping[str, Any],
        where: Condition,
        limit: int,
        keys: Sequence[str],
        *,
        corpus: Condition | None = None,
        ef_search: int | None = None,
        exact: bool = False,
    ) -> list[Found]:
        """The `limit` best points by inner product with a dense or a sparse `query`, best first.

        `corpus` says over which points the idf of a sparse query is counted.
        """
        request = self._query(query, where, corpus, ef_search, exact)
        answer = self._tried(
            "a search",
            lambda: self._client.query_points(
                name,
                query=request["query"],
                using=request["using"],
                query_filter=request["filter"],
                search_params=request["params"],
                limit=limit,
                with_payload=list(keys) or False,
            ),
        )
        return [_found(point) for point in answer.points]

    def fused(
        self,
        name: str,
        legs: Sequence[tuple[Vectors | Mapping[str, Any], Condition | None]],
        where: Condition,
        limit: int,
        depth: int,
        keys: Sequence[str],
        ef_search: int,
        constant: int,
    ) -> list[Found]:
        """The `limit` best of several searches, each `depth` deep, fused by the server by reciprocal rank."""
        models = self._models
        parts = [
            models.Prefetch(**self._query(query, where, corpus, ef_search, False), limit=depth)
            for query, corpus in legs
        ]
        answer = self._tried(
            "a search",
            lambda: self._client.query_points(
                name,
                prefetch=parts,
                query=models.RrfQuery(rrf=models.Rrf(k=constant)),
                limit=limit,
                with_payload=list(keys),
            ),
        )
        return [_found(point) for point in answer.points]

    def _query(
        self,
        query: Vectors | Mapping[str, Any],
        where: Condition,
        corpus: Condition | None,
        ef_search: int | None,
        exact: bool,
    ) -> dict[str, Any]:
        models = self._models
        sparse = isinstance(query, Mapping)
        idf = None if corpus is None else models.IdfCorpusParams(corpus=self._filter(corpus))
        return {
            "query": models.SparseVector(**query) if isinstance(query, Mapping) else query.tolist(),
            "using": SPARSE if sparse else DENSE,
            "filter": self._filter(where),
            "params": models.SearchParams(idf=idf) if sparse else self._walk(ef_search, exact),
        }

    def _walk(self, ef_search: int | None, exact: bool) -> Any:
        """How vectors are searched: codes find twice as many as are wanted, the whole vectors say which.

        Where a filter lets few points pass, the walk goes by their neighbours' neighbours (ACORN): with
        a filter that the graph knows nothing of, half of the nearest were found without it, and all with it.

        Source: L. Patel et al., ACORN: Performant and Predicate-Agnostic Search Over Vector
        Embeddings and Structured Data, SIGMOD 2024.
        """
        models = self._models
        if exact:
            return models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))
        return models.SearchParams(
            hnsw_ef=ef_search,
            acorn=models.AcornSearchParams(enable=True),
            quantization=models.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING),
        )

    def _filter(self, where: Condition) -> Any:
        return self._models.Filter.model_validate(where)

    def _tried(self, wanted: str, call: Callable[[], T]) -> T:
        return tried(self.address, wanted, call, self._sleep)


def _found(record: Any) -> Found:
    vectors = getattr(record, "vector", None) or {}
    return Found(
        str(record.id),
        record.payload or {},
        float(getattr(record, "score", 0.0) or 0.0),
        vectors.get(DENSE) if isinstance(vectors, dict) else None,
        vectors.get(SPARSE) if isinstance(vectors, dict) else None,
    )
