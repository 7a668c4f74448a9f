"""What a shelf needs of an index of passage vectors; `tests/test_vector_index.py` holds every one to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.types import Paper, Passage

Vectors = NDArray[np.float32]


class IndexDamaged(Exception):
    """What an index holds cannot be gone on with: it is not whole, or was not made by us. `clear` mends it."""


class VectorIndex(Protocol):
    """Passages by their ids, each with its vector (unit length); derived from a ledger, and never the record of anything.

    Everything may be done again, with the same outcome. `damaged` tells that the index was there, could not be opened and is
    empty now. Any method may raise `ShelfError` where a server does not answer; what else an index raises is damage, and
    `clear` mends it; `IndexDamaged` is certain to be, and no full disk.
    """

    damaged: bool

    def noted(self, identity: str) -> int:
        """The revision of the ledger with this identity that was followed; `rag.index.ledger.EVERYTHING` where none was, or another ledger."""
        ...

    def note(self, identity: str, revision: int) -> None:
        """All that this ledger held at this revision is here."""
        ...

    def upsert(self, passages: Sequence[tuple[Passage, Paper]], vectors: Vectors, texts: Sequence[str]) -> None:
        """Store passages by their ids; ones that are there are replaced."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Forget these passages; ones that are not there do not matter."""
        ...

    def query(self, vector: Vectors, limit: int, papers: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """The nearest passages, of these papers only where they are named, as (paper id, cosine), best first; approximate."""
        ...

    def count(self) -> int:
        """How many passages there are."""
        ...

    def holds(self, ids: Sequence[str], vectors: Vectors) -> bool:
        """Whether these passages are stored with these vectors."""
        ...

    def clear(self) -> None:
        """Throw everything away, the note too."""
        ...

    def close(self) -> None:
        """Let go of files, threads and connections."""
        ...
