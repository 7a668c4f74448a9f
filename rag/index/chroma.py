"""A Chroma collection of passage vectors, whoever keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from rag.index.ledger import EVERYTHING
from rag.index.vector_index import IndexDamaged, Vectors
from rag.types import Paper, Passage

COLLECTION = "passages"
MAX_BATCH = 5_000  # Chroma 1.5.9 takes 5,461 records a call

T = TypeVar("T")


class Collection:
    """A collection of passages. Built and opened with our own vectors: Chroma never embeds."""

    damaged = False

    def __init__(self, name: str, *, keep_text: bool) -> None:
        self._name = name
        self._keep_text = keep_text
        self._client: Any = None
        self._collection: Any = None

    def _attach(self) -> None:
        collection = self._client.get_or_create_collection(
            self._name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        stored = collection.get_model()
        # chromadb builds the functions that the stored schema names when something is stored, whatever it was opened with.
        if _names_a_function(stored.configuration_json) or _names_a_function(stored.serialized_schema):
            raise IndexDamaged("the collection names an embedding function, which would be run")
        if (stored.configuration_json.get("hnsw") or {}).get("space") != "cosine":
            raise IndexDamaged("the collection measures otherwise than by cosine")
        collection.count()
        self._collection = collection

    def _ask(self, call: Callable[[], T]) -> T:
        return call()

    def _call(self, method: str, **values: Any) -> Any:
        """A method of the collection, which is looked up when it is called: by then it is open."""
        return getattr(self._collection, method)(**values)

    def noted(self, identity: str) -> int:
        """The revision of this ledger that was followed, which the collection's metadata tell."""
        found = self._metadata()
        return int(found["revision"]) if found.get("ledger") == identity else EVERYTHING

    def _metadata(self) -> dict[str, Any]:
        """Those that the collection keeps, not those that this object began with."""
        return self._ask(lambda: self._client.get_collection(self._name, embedding_function=None)).metadata or {}

    def note(self, identity: str, revision: int) -> None:
        """All that this ledger held at this revision is here."""
        self._ask(partial(self._call, "modify", metadata={"ledger": identity, "revision": revision}))

    def count(self) -> int:
        """How many passages there are."""
        return int(self._ask(partial(self._call, "count")))

    def holds(self, ids: Sequence[str], vectors: Vectors) -> bool:
        """Whether these passages are stored with these vectors."""
        for start in range(0, len(ids), MAX_BATCH):
            some = list(ids[start : start + MAX_BATCH])
            found: Any = self._ask(partial(self._call, "get", ids=some, include=["embeddings"]))
            rows = {key: row for row, key in enumerate(found["ids"])}
            own = vectors[start : start + MAX_BATCH]
            if len(rows) != len(some):
                return False
            stored = np.asarray(found["embeddings"], np.float32)[[rows[key] for key in some]]
            if stored.shape != own.shape or not np.allclose(stored, own, atol=1e-5):
                return False
        return True

    def upsert(self, passages: Sequence[tuple[Passage, Paper]], vectors: Vectors, texts: Sequence[str]) -> None:
        """Store passages by their ids; ones that are there are replaced (`add` would ignore them).

        Raises:
            IndexDamaged: those that are there have vectors of another dimension.
        """
        width = self._ask(lambda: self._collection.get_model().dimension)
        if len(passages) and width not in (None, vectors.shape[1]):
            raise IndexDamaged(f"the collection holds vectors of dimension {width}")
        for start in range(0, len(passages), MAX_BATCH):
            some = passages[start : start + MAX_BATCH]
            records: dict[str, Any] = {
                "ids": [passage.id for passage, _ in some],
                "embeddings": vectors[start : start + MAX_BATCH],
                "metadatas": [_metadata(passage, paper) for passage, paper in some],
                "documents": list(texts[start : start + MAX_BATCH]) if self._keep_text else None,
            }
            self._ask(partial(self._call, "upsert", **records))

    def delete(self, ids: Sequence[str]) -> None:
        """Forget these passages; ones that are not there do not matter."""
        for start in range(0, len(ids), MAX_BATCH):
            self._ask(partial(self._call, "delete", ids=list(ids[start : start + MAX_BATCH])))

    def query(self, vector: Vectors, limit: int, papers: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """The nearest passages, of these papers only where they are named, as (paper id, cosine), best first."""
        where = None if papers is None else {"paper_id": {"$in": list(papers)}}
        if papers is not None and not papers:  # Chroma refuses an empty list
            return []
        found: Any = self._ask(
            partial(
                self._call,
                "query",
                query_embeddings=vector[None, :],
                n_results=limit,
                where=where,
                include=["distances"],
            )
        )
        return [
            (key.partition(":")[0], 1.0 - float(distance))
            for key, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]


def _names_a_function(stored: Any) -> bool:
    """Whether a collection's settings name an embedding function anywhere; ours say that there is none."""
    if isinstance(stored, dict):
        own = stored.get("embedding_function")
        named = isinstance(own, dict) and own.get("type") not in ("legacy", "unknown")
        return named or any(_names_a_function(value) for value in stored.values())
    return isinstance(stored, list) and any(map(_names_a_function, stored))


def client_settings() -> Any:
    """For every client: nothing is told to anybody."""
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def _metadata(passage: Passage, paper: Paper) -> dict[str, Any]:
    values = {
        "paper_id": paper.id,
        "title": paper.title,
        "year": paper.year,
        "start": passage.start,
        "end": passage.end,
    }
    return {key: value for key, value in values.items() if value is not None}
