"""The shelf: ledger, vectors and words, kept in step."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import ShelfError
from rag.index.database import NO_ROOM, SqliteDatabase, marks, portions
from rag.index.embed import Embedder
from rag.index.encoding import PaperEncoder
from rag.index.ledger import EVERYTHING, Ledger
from rag.index.passages import open_encoder
from rag.index.place import Place
from rag.index.segment_store import SegmentStore
from rag.index.segments import Segments
from rag.index.stored import EncodedPaper
from rag.index.tokens import learn_projection, stop_ids
from rag.index.vector_index import IndexDamaged, Vectors
from rag.index.vectors import is_fault, open_vectors
from rag.index.waiting import waiting
from rag.types import Again, Paper, Rejected, Resolved

if TYPE_CHECKING:
    from rag.config import Settings

# How texts are repaired and cut; a change of either changes vectors, so it is part of the fingerprint.
NORMALISER = "2"
BATCH = 1_000  # papers whose passages are handed from the ledger to the vector index at once


class Shelf:
    """An open shelf; use it as a context manager, or call `close`.

    The ledger is the record. The index of passage vectors (Chroma, or what the settings name) and the segments (words and
    vectors in files) note up to which of its revisions they have followed it, and take in what came after: when something is
    stored, and when a shelf is opened after a crash. They are made anew from it when they are missing, of another ledger or
    damaged; nothing is embedded again.

    A shelf in a folder is one process's own. One in a PostgreSQL database is shared: its vectors are there too, written in the
    ledger's transactions, and each machine has segments of its own, which follow when `catch_up` is called.
    """

    def __init__(
        self, address: Path | str, settings: Settings, *, create: bool = False, embedding: Any | None = None
    ) -> None:
        """Open, or create with `create`.

        Args:
            address: the folder, or the database (`postgresql://...`).
            embedding: as for `Assistant.open`.

        Raises:
            ShelfMissing: there is none, and `create` is false.
            ShelfLocked: another process has it.
            ShelfIncompatible: it was made by another model, dimension or newer format.
            ModelError: the embedding model is missing.
            ShelfError: a server that the address or the settings name does not answer.
        """
        self.place = Place.of(address, settings)
        self.folder = self.place.folder
        self.segments: Segments
        with contextlib.ExitStack() as opened:
            database = opened.enter_context(self.place.opened(settings, create=create))
            self.shared = database.shared
            self.embedder = Embedder.from_settings(settings)
            self.encoder = open_encoder(embedding, settings, self.embedder)
            fingerprint = {
                "model": self.encoder.name,
                "dimension": str(self.encoder.dimension),
                "normaliser": NORMALISER,
            }
            self.ledger = Ledger(database, fingerprint, self.place.name)
            self.projection = self._projection()
            self.stop_ids = stop_ids(self.embedder)
            self.paper_encoder = PaperEncoder(self.embedder, self.encoder, self.projection, self.stop_ids)
            self.vectors = open_vectors(self.folder, settings, self.ledger.identity, database)
            opened.callback(self.vectors.close)
            self._taken = SqliteDatabase("")  # on disk, however many
            opened.callback(self._taken.close)
            self._follower = opened.enter_context(ThreadPoolExecutor(1))
            self._following: Future[None] | None = None
            self._store = SegmentStore(self.folder / "segments", self.encoder.dimension, shared=self.shared)
            self._catching, self._seen = threading.Lock(), ""
            self.resolved_at = 0  # tells whether other processes wrote since papers were resolved last
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
            learnt = learn_projection(self.embedder).tobytes()
            with self.ledger.writing():
                stored = self.ledger.array("projection")  # another process may have been quicker
                if stored is None:
                    stored = learnt
                    self.ledger.put_array("projection", stored)
        return np.frombuffer(stored, np.float32).reshape(self.embedder.dimension, -1)

    def known(self, papers: Sequence[Paper]) -> list[Paper | None]:
        """For each paper, the record the shelf has of it (by DOI, arXiv id or title), or None."""
        return [known for _, known in self.resolve(papers)]

    def resolve(self, papers: Sequence[Paper]) -> Resolved:
        """For each paper, the id to store it under, and the record the shelf has of it there, or None."""
        if self.shared:
            self.resolved_at = self.ledger.foreign
        return self.ledger.resolve(papers)

    def begin(self) -> None:
        """Begin an ingest: no paper was taken yet."""
        self._taken.run("DROP TABLE IF EXISTS taken")
        self._taken.run("CREATE TABLE taken (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def take(self, ids: Sequence[str]) -> set[str]:
        """Of these ids, those that this ingest took before; all are taken now."""
        found: set[str] = set()
        for some in portions(ids):
            found |= {row[0] for row in self._taken.run(f"SELECT id FROM taken WHERE id IN ({marks(some)})", some)}
        with self._taken.transaction():
            self._taken.run_many("INSERT OR IGNORE INTO taken VALUES (?)", [(key,) for key in ids])
        return found

    def put(self, papers: Sequence[Paper], unchanged_text: Sequence[Paper] = (), again: Again | None = None) -> None:
        """Store papers whose words are new or changed (cut and embedded), and ones whose metadata alone is; see `store`."""
        self.store(papers, self.paper_encoder.encode(papers), unchanged_text, again, self.resolved_at)

    def store(
        self,
        papers: Sequence[Paper],
        encoded: Sequence[EncodedPaper],
        unchanged_text: Sequence[Paper] = (),
        again: Again | None = None,
        resolved_at: int = 0,
    ) -> None:
        """Store papers with what was made of their words, and ones whose metadata alone is new.

        The ledger commits first; the vector index follows while the next papers are encoded, or in the same transaction where
        it is in the same database. The segments are brought up to date by `refresh`.

        Args:
            again: asked what to store instead where other processes wrote since the papers were resolved.
            resolved_at: when that was.

        Raises:
            ShelfError: the disk or a server failed, now or when papers were last stored.
        """
        with self._writing():
            self._settle()
            with self.ledger.writing():
                if again and self.shared and self.ledger.foreign != resolved_at:
                    made = {(one.id, one.title, one.abstract): own for one, own in zip(papers, encoded, strict=True)}
                    papers, unchanged_text = again(self.ledger.resolve)
                    encoded = self._encoded(papers, made)
                self.ledger.put([*zip(papers, encoded, strict=True), *((paper, None) for paper in unchanged_text)])
                if self.shared:
                    self._follow()
        if not self.shared:
            self._following = self._follower.submit(self._follow)

    def _encoded(self, papers: Sequence[Paper], made: dict[tuple[str, str, str], EncodedPaper]) -> list[EncodedPaper]:
        """What is made of papers, most of which were encoded before."""
        keys = [(one.id, one.title, one.abstract) for one in papers]
        missing = [at for at, key in enumerate(keys) if key not in made]
        new = self.paper_encoder.encode([papers[at] for at in missing])
        made = made | {keys[at]: own for at, own in zip(missing, new, strict=True)}
        return [made[key] for key in keys]

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
            raise ShelfError(f"the shelf at {self.place.name} cannot be written: {error}", hint=NO_ROOM) from error

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
        self._follower.submit(self._follow, anew=True).result()  # after what is under way
        return self.vectors.query(vector, limit)

    def refresh(self) -> None:
        """Let searches see what was put."""
        with self._writing():
            self._settle()
            self._follow()
            self._show()

    def catch_up(self) -> None:
        """Let searches see what other processes stored since; a shelf of this process's own has nothing to catch up with."""
        if self.shared and self.ledger.state != self._seen:
            with self._writing():
                self._show()

    def _show(self) -> None:
        with self._catching:
            state = self.ledger.state
            self.segments = self._store.follow(self.ledger)
            self._seen = state

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Keep rejected records for review, one JSON object a line."""
        if rejected:
            with (self.folder / "rejected.jsonl").open("a", encoding="utf-8") as out:
                for item in rejected:
                    record = {"file": item.file, "line": item.line, "reason": item.reason, "record": item.record}
                    out.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _synchronise(self) -> None:
        """Let the indexes take in what they missed, or make them anew."""
        self._follow()
        if not self.shared and self.vectors.count() != self.ledger.count()[1]:
            self._follow(anew=True)
        if not self._store.open(self.ledger.identity):
            shutil.rmtree(self.folder / "columns", ignore_errors=True)  # what segments were before format 4
            for name in ("lexical.npz", "state.json"):
                (self.folder / name).unlink(missing_ok=True)
        before, _ = self.ledger.count()
        self._show()
        if not before <= len(self.segments) <= self.ledger.count()[0]:  # others may store in between
            self._store.clear()
            self._show()

    def _follow(self, *, anew: bool = False) -> None:
        """Let the vector index take in what changed in the ledger since it last did, or all of it `anew`."""
        anew = anew or self.vectors.damaged
        if not anew and self.vectors.noted(self.ledger.identity) == self.ledger.revision:
            return
        with self.ledger.alone():
            try:
                self._take_in(anew=anew)
            except IndexDamaged:
                self._take_in(anew=True)

    def _take_in(self, *, anew: bool) -> None:
        identity, revision = self.ledger.identity, self.ledger.revision
        followed = EVERYTHING if anew else self.vectors.noted(identity)
        if followed > revision or followed == EVERYTHING:
            followed = EVERYTHING
            self.vectors.clear()
        else:
            self.vectors.delete(self.ledger.gone(followed))
        with waiting("vectors", "passage") as bar:
            for held, vectors in self.ledger.passages(followed, BATCH):
                self.vectors.upsert(held, vectors, [paper.abstract[part.start : part.end] for part, paper in held])
                bar.update(len(held))
        self.vectors.damaged = False
        self.vectors.note(identity, revision)


@contextlib.contextmanager
def open_ledger(address: Path | str, settings: Settings) -> Iterator[Ledger]:
    """The ledger alone of a shelf made with any model: what an export needs. Of one in a folder nobody else has it.

    Raises:
        ShelfMissing, ShelfLocked, ShelfIncompatible, ShelfError: as `Shelf`.
    """
    place = Place.of(address, settings)
    with place.opened(settings, create=False) as database:
        yield Ledger(database, {}, place.name)
