"""How far a figure can be trusted: bootstrap intervals, and whether two runs differ. All of it seeded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 20250712
RESAMPLES = 2_000
# Of figures that are made anew for every resample.
SET_RESAMPLES = 500


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


def bootstrap(statistic: Callable[[NDArray[np.int64]], float], n: int) -> Estimate:
    """A figure of a whole set, given the rows to take, with the interval of its resamples (percentile bootstrap).

    Resamples for which the figure is not defined (an AUROC without one of the classes) are left out.
    """
    if not n:
        return Estimate(math.nan, math.nan, math.nan, 0)
    value = statistic(np.arange(n))
    if math.isnan(value):
        return Estimate(value, math.nan, math.nan, n)
    rows = np.random.default_rng(SEED).integers(0, n, (SET_RESAMPLES, n))
    drawn = [found for found in map(statistic, rows) if not math.isnan(found)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high), n)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for how many there are (Holm, "A simple sequentially rejective multiple test procedure", 1979)."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = highest
    return adjusted
