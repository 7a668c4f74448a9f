"""Curves behind the plots: points worked out once, so that a report and a test see the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bin:
    """Claims whose score lies in one tenth of [0, 1]: mean score, share that people call supported, how many."""

    score: float
    share: float
    count: int


def reliability(labels: Sequence[int], scores: Sequence[float], bins: int = 10) -> list[Bin]:
    """The filled bins of a reliability diagram with equal widths (Niculescu-Mizil and Caruana, 2005)."""
    held: dict[int, list[int]] = {}
    for at, score in enumerate(scores):
        held.setdefault(min(int(score * bins), bins - 1), []).append(at)
    return [
        Bin(sum(scores[at] for at in rows) / len(rows), sum(labels[at] for at in rows) / len(rows), len(rows))
        for _, rows in sorted(held.items())
    ]


def precision_recall(labels: Sequence[int], scores: Sequence[float]) -> list[tuple[float, float]]:
    """(recall, precision) at every threshold, the strictest first; what scores alike is taken together."""
    total, hits, points = sum(labels), 0, []
    order = sorted(range(len(scores)), key=lambda at: -scores[at])
    for taken, at in enumerate(order, 1):
        hits += labels[at]
        if taken == len(order) or scores[order[taken]] < scores[at]:
            points.append((hits / total if total else 0.0, hits / taken))
    return points


def risk_coverage(correct: Sequence[float], confidence: Sequence[float]) -> list[tuple[float, float]]:
    """(coverage, risk): of the questions answered when only the surest are, the share answered wrongly.

    (El-Yaniv and Wiener, "On the foundations of noise-free selective classification", 2010.) What is equally sure is taken
    together.
    """
    wrong, points = 0.0, []
    order = sorted(range(len(confidence)), key=lambda at: -confidence[at])
    for taken, at in enumerate(order, 1):
        wrong += 1 - correct[at]
        if taken == len(order) or confidence[order[taken]] < confidence[at]:
            points.append((taken / len(order), wrong / taken))
    return points


def area(points: Sequence[tuple[float, float]]) -> float:
    """Area under (x, y) as steps from x = 0, each as wide as its step and as high as its y."""
    total, before = 0.0, 0.0
    for x, y in points:
        total += (x - before) * y
        before = x
    return total
