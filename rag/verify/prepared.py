"""A source made ready for checking many claims against it: read, cut and encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Embedder, Vectors
from rag.index.lexical import terms, words
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.verify.network import Memory
from rag.verify.quantities import numbers

# A source longer than this many characters is a document, not a quotation: only its beginning is looked at.
LONGEST_SOURCE = 20_000


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
    """A source's words, sentences and vectors (sentences x dimension, word pieces x dimension).

    `memory` is what the checker's network has read of it, where it has one and the source is not too long for it.
    """

    text: str
    words: tuple[str, ...]
    stems: frozenset[str]
    sentences: tuple[Sentence, ...]
    sentence_vectors: Vectors
    tokens: Vectors
    memory: Memory | None = None


def prepare(sources: Sequence[str], embedder: Embedder) -> list[Prepared]:
    """Read sources once, to check many claims against them; their sentences are encoded together."""
    stored = [source[:LONGEST_SOURCE] for source in sources]
    sentences = [tuple(_sentence(text, start, end) for start, end in split_sentences(text)) for text in stored]
    places = [(row, at) for row, own in enumerate(sentences) for at in range(len(own))]
    vectors = [np.empty((len(own), embedder.dimension), np.float32) for own in sentences]
    nothing = np.empty((0, embedder.dimension), np.float32)
    tokens = [[nothing] * max(len(own), 1) for own in sentences]
    for place, vector, ((_, own),) in embedder.embed_parts([[sentences[row][at].text] for row, at in places]):
        row, at = places[place]
        vectors[row][at], tokens[row][at] = vector, own
    return [
        Prepared(text, tuple(words(said)), frozenset(terms(said)), own, vectors[row], np.concatenate(tokens[row]))
        for row, (text, said, own) in enumerate(zip(stored, map(readable, stored), sentences, strict=True))
    ]


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
