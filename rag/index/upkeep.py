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
from rag.index.database import SqliteDatabase
from rag.index.ledger import EVERYTHING, Ledger
from rag.index.lock import ShelfLock
from rag.index.place import LEDGER, Place
from rag.index.schema import NEWEST
from rag.index.segment_store import SegmentStore
from rag.index.shelf import BATCH, Shelf, open_ledger
from rag.index.vector_index import VectorIndex
from rag.index.vectors import is_fault, open_vectors

if TYPE_CHECKING:
    from rag.config import Settings

# Made from the ledger whenever they are missing, or good for one process only: no part of a backup.
_DERIVED = frozenset(
    (
        "chroma",
        "chroma.json",
        "segments",
        "segments.lock",
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


def verify(address: Path | str, settings: Settings) -> Health:
    """Hold every index against the ledger, record by record, and rebuild those that disagree. Of a shelf in a database the
    segments are this machine's, and nobody writes meanwhile.

    Raises:
        ShelfMissing, ShelfLocked, ShelfIncompatible, ShelfError: as `rag.index.shelf.Shelf`.
    """
    place = Place.of(address, settings)
    with contextlib.ExitStack() as opened:
        database = opened.enter_context(place.opened(settings, create=False))
        ledger = Ledger(database, {}, place.name)
        opened.enter_context(ledger.alone())
        vectors = open_vectors(place.folder, settings, ledger.identity, database)
        opened.callback(vectors.close)
        width = next((own.shape[1] for _, own in ledger.passages(EVERYTHING, 1)), 1)
        store = SegmentStore(place.folder / "segments", width, shared=database.shared)
        faults = tuple(_faults(ledger))
        stale = () if faults else tuple(_stale(ledger, vectors, store))
        papers, passages = ledger.count()
        if stale:  # nothing is in step: opening makes all of it anew
            vectors.clear()
            store.remove()
    if stale:
        Shelf(address, settings).close()
    return Health(papers, passages, stale, faults)


def _faults(ledger: Ledger) -> Iterator[str]:
    said = ledger.faults(_SHOWN)
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


def _stale(ledger: Ledger, vectors: VectorIndex, store: SegmentStore) -> Iterator[str]:
    try:
        yield from _wrong(vectors, ledger)
    except BaseException as error:
        if not is_fault(error):
            raise
        yield f"the vectors could not be read: {error}"
    if not store.open(ledger.identity):
        yield "the files of words and vectors could not be read"
    elif store.changed() or not _agree(store, ledger):
        yield "the files hold other words or vectors than the ledger"


def _wrong(vectors: VectorIndex, ledger: Ledger) -> Iterator[str]:
    _, passages = ledger.count()
    if vectors.damaged:
        yield "the vectors could not be opened"
    elif (count := vectors.count()) != passages:
        yield f"the index of vectors holds {count} passages, the ledger {passages}"
    elif not all(vectors.holds([one.id for one, _ in held], own) for held, own in ledger.passages(EVERYTHING, BATCH)):
        yield "the index of vectors holds other passages or vectors than the ledger"


def _agree(store: SegmentStore, ledger: Ledger) -> bool:
    """Whether the segments, once they took in what they had not yet, hold what the ledger does, paper by paper."""
    segments, at, papers = store.follow(ledger), (EVERYTHING, 0), 0
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


def backup(address: Path | str, target: Path, settings: Settings) -> int:
    """Copy what cannot be made anew - the ledger as of now, and what users left - into one zip file, whole or not at all.

    Returns:
        The number of papers in the copy.

    Raises:
        ShelfMissing, ShelfLocked: as `rag.index.shelf.Shelf`.
        ShelfError: the file cannot be written, or is there already, or a server does not answer.
    """
    folder = Place.of(address, settings).folder
    if target.exists():
        raise ShelfError(f"{target} is there already", hint="give the backup another name")
    part, copy = (target.with_name(f"{target.name}{suffix}") for suffix in (".part", ".ledger.part"))
    with open_ledger(address, settings) as ledger, _written(part, target, copy):
        copy.unlink(missing_ok=True)  # of a backup that was killed
        with contextlib.closing(SqliteDatabase(copy)) as database:
            ledger.copy(database)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as out:
            out.write(copy, LEDGER)
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                if path.is_file() and name.parts[0] not in _DERIVED | {LEDGER} and path.suffix != ".part":
                    out.write(path, name.as_posix())
        return ledger.count()[0]


def restore(source: Path, address: Path | str, settings: Settings) -> int:
    """Make a shelf of a backup, in a folder or a database, whichever it was in; its indexes are made anew, and nothing is
    embedded again. One that was killed is begun again.

    Returns:
        The number of papers on the shelf.

    Raises:
        ShelfError: the folder or database is not empty, or the file is no whole backup.
        ShelfIncompatible: the shelf was made by another model or a newer format.
    """
    place = Place.of(address, settings)
    folder = place.folder
    if folder.exists() and any(folder.iterdir()) and not (folder / _UNFINISHED).exists():
        kept = "delete it: it is what this machine kept of an earlier shelf there"
        raise ShelfError(f"{folder} is not empty", hint=kept if place.url else "give --shelf a new folder")
    place.prepare(create=True)
    with contextlib.ExitStack() as failed:
        failed.callback(shutil.rmtree, folder, ignore_errors=True)
        lock = ShelfLock(folder, settings.lock_wait)
        try:
            _unpack(source, folder)
            if place.url:
                _move(folder / LEDGER, place, settings)
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ShelfError(f"{folder} cannot be written: {error}", hint="is the disk full?") from error
            hint = "attest backup makes one"
            raise ShelfError(f"{source} is no whole backup of a shelf: {error}", hint=hint) from error
        finally:
            lock.release()
        failed.pop_all()
    with Shelf(address, settings) as shelf:
        return shelf.ledger.count()[0]


def _move(ledger: Path, place: Place, settings: Settings) -> None:
    """Put a ledger that was unpacked into the database where it belongs."""
    with place.opened(settings, create=True) as target, contextlib.closing(SqliteDatabase(ledger)) as database:
        if target.has(NEWEST):
            raise ShelfError(f"there is a shelf at {place.name} already", hint="give --shelf a new database")
        Ledger(database, {}).copy(target)
    ledger.unlink()


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
