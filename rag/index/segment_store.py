"""The segments of a shelf on disk, kept in step with its ledger: what changed becomes a new segment, small ones are joined.

Processes of one machine may share a folder: who follows the ledger has it alone, and begins with what others made of it.

As in a log-structured merge tree (O'Neil et al., 1996; Lucene's segments): adding papers costs what they cost, however
many there are, and a paper is copied a logarithmic number of times.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from rag.index import sums
from rag.index.columns import Columns
from rag.index.ledger import EVERYTHING, Ledger
from rag.index.postings import Postings
from rag.index.segments import Segment, Segments
from rag.index.stored import StoredPaper
from rag.index.waiting import waiting

FORMAT = 1
# Papers that become a segment at once (some 14 kB each are in memory), and that a joined one has at most.
PORTION, MOST = 10_000, 200_000
# A segment of which more than this share is dead is written anew.
DEAD = 0.3

Rows = NDArray[np.int32]
NONE: Rows = np.empty(0, np.int32)


class SegmentStore:
    """A folder of segments and their list. The list is replaced as a whole; a segment that it does not name is rubbish."""

    def __init__(self, folder: Path, dimension: int, *, shared: bool = False) -> None:
        self._folder = folder
        self._dimension = dimension
        self._lock = FileLock(folder.with_name(f"{folder.name}.lock"), thread_local=False) if shared else None
        self._listed = ""
        self._segments: list[tuple[Segment, Rows]] = []
        self._after, self._mark = (EVERYTHING, 0), ""
        self._identity = ""
        self._next = 0

    def open(self, identity: str) -> bool:
        """Map what is there of the ledger with this identity; False, and nothing, where it is another's or damaged."""
        self._identity = identity
        try:
            self._listed = self._list_there()
            listed = json.loads(self._listed)
            if listed.pop("sum") != _sum(listed) or (listed["format"], listed["identity"]) != (FORMAT, identity):
                raise ValueError("damaged, made of another ledger, or otherwise")
            self._segments = [
                (Segment(self._folder / one["name"], self._dimension, one["width"]), np.array(one["dead"], np.int32))
                for one in listed["segments"]
            ]
            self._after, self._next = tuple(listed["after"]), listed["next"]
            self._mark = listed.get("mark", "")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.clear()
            return False
        return True

    def changed(self) -> bool:
        """Whether a file is not what was written; all are read."""
        return any(name for own, _ in self._segments for name in sums.changed(self._folder / own.name))

    def clear(self) -> None:
        """Forget everything (the ledger has it all)."""
        self._segments, self._after, self._mark = [], (EVERYTHING, 0), ""

    def remove(self) -> None:
        """Delete the files."""
        with self._lock or nullcontext():
            shutil.rmtree(self._folder, ignore_errors=True)

    def follow(self, ledger: Ledger) -> Segments:
        """Take in what changed in the ledger since, and show all of it."""
        with self._lock or nullcontext():
            if self._lock and self._list_there() != self._listed:
                self.open(self._identity)
            if self._mark != ledger.mark(self._after[0]):  # it was followed in a past that is none any more
                self.clear()
            self._follow(ledger)
            return self.view()

    def _list_there(self) -> str:
        """The list as it stands in its file; empty where there is none."""
        try:
            return (self._folder / "segments.json").read_text(encoding="utf-8")
        except OSError:
            return ""

    def _follow(self, ledger: Ledger) -> None:
        with waiting("words", "paper") as bar:
            while papers := ledger.changed(self._after, PORTION):
                written = self._write(papers)
                held = [(own, _joined(dead, own, written)) for own, dead in self._segments]
                self._segments = [*((own, dead) for own, dead in held if len(dead) < len(own)), (written, NONE)]
                self._after = papers[-1].changed
                self._mark = ledger.mark(self._after[0])
                self._list()
                bar.update(len(papers))
        while window := _window([len(own) - len(dead) for own, dead in self._segments]):
            self._merge(window)
        for at, (own, dead) in enumerate(self._segments):
            if len(dead) > DEAD * len(own):
                self._merge(slice(at, at + 1))
        if not (self._folder / "segments.json").is_file():
            self._list()

    def view(self) -> Segments:
        """What is there, as it was when it last followed."""
        return Segments(self._segments)

    def _write(self, papers: Sequence[StoredPaper]) -> Segment:
        folder = self._new()
        Postings.write(folder, ((paper.title, paper.stems) for paper in papers))
        Columns.write(folder, (paper.encoded for paper in papers))
        return self._named(folder, np.array([paper.id.encode() for paper in papers], dtype=bytes))

    def _merge(self, window: slice) -> None:
        """Replace neighbouring segments by one that has their living papers."""
        folder = self._new()
        parts = [
            (own, np.setdiff1d(np.arange(len(own), dtype=np.int32), dead, assume_unique=True))
            for own, dead in self._segments[window]
        ]
        Postings.merge(folder, [(own.postings, kept) for own, kept in parts])
        Columns.merge(folder, [(own.columns, kept) for own, kept in parts])
        self._segments[window] = [(self._named(folder, np.concatenate([own.ids[kept] for own, kept in parts])), NONE)]
        self._list()

    def _named(self, folder: Path, ids: NDArray[np.bytes_]) -> Segment:
        """A segment whose words and vectors are written, and now which paper each row is."""
        ids.tofile(folder / "ids")
        np.argsort(ids, kind="stable").astype(np.int32).tofile(folder / "by_id")
        sums.write(folder)
        return Segment(folder, self._dimension, ids.itemsize)

    def _new(self) -> Path:
        folder = self._folder / f"{self._next:08}"
        self._next += 1
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def _list(self) -> None:
        """Write the list, and remove what it does not name; who has a view keeps the files it has mapped."""
        listed = {
            "format": FORMAT,
            "identity": self._identity,
            "after": self._after,
            "mark": self._mark,
            "next": self._next,
            "segments": [
                {"name": own.name, "width": own.ids.itemsize, "dead": dead.tolist()} for own, dead in self._segments
            ],
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        self._listed = json.dumps({**listed, "sum": _sum(listed)})
        part = self._folder / "segments.part"
        part.write_text(self._listed, encoding="utf-8")
        part.replace(self._folder / "segments.json")
        named = {own.name for own, _ in self._segments}
        for path in self._folder.iterdir():
            if path.is_dir() and path.name not in named:
                shutil.rmtree(path, ignore_errors=True)


def _sum(listed: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(listed).encode())


def _joined(dead: Rows, own: Segment, later: Segment) -> Rows:
    """The dead rows of a segment, now that there is a later one."""
    rows = own.rows_of(later.ids)
    return np.union1d(dead, rows[rows >= 0]).astype(np.int32) if (rows >= 0).any() else dead


def _window(sizes: Sequence[int]) -> slice | None:
    """The first and longest run of neighbours worth joining: not too large, and none of them larger than the rest together."""
    for first in range(len(sizes)):
        for last in range(len(sizes), first + 1, -1):
            together = sum(sizes[first:last])
            if together <= MOST and 2 * max(sizes[first:last]) <= together:
                return slice(first, last)
    return None
