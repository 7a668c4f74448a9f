"""Passage vectors in PostgreSQL with the extension pgvector (an HNSW graph by cosine)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rag.errors import ShelfError
from rag.index.database import marks
from rag.index.ledger import EVERYTHING
from rag.index.postgres import PostgresDatabase
from rag.index.vector_index import Vectors
from rag.types import Paper, Passage

# Candidates the graph keeps while it is searched: at least pgvector's own 40, and no more than it allows.
LEAST_EF, MOST_EF = 40, 1_000


class PostgresVectors:
    """A table of passages in a database, one for each ledger; see `rag.index.vector_index.VectorIndex`. Threads may share it."""

    damaged = False

    def __init__(self, database: PostgresDatabase, identity: str, *, keep_text: bool) -> None:
        """Open, or create.

        Raises:
            ShelfError: the server does not answer, or has no pgvector.
        """
        self._db, self._identity, self._keep_text = database, identity, keep_text
        self._table = f"passages_{identity}"
        if not self._db.has("followed"):
            with self._db.transaction():
                self._extend()
                self._run("CREATE TABLE IF NOT EXISTS followed (ledger text PRIMARY KEY, revision bigint NOT NULL)")

    def _extend(self) -> None:
        try:
            self._run("CREATE EXTENSION IF NOT EXISTS vector")
        except ShelfError as error:
            raise ShelfError(
                f"the PostgreSQL server has no pgvector: {error}",
                hint="install the extension there, and CREATE EXTENSION vector as a superuser",
            ) from error

    def _run(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Rows of a statement in which `{table}` is that of the passages."""
        return self._db.run(query.replace("{table}", f'"{self._table}"'), values)

    def _there(self) -> bool:
        return self._db.has(self._table)

    def noted(self, identity: str) -> int:
        """The revision of this ledger that was followed."""
        rows = self._run("SELECT revision FROM followed WHERE ledger = ?", (identity,))
        return int(rows[0][0]) if rows and self._there() else EVERYTHING

    def note(self, identity: str, revision: int) -> None:
        """All that this ledger held at this revision is here."""
        query = "INSERT INTO followed VALUES (?, ?) ON CONFLICT (ledger) DO UPDATE SET revision = excluded.revision"
        self._run(query, (identity, revision))

    def upsert(self, passages: Sequence[tuple[Passage, Paper]], vectors: Vectors, texts: Sequence[str]) -> None:
        """Store passages by their ids, all of them or none; ones that are there are replaced."""
        if not passages:
            return
        rows = [
            (passage.id, paper.id, paper.title, paper.year, passage.start, passage.end, _written(vector), text if self._keep_text else None)
            for (passage, paper), vector, text in zip(passages, vectors, texts, strict=True)
        ]  # fmt: skip
        query = (
            f'INSERT INTO "{self._table}" VALUES ({marks(rows[0])}) ON CONFLICT (id) DO UPDATE SET paper_id = excluded.paper_id,'
            " title = excluded.title, year = excluded.year, begins = excluded.begins, ends = excluded.ends,"
            " embedding = excluded.embedding, passage = excluded.passage"
        )
        with self._db.transaction():
            if not self._there():
                self._make(vectors.shape[1])
            self._db.run_many(query, rows)

    def _make(self, dimension: int) -> None:
        self._run(
            "CREATE TABLE {table} (id text PRIMARY KEY, paper_id text NOT NULL, title text NOT NULL, year integer,"
            f" begins integer NOT NULL, ends integer NOT NULL, embedding vector({int(dimension)}) NOT NULL, passage text)"
        )
        self._run(f'CREATE INDEX "near_{self._identity}" ON {{table}} USING hnsw (embedding vector_cosine_ops)')

    def delete(self, ids: Sequence[str]) -> None:
        """Forget these passages; ones that are not there do not matter."""
        if ids and self._there():
            self._run("DELETE FROM {table} WHERE id = ANY(?)", (list(ids),))

    def query(self, vector: Vectors, limit: int, papers: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """The nearest passages, of these papers only where they are named, as (paper id, cosine), best first."""
        if not self._there():
            return []
        among = "" if papers is None else "WHERE paper_id = ANY(?)"
        query = f"SELECT paper_id, 1 - (embedding <=> CAST(? AS vector)) FROM {{table}} {among} ORDER BY embedding <=> CAST(? AS vector) LIMIT ?"
        asked = _written(vector)
        values = (asked, *([list(papers)] if papers is not None else []), asked, limit)

        # Goes on where a filter leaves too few of what the graph found at first.
        settings = {
            "hnsw.ef_search": min(max(limit, LEAST_EF), MOST_EF),
            "hnsw.iterative_scan": "strict_order",
        }
        rows = self._db.run_with(settings, query.replace("{table}", f'"{self._table}"'), values)
        return [(key, float(cosine)) for key, cosine in rows]

    def count(self) -> int:
        """How many passages there are."""
        return int(self._run("SELECT count(*) FROM {table}")[0][0]) if self._there() else 0

    def holds(self, ids: Sequence[str], vectors: Vectors) -> bool:
        """Whether these passages are stored with these vectors."""
        if not self._there():
            return not ids
        found = dict(self._run("SELECT id, CAST(embedding AS text) FROM {table} WHERE id = ANY(?)", (list(ids),)))
        stored = [np.fromstring(found[key].strip("[]"), np.float32, sep=",") for key in ids if key in found]
        return len(stored) == len(ids) and bool(
            np.allclose(np.array(stored).reshape(vectors.shape), vectors, atol=1e-5)
        )

    def clear(self) -> None:
        """Throw everything away, the note too."""
        with self._db.transaction():
            self._run("DROP TABLE IF EXISTS {table}")
            self._run("DELETE FROM followed WHERE ledger = ?", (self._identity,))

    def close(self) -> None:
        """Let go of the connections."""
        self._db.close()


def _written(vector: Vectors) -> str:
    return f"[{','.join(map(str, vector.tolist()))}]"
