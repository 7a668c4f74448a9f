"""One owner of a shelf at a time: two processes on one Chroma folder lose data (reproduced)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import ShelfError, ShelfLocked


class ShelfLock:
    """Held from before anything of the shelf is opened until after everything is closed.

    Raises:
        ShelfLocked: another process holds it after `wait` seconds.
    """

    def __init__(self, shelf: Path, wait: float) -> None:
        self._owner = shelf / "owner"
        self._lock = FileLock(shelf / ".lock", is_singleton=False, thread_local=False)
        try:
            self._lock.acquire(timeout=wait)
        except Timeout:
            owner = ""
            with contextlib.suppress(OSError):
                owner = self._owner.read_text(encoding="utf-8").strip()
            holder = f"process {owner}" if owner else "another process"
            raise ShelfLocked(
                f"the shelf {shelf} is in use by {holder}",
                hint="close it (a running `attest serve`?), or give --shelf another folder",
            ) from None
        except OSError as error:
            raise ShelfError(
                f"the shelf {shelf} cannot be locked: {error}",
                hint=f"asking writes there too; use a copy of your own: cp -r {shelf} MINE && attest ask ... --shelf MINE",
            ) from error
        with contextlib.suppress(OSError):
            self._owner.write_text(f"{os.getpid()}\n", encoding="utf-8")

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._owner.unlink(missing_ok=True)
        self._lock.release()
