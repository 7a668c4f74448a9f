"""A PostgreSQL database that several processes share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, TypeVar

from rag.address import without_password
from rag.errors import ShelfError, UsageError
from rag.index.database import Dialect
from rag.index.server import ask

# What holds where the address does not say otherwise: of several hosts the one that takes writes, none waited for too long,
# and a connection given up when the other machine no longer answers (seconds; the last in milliseconds).
DEFAULTS = {
    "target_session_attrs": "read-write", "connect_timeout": "5", "application_name": "attest",
    "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "20000",
}  # fmt: skip
# Connections that one process has at most; what nobody uses is kept for the next statement.
MOST = 8

_WHERE = "start it, or give the address of one that runs (--shelf or ATTEST_SHELF, or ATTEST_VECTORS)"

T = TypeVar("T")


class PostgresDatabase:
    """See `rag.index.database.Database`. A connection that broke is opened again, and what was asked without a transaction
    asked again; a transaction that broke off leaves nothing, and is not repeated."""

    shared = True
    dialect = Dialect(
        bytes="bytea",
        text='text COLLATE "C"',
        keyed="",
        contains="strpos({}, ?) > 0",
        listed="SELECT value FROM json_array_elements_text(CAST(? AS json)) AS own (value)",
        organization="(CAST(record AS json) #>> '{organization,name}') COLLATE \"C\"",
        sources="json_array_elements(CAST(record AS json) -> 'sources') AS source (value)",
        file="(source.value ->> 'file') COLLATE \"C\"",
    )

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            ShelfError: psycopg is not installed, or the server does not answer.
            UsageError: the address is none.
        """
        try:
            import psycopg
        except ImportError as error:
            raise ShelfError("PostgreSQL needs psycopg", hint="pip install 'attest[postgres]'") from error
        self._psycopg = psycopg
        self.name = without_password(url)
        try:
            given: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(url)
            if "@" in given.get("dbname", ""):
                raise psycopg.ProgrammingError("there is a / before the host")
        except psycopg.Error:  # whose words may hold the password
            raise UsageError(
                f"{self.name} is no address of a database",
                hint="postgresql://USER:PASSWORD@HOST:PORT/DATABASE; in a password / is %2F, @ is %40 and % is %25",
            ) from None
        self._address = psycopg.conninfo.make_conninfo(**DEFAULTS | given)
        self._idle: list[Any] = []
        self._room = threading.BoundedSemaphore(MOST)
        self._own = threading.local()
        self.run("SELECT 1")

    def run(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._ask(lambda connection: _rows(connection, query, values))

    def run_with(self, settings: Mapping[str, object], query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that a statement gives while the server has these settings."""

        def rows(connection: Any) -> list[Any]:
            with connection.transaction():
                for name, value in settings.items():
                    _rows(connection, "SELECT set_config(?, ?, true)", (name, str(value)))
                return _rows(connection, query, values)

        return self._ask(rows)

    def run_many(self, query: str, values: Iterable[Sequence[Any]]) -> None:
        held = list(values)  # they may have to be given again
        if held:
            self._ask(lambda connection: connection.cursor().executemany(_written(query), held))

    def _ask(self, call: Callable[[Any], T]) -> T:
        """What `call` returns for a connection: this thread's transaction, or any, and then for another one if it breaks.

        Raises:
            ShelfError: the server does not answer, or refuses.
        """
        with self._told():
            if connection := getattr(self._own, "connection", None):
                return call(connection)

            def attempt() -> T:
                with self._lent() as connection:
                    return call(connection)

            return ask(attempt, self._may_pass, f"the PostgreSQL server at {self.name}", _WHERE)

    def alone(self) -> AbstractContextManager[object]:
        return self.transaction()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[bool]:
        if getattr(self._own, "connection", None):
            yield False
            return
        # Of all processes one at a time, so that revisions are seen in their order; let go of with the transaction.
        self.run("SELECT 1")  # waits for a server that is about to be back
        with self._told(), self._lent() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('attest ' || current_schema(), 0))")
            self._own.connection = connection
            try:
                yield True
            finally:
                self._own.connection = None

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Any]:
        """A connection for the block alone. One that breaks takes the others that are kept with it: their server is gone."""
        with self._room:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._psycopg.connect(self._address, autocommit=True)
            try:
                yield connection
            except self._psycopg.OperationalError:
                self.close()
                raise
            finally:
                if connection.info.transaction_status == self._psycopg.pq.TransactionStatus.IDLE:
                    self._idle.append(connection)
                else:  # it broke, or was interrupted
                    connection.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """The server's errors as ours."""
        try:
            yield
        except self._psycopg.OperationalError as error:
            raise ShelfError(
                f"the PostgreSQL server at {self.name} broke off: {_line(error)}",
                hint="what was stored before is kept: the same command goes on once it answers",
            ) from error
        except self._psycopg.Error as error:
            raise ShelfError(
                f"the PostgreSQL server at {self.name} refuses: {_line(error)}",
                hint="the user needs the right to create tables in a database of the shelf's own; its log says more",
            ) from error

    def _may_pass(self, error: Exception) -> bool:
        return isinstance(error, self._psycopg.OperationalError)

    def opening(self) -> AbstractContextManager[object]:
        return contextlib.nullcontext()  # every statement tells of itself

    def has(self, table: str) -> bool:
        # In the first schema of the path, where tables are made: others may hold another shelf.
        query = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?"
        return bool(self.run(query, (table,)))

    def faults(self, most: int) -> list[str]:
        return []  # a server looks after its own files

    def close(self) -> None:
        """Let go of the connections that nobody uses."""
        while self._idle:
            with contextlib.suppress(Exception):
                self._idle.pop().close()


def _rows(connection: Any, query: str, values: Sequence[Any]) -> list[Any]:
    cursor = connection.execute(_written(query), tuple(values), binary=True)
    return list(cursor.fetchall()) if cursor.description else []


@lru_cache(maxsize=256)
def _written(query: str) -> str:
    return query.replace("%", "%%").replace("?", "%s")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
