"""Late interaction: each word piece of a question meets the one of a paper that comes nearest.

Khattab and Zaharia, "ColBERT" (2020), over the small vectors that a shelf keeps (`rag.index.tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import WORD, terms
from rag.index.shelf import Shelf
from rag.index.tokens import PaperTokens, cosines
from rag.retrieve.scaffold import is_content

Array = NDArray[np.float32]
# Two neighbouring word pieces as one number.
PAIR = np.uint64(1 << 32)


@dataclass(frozen=True, slots=True)
class QuestionWord:
    """A word that says what a question is about: its stems, its word pieces (rows), and how telling they are."""

    text: str
    stems: frozenset[str]
    rows: tuple[int, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class EncodedQuestion:
    """A question encoded once.

    `vector` is its embedding (dimension), `pieces` the projected vectors of its word pieces (pieces x 96) and
    `weights` how telling each is; `pairs` are its neighbouring content pieces as numbers.
    """

    text: str
    vector: Array
    pieces: Array
    weights: NDArray[np.float64]
    words: tuple[QuestionWord, ...]
    pairs: NDArray[np.uint64]
    pair_weights: NDArray[np.float64]

    @classmethod
    def read(cls, text: str, shelf: Shelf) -> EncodedQuestion:
        _, vector, parts = next(shelf.embedder.embed_parts([[text]]))
        ids, vectors = parts[0]
        weights = shelf.embedder.informativeness(ids)
        kept = ~np.isin(ids, shelf.stop_ids)
        telling = weights[kept]
        pairs, first = np.unique(neighbours(ids[kept]), return_index=True)
        return cls(
            text, vector, vectors @ shelf.projection, weights, _words(text, shelf, weights),
            pairs, (telling[:-1] + telling[1:])[first] if len(pairs) else np.empty(0),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Interaction:
    """A paper's words as a question meets them.

    `cosines` (sentences x question pieces) holds the best cosine within each sentence, whose numbers are
    `sentences` (-1: title); `similarity` is the max-sim with the whole paper, `sentence` that with its best
    sentence; `phrases` the share of the question's neighbouring words that are neighbours in the paper.
    """

    sentences: NDArray[np.int16]
    cosines: Array
    similarity: float
    sentence: float
    phrases: float


def neighbours(ids: NDArray[np.int64] | NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Each id with the next, as one number."""
    wide = ids.astype(np.uint64)
    return wide[:-1] * PAIR + wide[1:]


def interact(question: EncodedQuestion, papers: Sequence[PaperTokens]) -> list[Interaction]:
    """One product for all papers, for many small ones spend their time handing work between threads."""
    weights = (question.weights / (question.weights.sum() or 1.0)).astype(np.float32)
    empty = Interaction(np.empty(0, np.int16), np.empty((0, len(weights)), np.float32), 0.0, 0.0, 0.0)
    out = [empty] * len(papers)
    held = [at for at, paper in enumerate(papers) if len(paper.sentences)]
    if not held:
        return out
    together = np.concatenate(cosines(question.pieces, [papers[at] for at in held]))
    numbers = np.concatenate([papers[at].sentences for at in held])
    owner = np.repeat(np.arange(len(held)), [len(papers[at].sentences) for at in held])
    starts = np.flatnonzero(np.r_[True, (np.diff(numbers) != 0) | (np.diff(owner) != 0)])
    best = np.maximum.reduceat(together, starts, axis=0).clip(0, 1)
    first = np.flatnonzero(np.r_[True, np.diff(owner[starts]) != 0])
    whole = np.maximum.reduceat(best, first, axis=0) @ weights
    single = np.maximum.reduceat(best @ weights, first)
    phrases = _phrases(question, np.concatenate([papers[at].ids for at in held]), owner, len(held))
    ends = [*first[1:], len(starts)]
    for row, (at, begin, end) in enumerate(zip(held, first, ends, strict=True)):
        out[at] = Interaction(
            numbers[starts[begin:end]], best[begin:end], float(whole[row]), float(single[row]), float(phrases[row])
        )
    return out


def _phrases(
    question: EncodedQuestion, ids: NDArray[np.uint32], owner: NDArray[np.int64], papers: int
) -> NDArray[np.float64]:
    found = np.zeros(papers)
    if not len(question.pairs):
        return found
    codes = neighbours(ids)
    at = np.minimum(np.searchsorted(question.pairs, codes), len(question.pairs) - 1)
    hits = np.flatnonzero((question.pairs[at] == codes) & (owner[:-1] == owner[1:]))
    told = np.unique(np.stack([owner[hits], at[hits]], axis=1), axis=0)  # each pair counts once a paper
    np.add.at(found, told[:, 0], question.pair_weights[told[:, 1]])
    return found / (question.pair_weights.sum() or 1.0)


def _words(text: str, shelf: Shelf, weights: NDArray[np.float64]) -> tuple[QuestionWord, ...]:
    offsets = shelf.embedder.token_offsets(text)[: len(weights)]  # what is cut off has no vector
    found = []
    for match in WORD.finditer(text):
        rows = tuple(at for at, (start, end) in enumerate(offsets) if start >= match.start() and end <= match.end())
        word = re.sub(r"['’]s$", "", match[0])
        if rows and is_content(word):
            found.append(QuestionWord(word, frozenset(terms(word)), rows, float(max(weights[row] for row in rows))))
    return tuple(found)
