"""Passage vectors in Chroma; the only module that knows chromadb."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import ShelfError
from rag.types import Paper, Passage

COLLECTION = "passages"
MAX_BATCH = 5_000  # Chroma 1.5.9 takes 5,461 records a call

Vectors = NDArray[np.float32]


class VectorStore:
    """The collection of a shelf. Built and opened with our own vectors: Chroma never embeds.

    `damaged` tells that a folder was there and could not be opened; it was put away and an empty one made.
    """

    def __init__(self, folder: Path, *, keep_text: bool) -> None:
        self._folder = folder
        self._keep_text = keep_text
        self.damaged = False
        self._client: Any = None
        self._collection: Any = None
        try:
            self._open()
        except BaseException as error:
            if not is_fault(error):
                raise
            self.damaged = True
            self.clear()

    def _open(self) -> None:
        import chromadb
        from chromadb.config import Settings

        self._client = chromadb.PersistentClient(str(self._folder), settings=Settings(anonymized_telemetry=False))
        self._collection = self._client.get_or_create_collection(
            COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        self._collection.count()

    def clear(self) -> None:
        """Throw everything away and begin with an empty collection (the ledger has it all)."""
        self.close()
        try:
            if self._folder.exists():
                shutil.rmtree(self._folder)
            self._open()
        except OSError as error:
            raise ShelfError(
                f"{self._folder} cannot be made anew: {error}", hint="the folder must be writable"
            ) from error

    def close(self) -> None:
        """Let go of files and threads; chromadb keeps clients of a path alive until told."""
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.close()
            self._client = None
        else:  # a client that failed to open stays in chromadb's table and would be handed out again
            from chromadb.api.shared_system_client import SharedSystemClient

            SharedSystemClient._identifier_to_system.pop(str(self._folder), None)

    def count(self) -> int:
        return int(self._collection.count())

    def holds(self, ids: Sequence[str], vectors: Vectors) -> bool:
        """Whether these passages are stored with these vectors."""
        found: Any = self._collection.get(ids=list(ids), include=["embeddings"])
        rows = {key: row for row, key in enumerate(found["ids"])}
        if len(rows) != len(ids):
            return False
        stored = np.asarray(found["embeddings"], np.float32)[[rows[key] for key in ids]]
        return bool(np.allclose(stored, vectors, atol=1e-5))

    def upsert(self, passages: Sequence[tuple[Passage, Paper]], vectors: Vectors, texts: Sequence[str]) -> None:
        """Store passages by their ids; ones that are there are replaced (`add` would ignore them)."""
        for start in range(0, len(passages), MAX_BATCH):
            some = passages[start : start + MAX_BATCH]
            self._collection.upsert(
                ids=[passage.id for passage, _ in some],
                embeddings=vectors[start : start + MAX_BATCH],
                metadatas=[_metadata(passage, paper) for passage, paper in some],
                documents=list(texts[start : start + MAX_BATCH]) if self._keep_text else None,
            )

    def delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), MAX_BATCH):
            self._collection.delete(ids=list(ids[start : start + MAX_BATCH]))

    def query(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The nearest passages as (paper id, cosine), best first."""
        found: Any = self._collection.query(query_embeddings=vector[None, :], n_results=limit, include=["distances"])
        return [
            (key.partition(":")[0], 1.0 - float(distance))
            for key, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]


def _metadata(passage: Passage, paper: Paper) -> dict[str, Any]:
    values = {
        "paper_id": paper.id,
        "title": paper.title,
        "year": paper.year,
        "start": passage.start,
        "end": passage.end,
    }
    return {key: value for key, value in values.items() if value is not None}


def is_fault(error: BaseException) -> bool:
    """Damage shows as chromadb's own errors, SQLite's, or a panic of its Rust core (no `Exception`)."""
    return not isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError | ImportError)
