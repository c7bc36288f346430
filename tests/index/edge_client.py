"""Qdrant's engine in this process, with those methods of `QdrantClient` that the index calls.

It lets the tests of the index run on the real engine where no server is. Filters, idf, fusion,
HNSW and conditional writes are the engine's; names of collections and aliases are kept here.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import qdrant_edge as edge
from qdrant_client import models

_RANGES = ("gt", "gte", "lt", "lte")
_MODES = {
    models.UpdateMode.UPSERT: edge.UpdateMode.Upsert,
    models.UpdateMode.INSERT_ONLY: edge.UpdateMode.InsertOnly,
}
_CODES = edge.ScalarQuantizationConfig(edge.ScalarType.Int8, always_ram=True)
_INDEXES = {
    models.KeywordIndexParams: lambda p: edge.KeywordIndexParams(
        is_tenant=p.is_tenant, on_disk=p.on_disk, enable_hnsw=p.enable_hnsw
    ),
    models.IntegerIndexParams: lambda p: edge.PayloadSchemaType.Integer,
    models.FloatIndexParams: lambda p: edge.PayloadSchemaType.Float,
    models.UuidIndexParams: lambda p: edge.UuidIndexParams(on_disk=p.on_disk, enable_hnsw=p.enable_hnsw),
    models.TextIndexParams: lambda p: edge.TextIndexParams(
        tokenizer=edge.TokenizerType.Whitespace,
        lowercase=p.lowercase,
        phrase_matching=p.phrase_matching,
        on_disk=p.on_disk,
    ),
}


class EdgeClient:
    """A shard a collection, under `folder`. Several stores may use one client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[str, Any] = {}
        self._aliases: dict[str, str] = {}
        self._guard = threading.Lock()

    def close(self) -> None:
        """The shards stay, for the next store."""

    def info(self) -> Any:
        return models.VersionInfo(title="qdrant-edge", version="1.20.0")

    def collection_exists(self, name: str) -> bool:
        return name in self._shards or name in self._aliases

    def create_collection(
        self,
        name: str,
        vectors_config: dict[str, Any],
        sparse_vectors_config: dict[str, Any] | None = None,
        hnsw_config: Any = None,
        **_: Any,
    ) -> None:
        with self._guard:
            if name in self._shards:
                raise ValueError(f"{name} exists")
            folder = self._folder / name
            folder.mkdir(parents=True)
            hnsw = edge.HnswIndexConfig(hnsw_config.m, hnsw_config.ef_construct, 10) if hnsw_config else None
            config = edge.EdgeConfig(
                vectors={
                    key: edge.EdgeVectorParams(
                        params.size,
                        edge.Distance.Dot,
                        on_disk=params.on_disk,
                        quantization_config=_CODES if params.quantization_config else None,
                    )
                    for key, params in vectors_config.items()
                },
                sparse_vectors={
                    key: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
                    for key in sparse_vectors_config or {"none": None}
                },
                hnsw_config=hnsw,
                wal_enabled=False,
            )
            self._shards[name] = edge.EdgeShard.create(str(folder), config)

    def delete_collection(self, name: str) -> None:
        self._shards.pop(name).close()

    def get_collection(self, name: str) -> Any:
        return self._shard(name).info()

    def create_payload_index(self, name: str, key: str, field_schema: Any, wait: bool) -> None:
        index = _INDEXES[type(field_schema)](field_schema)
        self._shard(name).update(edge.UpdateOperation.create_field_index(key, index))

    def get_aliases(self) -> Any:
        pairs = self._aliases.items()
        return SimpleNamespace(aliases=[SimpleNamespace(alias_name=a, collection_name=c) for a, c in pairs])

    def update_collection_aliases(self, operations: list[Any]) -> None:
        for each in operations:
            if isinstance(each, models.DeleteAliasOperation):
                del self._aliases[each.delete_alias.alias_name]
            else:
                self._aliases[each.create_alias.alias_name] = each.create_alias.collection_name

    def upsert(self, name: str, points: list[Any], wait: bool, update_mode: Any) -> None:
        batch = [edge.Point(str(p.id), _vectors(p.vector), p.payload) for p in points]
        operation = edge.UpdateOperation.upsert_points(batch, update_mode=_MODES[update_mode])
        self._shard(name).update(operation)

    def set_payload(self, name: str, payload: Any, points: Any, wait: bool, ordering: Any) -> None:
        operation = edge.UpdateOperation.set_payload_by_filter(_filter(points), payload)
        self._shard(name).update(operation)

    def delete(self, name: str, points_selector: Any, wait: bool, ordering: Any) -> None:
        operation = edge.UpdateOperation.delete_points_by_filter(_filter(points_selector.filter))
        self._shard(name).update(operation)

    def count(self, name: str, count_filter: Any, exact: bool) -> Any:
        request = edge.CountRequest(filter=_filter(count_filter), exact=exact)
        return SimpleNamespace(count=self._shard(name).count(request))

    def facet(self, name: str, key: str, facet_filter: Any, limit: int, exact: bool) -> Any:
        request = edge.FacetRequest(key=key, limit=limit, exact=exact, filter=_filter(facet_filter))
        hits = [SimpleNamespace(value=hit.value) for hit in self._shard(name).facet(request).hits]
        return SimpleNamespace(hits=hits)

    def retrieve(self, name: str, ids: list[str], with_payload: Any, with_vectors: bool) -> list[Any]:
        return self._shard(name).retrieve(ids, with_payload, with_vectors)

    def scroll(
        self,
        name: str,
        scroll_filter: Any,
        limit: int,
        offset: Any,
        with_payload: Any,
        with_vectors: bool,
    ) -> Any:
        request = edge.ScrollRequest(
            offset=offset,
            limit=limit,
            filter=_filter(scroll_filter),
            with_payload=with_payload,
            with_vector=with_vectors,
        )
        records, offset = self._shard(name).scroll(request)
        return [_record(each) for each in records], offset

    def query_points(
        self,
        name: str,
        query: Any,
        limit: int,
        with_payload: Any,
        using: str | None = None,
        query_filter: Any = None,
        search_params: Any = None,
        prefetch: Any = (),
    ) -> Any:
        fused = isinstance(query, models.RrfQuery)
        request = edge.QueryRequest(
            limit=limit,
            query=edge.Fusion.Rrf(query.rrf.k) if fused else _nearest(query, using),
            prefetches=[
                edge.Prefetch(
                    limit=part.limit,
                    query=_nearest(part.query, part.using),
                    filter=_filter(part.filter),
                    params=_params(part.params),
                )
                for part in prefetch
            ],
            filter=_filter(query_filter),
            params=_params(search_params),
            with_payload=with_payload,
        )
        return SimpleNamespace(points=self._shard(name).query(request))

    def _shard(self, name: str) -> Any:
        name = self._aliases.get(name, name)
        if name not in self._shards:
            raise LookupError(f"no collection {name}")
        return self._shards[name]


def _record(record: Any) -> Any:
    vector = {
        key: {"indices": value.indices, "values": value.values} if hasattr(value, "indices") else value
        for key, value in (record.vector or {}).items()
    }
    return SimpleNamespace(id=record.id, payload=record.payload, vector=vector)


def _vectors(vectors: dict[str, Any]) -> dict[str, Any]:
    return {
        key: edge.SparseVector(value.indices, value.values)
        if isinstance(value, models.SparseVector)
        else value
        for key, value in vectors.items()
    }


def _nearest(query: Any, using: str | None) -> Any:
    return edge.Query.Nearest(_vectors({"": query})[""], using=using)


def _params(params: Any) -> Any:
    if params is None:
        return None
    idf = edge.IdfParams(_filter(params.idf.corpus)) if params.idf else None
    codes = params.quantization
    return edge.SearchParams(
        hnsw_ef=params.hnsw_ef,
        exact=bool(params.exact),
        idf=idf,
        quantization=codes
        and edge.QuantizationSearchParams(bool(codes.ignore), codes.rescore, codes.oversampling),
        acorn=edge.AcornSearchParams(enable=True) if params.acorn else None,
    )


def _filter(where: Any) -> Any:
    if where is None:
        return None
    parts = {
        name: [_condition(each) for each in getattr(where, name)] if getattr(where, name) else None
        for name in ("must", "should", "must_not")
    }
    return edge.Filter(**parts)


def _condition(where: Any) -> Any:
    if isinstance(where, models.Filter):
        return _filter(where)
    if isinstance(where, models.HasIdCondition):
        return edge.HasIdCondition({str(each) for each in where.has_id})
    assert isinstance(where, models.FieldCondition), where
    if where.range is not None:
        bounds = {name: getattr(where.range, name) for name in _RANGES}
        return edge.FieldCondition(where.key, range=edge.RangeFloat(**bounds))
    if isinstance(where.match, models.MatchPhrase):
        return edge.FieldCondition(where.key, match=edge.MatchPhrase(where.match.phrase))
    if isinstance(where.match, models.MatchValue):
        return edge.FieldCondition(where.key, match=edge.MatchValue(where.match.value))
    return edge.FieldCondition(where.key, match=edge.MatchAny(where.match.any))
