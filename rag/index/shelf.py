"""The shelf: ledger, vectors and words in one folder, kept in step."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import ShelfError, ShelfMissing
from rag.index.embed import Embedder
from rag.index.encoding import PaperEncoder
from rag.index.ledger import EVERYTHING, NO_ROOM, Ledger
from rag.index.lock import ShelfLock
from rag.index.passages import open_encoder
from rag.index.segment_store import SegmentStore
from rag.index.segments import Segments
from rag.index.stored import EncodedPaper
from rag.index.tokens import learn_projection, stop_ids
from rag.index.vector_index import IndexDamaged, Vectors
from rag.index.vectors import is_fault, open_vectors
from rag.index.waiting import waiting
from rag.types import Paper, Rejected

if TYPE_CHECKING:
    from rag.config import Settings

# How texts are repaired and cut; a change of either changes vectors, so it is part of the fingerprint.
NORMALISER = "2"
BATCH = 2_000  # passages that are handed from the ledger to the vector index at once


class Shelf:
    """An open shelf; use it as a context manager, or call `close`.

    The ledger is the record. The index of passage vectors (Chroma, or what the settings name) and the segments (words and
    vectors in files) note up to which of its revisions they have followed it, and take in what came after: when something is
    stored, and when a shelf is opened after a crash. They are made anew from it when they are missing, of another ledger or
    damaged; nothing is embedded again.
    """

    def __init__(self, folder: Path, settings: Settings, *, create: bool = False, embedding: Any | None = None) -> None:
        """Open, or create with `create`; `embedding` as for `Assistant.open`.

        Raises:
            ShelfMissing: there is none, and `create` is false.
            ShelfLocked: another process has it.
            ShelfIncompatible: it was made by another model, dimension or newer format.
            ModelError: the embedding model is missing.
            ShelfError: the server that the settings name for vectors does not answer.
        """
        self.folder = folder
        self.segments: Segments
        prepare(folder, create)
        with contextlib.ExitStack() as opened:
            lock = ShelfLock(folder, settings.lock_wait)
            opened.callback(lock.release)
            self.embedder = Embedder.from_settings(settings)
            self.encoder = open_encoder(embedding, settings, self.embedder)
            fingerprint = {
                "model": self.encoder.name,
                "dimension": str(self.encoder.dimension),
                "normaliser": NORMALISER,
            }
            self.ledger = Ledger(folder / "ledger.sqlite", fingerprint)
            opened.callback(self.ledger.close)
            self.projection = self._projection()
            self.stop_ids = stop_ids(self.embedder)
            self.paper_encoder = PaperEncoder(self.embedder, self.encoder, self.projection, self.stop_ids)
            self.vectors = open_vectors(folder, settings, self.ledger.identity)
            opened.callback(self.vectors.close)
            self._follower = opened.enter_context(ThreadPoolExecutor(1))
            self._following: Future[None] | None = None
            self._followed = self.vectors.noted(self.ledger.identity)
            self._store = SegmentStore(folder / "segments", self.encoder.dimension)
            with self._writing():
                self._synchronise()
            self._opened = opened.pop_all()

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(Exception):  # what the vector index missed it takes in when the shelf is opened again
            self._settle()
        self._opened.close()

    def _projection(self) -> Vectors:
        """The projection of word-piece vectors that this shelf was made with, learnt when it is new."""
        if (stored := self.ledger.array("projection")) is None:
            stored = learn_projection(self.embedder).tobytes()
            self.ledger.put_array("projection", stored)
        return np.frombuffer(stored, np.float32).reshape(self.embedder.dimension, -1)

    def known(self, papers: Sequence[Paper]) -> list[Paper | None]:
        """For each paper, the record the shelf has of it (by DOI, arXiv id or title), or None."""
        return [known for _, known in self.resolve(papers)]

    def resolve(self, papers: Sequence[Paper]) -> list[tuple[str, Paper | None]]:
        """For each paper, the id to store it under, and the record the shelf has of it there, or None."""
        return [self.ledger.resolve(paper) for paper in papers]

    def begin(self) -> None:
        """Begin an ingest: no paper was taken yet."""
        self.ledger.begin()

    def take(self, ids: Sequence[str]) -> set[str]:
        """Of these ids, those that this ingest took before; all are taken now."""
        return self.ledger.take(ids)

    def put(self, papers: Sequence[Paper], unchanged_text: Sequence[Paper] = ()) -> None:
        """Store papers whose words are new or changed (cut and embedded), and ones whose metadata alone is."""
        self.store(papers, self.paper_encoder.encode(papers), unchanged_text)

    def store(
        self, papers: Sequence[Paper], encoded: Sequence[EncodedPaper], unchanged_text: Sequence[Paper] = ()
    ) -> None:
        """Store papers with what was made of their words, and ones whose metadata alone is new.

        The ledger commits first; the vector index follows while the next papers are encoded. The segments are brought up to
        date by `refresh`.

        Raises:
            ShelfError: the disk or a server failed, now or when papers were last stored.
        """
        with self._writing():
            self._settle()
            self.ledger.put([*zip(papers, encoded, strict=True), *((paper, None) for paper in unchanged_text)])
        self._following = self._follower.submit(self._follow)

    def finish(self) -> None:
        """Wait for what is still under way."""
        self._settle()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """What fails here is the disk, as whoever happened to write says it."""
        try:
            yield
        except BaseException as error:
            if not is_fault(error):
                raise
            raise ShelfError(f"the shelf at {self.folder} cannot be written: {error}", hint=NO_ROOM) from error

    def _settle(self) -> None:
        """Wait until the vector index has followed."""
        following, self._following = self._following, None
        if following:
            following.result()

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The nearest passages as (paper id, cosine), best first; a damaged index is rebuilt and asked again."""
        try:
            return self.vectors.query(vector, limit)
        except BaseException as error:
            if not is_fault(error):
                raise
        self.vectors.damaged = True
        self._follower.submit(self._rebuild_vectors).result()  # after what is under way
        return self.vectors.query(vector, limit)

    def refresh(self) -> None:
        """Let searches see what was put."""
        with self._writing():
            self._settle()
            self._follow()
            self.segments = self._store.follow(self.ledger)

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Keep rejected records for review, one JSON object a line."""
        if rejected:
            with (self.folder / "rejected.jsonl").open("a", encoding="utf-8") as out:
                for item in rejected:
                    record = {"file": item.file, "line": item.line, "reason": item.reason, "record": item.record}
                    out.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _synchronise(self) -> None:
        """Let the indexes take in what they missed, or make them anew."""
        if self.vectors.damaged or self._followed > self.ledger.revision:
            self._followed = EVERYTHING
        self._follow()
        papers, passages = self.ledger.count()
        if self.vectors.count() != passages:
            self._rebuild_vectors()
        if not self._store.open(self.ledger.identity):
            shutil.rmtree(self.folder / "columns", ignore_errors=True)  # what segments were before format 4
            for name in ("lexical.npz", "state.json"):
                (self.folder / name).unlink(missing_ok=True)
        self.segments = self._store.follow(self.ledger)
        if len(self.segments) != papers:
            self._store.clear()
            self.segments = self._store.follow(self.ledger)

    def _follow(self) -> None:
        """Let the vector index take in what changed in the ledger since it last did."""
        if self._followed == self.ledger.revision:
            return
        try:
            self._take_in(self.ledger.revision)
        except IndexDamaged:
            self._followed = EVERYTHING
            self._take_in(self.ledger.revision)

    def _take_in(self, revision: int) -> None:
        if self._followed == EVERYTHING:
            self.vectors.clear()
        else:
            self.vectors.delete(self.ledger.gone(self._followed))
        with waiting("vectors", "passage") as bar:
            for held, vectors in self.ledger.passages(self._followed, BATCH):
                self.vectors.upsert(held, vectors, [paper.abstract[part.start : part.end] for part, paper in held])
                bar.update(len(held))
        self.vectors.damaged = False
        self._followed = revision
        self.vectors.note(self.ledger.identity, revision)

    def _rebuild_vectors(self) -> None:
        self._followed = EVERYTHING
        self._follow()


@contextlib.contextmanager
def open_ledger(folder: Path, settings: Settings) -> Iterator[Ledger]:
    """The ledger alone, locked, of a shelf made with any model: what an export needs.

    Raises:
        ShelfMissing, ShelfLocked, ShelfIncompatible: as `Shelf`.
    """
    prepare(folder, create=False)
    with contextlib.ExitStack() as opened:
        opened.callback(ShelfLock(folder, settings.lock_wait).release)
        ledger = Ledger(folder / "ledger.sqlite", {})
        opened.callback(ledger.close)
        yield ledger


def prepare(folder: Path, create: bool) -> None:
    """See that a shelf is there, or, with `create`, that its folder is.

    Raises:
        ShelfMissing: there is no shelf.
        ShelfError: the folder cannot be made.
    """
    if not create:
        if not (folder / "ledger.sqlite").is_file():
            raise ShelfMissing(f"there is no shelf at {folder}", folder)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ShelfError(f"no shelf can be made at {folder}: {error}", hint="give --shelf another folder") from error
