"""Waiting on the server: work that can be given up between two words, threads that are read as they go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
# What takes seconds or minutes has threads of its own: questions must not wait for one.
_LONG = ThreadPoolExecutor(16, thread_name_prefix="attest-long")


def long(work: Callable[[], T]) -> Awaitable[T]:
    """Run in a thread that no question waits for."""
    return asyncio.get_running_loop().run_in_executor(_LONG, work)


async def paced(events: AsyncGenerator[T, None], seconds: float) -> AsyncGenerator[T | None, None]:
    """The same events, and None after every so many seconds without one.

    Gradio notices that a tab was closed only when a generator yields; with a language model that is silent that may
    take a minute. Closing this generator cancels what it waits for.
    """
    waiting: asyncio.Task[T] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([waiting], timeout=seconds)
            if not done:
                yield None
                continue
            finished, waiting = waiting, None
            try:
                event = finished.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(BaseException):
                await waiting
        await events.aclose()


class Stopped(Exception):
    """The reader of a `told` function has gone."""


async def told(work: Callable[[Callable[[T], None]], None]) -> AsyncGenerator[T, None]:
    """What `work`, run in a thread, tells as it goes; when nobody listens any more, its next word raises `Stopped`."""
    loop, said, gone = asyncio.get_running_loop(), asyncio.Queue[T](), False

    def tell(item: T) -> None:
        if gone:
            raise Stopped
        loop.call_soon_threadsafe(said.put_nowait, item)

    running = asyncio.ensure_future(long(lambda: work(tell)))
    try:
        while True:
            next_word = asyncio.ensure_future(said.get())
            await asyncio.wait([next_word, running], return_when=asyncio.FIRST_COMPLETED)
            if next_word.done():
                yield next_word.result()
                continue
            next_word.cancel()
            while not said.empty():
                yield said.get_nowait()
            await running
            return
    finally:
        gone = True
        running.add_done_callback(lambda task: task.cancelled() or task.exception())
