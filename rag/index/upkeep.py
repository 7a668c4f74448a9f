"""Looking after a shelf: whether everything agrees with the ledger, and copies that can be put back."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import ShelfError
from rag.index import sums
from rag.index.ledger import EVERYTHING, Ledger
from rag.index.lock import ShelfLock
from rag.index.segment_store import SegmentStore
from rag.index.shelf import BATCH, Shelf, open_ledger, prepare
from rag.index.vector_index import VectorIndex
from rag.index.vectors import is_fault, open_vectors

if TYPE_CHECKING:
    from rag.config import Settings

LEDGER = "ledger.sqlite"
# Made from the ledger whenever they are missing, or good for one process only: no part of a backup.
_DERIVED = frozenset(
    (
        "chroma",
        "chroma.json",
        "segments",
        "columns",
        "lexical.npz",
        "state.json",
        ".lock",
        "owner",
        f"{LEDGER}-wal",
        f"{LEDGER}-shm",
    )
)
# A ledger on its way out of a backup.
_UNFINISHED = f"{LEDGER}.part"
_SHOWN = 5  # faults of one kind that are told


@dataclass(frozen=True, slots=True)
class Health:
    """What was found: `stale` indexes, which were made anew from the ledger, and `faults` of the ledger itself, which only
    a backup or the sources can mend."""

    papers: int
    passages: int
    stale: tuple[str, ...]
    faults: tuple[str, ...]


def verify(folder: Path, settings: Settings) -> Health:
    """Hold every index against the ledger, record by record, and rebuild those that disagree.

    Raises:
        ShelfMissing, ShelfLocked, ShelfIncompatible: as `rag.index.shelf.Shelf`.
    """
    with open_ledger(folder, settings) as ledger:
        faults = tuple(_faults(ledger))
        stale = () if faults else tuple(_stale(folder, ledger, settings))
        papers, passages = ledger.count()
        identity = ledger.identity
    if stale:
        with contextlib.closing(open_vectors(folder, settings, identity)) as vectors:
            vectors.clear()  # nothing is in step: opening makes all of it anew
        shutil.rmtree(folder / "segments", ignore_errors=True)
        Shelf(folder, settings).close()
    return Health(papers, passages, stale, faults)


def _faults(ledger: Ledger) -> Iterator[str]:
    said = ledger.integrity(_SHOWN)
    if said:
        yield from said
        return
    wrong = [
        passage.id
        for held, vectors in ledger.passages(EVERYTHING, BATCH)
        for (passage, paper), vector in zip(held, vectors, strict=True)
        if passage.id != f"{paper.id}:{passage.start}-{passage.end}"
        or not 0 <= passage.start < passage.end <= len(paper.abstract)
        or not np.isfinite(vector).all()
    ]
    if wrong:
        yield f"{len(wrong)} passages do not fit their papers: {', '.join(wrong[:_SHOWN])}"


def _stale(folder: Path, ledger: Ledger, settings: Settings) -> Iterator[str]:
    with contextlib.closing(open_vectors(folder, settings, ledger.identity)) as vectors:
        try:
            yield from _wrong(vectors, ledger)
        except BaseException as error:
            if not is_fault(error):
                raise
            yield f"the vectors could not be read: {error}"
    store = SegmentStore(folder / "segments", next((own.shape[1] for _, own in ledger.passages(EVERYTHING, 1)), 1))
    if not store.open(ledger.identity):
        yield "the files of words and vectors could not be read"
    elif any(name for one in (folder / "segments").glob("*/") for name in sums.changed(one)) or not _agree(
        store, ledger
    ):
        yield "the files hold other words or vectors than the ledger"


def _wrong(vectors: VectorIndex, ledger: Ledger) -> Iterator[str]:
    _, passages = ledger.count()
    if vectors.damaged:
        yield "the vectors could not be opened"
    elif (count := vectors.count()) != passages:
        yield f"Chroma holds {count} passages, the ledger {passages}"
    elif not all(vectors.holds([one.id for one, _ in held], own) for held, own in ledger.passages(EVERYTHING, BATCH)):
        yield "Chroma holds other passages or vectors than the ledger"


def _agree(store: SegmentStore, ledger: Ledger) -> bool:
    """Whether the segments hold what the ledger does, paper by paper."""
    segments, at, papers = store.view(), (EVERYTHING, 0), 0
    while changed := ledger.changed(at, BATCH):
        at, papers = changed[-1].changed, papers + len(changed)
        rows = segments.rows_of([one.id for one in changed])
        if (rows < 0).any():
            return False
        words = {term: segments.holds(rows, term) for one in changed for term in one.stems}
        for place, (one, tokens) in enumerate(zip(changed, segments.tokens(rows), strict=True)):
            vectors, _ = segments.passages(rows[place : place + 1])
            held = (vectors, tokens.vectors, tokens.sentences, tokens.ids)
            own = [b"".join(column) for column in zip(*one.encoded, strict=True)] or [b""] * len(held)
            if [part.tobytes() for part in held] != own or not all(words[term][place] for term in one.stems):
                return False
    return papers == len(segments)


def backup(folder: Path, target: Path, settings: Settings) -> int:
    """Copy what cannot be made anew - the ledger as of now, and what users left - into one zip file, whole or not at all.

    Returns:
        The number of papers in the copy.

    Raises:
        ShelfMissing, ShelfLocked: as `rag.index.shelf.Shelf`.
        ShelfError: the file cannot be written, or is there already.
    """
    if target.exists():
        raise ShelfError(f"{target} is there already", hint="give the backup another name")
    part, copy = (target.with_name(f"{target.name}{suffix}") for suffix in (".part", ".ledger.part"))
    with open_ledger(folder, settings) as ledger, _written(part, target, copy):
        copy.unlink(missing_ok=True)  # of a backup that was killed
        ledger.copy(copy)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as out:
            out.write(copy, LEDGER)
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                if path.is_file() and name.parts[0] not in _DERIVED | {LEDGER} and path.suffix != ".part":
                    out.write(path, name.as_posix())
        return ledger.count()[0]


def restore(source: Path, folder: Path, settings: Settings) -> int:
    """Make a shelf of a backup; its indexes are made anew, and nothing is embedded again. One that was killed is begun again.

    Returns:
        The number of papers on the shelf.

    Raises:
        ShelfError: the folder is not empty, or the file is no whole backup.
        ShelfIncompatible: the shelf was made by another model or a newer format.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / _UNFINISHED).exists():
        raise ShelfError(f"{folder} is not empty", hint="give --shelf a new folder")
    prepare(folder, create=True)
    lock = ShelfLock(folder, settings.lock_wait)
    try:
        _unpack(source, folder)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ShelfError(f"{folder} cannot be written: {error}", hint="is the disk full?") from error
        raise ShelfError(f"{source} is no whole backup of a shelf: {error}", hint="attest backup makes one") from error
    finally:
        lock.release()
    with Shelf(folder, settings) as shelf:
        return shelf.ledger.count()[0]


def _unpack(source: Path, folder: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        names = archive.namelist()
        if LEDGER not in names:
            raise ValueError(f"it holds no {LEDGER}")
        (folder / _UNFINISHED).touch()
        for name in names:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or path.parts[0] in _DERIVED:
                raise ValueError(f"{name!r} does not belong in one")
            if name != LEDGER:
                archive.extract(name, folder)  # checks the sum of every file
        # Last, and under its name only when it is whole: without a ledger there is no shelf.
        with archive.open(LEDGER) as packed, (folder / _UNFINISHED).open("wb") as out:
            shutil.copyfileobj(packed, out)
        (folder / _UNFINISHED).replace(folder / LEDGER)


@contextlib.contextmanager
def _written(part: Path, target: Path, *beside: Path) -> Iterator[None]:
    try:
        yield
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise ShelfError(
            f"{target} cannot be written: {error}", hint="is the disk full, or the folder read-only?"
        ) from error
    finally:
        for path in (part, *beside):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
