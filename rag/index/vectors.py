"""Passage vectors in Chroma: a folder of this process's own, or a server that several share."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import numpy as np

from rag.address import DATABASES, without_password
from rag.errors import AttestError, ShelfError
from rag.index import hnsw_files
from rag.index.database import Database
from rag.index.ledger import EVERYTHING
from rag.index.pgvector import PostgresVectors
from rag.index.postgres import PostgresDatabase
from rag.index.seal import Seal, break_seal, read_seal, write_seal
from rag.index.server import ask
from rag.index.vector_index import IndexDamaged, VectorIndex, Vectors
from rag.types import Paper, Passage

if TYPE_CHECKING:
    from rag.config import Settings

COLLECTION = "passages"
# Seconds that a server may take for one answer; storing a batch takes it a few.
PATIENCE = 30.0
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
        self._client = chromadb.PersistentClient(str(self._folder), settings=_settings())
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


class ServerVectors(Collection):
    """A collection on a Chroma server (`chroma run`), one for each ledger.

    The server must be one that you run yourself, on a network that you trust: it asks for no password, and a client that opens
    a collection obeys what the server says of it (CVE-2026-45829). What fails for a moment is asked again.
    """

    def __init__(self, url: str, identity: str, *, keep_text: bool) -> None:
        """Open, or create.

        Raises:
            ShelfError: the server does not answer, or the address is none.
        """
        super().__init__(f"{COLLECTION}-{identity}", keep_text=keep_text)
        self._url = url
        try:
            self._ask(self._open)
        except IndexDamaged:
            self.damaged = True
            self.clear()

    def _open(self) -> None:
        import chromadb
        import httpx

        address = urlsplit(self._url)
        secure = address.scheme == "https"
        port = address.port or (443 if secure else 8000)
        # chromadb waits for ever, for its first answer and for every other.
        httpx.get(f"{self._url.rstrip('/')}/api/v2/heartbeat", timeout=PATIENCE)
        self._client = chromadb.HttpClient(address.hostname or "", port, secure, settings=_settings())
        self._client._server._session.timeout = PATIENCE
        self._attach()

    def _ask(self, call: Callable[[], T]) -> T:
        import httpx

        server = f"the Chroma server at {without_password(self._url)}"
        start = (
            "start it (chroma run --path FOLDER --host 127.0.0.1 --port 8000), or set ATTEST_VECTORS to where it is;"
            " it is filled from the ledger"
        )
        try:
            return ask(call, _passing, server, start)
        except httpx.TimeoutException as error:  # asked again, it would keep the reader waiting as long once more
            raise ShelfError(f"{server} has not answered for {PATIENCE:g} seconds", hint=start) from error

    def clear(self) -> None:
        """Throw the collection away and begin with an empty one."""
        from chromadb.errors import NotFoundError

        with contextlib.suppress(NotFoundError):
            self._ask(partial(self._client.delete_collection, self._name))
        self._ask(self._attach)

    def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.close()
            self._client = None


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


def _names_a_function(stored: Any) -> bool:
    """Whether a collection's settings name an embedding function anywhere; ours say that there is none."""
    if isinstance(stored, dict):
        own = stored.get("embedding_function")
        named = isinstance(own, dict) and own.get("type") not in ("legacy", "unknown")
        return named or any(_names_a_function(value) for value in stored.values())
    return isinstance(stored, list) and any(map(_names_a_function, stored))


def _settings() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def _passing(error: Exception) -> bool:
    """Whether a server's failure may be gone when it is asked again: no answer, or one that blames the server."""
    import httpx
    from chromadb.errors import ChromaError, InternalError, RateLimitError

    if isinstance(error, ChromaError):
        return isinstance(error, InternalError | RateLimitError)
    if isinstance(error.__context__, httpx.HTTPStatusError):
        return error.__context__.response.status_code >= 500
    refused = isinstance(error, ValueError) and "connect to" in str(
        error
    )  # which chromadb makes of a refused connection
    return refused or (isinstance(error, httpx.TransportError) and not isinstance(error, httpx.TimeoutException))


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
    return not isinstance(
        error, AttestError | KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError | ImportError
    )
