"""Where a shelf is: in a folder, or in a database with a folder beside it on each machine."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.address import to_address, without_password
from rag.errors import ShelfError, ShelfMissing, UsageError
from rag.index.database import Database, SqliteDatabase
from rag.index.lock import ShelfLock
from rag.index.schema import NEWEST

if TYPE_CHECKING:
    from rag.config import Settings

LEDGER = "ledger.sqlite"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a shelf is.

    Attributes:
        folder: of the shelf, or of what this machine keeps of one in a database: what is made from the ledger, and what
            users of this machine left.
        url: of the database; empty for a shelf in a folder.
        name: what messages call it; without a password.
    """

    folder: Path
    url: str
    name: str

    @property
    def address(self) -> str | Path:
        """As it was given."""
        return self.url or self.folder

    @classmethod
    def of(cls, shelf: str | Path, settings: Settings) -> Place:
        """The place of a shelf given by its folder or the address of its database (`rag.address.to_address`).

        Raises:
            UsageError: vectors of a shelf in a database are wanted elsewhere.
        """
        address = to_address(shelf)
        if isinstance(address, Path):
            return cls(address, "", str(address))
        if settings.vectors:
            raise UsageError(
                "a shelf in a database has its vectors there", hint="unset ATTEST_VECTORS, or give --shelf a folder"
            )
        name = without_password(address)
        return cls(settings.cache_dir / "shelves" / hashlib.sha256(name.encode()).hexdigest()[:16], address, name)

    def prepare(self, create: bool) -> None:
        """See that a shelf's folder is there, or with `create` that it can be.

        Raises:
            ShelfMissing: there is no shelf.
            ShelfError: the folder cannot be made.
        """
        if not (create or self.url):
            if not (self.folder / LEDGER).is_file():
                raise ShelfMissing(f"there is no shelf at {self.name}", self.name)
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ShelfError(
                f"no shelf can be made at {self.folder}: {error}",
                hint="set ATTEST_CACHE_DIR to a folder that can be written"
                if self.url
                else "give --shelf another folder",
            ) from error

    @contextlib.contextmanager
    def opened(self, settings: Settings, *, create: bool) -> Iterator[Database]:
        """The database of the ledger; where it is a file, nobody else has it.

        Raises:
            ShelfMissing: there is no shelf, and `create` is false.
            ShelfLocked: another process has it.
            ShelfError: the folder cannot be made, or the server does not answer.
        """
        with contextlib.ExitStack() as opened:
            if self.url:
                from rag.index.postgres import PostgresDatabase

                shared = PostgresDatabase(self.url)
                opened.callback(shared.close)
                if not (create or shared.has(NEWEST)):
                    raise ShelfMissing(f"there is no shelf at {self.name}", self.name)
                self.prepare(create)
                yield shared
                return
            self.prepare(create)
            opened.callback(ShelfLock(self.folder, settings.lock_wait).release)
            database = SqliteDatabase(self.folder / LEDGER)
            opened.callback(database.close)
            yield database
