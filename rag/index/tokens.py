"""Word-piece vectors for late interaction, small enough to keep: fewer dimensions, one byte each, no stop words.

Late interaction: Khattab and Zaharia, "ColBERT" (2020). About 12 kB a paper; on the development questions
the sentence picked from these is as often the gold one as with the full vectors (`eval/LOG.md`).
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import FIRST_WORD, Embedder, Vectors
from rag.index.lexical import STOPWORDS

DIMENSION = 96
# Components of a vector of norm 1 beyond this are rare; they are cut off.
LARGEST = 0.6
SCALE = LARGEST / 127
# Multiplications of a product that OpenBLAS, which numpy computes with, still does in the thread that asks.
SMALL_PRODUCT = 262_144
# Words of the vocabulary, by rank, from which the main directions of the encoder are learnt, and how many a line.
SAMPLE, LINE = 6_000, 60

Bytes = NDArray[np.int8]
# A text in parts: the number of the sentence, its word-piece ids and their vectors.
Parts = Sequence[tuple[int, NDArray[np.int64], Vectors]]


@dataclass(frozen=True, slots=True)
class PaperTokens:
    """Kept vectors of a paper (tokens x DIMENSION), the number of the sentence each stands in (-1: title), and
    its place in the encoder's vocabulary."""

    vectors: Bytes
    sentences: NDArray[np.int16]
    ids: NDArray[np.uint32]


def learn_projection(embedder: Embedder) -> Vectors:
    """The main directions of the encoder's word vectors (dimension x DIMENSION).

    Principal components, not centred, over the most frequent words of its own vocabulary, so that a shelf
    of any subject and any BERT-family encoder has one. A shelf keeps the one it was made with.
    """
    words = embedder.vocabulary(FIRST_WORD, SAMPLE)
    lines = [" ".join(words[at : at + LINE]) for at in range(0, len(words), LINE)]
    vectors = np.concatenate([own for _, own in embedder.embed_tokens(lines)])
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    return np.ascontiguousarray(directions[:, ::-1][:, :DIMENSION], dtype=np.float32)


def stop_ids(embedder: Embedder) -> NDArray[np.int64]:
    """Word pieces not worth keeping: stop words and punctuation."""
    return np.array(
        sorted({key for word in [*STOPWORDS, *string.punctuation] for key in embedder.token_ids(word)}), np.int64
    )


def pack(texts: Sequence[Parts], projection: Vectors, stop: NDArray[np.int64]) -> list[PaperTokens]:
    """The word-piece vectors of texts, each given in parts, made small. Many at a time: one product serves all."""
    ids = np.concatenate([own for parts in texts for _, own, _ in parts])
    vectors = np.concatenate([own for parts in texts for _, _, own in parts])
    numbers = np.concatenate([np.full(len(own), number, np.int16) for parts in texts for number, own, _ in parts])
    texts_of = np.repeat(np.arange(len(texts)), [sum(len(own) for _, own, _ in parts) for parts in texts])
    kept = ~np.isin(ids, stop)
    small = np.round(product(vectors[kept], projection).clip(-LARGEST, LARGEST) / SCALE).astype(np.int8)
    ends = np.cumsum(np.bincount(texts_of[kept], minlength=len(texts)))[:-1]
    columns = (np.split(column, ends) for column in (small, numbers[kept], ids[kept].astype(np.uint32)))
    return [PaperTokens(*own) for own in zip(*columns, strict=True)]


def cosines(question: Vectors, tokens: Bytes) -> Vectors:
    """The cosines of kept tokens with projected question vectors (tokens x question tokens)."""
    return product(tokens.astype(np.float32), np.ascontiguousarray(question.T * np.float32(SCALE)))


def product(left: Vectors, right: Vectors) -> Vectors:
    """The matrix product, in blocks of rows that are too small to be handed to other threads.

    A product that is handed on waits for those threads: 15,000 word pieces by 20 take 0.4 ms on idle cores and 8 ms on
    busy ones. In blocks it is 0.7 ms, always.
    """
    inner, width = right.shape
    block = max(1, SMALL_PRODUCT // max(inner * width, 1))
    blocks = len(left) // block
    whole = blocks * block
    out = np.empty((len(left), width), np.float32)
    np.matmul(left[:whole].reshape(blocks, block, inner), right, out=out[:whole].reshape(blocks, block, width))
    np.matmul(left[whole:], right, out=out[whole:])
    return out
