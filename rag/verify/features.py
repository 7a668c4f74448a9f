"""Four untrained views of how far a text bears out a claim, each in [0, 1]."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Embedder, Vectors
from rag.index.lexical import STOPWORDS, terms, words

# Word pieces of a long source that one encoder call sees.
WINDOW = 250
NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d+(?:[.,]\d+)*")  # not the 19 of COVID-19
UNITS = {word: number for number, word in enumerate("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen
    """.split())}  # fmt: skip
UNITS |= {
    word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
UNITS |= {"half": 50, "twice": 2, "double": 2, "thrice": 3, "hundred": 100, "thousand": 1000}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source made ready for checking many claims: its words, sentences and vectors."""

    text: str
    words: tuple[str, ...]
    stems: frozenset[str]
    numbers: frozenset[float]
    sentences: tuple[tuple[int, int], ...]
    sentence_vectors: Vectors
    tokens: Vectors


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


def word_coverage(claim: str, source_stems: frozenset[str], embedder: Embedder) -> float:
    """Share of the claim's informative mass whose stems stand in the source."""
    held = total = 0.0
    for word in words(claim):
        if word in STOPWORDS:
            continue
        weight = float(embedder.informativeness(np.array(embedder.token_ids(word) or [0])).max())
        stem = terms(word)
        total += weight
        held += weight if stem and stem[0] in source_stems else 0.0
    return held / total if total else 0.0


def token_similarity(weights: NDArray[np.float64], claim: Vectors, source: Vectors) -> float:
    """Mean over the claim's word pieces of their greatest cosine in the source, weighed by informativeness
    (BERTScore's recall with idf; Zhang et al., 2020)."""
    if not len(claim) or not len(source):
        return 0.0
    return float((weights * (claim @ source.T).max(axis=1).clip(0, 1)).sum() / weights.sum())


def numbers(text: str) -> frozenset[float]:
    """The quantities in a text: digits (1,234 and 75.1 alike) and small numbers in words."""
    found = {_value(match) for match in NUMBER.findall(text)}
    found |= {float(UNITS[word]) for word in words(text) if word in UNITS}
    return frozenset(value for value in found if not math.isnan(value))


def _value(written: str) -> float:
    grouped = re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", written)
    try:
        return abs(float(written.replace(",", "") if grouped else written.replace(",", ".")))
    except ValueError:  # "1.2.3"
        return math.nan
