"""The vectors of a shelf in memory-mapped files, one paper after the other in order of arrival.

The ledger has them too, a passage a row: for a question, those of some hundred papers took 4 ms to be found there and
joined, and 30,000 passages are as many rows. A map is read where it is needed, and costs nothing to open.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.index.tokens import DIMENSION, Bytes, PaperTokens

Vectors = NDArray[np.float32]
# The files: passage vectors, word-piece vectors, the sentences these stand in, their ids; and for each paper, and the
# end, the number of passages and of word pieces before it.
NAMES = ("vectors", "tokens", "token_sentences", "token_ids", "starts")


class Columns:
    """The vectors of every paper, by its row (that of the word index: order of arrival)."""

    def __init__(self, folder: Path, dimension: int) -> None:
        """Map what `write` wrote.

        Raises:
            OSError, ValueError: a file is missing, or they do not fit together.
        """
        starts = np.fromfile(folder / "starts", np.int64).reshape(-1, 2)
        self._passages, self._tokens = np.ascontiguousarray(starts[:, 0]), np.ascontiguousarray(starts[:, 1])
        self._vectors: Vectors = _mapped(folder / "vectors", np.float32, (-1, dimension))
        self._small: Bytes = _mapped(folder / "tokens", np.int8, (-1, DIMENSION))
        self._sentences: NDArray[np.int16] = _mapped(folder / "token_sentences", np.int16, (-1,))
        self._ids: NDArray[np.uint32] = _mapped(folder / "token_ids", np.uint32, (-1,))
        held = [len(self._vectors), len(self._small), len(self._sentences), len(self._ids)]
        told = starts[-1, [0, 1, 1, 1]].tolist() if len(starts) else []
        if held != told or (np.diff(starts, axis=0) < 0).any():
            raise ValueError(f"the files in {folder} do not fit together")

    def __len__(self) -> int:
        """How many papers there are."""
        return len(self._passages) - 1

    @staticmethod
    def write(folder: Path, papers: Iterable[Sequence[tuple[bytes, ...]]]) -> None:
        """Write the files anew, from what the ledger keeps of the passages of each paper (`Ledger.all_encoded`)."""
        folder.mkdir(exist_ok=True)
        with contextlib.ExitStack() as opened:
            files = [opened.enter_context((folder / f"{name}.part").open("wb")) for name in NAMES]
            *columns, starts = files
            starts.write(np.zeros(2, np.int64).tobytes())
            passages = 0
            for own in papers:
                passages += len(own)
                for column, blobs in zip(columns, zip(*own, strict=True), strict=False):  # a paper may have none
                    column.write(b"".join(blobs))
                pieces = columns[-1].tell() // np.dtype(np.uint32).itemsize
                starts.write(np.array([passages, pieces], np.int64).tobytes())
        for name in NAMES:
            # Replaced, not written over: a search that goes on meanwhile keeps the file it has mapped.
            (folder / f"{name}.part").replace(folder / name)

    def passages(self, rows: Sequence[int]) -> tuple[Vectors, NDArray[np.int64]]:
        """The passage vectors of these papers, one below the other, and how many each has."""
        at = np.asarray(rows, dtype=np.intp)
        begin = self._passages[at]
        counts = self._passages[at + 1] - begin
        before = np.cumsum(counts) - counts
        return self._vectors[np.repeat(begin - before, counts) + np.arange(int(counts.sum()))], counts

    def tokens(self, rows: Sequence[int]) -> list[PaperTokens]:
        """The kept word-piece vectors of each of these papers, in order of the text."""
        parts = (slice(self._tokens[row], self._tokens[row + 1]) for row in rows)
        return [PaperTokens(self._small[part], self._sentences[part], self._ids[part]) for part in parts]


def _mapped(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """A file as an array that is read where it is looked at; an empty one cannot be mapped."""
    if not path.stat().st_size:
        return np.empty(0, dtype).reshape(-1, *shape[1:]) if shape[1:] else np.empty(0, dtype)
    # A plain array over the map: slices of `np.memmap` itself cost a microsecond each.
    return np.asarray(np.memmap(path, dtype, "r")).reshape(shape)
