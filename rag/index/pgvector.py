"""Passage vectors in PostgreSQL with the extension pgvector (an HNSW graph by cosine)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from rag.errors import ShelfError
from rag.index.ledger import EVERYTHING
from rag.index.server import ask
from rag.index.vector_index import Vectors
from rag.types import Paper, Passage

# Candidates the graph keeps while it is searched: at least pgvector's own 40, and no more than it allows.
LEAST_EF, MOST_EF = 40, 1_000

T = TypeVar("T")


class PostgresVectors:
    """A table of passages in a database, one for each ledger; see `rag.index.vector_index.VectorIndex`. Threads may share it."""

    damaged = False

    def __init__(self, url: str, identity: str, *, keep_text: bool) -> None:
        """Open, or create.

        Raises:
            ShelfError: psycopg is not installed, the server does not answer, or it has no pgvector.
        """
        try:
            import psycopg
        except ImportError as error:
            raise ShelfError("vectors in PostgreSQL need psycopg", hint="pip install 'attest[postgres]'") from error
        self._psycopg = psycopg
        self._url, self._identity = url, identity
        self._table = psycopg.sql.Identifier(f"passages_{identity}")
        self._keep_text = keep_text
        self._connection: Any = None
        self._lock = threading.RLock()
        self._ask(lambda connection: connection.execute("SELECT 1"))

    def _open(self) -> Any:
        connection = self._psycopg.connect(self._url, autocommit=True)
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except self._psycopg.Error as error:
            connection.close()
            raise ShelfError(
                f"the PostgreSQL server has no pgvector: {error}",
                hint="install the extension there, and CREATE EXTENSION vector as a superuser",
            ) from error
        connection.execute("CREATE TABLE IF NOT EXISTS followed (ledger text PRIMARY KEY, revision bigint NOT NULL)")
        # Goes on where a filter leaves too few of what the graph found at first.
        connection.execute("SET hnsw.iterative_scan = strict_order")
        return connection

    def _ask(self, call: Callable[[Any], T]) -> T:
        def attempt() -> T:
            with self._lock:  # transactions of two threads on one connection would be one
                try:
                    if self._connection is None or self._connection.closed:
                        self._connection = self._open()
                    return call(self._connection)
                except self._psycopg.OperationalError:
                    self.close()
                    raise

        return ask(
            attempt,
            lambda error: isinstance(error, self._psycopg.OperationalError),
            "the PostgreSQL server with the vectors",
            "start it, or set ATTEST_VECTORS to where it is",
        )

    def _run(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Rows of a statement in which `{table}` is that of the passages."""
        return self._ask(lambda connection: self._rows(connection, query, values))

    def _rows(self, connection: Any, query: str, values: Sequence[Any] = ()) -> list[Any]:
        cursor = connection.execute(self._psycopg.sql.SQL(query).format(table=self._table), values)
        return list(cursor.fetchall()) if cursor.description else []

    def _there(self) -> bool:
        return bool(self._run("SELECT to_regclass(%s) IS NOT NULL", (self._table.as_string(None),))[0][0])

    def noted(self, identity: str) -> int:
        """The revision of this ledger that was followed."""
        rows = self._run("SELECT revision FROM followed WHERE ledger = %s", (identity,))
        return int(rows[0][0]) if rows and self._there() else EVERYTHING

    def note(self, identity: str, revision: int) -> None:
        """All that this ledger held at this revision is here."""
        query = "INSERT INTO followed VALUES (%s, %s) ON CONFLICT (ledger) DO UPDATE SET revision = excluded.revision"
        self._run(query, (identity, revision))

    def upsert(self, passages: Sequence[tuple[Passage, Paper]], vectors: Vectors, texts: Sequence[str]) -> None:
        """Store passages by their ids, all of them or none; ones that are there are replaced."""
        if not passages:
            return
        rows = [
            (passage.id, paper.id, paper.title, paper.year, passage.start, passage.end, _written(vector), text if self._keep_text else None)
            for (passage, paper), vector, text in zip(passages, vectors, texts, strict=True)
        ]  # fmt: skip
        query = self._psycopg.sql.SQL(
            "INSERT INTO {table} VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET paper_id = excluded.paper_id,"
            " title = excluded.title, year = excluded.year, begins = excluded.begins, ends = excluded.ends,"
            " embedding = excluded.embedding, passage = excluded.passage"
        ).format(table=self._table)

        def store(connection: Any) -> None:
            with connection.transaction():
                self._make(connection, vectors.shape[1])
                connection.cursor().executemany(query, rows)

        self._ask(store)

    def _make(self, connection: Any, dimension: int) -> None:
        self._rows(
            connection,
            "CREATE TABLE IF NOT EXISTS {table} (id text PRIMARY KEY, paper_id text NOT NULL, title text NOT NULL, year integer,"
            f" begins integer NOT NULL, ends integer NOT NULL, embedding vector({int(dimension)}) NOT NULL, passage text)",
        )
        index = self._psycopg.sql.Identifier(f"near_{self._identity}")
        make = "CREATE INDEX IF NOT EXISTS {index} ON {table} USING hnsw (embedding vector_cosine_ops)"
        connection.execute(self._psycopg.sql.SQL(make).format(index=index, table=self._table))

    def delete(self, ids: Sequence[str]) -> None:
        """Forget these passages; ones that are not there do not matter."""
        if ids and self._there():
            self._run("DELETE FROM {table} WHERE id = ANY(%s)", (list(ids),))

    def query(self, vector: Vectors, limit: int, papers: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """The nearest passages, of these papers only where they are named, as (paper id, cosine), best first."""
        if not self._there():
            return []
        among = "" if papers is None else "WHERE paper_id = ANY(%s)"
        query = f"SELECT paper_id, 1 - (embedding <=> %s::vector) FROM {{table}} {among} ORDER BY embedding <=> %s::vector LIMIT %s"
        asked = _written(vector)
        values = (asked, *([list(papers)] if papers is not None else []), asked, limit)

        def nearest(connection: Any) -> list[Any]:
            with connection.transaction():
                connection.execute(f"SET LOCAL hnsw.ef_search = {min(max(limit, LEAST_EF), MOST_EF)}")
                return self._rows(connection, query, values)

        return [(key, float(cosine)) for key, cosine in self._ask(nearest)]

    def count(self) -> int:
        """How many passages there are."""
        return int(self._run("SELECT count(*) FROM {table}")[0][0]) if self._there() else 0

    def holds(self, ids: Sequence[str], vectors: Vectors) -> bool:
        """Whether these passages are stored with these vectors."""
        if not self._there():
            return not ids
        found = dict(self._run("SELECT id, embedding::text FROM {table} WHERE id = ANY(%s)", (list(ids),)))
        stored = [np.fromstring(found[key].strip("[]"), np.float32, sep=",") for key in ids if key in found]
        return len(stored) == len(ids) and bool(
            np.allclose(np.array(stored).reshape(vectors.shape), vectors, atol=1e-5)
        )

    def clear(self) -> None:
        """Throw everything away, the note too."""
        self._run("DROP TABLE IF EXISTS {table}")
        self._run("DELETE FROM followed WHERE ledger = %s", (self._identity,))

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None


def _written(vector: Vectors) -> str:
    return f"[{','.join(map(str, vector.tolist()))}]"
