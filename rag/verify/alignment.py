"""A claim's words laid beside those of a source's sentences, so that what differs between them can be pointed at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Vectors
from rag.index.lexical import STOPWORDS, terms
from rag.verify.quantities import quantities
from rag.verify.quantity import Quantity

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_][^\W_]*(?:[.'’][^\W_]+)*|[^\W_]+")
# Where what is said of one thing ends.
_BREAK = re.compile(
    r"[,;:()—–]| - |\b(?:but|while|whereas|although|though|yet|however|because|since|when|if|and)\b", re.IGNORECASE
)
# Where a sentence turns to another thing of which the like is said.
CONTRAST = re.compile(
    r";|\b(?:but|while|whereas|yet|although|though|compared (?:with|to)|against|versus)\b", re.IGNORECASE
)
# Cosines of word vectors in their sentences: below the first two words have nothing in common, at the second they are
# as near as different words come.
_UNLIKE, _ALIKE, _NOT_SAME = 0.35, 0.85, 0.85
# Words on either side of a place that tell what it speaks of.
_NEAR, _FAR = 6, 8
# Of the sentences nearest to a claim these many are read, each counting for less than the one before.
DISCOUNTS = (1.0, 0.9, 0.8)
_LEAST_WEIGHT = 0.5


@dataclass(frozen=True)
class Words:
    """The words of a text as it reads once repaired: case-folded, their stems, places, clauses (numbered), and vectors
    (words x dimension, norm 1)."""

    text: str
    words: tuple[str, ...]
    stems: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    clauses: tuple[int, ...]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def content(self) -> NDArray[np.bool_]:
        """Which words say something by themselves; figures are read elsewhere."""
        return np.array([word not in STOPWORDS and not word[0].isdigit() for word in self.words], bool)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Its numbers: read once, for all claims that are laid beside it."""
        return tuple(quantities(self.text))

    def at(self, offset: int) -> int | None:
        """The word that stands at a character of the text."""
        return next((row for row, (start, end) in enumerate(self.spans) if start <= offset < end), None)

    def said(self, row: int) -> str:
        """A word as it is written."""
        start, end = self.spans[row]
        return self.text[start:end]


def cut(text: str, offsets: Sequence[tuple[int, int]], tokens: Vectors) -> Words:
    """The words of a text.

    Args:
        offsets: half-open, of its word pieces; words beyond the last have the vector 0.
        tokens: the vectors of the pieces (pieces x dimension).
    """
    found = list(_WORD.finditer(text))
    spans = tuple(match.span() for match in found)
    breaks = [match.start() for match in _BREAK.finditer(text)]
    vectors = np.zeros((len(spans), tokens.shape[1]), np.float32)
    row = 0
    for (start, end), token in zip(offsets, tokens, strict=False):
        while row < len(spans) and spans[row][1] <= start:
            row += 1
        if row < len(spans) and spans[row][0] < end:
            vectors[row] += token
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-6)
    words = tuple(match[0].casefold().replace("’", "'") for match in found)
    clauses = tuple(sum(place <= start for place in breaks) for start, _ in spans)
    return Words(text, words, tuple(map(stem, words)), spans, clauses, vectors)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of a word; of one that is too frequent to have one, the word."""
    return next(iter(terms(word)), word)


@dataclass(frozen=True)
class Alignment:
    """A claim's words beside those of one sentence. `weights`: how informative each word of the claim is."""

    claim: Words
    sentence: Words
    weights: NDArray[np.float64]

    @cached_property
    def likeness(self) -> NDArray[np.float32]:
        """For each word of the claim and of the sentence, in [0, 1], 1 only for one and the same stem."""
        cosines = self.claim.vectors @ self.sentence.vectors.T
        found = ((cosines - _UNLIKE) / (_ALIKE - _UNLIKE)).clip(0, _NOT_SAME)
        found[~self.claim.content] = 0
        found[:, ~self.sentence.content] = 0
        for row, own in enumerate(self.claim.stems):
            if self.claim.content[row] or own[0].isdigit():
                found[row, [at for at, other in enumerate(self.sentence.stems) if other == own]] = 1
        return found

    def agreement(self, row: int, at: int, near: int = _NEAR, far: int = _FAR) -> float:
        """How far word `row` of the claim and word `at` of the sentence stand among the same words, in [0, 1]."""
        rows = [other for other in _around(row, near, len(self.claim)) if self.claim.content[other]]
        places = list(_around(at, far, len(self.sentence)))
        if not rows or not places:
            return 0.0
        weights = self.weights[rows] / (1 + 0.25 * np.abs(np.array(rows) - row))
        return float((self.likeness[np.ix_(rows, places)].max(axis=1) * weights).sum() / weights.sum())

    def shared(self, rows: range, places: range) -> float:
        """How much of a part of the claim stands in a part of the sentence, in [0, 1]."""
        own = [row for row in rows if self.claim.content[row]]
        if not own or not places:
            return 0.0
        best = self.likeness[own][:, list(places)].max(axis=1)
        return float((best * self.weights[own]).sum() / self.weights[own].sum())


def _around(row: int, reach: int, length: int) -> list[int]:
    return [other for other in range(max(0, row - reach), min(length, row + reach + 1)) if other != row]


def align(claim: Words, sentence: Words, weights: Mapping[str, float]) -> Alignment:
    """Lay a claim beside a sentence; `weights` by stem, as far as known."""
    known = np.array([max(weights.get(own, 0.0), _LEAST_WEIGHT) for own in claim.stems], np.float64)
    return Alignment(claim, sentence, known)


def repeated(weights: Mapping[str, float], stems: frozenset[str]) -> float:
    """The share of a claim's words, by weight and figures left out, that a sentence repeats."""
    own = {word: weight for word, weight in weights.items() if not word[:1].isdigit()}
    total = sum(own.values())
    return sum(weight for word, weight in own.items() if word in stems) / total if total else 0.0
