"""Where the ask river runs: in the caller's thread without an event loop, or beside a loop that must not wait.

The river is written once, as coroutines. Run by `Blocking` they never wait, so `blocking` can drive them
without a loop; run by `Concurrent` the network is awaited and the processor's work is done in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from rag.answer.language_model import LanguageModel, Message, Piece

T = TypeVar("T")
P = ParamSpec("P")


class Execution(Protocol):
    """How work is done and how a model is read. `pieces` raises TimeoutError after `patience` seconds of silence."""

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def pieces(
        self, model: LanguageModel, messages: Sequence[Message], patience: float
    ) -> AsyncGenerator[Piece, None]: ...


class Blocking:
    """In the caller's thread."""

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    async def pieces(
        self, model: LanguageModel, messages: Sequence[Message], patience: float
    ) -> AsyncGenerator[Piece, None]:
        # Read in a thread of its own, because no library's own time limit covers a server that sends only comments.
        handed: queue.Queue[Any] = queue.Queue()
        stop = _pump(model.stream(messages), handed.put)
        try:
            while (piece := _unwrapped(_get(handed, patience))) is not None:
                yield piece
        finally:
            stop()


class Concurrent:
    """Beside the running event loop."""

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    async def pieces(
        self, model: LanguageModel, messages: Sequence[Message], patience: float
    ) -> AsyncGenerator[Piece, None]:
        pieces = model.astream(messages)
        try:
            while True:
                async with asyncio.timeout(patience):
                    try:
                        piece = await anext(pieces)
                    except StopAsyncIteration:
                        return
                yield piece
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()


def blocking(events: AsyncGenerator[T, None]) -> Iterator[T]:
    """What an async generator yields that never waits, without an event loop."""
    try:
        while True:
            try:
                events.__anext__().send(None)
            except StopIteration as yielded:
                yield yielded.value
            except StopAsyncIteration:
                return
            else:
                raise RuntimeError("a coroutine run by Blocking has waited")
    finally:
        with contextlib.suppress(StopIteration):
            events.aclose().send(None)


async def in_thread(pieces: Iterator[T]) -> AsyncGenerator[T, None]:
    """The same pieces, for models that can only block: read in a thread, the event loop left free."""
    loop, handed = asyncio.get_running_loop(), asyncio.Queue[Any]()

    def hand(piece: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed; nobody waits any more
            loop.call_soon_threadsafe(handed.put_nowait, piece)

    stop = _pump(pieces, hand)
    try:
        while (piece := _unwrapped(await handed.get())) is not None:
            yield piece
    finally:
        stop()


def _pump(pieces: Iterator[T], hand: Callable[[Any], None]) -> Callable[[], None]:
    """Read `pieces` in a thread and hand them on, at last None or the exception; returns what stops it."""
    stopped = threading.Event()

    def read() -> None:
        try:
            for piece in pieces:
                hand(piece)
                if stopped.is_set():
                    break
            hand(None)
        except BaseException as error:
            hand(error)
        finally:
            if isinstance(pieces, Generator):
                pieces.close()

    threading.Thread(target=read, name="attest-language-model", daemon=True).start()
    return stopped.set


def _get(handed: queue.Queue[Any], patience: float) -> Any:
    try:
        return handed.get(timeout=patience)
    except queue.Empty:
        raise TimeoutError from None


def _unwrapped(piece: Any) -> Any:
    if isinstance(piece, BaseException):
        raise piece
    return piece
