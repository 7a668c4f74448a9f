"""How many papers to keep, and whether any answers: logistic models over what the words of paper and question share.

Fitted by `python -m eval.fit` on questions over digests and over saved pages; its figures are for questions left out.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rag.types import Evidence

# P(a paper of the pool belongs in the answer).
RELEVANCE = {
    "lexical": 1.4,
    "coverage": 1.11,
    "span": 1.96,
    "span_gap": 2.89,
    "cosine_gap": 2.81,
    "score_gap": 0.81,
    "standing": 0.82,
    "kinship": 2.77,
    "similarity": -1.21,
    "similarity_gap": 9.46,
}
RELEVANCE_BIAS = -3.41
# P(the best paper answers), for a question that names no paper and for one that does. A third of the first were
# shown with their gold papers taken away, half of the second ask one paper what another one says.
ANSWERABLE = {"cosine": 3.59, "coverage": 0.16, "similarity": 7.36, "lead": 4.99}
ANSWERABLE_BIAS, ANSWERABLE_THRESHOLD = -6.61, 0.19
ANSWERABLE_NAMED = {
    "cosine": 4.14,
    "coverage": 1.36,
    "similarity": 12.67,
    "words": 1.72,
    "sentence": 0.74,
    "no_figure": -0.65,
    "thing_figure": 0.86,
    "strangers": 0.04,
}
ANSWERABLE_NAMED_BIAS, ANSWERABLE_NAMED_THRESHOLD = -8.81, 0.125
# Papers behind the best that tell what the shelf holds anyway for such a question.
FIELD = slice(2, 12)
# What they score on a shelf of some size; a small shelf has fewer of them.
FIELD_SCORE = 0.9


def probability(features: Mapping[str, float], weights: Mapping[str, float], bias: float) -> float:
    """Of a logistic model: weights by the names of its features."""
    return 1 / (1 + math.exp(-(sum(weight * features[name] for name, weight in weights.items()) + bias)))


def relevance_features(item: Evidence, pool: Sequence[Evidence]) -> dict[str, float]:
    """Of a paper among those of its pool; what ends in `_gap` is how far it is behind the best, `standing`
    the standard score of its fused score."""
    span, scores = _best_span(item), [other.score for other in pool]
    return {
        "lexical": item.lexical / (max(other.lexical for other in pool) or 1.0),
        "coverage": item.coverage,
        "span": span,
        "span_gap": span - max(map(_best_span, pool)),
        "cosine_gap": item.cosine - max(other.cosine for other in pool),
        "score_gap": item.score - max(scores),
        "standing": (item.score - statistics.fmean(scores)) / (float(np.std(scores)) or 1.0),
        "kinship": item.kinship,
        "similarity": item.similarity,
        "similarity_gap": item.similarity - max(other.similarity for other in pool),
    }


def relevance(item: Evidence, pool: Sequence[Evidence]) -> float:
    """Estimated probability that a paper of the pool belongs in the answer."""
    return probability(relevance_features(item, pool), RELEVANCE, RELEVANCE_BIAS)


def keep(pool: Sequence[Evidence]) -> list[Evidence]:
    """The papers a list gives: as many of the likeliest as have the greatest expected F1.

    With p sorted falling, F1 of the first k is expected to be near 2 sum(p[:k]) / (k + sum(p))
    (Jansche, "A maximum expected utility framework for binary sequence labeling", 2007).
    """
    return [pool[at] for at in expected_best([relevance(item, pool) for item in pool])]


def expected_best(odds: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """Which of these to keep, likeliest first, for the greatest expected F1; at least one."""
    p = np.asarray(odds, dtype=np.float64)
    order = np.argsort(-p, kind="stable")
    expected = 2 * np.cumsum(p[order]) / (np.arange(1, len(p) + 1) + p.sum())
    return [int(at) for at in order[: int(np.argmax(expected)) + 1]] if len(p) else []


def answerable_features(item: Evidence, pool: Sequence[Evidence]) -> dict[str, float]:
    """Of the best paper. `lead`: its score over the mean of those that come after the first two of the pool."""
    others = sorted((other.score for other in pool), reverse=True)[FIELD]
    others += [FIELD_SCORE] * (FIELD.stop - FIELD.start - len(others))
    match = item.match
    return {
        "cosine": item.cosine,
        "coverage": item.coverage,
        "similarity": item.similarity,
        "lead": item.score - statistics.fmean(others),
        "words": match.words,
        "sentence": match.sentence,
        "no_figure": match.no_figure,
        "thing_figure": match.thing_figure,
        "strangers": match.strangers,
    }


def likelihood(item: Evidence, pool: Sequence[Evidence]) -> float:
    """Estimated probability that the paper answers."""
    features = answerable_features(item, pool)
    if item.match.named:
        return probability(features, ANSWERABLE_NAMED, ANSWERABLE_NAMED_BIAS)
    return probability(features, ANSWERABLE, ANSWERABLE_BIAS)


def answers(item: Evidence, pool: Sequence[Evidence]) -> bool:
    """Whether the paper is likely enough to answer; nothing serves better than the nearest paper that does not."""
    least = ANSWERABLE_NAMED_THRESHOLD if item.match.named else ANSWERABLE_THRESHOLD
    return likelihood(item, pool) >= least


def _best_span(item: Evidence) -> float:
    return max((span.score for span in item.spans), default=0.0)
