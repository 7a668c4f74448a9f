"""Four untrained views of how far a text bears out a claim, each in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Embedder, Vectors
from rag.index.lexical import STOPWORDS, terms, words
from rag.index.tokens import product


def rouge_l_precision(claim: Sequence[str], source: Sequence[str]) -> float:
    """Length of the longest common subsequence over the claim's length (Lin, "ROUGE", 2004)."""
    if not claim:
        return 0.0
    ids: dict[str, int] = {}
    row = np.zeros(len(source) + 1, dtype=np.int32)
    encoded = np.fromiter((ids.setdefault(word, len(ids)) for word in source), np.int32, len(source))
    for word in claim:
        matches = encoded == ids.get(word, -1)
        taken = np.maximum(row[1:], np.where(matches, row[:-1] + 1, 0))
        row = np.concatenate([[0], np.maximum.accumulate(taken)]).astype(np.int32)
    return float(row[-1]) / len(claim)


def weighed_stems(claim: str, embedder: Embedder) -> list[tuple[str, float]]:
    """The stem of each content word of a claim, in order, with how informative the word is."""
    found = []
    for word in words(claim):
        if word not in STOPWORDS:
            weight = float(embedder.informativeness(np.array(embedder.token_ids(word) or [0])).max())
            found.append((next(iter(terms(word)), ""), weight))
    return found


def word_coverage(claim: Sequence[tuple[str, float]], source_stems: frozenset[str]) -> float:
    """Share of the claim's informative mass whose stems stand in the source."""
    total = sum(weight for _, weight in claim)
    return sum(weight for stem, weight in claim if stem in source_stems) / total if total else 0.0


def token_similarity(weights: NDArray[np.float64], claim: Vectors, source: Vectors) -> float:
    """Mean over the claim's word pieces of their greatest cosine in the source, weighed by informativeness
    (BERTScore's recall with idf; Zhang et al., 2020)."""
    if not len(claim) or not len(source):
        return 0.0
    return float(
        (weights * product(source, np.ascontiguousarray(claim.T)).max(axis=0).clip(0, 1)).sum() / weights.sum()
    )
