"""The words of a segment's papers in memory-mapped files: for each term the rows it stands in, and how often."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import terms
from rag.index.mapped import mapped

Rows = NDArray[np.int32]
Counts = NDArray[np.uint16]
# The files: the terms, sorted, one after the other; where each ends; where the postings of each begin; of each posting the
# row, and how often the term stands there; and how many terms each paper has.
NAMES = ("terms", "term_ends", "posting_starts", "posting_rows", "posting_counts", "lengths")
_NOTHING: tuple[Rows, Counts] = np.empty(0, np.int32), np.empty(0, np.uint16)


class Postings(Sequence[bytes]):
    """The postings of a segment; as a sequence, its terms in order."""

    def __init__(self, folder: Path) -> None:
        """Map what `write` or `merge` wrote.

        Raises:
            OSError, ValueError: a file is missing, or they do not fit together.
        """
        self._terms = mapped(folder / "terms", np.uint8)
        self._ends = mapped(folder / "term_ends", np.int64)
        self._starts = mapped(folder / "posting_starts", np.int64)
        self._rows: Rows = mapped(folder / "posting_rows", np.int32)
        self._counts: Counts = mapped(folder / "posting_counts", np.uint16)
        self.lengths: NDArray[np.int32] = mapped(folder / "lengths", np.int32)
        whole = len(self._starts) == len(self._ends) + 1 and len(self._rows) == len(self._counts) == self._starts[-1]
        if not whole or (self._ends[-1] if len(self._ends) else 0) != len(self._terms):
            raise ValueError(f"the files of words in {folder} do not fit together")
        self._number = lru_cache(maxsize=16_384)(self._find)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]  # no slices
        return self._terms[self._ends[at - 1] if at else 0 : self._ends[at]].tobytes()

    def _find(self, term: str) -> int | None:
        wanted = term.encode()
        at = bisect_left(self, wanted)
        return at if at < len(self) and self[at] == wanted else None

    def of(self, term: str) -> tuple[Rows, Counts]:
        """The rows of the papers that have a term, ascending, and how often each has it."""
        if (number := self._number(term)) is None:
            return _NOTHING
        part = slice(self._starts[number], self._starts[number + 1])
        return self._rows[part], self._counts[part]

    def like(self, first: str, shortest: int, longest: int) -> list[str]:
        """The terms that begin with this letter and have a length in this range."""
        begin = first.encode()
        low, high = bisect_left(self, begin), bisect_left(self, begin + b"\xff")  # no byte of UTF-8
        sizes = np.diff(self._ends[low:high], prepend=self._ends[low - 1] if low else 0)
        found = (self[at].decode() for at in (np.flatnonzero(sizes >= shortest) + low).tolist())
        return [term for term in found if shortest <= len(term) <= longest]

    @staticmethod
    def write(folder: Path, papers: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Write the postings of papers, given the title and the terms of the abstract of each, in order of the rows."""
        vocabulary: dict[str, int] = {}
        lengths: list[int] = []
        found: list[tuple[Rows, Rows]] = []
        for title, stems in papers:
            counts = Counter(stems)
            counts.update(2 * terms(title))  # twice: a title's words say what the paper is about
            numbers = (vocabulary.setdefault(term, len(vocabulary)) for term in counts)
            found.append(
                (
                    np.fromiter(numbers, np.int32, len(counts)),
                    np.fromiter(counts.values(), np.int32, len(counts)),
                )
            )
            lengths.append(sum(counts.values()))
        keys = np.concatenate([own for own, _ in found]) if found else np.empty(0, np.int32)
        counted = np.concatenate([own for _, own in found]) if found else np.empty(0, np.int32)
        rows = np.repeat(np.arange(len(found), dtype=np.int32), [len(own) for own, _ in found])
        ordered = sorted(range(len(names := [term.encode() for term in vocabulary])), key=names.__getitem__)
        place = np.empty(len(names), np.int32)
        place[ordered] = np.arange(len(names), dtype=np.int32)
        _write(folder, [names[at] for at in ordered], place[keys], rows, counted, lengths)

    @staticmethod
    def merge(folder: Path, parts: Sequence[tuple[Postings, Rows]]) -> None:
        """Write the postings of these rows of several segments, which become rows in this order."""
        names = sorted(set[bytes]().union(*(own for own, _ in parts)))
        number = {name: at for at, name in enumerate(names)}
        keys, rows, counts, lengths = [], [], [], list[int]()
        for own, kept in parts:
            new = np.full(len(own.lengths), -1, np.int32)
            new[kept] = np.arange(len(lengths), len(lengths) + len(kept), dtype=np.int32)
            numbers = np.fromiter((number[name] for name in own), np.int32, len(own))
            moved = new[own._rows]
            living = moved >= 0
            keys.append(np.repeat(numbers, np.diff(own._starts))[living])
            rows.append(moved[living])
            counts.append(own._counts[living])
            lengths += own.lengths[kept].tolist()
        _write(folder, names, np.concatenate(keys), np.concatenate(rows), np.concatenate(counts), lengths)


def _write(
    folder: Path, names: Sequence[bytes], keys: Rows, rows: Rows, counts: Rows | Counts, lengths: Sequence[int]
) -> None:
    """Write postings (the number of a term, a row, a count) whose rows ascend within each term; terms without any fall out."""
    order = np.argsort(keys, kind="stable")  # sorted stretches one after the other, which a stable sort only merges
    df = np.bincount(keys, minlength=len(names))
    kept = np.flatnonzero(df)
    held = [names[at] for at in kept.tolist()]
    columns: tuple[NDArray[Any], ...] = (
        np.frombuffer(b"".join(held), np.uint8),
        np.cumsum([len(name) for name in held], dtype=np.int64),
        np.concatenate([[0], np.cumsum(df[kept])]).astype(np.int64),
        rows[order],
        np.minimum(counts[order], np.iinfo(np.uint16).max).astype(np.uint16),
        np.array(lengths, np.int32),
    )
    for name, column in zip(NAMES, columns, strict=True):
        column.tofile(folder / name)
