"""The vectors of a segment's papers in memory-mapped files, one paper after the other.

The ledger has them too, a passage a row: for a question, those of some hundred papers took 4 ms to be found there and
joined, and 30,000 passages are as many rows. A map is read where it is needed, and costs nothing to open.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.index.mapped import mapped
from rag.index.tokens import DIMENSION, Bytes, PaperTokens

Vectors = NDArray[np.float32]
# The files: passage vectors, word-piece vectors, the sentences these stand in, their ids; and for each paper, and the
# end, the number of passages and of word pieces before it.
NAMES = ("vectors", "tokens", "token_sentences", "token_ids", "starts")
STRETCH = 4_096  # papers that are copied at once: some 60 MB


class Columns:
    """The vectors of every paper of a segment, by its row; `vectors` are those of all passages (passages x dimension)."""

    def __init__(self, folder: Path, dimension: int) -> None:
        """Map what `write` or `merge` wrote.

        Raises:
            OSError, ValueError: a file is missing, or they do not fit together.
        """
        self._folder, self.dimension = folder, dimension
        self._sizes = (4 * dimension, DIMENSION, 2, 4)  # bytes a row of each file has
        starts = np.fromfile(folder / "starts", np.int64).reshape(-1, 2)
        self._passages, self._tokens = np.ascontiguousarray(starts[:, 0]), np.ascontiguousarray(starts[:, 1])
        self.vectors: Vectors = mapped(folder / "vectors", np.float32, (-1, dimension))
        self._small: Bytes = mapped(folder / "tokens", np.int8, (-1, DIMENSION))
        self._sentences: NDArray[np.int16] = mapped(folder / "token_sentences", np.int16)
        self._ids: NDArray[np.uint32] = mapped(folder / "token_ids", np.uint32)
        held = [len(self.vectors), len(self._small), len(self._sentences), len(self._ids)]
        told = starts[-1, [0, 1, 1, 1]].tolist() if len(starts) else []
        if held != told or (np.diff(starts, axis=0) < 0).any():
            raise ValueError(f"the files in {folder} do not fit together")

    def __len__(self) -> int:
        """How many papers there are."""
        return len(self._passages) - 1

    @property
    def owners(self) -> NDArray[np.int64]:
        """The paper of each passage, by its row."""
        return np.repeat(np.arange(len(self)), np.diff(self._passages))

    @staticmethod
    def write(folder: Path, papers: Iterable[Sequence[tuple[bytes, ...]]]) -> None:
        """Write the files of papers, from what the ledger keeps of the passages of each (`StoredPaper.encoded`)."""
        with contextlib.ExitStack() as opened:
            *columns, starts = (opened.enter_context((folder / name).open("wb")) for name in NAMES)
            starts.write(np.zeros(2, np.int64).tobytes())
            passages = 0
            for own in papers:
                passages += len(own)
                for column, blobs in zip(columns, zip(*own, strict=True), strict=False):  # a paper may have none
                    column.write(b"".join(blobs))
                pieces = columns[-1].tell() // np.dtype(np.uint32).itemsize
                starts.write(np.array([passages, pieces], np.int64).tobytes())

    @staticmethod
    def merge(folder: Path, parts: Sequence[tuple[Columns, NDArray[np.int32]]]) -> None:
        """Write the files of these rows of several segments, which become rows in this order."""
        with contextlib.ExitStack() as opened:
            *columns, starts = (opened.enter_context((folder / name).open("wb")) for name in NAMES)
            passages, pieces = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
            for own, kept in parts:
                passages.append(np.diff(own._passages)[kept])
                pieces.append(np.diff(own._tokens)[kept])
                # Read, not looked at through the map: a map's pages would count as memory until they are needed elsewhere.
                sources = [opened.enter_context((own._folder / name).open("rb")) for name in NAMES[:-1]]
                for first, last in _stretches(kept):
                    ends = (own._passages[[first, last + 1]], *[own._tokens[[first, last + 1]]] * 3)
                    for column, source, (begin, end), size in zip(columns, sources, ends, own._sizes, strict=True):
                        source.seek(int(begin) * size)
                        column.write(source.read(int(end - begin) * size))
            counted = [np.cumsum(np.concatenate(counts)) for counts in (passages, pieces)]
            np.stack(counted, axis=1).tofile(starts)

    def passages(self, rows: Sequence[int] | NDArray[np.int64]) -> tuple[Vectors, NDArray[np.int64]]:
        """The passage vectors of these papers, one below the other, and how many each has."""
        at = np.asarray(rows, dtype=np.intp)
        begin = self._passages[at]
        counts = self._passages[at + 1] - begin
        before = np.cumsum(counts) - counts
        return self.vectors[np.repeat(begin - before, counts) + np.arange(int(counts.sum()))], counts

    def tokens(self, rows: Sequence[int] | NDArray[np.int64]) -> list[PaperTokens]:
        """The kept word-piece vectors of each of these papers, in order of the text."""
        parts = (slice(self._tokens[row], self._tokens[row + 1]) for row in rows)
        return [PaperTokens(self._small[part], self._sentences[part], self._ids[part]) for part in parts]


def _stretches(rows: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    """The first and the last of the rows that follow one another, `STRETCH` at most: one write serves them all."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for run in np.split(rows, breaks):
        for at in range(0, len(run), STRETCH):
            yield int(run[at]), int(run[min(at + STRETCH, len(run)) - 1])
