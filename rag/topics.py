"""Papers in groups by topic, each group named by the words that tell it from the shelf.

Groups: star clustering (Aslam, Pelekhov and Rus, "The Star Clustering Algorithm", 2004) over the papers' mean passage
vectors: the paper with most neighbours is the centre of a group, they are its members, and so on with what is left. Names:
of those in their titles, a word weighs as many papers as hold it, times the logarithm of how much oftener they do than
the whole shelf. Nothing is drawn by chance.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import STOPWORDS, terms, words
from rag.index.shelf import Shelf
from rag.types import Paper

# Cosine of two papers from which on they are neighbours; of the starter papers' pairs one in forty is above it. With 0.5
# half of them are one group of everything.
NEAR = 0.6
# Words of a name; and the papers that are grouped at most, for every one is compared with every other.
WORDS, LARGEST = 3, 2_000
OTHERS = "Others"


@dataclass(frozen=True, slots=True)
class Topic:
    """Papers of one topic, the one nearest to all others first."""

    name: str
    papers: tuple[Paper, ...]


def topics(papers: Sequence[Paper], shelf: Shelf) -> list[Topic]:
    """Groups of papers of a shelf, the largest first; those that are near no other one stand in the last."""
    some, rest = papers[:LARGEST], papers[LARGEST:]
    groups = stars(_means(some, shelf), NEAR)
    found = [
        Topic(_name([some[row] for row in group], shelf), tuple(some[row] for row in group))
        for group in groups
        if len(group) > 1
    ]
    alone = tuple(some[group[0]] for group in groups if len(group) == 1) + tuple(rest)
    return [*found, Topic(OTHERS, alone)] if alone else found


def stars(vectors: NDArray[np.float32], near: float) -> list[list[int]]:
    """Rows (of norm 1) in groups, the largest first, the centre of each first and then its members, nearest first."""
    cosines = vectors @ vectors.T
    left = np.ones(len(vectors), dtype=bool)
    groups = []
    while left.any():
        # Rounding must not decide between two equals: the first one wins.
        neighbours = (cosines > near) & left
        degree = np.where(left, neighbours.sum(axis=1), -1)
        centre = int(degree.argmax())
        members = [int(row) for row in np.flatnonzero(neighbours[centre]) if row != centre]
        group = [centre, *sorted(members, key=lambda row: (-round(float(cosines[centre, row]), 4), row))]
        left[group] = False
        groups.append(group)
    return groups


def _means(papers: Sequence[Paper], shelf: Shelf) -> NDArray[np.float32]:
    """The mean passage vector of each paper, of norm 1."""
    vectors, counts = shelf.segments.passages(shelf.segments.rows_of([paper.id for paper in papers]))
    sums = np.add.reduceat(vectors, np.cumsum(counts) - counts, axis=0)
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(1e-9), np.float32)


def _name(papers: Sequence[Paper], shelf: Shelf) -> str:
    """The most telling words, as they are mostly written; each stands in at least a third of the papers."""
    written: dict[str, Counter[str]] = {}
    held: Counter[str] = Counter()
    titled: set[str] = set()
    for paper in papers:
        own = _stems(f"{paper.title} {paper.abstract}")
        held.update(set(own.values()))
        titled |= set(_stems(paper.title).values())
        for word, stem in own.items():
            written.setdefault(stem, Counter())[word] += 1
    share = len(papers) / len(shelf.segments)
    weights = {
        stem: held[stem] * (math.log1p(held[stem] / share / max(shelf.segments.df(stem), 1)))
        for stem in titled
        if held[stem] >= max(2, len(papers) / 3)
    }
    best = sorted(weights, key=lambda stem: (-round(weights[stem], 6), stem))[:WORDS]
    return ", ".join(min(written[stem], key=lambda word: (-written[stem][word], word)) for stem in best) or OTHERS


def _stems(text: str) -> dict[str, str]:
    """The content words of a text, each with its stem."""
    found = (word for word in dict.fromkeys(words(text)) if word.isalpha() and len(word) > 2 and word not in STOPWORDS)
    return {word: terms(word)[0] for word in found}
