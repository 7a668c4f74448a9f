"""What is made of a paper's words, on its way into the ledger and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.tokens import PaperTokens
from rag.types import Passage, Sentence

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncodedPassage:
    """A passage with what the encoder made of it: its vector, and the word-piece vectors that are kept."""

    passage: Passage
    vector: Vectors
    tokens: PaperTokens


@dataclass(frozen=True, slots=True)
class EncodedPaper:
    """What is made of a paper's words when it is stored: how its abstract reads, and its passages."""

    sentences: Sequence[Sentence]
    passages: Sequence[EncodedPassage]


@dataclass(frozen=True, slots=True)
class StoredPaper:
    """What indexes are made of: when the paper was changed (revision and number), the stems of the abstract, and what the
    encoder made of each passage, in order of the text: its vector, its word-piece vectors, the sentences those stand in, and
    their ids."""

    changed: tuple[int, int]
    id: str
    title: str
    stems: list[str]
    encoded: list[tuple[bytes, bytes, bytes, bytes]]
