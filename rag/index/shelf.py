"""The shelf: ledger, vectors and words in one folder, kept in step."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rag.errors import ShelfError, ShelfMissing
from rag.index.embed import Embedder
from rag.index.ledger import EVERYTHING, EncodedPaper, EncodedPassage, Ledger
from rag.index.lock import ShelfLock
from rag.index.reading import read_abstract
from rag.index.segment_store import SegmentStore
from rag.index.segments import Segments
from rag.index.tokens import learn_projection, pack, stop_ids
from rag.index.vector_index import Vectors
from rag.index.vectors import VectorStore, is_fault
from rag.ingest.chunk import PASSAGE_TOKENS, cut, embedding_parts
from rag.types import Paper, Rejected

if TYPE_CHECKING:
    from rag.config import Settings

# How texts are repaired and cut; a change of either changes vectors, so it is part of the fingerprint.
NORMALISER = "2"
BATCH = 2_000  # passages that are handed from the ledger to Chroma at once
PACKED = 128  # passages whose word-piece vectors are made small in one product
T = TypeVar("T")


class Shelf:
    """An open shelf; use it as a context manager, or call `close`.

    The ledger is the record. Chroma and the segments (words and vectors in files) note up to which of its revisions they
    have followed it, and take in what came after: when something is stored, and when a shelf is opened after a crash. They are
    made anew from it when they are missing, of another ledger or damaged; nothing is embedded again.
    """

    def __init__(self, folder: Path, settings: Settings, *, create: bool = False) -> None:
        """Open, or create with `create`.

        Raises:
            ShelfMissing: there is none, and `create` is false.
            ShelfLocked: another process has it.
            ShelfIncompatible: it was made by another model, dimension or newer format.
            ModelError: the embedding model is missing.
        """
        self.folder = folder
        self.segments: Segments
        _prepare(folder, create)
        with contextlib.ExitStack() as opened:
            lock = ShelfLock(folder, settings.lock_wait)
            opened.callback(lock.release)
            self.embedder = Embedder.from_settings(settings)
            fingerprint = {
                "model": self.embedder.name,
                "dimension": str(self.embedder.dimension),
                "normaliser": NORMALISER,
            }
            self.ledger = Ledger(folder / "ledger.sqlite", fingerprint)
            opened.callback(self.ledger.close)
            self.projection = self._projection()
            self.stop_ids = stop_ids(self.embedder)
            self.vectors = VectorStore(folder / "chroma", keep_text=settings.chroma_text)
            opened.callback(self.vectors.close)
            self._followed = self._noted()
            self._store = SegmentStore(folder / "segments", self.embedder.dimension)
            self._synchronise()
            self._opened = opened.pop_all()

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
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
        self.store(papers, self.encode(papers), unchanged_text)

    def store(
        self, papers: Sequence[Paper], encoded: Sequence[EncodedPaper], unchanged_text: Sequence[Paper] = ()
    ) -> None:
        """Store papers with what was made of their words, and ones whose metadata alone is new.

        The ledger commits first; Chroma follows. The segments are brought up to date by `refresh`.
        """
        self.ledger.put([*zip(papers, encoded, strict=True), *((paper, None) for paper in unchanged_text)])
        self._follow()

    def encode(self, papers: Sequence[Paper]) -> list[EncodedPaper]:
        """Each paper read and cut into passages, and those through the encoder in one go."""
        cuts = [cut(paper, self.embedder.count_tokens, PASSAGE_TOKENS) for paper in papers]
        places = [(at, passage) for at, own in enumerate(cuts) for passage in own]
        parts = [embedding_parts(papers[at], passage) for at, passage in places]
        done: dict[int, EncodedPassage] = {}
        for some in _portions(self.embedder.embed_parts([[text for _, text in own] for own in parts])):
            texts = [
                [(number, ids, vectors) for (number, _), (ids, vectors) in zip(parts[row], encoded, strict=True)]
                for row, _, encoded in some
            ]
            packed = pack(texts, self.projection, self.stop_ids)
            for (row, vector, _), tokens in zip(some, packed, strict=True):
                done[row] = EncodedPassage(places[row][1], vector, tokens)
        out: list[list[EncodedPassage]] = [[] for _ in papers]
        for row, (at, _) in enumerate(places):
            out[at].append(done[row])
        return [EncodedPaper(read_abstract(paper.abstract), own) for paper, own in zip(papers, out, strict=True)]

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The nearest passages as (paper id, cosine), best first; a damaged index is rebuilt and asked again."""
        try:
            return self.vectors.query(vector, limit)
        except BaseException as error:
            if not is_fault(error):
                raise
        self.vectors.damaged = True
        self._rebuild_vectors()
        return self.vectors.query(vector, limit)

    def refresh(self) -> None:
        """Let searches see what was put."""
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
        """Let Chroma and the segments take in what they missed, or make them anew."""
        if self.vectors.damaged or self._followed > self.ledger.revision:
            self._followed = EVERYTHING
        self._follow()
        papers, passages = self.ledger.count()
        if self.vectors.count() != passages:
            self._rebuild_vectors()
        self._store.open(self.ledger.identity)
        self.segments = self._store.follow(self.ledger)
        if len(self.segments) != papers:
            self._store.clear()
            self.segments = self._store.follow(self.ledger)

    def _follow(self) -> None:
        """Let Chroma take in what changed in the ledger since it last did."""
        revision = self.ledger.revision
        if self._followed == revision:
            return
        if self._followed == EVERYTHING:
            self.vectors.clear()
        else:
            self.vectors.delete(self.ledger.gone(self._followed))
        for held, vectors in self.ledger.passages(self._followed, BATCH):
            self.vectors.upsert(held, vectors, [paper.abstract[passage.start : passage.end] for passage, paper in held])
        self.vectors.damaged = False
        self._followed = revision
        part = self._note.with_suffix(".part")
        part.write_text(json.dumps({"identity": self.ledger.identity, "revision": revision}), encoding="utf-8")
        part.replace(self._note)

    def _rebuild_vectors(self) -> None:
        self._followed = EVERYTHING
        self._follow()

    @property
    def _note(self) -> Path:
        """Tells the revision of the ledger that Chroma has followed."""
        return self.folder / "state.json"

    def _noted(self) -> int:
        with contextlib.suppress(OSError, ValueError, KeyError):
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            if noted["identity"] == self.ledger.identity:
                return int(noted["revision"])
        return EVERYTHING


def _portions(encoded: Iterable[T]) -> Iterator[list[T]]:
    held: list[T] = []
    for item in encoded:
        held.append(item)
        if len(held) == PACKED:
            yield held
            held = []
    if held:
        yield held


@contextlib.contextmanager
def open_ledger(folder: Path, settings: Settings) -> Iterator[Ledger]:
    """The ledger alone, locked, of a shelf made with any model: what an export needs.

    Raises:
        ShelfMissing, ShelfLocked, ShelfIncompatible: as `Shelf`.
    """
    _prepare(folder, create=False)
    with contextlib.ExitStack() as opened:
        opened.callback(ShelfLock(folder, settings.lock_wait).release)
        ledger = Ledger(folder / "ledger.sqlite", {})
        opened.callback(ledger.close)
        yield ledger


def _prepare(folder: Path, create: bool) -> None:
    if not create:
        if not (folder / "ledger.sqlite").is_file():
            raise ShelfMissing(f"there is no shelf at {folder}", folder)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ShelfError(f"no shelf can be made at {folder}: {error}", hint="give --shelf another folder") from error
