"""Passage vectors on a Chroma server that several shelves share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from rag.address import without_password
from rag.errors import ShelfError
from rag.index.chroma import COLLECTION, Collection, client_settings
from rag.index.server import ask
from rag.index.vector_index import IndexDamaged

# Seconds that a server may take for one answer; storing a batch takes it a few.
PATIENCE = 30.0

T = TypeVar("T")


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
        self._client = chromadb.HttpClient(address.hostname or "", port, secure, settings=client_settings())
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
