"""A source made ready for checking many claims against it: read, cut and encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Embedder, Vectors
from rag.index.lexical import terms, words
from rag.ingest.repair import readable
from rag.verify.alignment import Words, cut
from rag.verify.arithmetic import Figures
from rag.verify.network import Memory

# A source longer than this many characters is a document, not a quotation: only its beginning is looked at.
LONGEST_SOURCE = 20_000


@dataclass(frozen=True)
class Said:
    """A claim or a sentence, repaired: its text, its vector, and the ids, vectors (word pieces x dimension) and half-open
    offsets of its word pieces."""

    text: str
    vector: Vectors
    ids: NDArray[np.int64]
    tokens: Vectors
    offsets: list[tuple[int, int]]

    @cached_property
    def figures(self) -> Figures:
        """Its numbers."""
        return Figures.of(self.text)


@dataclass(frozen=True)
class Sentence:
    """One sentence of a source, `text[start:end]` of it, as it reads once repaired; of its word pieces the half-open offsets
    and the vectors (pieces x dimension)."""

    start: int
    end: int
    text: str
    stems: frozenset[str]
    figures: Figures
    offsets: list[tuple[int, int]]
    tokens: Vectors

    @cached_property
    def words(self) -> Words:
        """Its words, cut when first asked for: most claims need those of few sentences."""
        return cut(self.text, self.offsets, self.tokens)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source's words, sentences and vectors (sentences x dimension, word pieces x dimension).

    Where the checker has a network, `pieces` are each sentence's word pieces as it reads them, and `memory` what it has read
    of the source, if that is not too long for it.
    """

    text: str
    words: tuple[str, ...]
    stems: frozenset[str]
    sentences: tuple[Sentence, ...]
    sentence_vectors: Vectors
    tokens: Vectors
    pieces: tuple[list[int], ...] = ()
    memory: Memory | None = None


def said(texts: Sequence[str], embedder: Embedder) -> list[Said]:
    """Texts as they read once repaired, encoded."""
    read = [readable(text).strip() for text in texts]
    return [
        Said(text, *encoded, offsets)
        for text, encoded, offsets in zip(read, embedder.embed_each(read), embedder.token_offsets(read), strict=True)
    ]


def prepare(source: str, spans: Sequence[tuple[int, int]], sentences: Sequence[Said], dimension: int) -> Prepared:
    """A source made ready, from its sentences, `source[start:end]` each, encoded."""
    made = tuple(
        Sentence(start, end, own.text, frozenset(terms(own.text)), own.figures, own.offsets, own.tokens)
        for (start, end), own in zip(spans, sentences, strict=True)
    )
    vectors = np.array([own.vector for own in sentences], np.float32).reshape(-1, dimension)
    tokens = np.concatenate([np.empty((0, dimension), np.float32), *(own.tokens for own in sentences)])
    whole = readable(source)
    return Prepared(source, tuple(words(whole)), frozenset(terms(whole)), made, vectors, tokens)


def nearest(claim: Said, source: Prepared, cosines: NDArray[np.float32], weights: dict[str, float]) -> list[int]:
    """Sentences of the source, nearest to the claim first: by meaning, weighed stems shared, and numbers shared.

    Args:
        cosines: of the claim with each sentence.
        weights: of the claim's stems.
    """
    total, own = sum(weights.values()) or 1.0, claim.figures.values
    scores = [
        float(cosine)
        + sum(weight for stem, weight in weights.items() if stem in sentence.stems) / total
        + (0.5 * len(own & sentence.figures.values) / len(own) if own else 0.0)
        for cosine, sentence in zip(cosines, source.sentences, strict=True)
    ]
    return [int(row) for row in np.argsort(-np.array(scores), kind="stable")]
