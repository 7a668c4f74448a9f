"""Whether the files of Chroma's HNSW graphs fit together, judged by their sizes and their header.

Chroma does not look: with a graph that was cut short it finds a part of the passages, never comes back, or ends the process.
The layout is that of its fork of hnswlib (`saveIndex`): a header, a row of fixed size for each element (or for those
there is room for), and for each element that there is the size of its links in higher layers, with those links.
"""

from __future__ import annotations

import struct
from pathlib import Path

# Version, offset of the lowest layer, room, elements, bytes of a row, offsets of label and vector, highest layer, first element,
# most links of a layer and of the lowest, M, 1 / ln M, ef_construction.
_HEADER = struct.Struct("<i6QiI3QdQ")
_VERSION = 1
_NAMES = frozenset(("header.bin", "data_level0.bin", "link_lists.bin", "length.bin"))
_PASSAGES = "index_metadata.pickle"  # which passage each element is, once there are any


def whole(chroma: Path) -> bool:
    """Whether every graph in a folder of Chroma's is there to its last byte; of a layout that is not known, True.

    Raises:
        OSError: a file cannot be read.
    """
    return all(_is_whole(folder) for folder in chroma.iterdir() if folder.is_dir())


def _is_whole(folder: Path) -> bool:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    if not sizes:  # nothing was written to it yet
        return True
    if not sizes.keys() >= _NAMES:
        return False
    header = (folder / "header.bin").read_bytes()
    if header[:4] != _VERSION.to_bytes(4, "little") and len(header) == _HEADER.size:
        return True
    if len(header) != _HEADER.size:
        return False
    _, _, room, elements, row, label, _, _, first, links, _, _, _, _ = _HEADER.unpack(header)
    higher = sizes["link_lists.bin"] - 4 * elements
    return (
        (not elements or (_PASSAGES in sizes and first < elements))
        and elements <= room
        and row == label + 8
        and row * elements <= sizes["data_level0.bin"] <= row * room
        and 4 * elements <= sizes["length.bin"] <= 4 * room
        and higher >= 0
        and higher % (4 * links + 4) == 0
    )
