"""Words and vectors of all papers, over the segments that hold them.

BM25: Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) with Lucene's
non-negative idf, k1 = 1.2, b = 0.75, over stemmed words of title (twice) and abstract.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.index import sums
from rag.index.columns import Columns, Vectors
from rag.index.mapped import mapped
from rag.index.postings import Postings
from rag.index.tokens import PaperTokens

K1, B = 1.2, 0.75

Scores = NDArray[np.float32]
RowNumbers = NDArray[np.int64]


class Segment:
    """Papers whose words and vectors are in one folder, which never changes; a paper is a row.

    Args:
        width: bytes that each paper's id takes.

    Raises:
        OSError, ValueError: a file is missing or changed, or they do not fit together.
    """

    def __init__(self, folder: Path, dimension: int, width: int) -> None:
        self.name = folder.name
        if wrong := next(sums.changed(folder, largest=sums.SMALL), None):
            raise ValueError(f"{folder / wrong} is not what was written")
        self.postings = Postings(folder)
        self.columns = Columns(folder, dimension)
        self.ids: NDArray[np.bytes_] = mapped(folder / "ids", f"S{width}")
        self._by_id: NDArray[np.int32] = mapped(folder / "by_id", np.int32)
        if not len(self) == len(self.columns) == len(self.ids) == len(self._by_id):
            raise ValueError(f"the files in {folder} do not fit together")

    def __len__(self) -> int:
        return len(self.postings.lengths)

    def rows_of(self, ids: NDArray[np.bytes_]) -> RowNumbers:
        """The rows of these papers; -1 for one that is not here."""
        at = np.searchsorted(self.ids, ids, sorter=self._by_id).clip(max=len(self) - 1)
        rows = self._by_id[at].astype(np.int64)
        return np.where(self.ids[rows] == ids, rows, -1)


class Segments:
    """A view of segments, in which a row is that of its segment behind all rows of those before; a view never changes.

    Args:
        segments: each with its dead rows, ascending: of papers that were changed since, and stand in a later segment.
    """

    def __init__(self, segments: Sequence[tuple[Segment, NDArray[np.int32]]]) -> None:
        self._segments = [own for own, _ in segments]
        self._offsets = np.cumsum([0, *(len(own) for own in self._segments)])
        self._dead = np.concatenate(
            [np.empty(0, np.int64), *(dead + at for (_, dead), at in self._with_offsets(segments))]
        )
        self._living = np.ones(int(self._offsets[-1]), dtype=bool)
        self._living[self._dead] = False
        lengths = np.concatenate([np.empty(0, np.int32), *(own.postings.lengths for own in self._segments)])
        total = float(lengths[self._living].sum())
        self._norms = (K1 * (1 - B + B * lengths / max(total / max(len(self), 1), 1e-9))).astype(np.float32)
        self._spoiled = [len(dead) > 0 for _, dead in segments]
        self.df = lru_cache(maxsize=16_384)(self._df)

    def _with_offsets(self, items: Iterable[Any]) -> Iterable[tuple[Any, int]]:
        return zip(items, self._offsets[:-1].tolist(), strict=True)

    def __len__(self) -> int:
        """How many papers there are."""
        return int(self._offsets[-1]) - len(self._dead)

    def rows_of(self, ids: Sequence[str]) -> RowNumbers:
        """The row of each of these papers; -1 for one that is not here."""
        wanted = np.array([key.encode() for key in ids], dtype=bytes)
        found = np.full(len(ids), -1, np.int64)
        for own, offset in self._with_offsets(self._segments):
            rows = own.rows_of(wanted)
            there = rows >= 0
            there[there] = self._living[rows[there] + offset]
            found[there] = rows[there] + offset
        return found

    def ids_of(self, rows: Iterable[int]) -> list[str]:
        """The ids of the papers in these rows."""
        places = ((self._segment_of(row), row) for row in rows)
        return [self._segments[at].ids[row - self._offsets[at]].decode() for at, row in places]

    def _segment_of(self, row: int) -> int:
        return int(np.searchsorted(self._offsets, row, side="right")) - 1

    def scores(self, query: Iterable[str]) -> Scores:
        """The BM25 score of every row for these terms; a repeated term counts as often."""
        total = np.zeros(len(self._living), dtype=np.float32)
        for term, repeated in Counter(query).items():
            weight = np.float32(repeated * self.idf(term) * (K1 + 1))
            for own, offset in self._with_offsets(self._segments):
                rows, counts = own.postings.of(term)
                if len(rows):
                    part = slice(offset, offset + len(own))
                    total[part][rows] += weight * counts / (counts + self._norms[part][rows])
        total[self._dead] = 0
        return total

    def _df(self, term: str) -> int:
        """How many papers have the term."""
        count = 0
        for (own, offset), spoiled in zip(self._with_offsets(self._segments), self._spoiled, strict=True):
            rows, _ = own.postings.of(term)
            count += int(self._living[offset : offset + len(own)][rows].sum()) if spoiled else len(rows)
        return count

    def idf(self, term: str) -> float:
        """ln(1 + (n - df + 1/2) / (df + 1/2)); an unknown term has df 0."""
        df = self.df(term)
        return math.log1p((len(self) - df + 0.5) / (df + 0.5))

    def having(self, wanted: Iterable[str]) -> RowNumbers:
        """The rows of the papers that have every one of these terms, ascending; none without terms."""
        found: RowNumbers | None = None
        for term in wanted:
            held = [own.postings.of(term)[0] + offset for own, offset in self._with_offsets(self._segments)]
            rows = np.concatenate([np.empty(0, np.int64), *held])
            found = rows if found is None else np.intersect1d(found, rows, assume_unique=True)
        return np.empty(0, np.int64) if found is None else found[self._living[found]]

    def holds(self, rows: Sequence[int] | RowNumbers, term: str) -> NDArray[np.bool_]:
        """Which of the papers in these rows have the term."""
        asked = np.asarray(rows, dtype=np.int64)
        out = np.zeros(len(asked), dtype=bool)
        for own, offset in self._with_offsets(self._segments):
            held, _ = own.postings.of(term)
            if len(held):
                local = asked - offset
                out |= held[np.searchsorted(held, local).clip(max=len(held) - 1)] == local
        return out

    def terms_like(self, first: str, shortest: int, longest: int) -> set[str]:
        """The terms that begin with this letter and have a length in this range."""
        found = {term for own in self._segments for term in own.postings.like(first, shortest, longest)}
        return {term for term in found if self.df(term)} if any(self._spoiled) else found

    def passages(self, rows: Sequence[int] | RowNumbers) -> tuple[Vectors, NDArray[np.int64]]:
        """The passage vectors of these papers, one below the other, and how many each has."""
        vectors: list[Vectors] = []
        counts: list[NDArray[np.int64]] = []
        for at, own in self._runs(rows):
            held, many = self._segments[at].columns.passages(own)
            vectors.append(held)
            counts.append(many)
        if not vectors:
            dimension = self._segments[0].columns.dimension if self._segments else 0
            return np.empty((0, dimension), np.float32), np.empty(0, np.int64)
        return np.concatenate(vectors), np.concatenate(counts)

    def passage_count(self) -> int:
        """How many passages are stored, those of dead rows included."""
        return sum(len(own.columns.vectors) for own in self._segments)

    def nearest(self, vector: Vectors, limit: int) -> RowNumbers:
        """The rows of the papers of the passages nearest to a vector, nearest first; all are looked at."""
        held = [
            (own.columns.owners + offset, own.columns.vectors) for own, offset in self._with_offsets(self._segments)
        ]
        owners = np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in held)])
        near = np.concatenate([np.empty(0, np.float32), *(np.vecdot(vectors, vector) for _, vectors in held)])
        living = np.flatnonzero(self._living[owners])
        nearest: RowNumbers = owners[living[highest(near[living], limit)]]
        return nearest

    def tokens(self, rows: Sequence[int] | RowNumbers) -> list[PaperTokens]:
        """The kept word-piece vectors of each of these papers, in order of the text."""
        return [one for at, own in self._runs(rows) for one in self._segments[at].columns.tokens(own)]

    def _runs(self, rows: Sequence[int] | RowNumbers) -> Iterable[tuple[int, RowNumbers]]:
        """The rows, in their order, as stretches within one segment: its number, and its own rows."""
        asked = np.asarray(rows, dtype=np.int64)
        places = np.searchsorted(self._offsets, asked, side="right") - 1
        for run in np.split(np.arange(len(asked)), np.flatnonzero(np.diff(places)) + 1):
            if len(run):
                at = int(places[run[0]])
                yield at, asked[run] - self._offsets[at]


def highest(scores: Scores, count: int) -> RowNumbers:
    """The places of the `count` highest scores, highest first and the first of those that are level; without sorting them all."""
    least = np.partition(scores, -count)[-count] if count < len(scores) else -np.inf
    rows = np.flatnonzero(scores >= least)
    return rows[np.argsort(-scores[rows], kind="stable")[:count]]
