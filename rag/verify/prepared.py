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
from rag.ingest.sentences import split_sentences
from rag.verify.alignment import Words, cut
from rag.verify.arithmetic import Figures
from rag.verify.network import Memory

# A source longer than this many characters is a document, not a quotation: only its beginning is looked at.
LONGEST_SOURCE = 20_000


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


def prepare(sources: Sequence[str], embedder: Embedder) -> list[Prepared]:
    """Read sources once, to check many claims against them; their sentences are encoded together."""
    stored = [source[:LONGEST_SOURCE] for source in sources]
    places = [(row, *span) for row, text in enumerate(stored) for span in split_sentences(text)]
    read = [readable(stored[row][start:end]) for row, start, end in places]
    encoded = {at: (vector, tokens) for at, vector, ((_, tokens),) in embedder.embed_parts([[text] for text in read])}
    nothing = np.empty((0, embedder.dimension), np.float32)
    made = []
    for row, text in enumerate(stored):
        own = [at for at, place in enumerate(places) if place[0] == row]
        sentences = tuple(
            _sentence(*places[at][1:], read[at], embedder.token_offsets(read[at]), encoded[at][1]) for at in own
        )
        vectors = np.array([encoded[at][0] for at in own], np.float32).reshape(-1, embedder.dimension)
        tokens = np.concatenate([nothing, *(sentence.tokens for sentence in sentences)])
        said = readable(text)
        made.append(Prepared(text, tuple(words(said)), frozenset(terms(said)), sentences, vectors, tokens))
    return made


def _sentence(start: int, end: int, text: str, offsets: list[tuple[int, int]], tokens: Vectors) -> Sentence:
    return Sentence(start, end, text, frozenset(terms(text)), Figures.of(text), offsets, tokens)


def nearest(claim: str, source: Prepared, cosines: NDArray[np.float32], weights: dict[str, float]) -> list[int]:
    """Sentences of the source, nearest to the claim first: by meaning, weighed stems shared, and numbers shared.

    Args:
        cosines: of the claim with each sentence.
        weights: of the claim's stems.
    """
    total, own = sum(weights.values()) or 1.0, Figures.of(claim).values
    scores = [
        float(cosine)
        + sum(weight for stem, weight in weights.items() if stem in sentence.stems) / total
        + (0.5 * len(own & sentence.figures.values) / len(own) if own else 0.0)
        for cosine, sentence in zip(cosines, source.sentences, strict=True)
    ]
    return [int(row) for row in np.argsort(-np.array(scores), kind="stable")]
