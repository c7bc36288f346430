"""Other stores as subjects of the laboratory, each used as its own documentation shows.

Each writes to disk before it acknowledges, where it has a call for that. Run them in an interpreter of
their own: `pip install langchain-community faiss-cpu llama-index-core chromadb lancedb`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lab.script import Disagreement, State

DIMENSION = 24


def vector_of(text: str) -> list[float]:
    """A vector that no other text has."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector = np.random.default_rng(seed).standard_normal(DIMENSION)
    return (vector / np.linalg.norm(vector)).astype(np.float32).tolist()


def agree(**parts: object) -> None:
    """See that parts of an index are the same."""
    values = list(parts.values())
    if any(value != values[0] for value in values):
        raise Disagreement(f"they differ: {parts}")


QUESTIONS = ("anything", "File a in version v2 of a.")


class Peer:
    """What is asked of every one of them: its documents as a state, and hits as ids with scores."""

    def state(self) -> State:
        raise NotImplementedError

    def hits(self, question: str) -> list[tuple[str, float]]:
        raise NotImplementedError

    def answers(self) -> Any:
        """All that can be asked, with no check of ours."""
        hits = {
            question: [[text, round(score, 4)] for text, score in self.hits(question)]
            for question in QUESTIONS
        }
        return {"documents": self.state(), "hits": hits}

    def problems(self) -> list[str]:
        """None of them looks for damage by itself."""
        return []

    def close(self) -> None:
        pass


class LangChainFaiss(Peer):
    """LangChain's FAISS store, saved with `save_local` behind every call."""

    def __init__(self, folder: Path, *, create: bool):
        from langchain_community.vectorstores import FAISS

        self._folder = folder
        self._embedding = _langchain_embedding()
        if folder.exists() or not create:
            self._store = FAISS.load_local(str(folder), self._embedding, allow_dangerous_deserialization=True)
        else:
            import faiss
            from langchain_community.docstore.in_memory import InMemoryDocstore

            self._store = FAISS(self._embedding, faiss.IndexFlatIP(DIMENSION), InMemoryDocstore(), {})
            self._store.save_local(str(folder))

    def add(self, texts: Mapping[str, str]) -> None:
        held = set(self._store.index_to_docstore_id.values())
        if old := [name for name in texts if name in held]:
            self._store.delete(old)
        self._store.add_texts(list(texts.values()), ids=list(texts))
        self._store.save_local(str(self._folder))

    def delete(self, names: Sequence[str]) -> None:
        self._store.delete(list(names))
        self._store.save_local(str(self._folder))

    def state(self) -> State:
        return {name: document.page_content for name, document in self._store.docstore._dict.items()}

    def hits(self, question: str) -> list[tuple[str, float]]:
        found = self._store.similarity_search_with_score(question, k=1000)
        return [(hit.page_content, float(score)) for hit, score in found]

    def read(self) -> State:
        store, state = self._store, self.state()
        order = list(store.index_to_docstore_id.values())
        agree(documents=sorted(state), rows=sorted(order))
        vectors = [store.index.reconstruct(at).tolist() for at in range(store.index.ntotal)]
        agree(vectors=vectors, of_texts=[vector_of(state[name]) for name in order])
        agree(hits=sorted(text for text, _ in self.hits("anything")), documents=sorted(state.values()))
        return state


def _langchain_embedding() -> Any:
    from langchain_core.embeddings import Embeddings

    class Hashed(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [vector_of(text) for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return vector_of(text)

    return Hashed()


class LlamaIndexSimple(Peer):
    """LlamaIndex's default vector store, saved with `persist` behind every call."""

    def __init__(self, folder: Path, *, create: bool):
        from llama_index.core import Settings, StorageContext, VectorStoreIndex, load_index_from_storage

        Settings.embed_model = _llama_embedding()
        Settings.llm = None
        self._folder = folder
        if folder.exists() or not create:
            context = StorageContext.from_defaults(persist_dir=str(folder))
            self._index = load_index_from_storage(context)
        else:
            self._index = VectorStoreIndex.from_documents([])
            self._persist()

    def _persist(self) -> None:
        self._index.storage_context.persist(persist_dir=str(self._folder))

    def add(self, texts: Mapping[str, str]) -> None:
        from llama_index.core import Document

        self._index.refresh_ref_docs([Document(text=text, id_=name) for name, text in texts.items()])
        self._persist()

    def delete(self, names: Sequence[str]) -> None:
        for name in names:
            self._index.delete_ref_doc(name, delete_from_docstore=True)
        self._persist()

    def state(self) -> State:
        nodes = self._index.storage_context.docstore.docs.values()
        return {node.ref_doc_id: node.text for node in nodes}

    def hits(self, question: str) -> list[tuple[str, float]]:
        found = self._index.as_retriever(similarity_top_k=1000).retrieve(question)
        return [(hit.node.text, float(hit.score)) for hit in found]

    def read(self) -> State:
        context, state = self._index.storage_context, self.state()
        nodes = list(context.docstore.docs.values())
        vectors = context.vector_store.data.embedding_dict
        agree(
            nodes=sorted(node.node_id for node in nodes),
            vectors=sorted(vectors),
            index=sorted(self._index.index_struct.nodes_dict.values()),
        )
        for node in nodes:
            agree(vector=np.float32(vectors[node.node_id]).tolist(), of_text=vector_of(node.text))
        if state:
            agree(hits=sorted(text for text, _ in self.hits("anything")), documents=sorted(state.values()))
        return state


def _llama_embedding() -> Any:
    from llama_index.core.embeddings import BaseEmbedding

    class Hashed(BaseEmbedding):
        def _get_query_embedding(self, query: str) -> list[float]:
            return vector_of(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return vector_of(query)

        def _get_text_embedding(self, text: str) -> list[float]:
            return vector_of(text)

    return Hashed()


class Chroma(Peer):
    """Chroma's persistent client, which writes every call to disk by itself."""

    def __init__(self, folder: Path, *, create: bool):
        import chromadb
        from chromadb.config import Settings

        if not create and not folder.exists():
            raise FileNotFoundError(folder)
        self._client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
        self._collection = (
            self._client.get_or_create_collection("documents", embedding_function=None)
            if create
            else self._client.get_collection("documents", embedding_function=None)
        )

    def add(self, texts: Mapping[str, str]) -> None:
        self._collection.upsert(
            ids=list(texts),
            documents=list(texts.values()),
            embeddings=[vector_of(text) for text in texts.values()],
        )

    def delete(self, names: Sequence[str]) -> None:
        self._collection.delete(ids=list(names))

    def state(self) -> State:
        found = self._collection.get(include=["documents"])
        return dict(zip(found["ids"], found["documents"], strict=True))

    def hits(self, question: str) -> list[tuple[str, float]]:
        count = max(1, self._collection.count())
        found = self._collection.query(query_embeddings=[vector_of(question)], n_results=count)
        return list(zip(found["documents"][0], map(float, found["distances"][0]), strict=True))

    def read(self) -> State:
        found, state = self._collection.get(include=["embeddings"]), self.state()
        vectors = [np.float32(vector).tolist() for vector in found["embeddings"]]
        agree(vectors=vectors, of_texts=[vector_of(state[name]) for name in found["ids"]])
        agree(count=self._collection.count(), documents=len(state))
        if state:
            agree(hits=sorted(text for text, _ in self.hits("anything")), documents=sorted(state.values()))
        return state

    def close(self) -> None:
        self._client._system.stop()
        from chromadb.api.shared_system_client import SharedSystemClient

        SharedSystemClient.clear_system_cache()


class LanceDb(Peer):
    """A LanceDB table, each call of which is a version of it."""

    def __init__(self, folder: Path, *, create: bool):
        import lancedb
        import pyarrow as pa

        if not create and not folder.exists():
            raise FileNotFoundError(folder)
        self._database = lancedb.connect(str(folder))
        names = self._database.table_names()
        if "documents" in names or not create:
            self._table = self._database.open_table("documents")
        else:
            vector = pa.field("vector", pa.list_(pa.float32(), DIMENSION))
            fields = [pa.field("id", pa.string()), pa.field("text", pa.string()), vector]
            self._table = self._database.create_table("documents", schema=pa.schema(fields))

    def add(self, texts: Mapping[str, str]) -> None:
        rows = [{"id": name, "text": text, "vector": vector_of(text)} for name, text in texts.items()]
        merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.execute(rows)

    def delete(self, names: Sequence[str]) -> None:
        self._table.delete(f"id IN ({', '.join(repr(name) for name in names)})")

    def compact(self) -> None:
        self._table.optimize()

    def state(self) -> State:
        return {row["id"]: row["text"] for row in self._table.to_arrow().to_pylist()}

    def hits(self, question: str) -> list[tuple[str, float]]:
        found = self._table.search(vector_of(question)).limit(1000).to_list()
        return [(hit["text"], float(hit["_distance"])) for hit in found]

    def read(self) -> State:
        rows, state = self._table.to_arrow().to_pylist(), self.state()
        agree(rows=len(rows), documents=len(state))
        for row in rows:
            agree(vector=np.float32(row["vector"]).tolist(), of_text=vector_of(row["text"]))
        if state:
            agree(hits=sorted(text for text, _ in self.hits("anything")), documents=sorted(state.values()))
        return state
