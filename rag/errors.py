"""Errors a user can act on. Each says what went wrong, and its `hint` says what to do about it."""

from __future__ import annotations


class AttestError(Exception):
    """Base of every error raised on purpose. `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AttestError):
    """The request itself is wrong: an empty question, an unknown filter."""

    exit_code = 2


class IngestError(AttestError):
    """A source could not be read, or is of no known format."""


class ShelfError(AttestError):
    """The shelf cannot be used as asked."""

    exit_code = 4


class ShelfMissing(ShelfError):
    """There is no shelf at that path, or nothing on it."""

    def __init__(self, message: str, folder: object) -> None:
        at = "" if str(folder) == "shelf" else f" --shelf {folder}"
        hint = f"try the starter papers: attest ingest starter:{at}\n  or fill it with yours: attest ingest PAGES{at}"
        super().__init__(message, hint=hint)


class ShelfLocked(ShelfError):
    """Another process owns the shelf (two processes on one store lose data)."""


class ShelfIncompatible(ShelfError):
    """The shelf was made by another embedding model, dimension or newer format."""


class ModelError(AttestError):
    """The embedding model, or one that checks, is missing or unusable."""

    exit_code = 4


class WriterError(AttestError):
    """A language model could not be reached or did not give a usable answer."""


class PromptError(AttestError):
    """A prompt file is missing, or its variables do not fit."""
