"""A server is asked again while what failed may pass: a restart, a connection that broke."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from rag.errors import ShelfError

# Asked again after 0.2, 0.4, ... seconds.
ATTEMPTS, PAUSE = 5, 0.2

T = TypeVar("T")


def ask(call: Callable[[], T], may_pass: Callable[[Exception], bool], server: str, remedy: str) -> T:
    """What `call` returns; a failure that may not pass is raised as it is.

    Raises:
        ShelfError: it still failed at the last attempt; names the `server`, and what to do.
    """
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except Exception as error:
            if not may_pass(error):
                raise
            failed = error
        if attempt < ATTEMPTS - 1:
            time.sleep(PAUSE * 2**attempt)
    raise ShelfError(f"{server} does not answer: {' '.join(str(failed).split())}", hint=remedy) from failed
