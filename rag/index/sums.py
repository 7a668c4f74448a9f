"""Check sums beside files that are written once: whether they are still what was written."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

SUMS = "sums.json"
# Files up to this size (bytes) are read when they are opened, which takes milliseconds; larger ones when asked for.
SMALL = 8 * 2**20
_PIECE = 2**20


def write(folder: Path) -> None:
    """Note the sum (CRC-32) of every file in a folder."""
    sums = {path.name: _sum(path) for path in sorted(folder.iterdir())}
    (folder / SUMS).write_text(json.dumps(sums), encoding="utf-8")


def changed(folder: Path, *, largest: int | None = None) -> Iterator[str]:
    """The names of the files in a folder that are not what they were, of those up to `largest` bytes or of all.

    Raises:
        OSError, ValueError: the folder has no sums, or a file is missing.
    """
    sums = json.loads((folder / SUMS).read_text(encoding="utf-8"))
    for name, noted in sums.items():
        path = folder / name
        if (largest is None or path.stat().st_size <= largest) and _sum(path) != noted:
            yield name


def _sum(path: Path) -> int:
    total = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            total = zlib.crc32(piece, total)
    return total
