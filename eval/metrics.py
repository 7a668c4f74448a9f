"""Metrics, each with its definition, and the intervals that go with every figure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SEED = 20250712
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval (percentile bootstrap over questions, seeded) and the number of questions."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.n}"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval of per-question values (Efron and Tibshirani, 1993)."""
    if not values:
        return Estimate(math.nan, math.nan, math.nan, 0)
    data = np.asarray(values, dtype=np.float64)
    means = data[np.random.default_rng(SEED).integers(0, len(data), (RESAMPLES, len(data)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(data.mean()), float(low), float(high), len(data))


def paired_p(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Two-sided p-value of the mean difference by randomised sign flips (Smucker et al., 2007), seeded."""
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    observed = abs(differences.mean())
    signs = np.random.default_rng(SEED).choice([-1.0, 1.0], (RESAMPLES, len(differences)))
    return float(((np.abs((signs * differences).mean(axis=1)) >= observed - 1e-12).sum() + 1) / (RESAMPLES + 1))


def precision_recall_f1(found: Collection[str], gold: Collection[str]) -> tuple[float, float, float]:
    """Of sets. An empty answer has precision 0 unless nothing was to be found."""
    hits = len(set(found) & set(gold))
    precision = hits / len(set(found)) if found else float(not gold)
    recall = hits / len(set(gold)) if gold else float(not found)
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else float(not found and not gold)


def ndcg(ranking: Sequence[str], relevance: Mapping[str, int], k: int = 10) -> float:
    """DCG of the first `k` over that of the ideal order; gain = relevance, discount = log2(rank + 1)
    (Järvelin and Kekäläinen, 2002; trec_eval's ndcg_cut)."""
    ideal = sorted((grade for grade in relevance.values() if grade > 0), reverse=True)[:k]
    best = sum(grade / math.log2(rank + 2) for rank, grade in enumerate(ideal))
    gained = sum(max(relevance.get(key, 0), 0) / math.log2(rank + 2) for rank, key in enumerate(ranking[:k]))
    return gained / best if best else 0.0


def recall_at(ranking: Sequence[str], relevance: Mapping[str, int], k: int) -> float:
    """Share of the relevant documents among the first `k`."""
    relevant = {key for key, grade in relevance.items() if grade > 0}
    return len(relevant & set(ranking[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], relevance: Mapping[str, int], k: int = 10) -> float:
    """1 / rank of the first relevant document among the first `k`, or 0."""
    return next((1 / rank for rank, key in enumerate(ranking[:k], 1) if relevance.get(key, 0) > 0), 0.0)


def jaccard(one: Collection[str], other: Collection[str]) -> float:
    """Shared over all; of two empty sets 1."""
    return len(set(one) & set(other)) / len(set(one) | set(other)) if one or other else 1.0


def auroc(labels: Sequence[int], scores: Sequence[float]) -> float:
    """Probability that a positive scores above a negative, ties counting half (Mann-Whitney)."""
    _, inverse, counts = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = np.asarray(labels) == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)) if n1 and n0 else math.nan


def balanced_accuracy(labels: Sequence[int], predicted: Sequence[bool]) -> float:
    """Mean of the true positive and the true negative rate."""
    truth, guess = np.asarray(labels) == 1, np.asarray(predicted)
    return float((guess[truth].mean() + (~guess[~truth]).mean()) / 2) if truth.any() and not truth.all() else math.nan


def calibration_error(labels: Sequence[int], scores: Sequence[float], bins: int = 10) -> float:
    """Expected calibration error with equal-width bins (Guo et al., 2017)."""
    truth, score = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    which = np.minimum((score * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(truth[which == b].mean() - score[which == b].mean()) * (which == b).mean()
            for b in range(bins)
            if (which == b).any()
        )
    )
