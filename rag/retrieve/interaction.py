"""Late interaction: each word piece of a question meets the one of a paper that comes nearest.

Khattab and Zaharia, "ColBERT" (2020), over the small vectors that a shelf keeps (`rag.index.tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import WORD, terms
from rag.index.shelf import Shelf
from rag.index.tokens import PaperTokens, cosines, product
from rag.retrieve.scaffold import content_words, is_content

Array = NDArray[np.float32]
Shares = NDArray[np.float64]
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
    `weights` how telling each is; `stems` are those of its content words, in order;
    `pairs` are its neighbouring content pieces as numbers.
    """

    text: str
    vector: Array
    pieces: Array
    weights: NDArray[np.float64]
    words: tuple[QuestionWord, ...]
    stems: tuple[str, ...]
    pairs: NDArray[np.uint64]
    pair_weights: NDArray[np.float64]

    @classmethod
    def read(cls, text: str, shelf: Shelf) -> EncodedQuestion:
        vector, ids, vectors = shelf.encoder.embed_question(text)
        weights = shelf.embedder.informativeness(ids)
        kept = ~np.isin(ids, shelf.stop_ids)
        telling = weights[kept]
        pairs, first = np.unique(neighbours(ids[kept]), return_index=True)
        return cls(
            text, vector, product(vectors, shelf.projection), weights, _words(text, shelf, weights),
            tuple(terms(" ".join(content_words(text)))),
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


@dataclass(frozen=True, slots=True)
class Interactions:
    """Those of several papers, of which most are asked only for the shares: `similarity`, `sentence` and `phrases`, a
    value a paper. The sentences of paper i, and their cosines, are those from `bounds[i]` to `bounds[i + 1]`."""

    similarity: Shares
    sentence: Shares
    phrases: Shares
    sentences: NDArray[np.int16]
    cosines: Array
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.similarity)

    def __getitem__(self, at: int) -> Interaction:
        shares = (float(share[at]) for share in (self.similarity, self.sentence, self.phrases))
        part = slice(self.bounds[at], self.bounds[at + 1])
        return Interaction(self.sentences[part], self.cosines[part], *shares)

    def __iter__(self) -> Iterator[Interaction]:
        return (self[at] for at in range(len(self)))


def neighbours(ids: NDArray[np.int64] | NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Each id with the next, as one number."""
    wide = ids.astype(np.uint64)
    return wide[:-1] * PAIR + wide[1:]


def interact(question: EncodedQuestion, papers: Sequence[PaperTokens]) -> Interactions:
    """How each of these papers meets the question."""
    weights = (question.weights / (question.weights.sum() or 1.0)).astype(np.float32)
    counts = np.array([len(paper.sentences) for paper in papers], dtype=np.int64)
    similarity, sentence, phrases = np.zeros((3, len(papers)))
    if not counts.sum():
        nothing = np.empty((0, len(weights)), np.float32)
        bounds = np.zeros(len(papers) + 1, np.int64)
        return Interactions(similarity, sentence, phrases, np.empty(0, np.int16), nothing, bounds)
    together = cosines(question.pieces, np.concatenate([paper.vectors for paper in papers]))
    numbers = np.concatenate([paper.sentences for paper in papers])
    owner = np.repeat(np.arange(len(papers)), counts)
    starts = np.flatnonzero(np.r_[True, (numbers[1:] != numbers[:-1]) | (owner[1:] != owner[:-1])])
    best = np.maximum.reduceat(together, starts, axis=0).clip(0, 1)
    bounds = np.searchsorted(owner[starts], np.arange(len(papers) + 1))
    held = np.flatnonzero(counts)  # a paper without kept words meets nothing
    similarity[held] = np.maximum.reduceat(best, bounds[held], axis=0) @ weights
    sentence[held] = np.maximum.reduceat(best @ weights, bounds[held])
    phrases = _phrases(question, np.concatenate([paper.ids for paper in papers]), owner, len(papers))
    return Interactions(similarity, sentence, phrases, numbers[starts], best, bounds)


def _phrases(
    question: EncodedQuestion, ids: NDArray[np.uint32], owner: NDArray[np.int64], papers: int
) -> NDArray[np.float64]:
    found = np.zeros(papers)
    if not len(question.pairs):
        return found
    # Few of the paper's words are the question's: only what lies between two of them can be one of its pairs.
    shared = np.isin(ids, np.concatenate([question.pairs // PAIR, question.pairs % PAIR]).astype(np.uint32))
    begin = np.flatnonzero(shared[:-1] & shared[1:] & (owner[:-1] == owner[1:]))
    codes = ids[begin] * PAIR + ids[begin + 1]
    at = np.minimum(np.searchsorted(question.pairs, codes), len(question.pairs) - 1)
    hits = question.pairs[at] == codes
    told = np.unique(owner[begin[hits]] * len(question.pairs) + at[hits])  # each pair counts once a paper
    np.add.at(found, told // len(question.pairs), question.pair_weights[told % len(question.pairs)])
    return found / (question.pair_weights.sum() or 1.0)


def _words(text: str, shelf: Shelf, weights: NDArray[np.float64]) -> tuple[QuestionWord, ...]:
    offsets = shelf.embedder.token_offsets([text])[0][: len(weights)]  # what is cut off has no vector
    found = []
    for match in WORD.finditer(text):
        rows = tuple(at for at, (start, end) in enumerate(offsets) if start >= match.start() and end <= match.end())
        word = re.sub(r"['’]s$", "", match[0])
        if rows and is_content(word):
            found.append(QuestionWord(word, frozenset(terms(word)), rows, float(max(weights[row] for row in rows))))
    return tuple(found)
