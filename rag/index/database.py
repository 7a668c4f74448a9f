"""What a ledger needs of a database, and SQLite's: a file of one process."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rag.errors import ShelfError, ShelfIncompatible

NO_ROOM = (
    "is the disk full, or the folder read-only? What was stored is kept: the same command goes on once there is room"
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What databases say in different words; `?` stands for a value.

    Attributes:
        bytes, text: types of columns, of text in the order of its code points.
        keyed: what ends the definition of a table that is kept in the order of its key.
        contains: whether the column `{}` contains a value.
        listed: the values of a JSON list, as rows of text.
        organization: the name of the organisation in a paper's `record`.
        sources, file: the sources in a paper's `record`, to be joined, and the file or address of each.
    """

    bytes: str
    text: str
    keyed: str
    contains: str
    listed: str
    organization: str
    sources: str
    file: str


class Database(Protocol):
    """Statements with `?` for values. Threads may share it; what one of them writes in a transaction it reads there too.

    Attributes:
        name: what messages call it; without a password.
        shared: whether other processes may write to it.
    """

    name: str
    shared: bool
    dialect: Dialect

    def run(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows that a statement gives."""
        ...

    def run_many(self, query: str, values: Iterable[Sequence[Any]]) -> None:
        """A statement for each of these values."""
        ...

    def alone(self) -> AbstractContextManager[object]:
        """While nobody else writes."""
        ...

    def transaction(self) -> AbstractContextManager[bool]:
        """All or nothing, and alone. Says whether it is one of its own: within another it is part of that."""
        ...

    def opening(self) -> AbstractContextManager[object]:
        """While a ledger is made or looked at first: what fails tells of the whole file."""
        ...

    def has(self, table: str) -> bool:
        """Whether there is such a table."""
        ...

    def faults(self, most: int) -> list[str]:
        """At most so many things that are wrong with it, as far as it can tell."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class SqliteDatabase:
    """A file; with an empty path one that is deleted when it is closed."""

    shared = False
    dialect = Dialect(
        bytes="BLOB",
        text="TEXT",
        keyed=" WITHOUT ROWID",
        contains="instr({}, ?)",
        listed="SELECT value FROM json_each(?)",
        organization="json_extract(record, '$.organization.name')",
        sources="json_each(record, '$.sources') AS source",
        file="json_extract(source.value, '$.file')",
    )

    def __init__(self, path: Path | str) -> None:
        self.name = str(path)
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._writing = threading.RLock()

    def run(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def run_many(self, query: str, values: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(query, values)

    def alone(self) -> AbstractContextManager[object]:
        return self._writing

    @contextlib.contextmanager
    def transaction(self) -> Iterator[bool]:
        with self._writing:
            if self._connection.in_transaction:  # this thread's: another's would have the lock
                yield False
                return
            self.run("BEGIN IMMEDIATE")
            try:
                yield True
                self.run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk ends it by itself
                    self.run("ROLLBACK")
                raise

    @contextlib.contextmanager
    def opening(self) -> Iterator[None]:
        """As `Database.opening`.

        Raises:
            ShelfError: the file cannot be written.
            ShelfIncompatible: it is damaged, or no SQLite file.
        """
        try:
            self.run("PRAGMA journal_mode=WAL")
            self.run("PRAGMA synchronous=NORMAL")
            yield
        except sqlite3.OperationalError as error:
            raise ShelfError(f"{self.name} cannot be used: {error}", hint=NO_ROOM) from error
        except sqlite3.DatabaseError as error:
            raise ShelfIncompatible(
                f"{self.name} is damaged or is no ledger: {error}",
                hint="restore it from a backup, or ingest the sources into a new shelf",
            ) from error

    def has(self, table: str) -> bool:
        return bool(self.run("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)))

    def faults(self, most: int) -> list[str]:
        said = [str(row[0]) for row in self.run(f"PRAGMA integrity_check({int(most)})")]
        return [] if said == ["ok"] else said

    def close(self) -> None:
        self._connection.close()


def portions(values: Sequence[Any], most: int = 10_000) -> Iterator[Sequence[Any]]:
    """Values that one statement may have: SQLite allows 32,766, PostgreSQL 65,535."""
    for start in range(0, len(values), most):
        yield values[start : start + most]


def marks(values: Sequence[Any]) -> str:
    """As many `?`, parted by commas."""
    return ",".join("?" * len(values))
