"""A source made ready for checking many claims against it: read, cut and encoded once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Embedder, Vectors
from rag.index.lexical import terms, words
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.verify.quantities import numbers

# A source longer than this many characters is a document, not a quotation: only its beginning is looked at.
LONGEST_SOURCE = 20_000
# Word pieces of a long source that one encoder call sees.
WINDOW = 250


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a source, `text[start:end]` of it, as it reads once repaired."""

    start: int
    end: int
    text: str
    stems: frozenset[str]
    numbers: frozenset[float]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source's words, sentences and vectors (sentences x dimension, word pieces x dimension)."""

    text: str
    words: tuple[str, ...]
    stems: frozenset[str]
    sentences: tuple[Sentence, ...]
    sentence_vectors: Vectors
    tokens: Vectors


def prepare(source: str, embedder: Embedder) -> Prepared:
    """Read a source once, to check many claims against it."""
    stored = source[:LONGEST_SOURCE]
    sentences = tuple(_sentence(stored, start, end) for start, end in split_sentences(stored))
    text = readable(stored)
    offsets = embedder.token_offsets(text)
    windows = [
        text[offsets[at][0] : offsets[min(at + WINDOW, len(offsets)) - 1][1]] for at in range(0, len(offsets), WINDOW)
    ]
    tokens = [vectors for _, vectors in embedder.embed_tokens(windows)]
    return Prepared(
        stored,
        tuple(words(text)),
        frozenset(terms(text)),
        sentences,
        embedder.embed([sentence.text for sentence in sentences]),
        np.concatenate(tokens) if tokens else np.empty((0, embedder.dimension), np.float32),
    )


def _sentence(source: str, start: int, end: int) -> Sentence:
    text = readable(source[start:end])
    return Sentence(start, end, text, frozenset(terms(text)), numbers(text))


def nearest(claim: str, source: Prepared, cosines: NDArray[np.float32], weights: dict[str, float]) -> list[int]:
    """Sentences of the source, nearest to the claim first: by meaning, weighed stems shared, and numbers shared.

    Args:
        cosines: of the claim with each sentence.
        weights: of the claim's stems.
    """
    total, own = sum(weights.values()) or 1.0, numbers(claim)
    scores = [
        float(cosine)
        + sum(weight for stem, weight in weights.items() if stem in sentence.stems) / total
        + (0.5 * len(own & sentence.numbers) / len(own) if own else 0.0)
        for cosine, sentence in zip(cosines, source.sentences, strict=True)
    ]
    return [int(row) for row in np.argsort(-np.array(scores), kind="stable")]
