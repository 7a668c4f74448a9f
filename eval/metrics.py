"""Metrics of rankings, sets and labels, each with its definition. Intervals are in `eval.intervals`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np


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


def average_precision(ranking: Sequence[str], relevance: Mapping[str, int]) -> float:
    """Mean, over the relevant documents, of the precision at the rank of each; 0 for one that is not found
    (trec_eval's map, of one query)."""
    relevant = {key for key, grade in relevance.items() if grade > 0}
    ranks = [rank for rank, key in enumerate(ranking, 1) if key in relevant]
    return sum(hits / rank for hits, rank in enumerate(ranks, 1)) / len(relevant) if relevant else 0.0


def by_score(scored: Mapping[str, float]) -> list[str]:
    """Document ids best first; what scores alike stands in the falling order of its ids, as trec_eval has it."""
    return sorted(sorted(scored, reverse=True), key=lambda key: -scored[key])


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


def kappa(labels: Sequence[int], predicted: Sequence[bool]) -> float:
    """Agreement beyond chance of two raters (Cohen, 1960); nan where chance alone would make them agree."""
    truth, guess = np.asarray(labels) == 1, np.asarray(predicted, dtype=bool)
    if not len(truth):
        return math.nan
    agreed = float((truth == guess).mean())
    chance = float(truth.mean() * guess.mean() + (1 - truth.mean()) * (1 - guess.mean()))
    return (agreed - chance) / (1 - chance) if chance < 1 else math.nan


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
