"""Whether the files of Chroma's HNSW graphs fit together: their sizes, their header, and that every link leads somewhere.

Chroma does not look: with a graph that was cut short or changed it finds a part of the passages, never comes back, or ends the
process. The layout is that of its fork of hnswlib (`saveIndex`): a header; for each element (or those there is room for) a row
of its links in the lowest layer, its vector and its label; and for each element the size of its links in higher layers, with
those links. A list of links is their number (two bytes of four) and room for the most.
"""

from __future__ import annotations

import math
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Version, offset of the lowest layer, room, elements, bytes of a row, offsets of label and vector, highest layer, first element,
# most links of a layer and of the lowest, M, 1 / ln M, ef_construction.
_HEADER = struct.Struct("<i6QiI3QdQ")
_VERSION = 1
_NAMES = frozenset(("header.bin", "data_level0.bin", "link_lists.bin", "length.bin"))
_PASSAGES = "index_metadata.pickle"  # which passage each element is, once there are any
_ROWS = 65_536  # looked at in one go

Words = NDArray[np.uint32]


def whole(chroma: Path) -> bool:
    """Whether every graph in a folder of Chroma's can be used; of a layout that is not known, True.

    Raises:
        OSError, sqlite3.Error: a file cannot be read.
    """
    named = set()
    if (database := chroma / "chroma.sqlite3").is_file():
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            named = {str(row[0]) for row in opened.execute("SELECT id FROM segments WHERE scope = 'VECTOR'")}
    graphs = {folder.name: folder for folder in chroma.iterdir() if folder.is_dir()}
    return named <= graphs.keys() and all(map(_is_whole, graphs.values()))


def _is_whole(folder: Path) -> bool:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    if not sizes:  # nothing was written to it yet
        return True
    header = (folder / "header.bin").read_bytes() if sizes.keys() >= _NAMES else b""
    if len(header) != _HEADER.size:
        return False
    version, begin, room, elements, row, label, vector, highest, first, links, lowest, m, scale, _ = _HEADER.unpack(
        header
    )
    if version != _VERSION:
        return True
    fits = (
        (begin, links, lowest, vector, row) == (0, m, 2 * m, 8 * m + 4, label + 8)
        and m > 1
        and row % 4 == 0
        and math.isclose(scale, 1 / math.log(m))
        and elements <= room
        and row * elements <= sizes["data_level0.bin"] <= row * room
        and 4 * elements <= sizes["length.bin"] <= 4 * room
    )
    if not fits or not elements:
        return bool(fits)
    rows = np.memmap(folder / "data_level0.bin", np.uint32, "r", shape=(elements, row // 4))
    return (
        _PASSAGES in sizes
        and first < elements
        and all(_lead(rows[at : at + _ROWS, : lowest + 1], elements) for at in range(0, elements, _ROWS))
        and _higher(np.fromfile(folder / "link_lists.bin", np.uint32), elements, links) == highest
    )


def _lead(lists: Words, elements: int) -> bool:
    """Whether no list has more links than it has room for, and none leads to an element that is not there."""
    counts = lists[:, :1] & 0xFFFF
    used = np.arange(lists.shape[1] - 1) < counts
    return bool((counts < lists.shape[1]).all() and (lists[:, 1:][used] < elements).all())


def _higher(words: Words, elements: int, links: int) -> int:
    """The highest layer that the lists of the elements tell of; -1 where they do not fit together."""
    each, at, highest = links + 1, 0, 0
    lists = []
    for _ in range(elements):
        size, rest = divmod(int(words[at]), 4) if at < len(words) else (0, 1)
        if rest or size % each or at + 1 + size > len(words):
            return -1
        if size:
            lists.append(words[at + 1 : at + 1 + size].reshape(-1, each))
            highest = max(highest, size // each)
        at += 1 + size
    return highest if at == len(words) and (not lists or _lead(np.concatenate(lists), elements)) else -1
