"""Passage vectors of a shelf: in Chroma, in a folder of this process's own, or where the settings say."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rag.address import DATABASES
from rag.errors import AttestError, ShelfError
from rag.index import hnsw_files
from rag.index.chroma import COLLECTION, Collection, client_settings
from rag.index.chroma_server import ServerVectors
from rag.index.database import Database
from rag.index.ledger import EVERYTHING
from rag.index.pgvector import PostgresVectors
from rag.index.postgres import PostgresDatabase
from rag.index.seal import Seal, break_seal, read_seal, write_seal
from rag.index.vector_index import IndexDamaged, VectorIndex

if TYPE_CHECKING:
    from rag.config import Settings

T = TypeVar("T")


class VectorStore(Collection):
    """The collection of a folder, which belongs to one process; any Chroma client can read it.

    `damaged` tells that a folder was there and could not be opened; it was put away and an empty one made. A folder whose
    files are as they were when it was last closed is not opened before something is asked that only it can tell: importing
    chromadb takes more than half of the time of a whole `attest ask`.
    """

    def __init__(self, folder: Path, *, keep_text: bool) -> None:
        super().__init__(COLLECTION, keep_text=keep_text)
        self._folder = folder
        self._opening = threading.Lock()
        self._seal = read_seal(folder)
        if self._seal is not None:
            return
        try:
            if folder.is_dir() and not hnsw_files.whole(folder):
                raise IndexDamaged(f"the graph in {folder} is not whole")
            self._open()
        except BaseException as error:
            if not is_fault(error):
                raise
            self.damaged = True
            self.clear()

    def _open(self) -> None:
        import chromadb

        break_seal(self._folder)
        self._client = chromadb.PersistentClient(str(self._folder), settings=client_settings())
        self._attach()

    def _ask(self, call: Callable[[], T]) -> T:
        with self._opening:
            if self._seal is not None:
                self._seal = None
                self._open()
        return call()

    def noted(self, identity: str) -> int:
        if (seal := self._seal) is None:
            return super().noted(identity)
        return seal.revision if seal.ledger == identity else EVERYTHING

    def count(self) -> int:
        return super().count() if (seal := self._seal) is None else seal.count

    def clear(self) -> None:
        """Throw everything away and begin with an empty collection (the ledger has it all)."""
        self._let_go()
        self._seal = None
        try:
            if self._folder.exists():
                shutil.rmtree(self._folder)
            self._open()
        except OSError as error:
            raise ShelfError(
                f"{self._folder} cannot be made anew: {error}", hint="the folder must be writable"
            ) from error

    def close(self) -> None:
        """Let go of files and threads, and note what the files hold."""
        if self._seal is not None:
            return
        seal = None
        with contextlib.suppress(Exception):  # without a seal it is opened and looked at next time
            told = self._metadata()
            seal = Seal(str(told["ledger"]), int(told["revision"]), self.count())
        self._let_go()
        if seal:
            with contextlib.suppress(OSError):
                write_seal(self._folder, seal)

    def _let_go(self) -> None:
        """chromadb keeps clients of a path alive until told."""
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.close()
            self._client = None
        else:  # a client that failed to open stays in chromadb's table and would be handed out again
            from chromadb.api.shared_system_client import SharedSystemClient

            SharedSystemClient._identifier_to_system.pop(str(self._folder), None)


def open_vectors(shelf: Path, settings: Settings, identity: str, database: Database) -> VectorIndex:
    """The passage vectors of a ledger with this identity: in its database where processes share that, or else where the
    settings say, or in the shelf's folder.

    Raises:
        ShelfError: the server does not answer.
    """
    if isinstance(database, PostgresDatabase):
        return PostgresVectors(database, identity, keep_text=False)
    if (settings.vectors or "").startswith(DATABASES):
        return PostgresVectors(PostgresDatabase(str(settings.vectors)), identity, keep_text=settings.chroma_text)
    if settings.vectors:
        return ServerVectors(settings.vectors, identity, keep_text=settings.chroma_text)
    return VectorStore(shelf / "chroma", keep_text=settings.chroma_text)


def is_fault(error: BaseException) -> bool:
    """Damage shows as chromadb's own errors, SQLite's, or a panic of its Rust core (no `Exception`)."""
    return not isinstance(
        error, AttestError | KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError | ImportError
    )
