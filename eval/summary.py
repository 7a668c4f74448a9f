"""Records to figures: each with its interval, how many questions it is of, and how many were left out and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from eval.attribution import UNSCORED
from eval.intervals import Estimate, bootstrap, estimate
from eval.judges.language_model import flip_rate, position_bias
from eval.record import DIGITS, Record
from eval.suites.grounding import set_figures
from eval.suites.health import planted_at_bottom, planted_auroc

FAILED = "could not be scored"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval, the questions it is of, and those it is not of, by reason."""

    mean: float
    low: float
    high: float
    n: int
    skipped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Estimate, skipped: Mapping[str, int]) -> Figure:
        return cls(found.mean, found.low, found.high, found.n, dict(skipped))

    def to_row(self) -> dict[str, Any]:
        """Plain values, rounded; what is not defined is None."""
        values = {name: getattr(self, name) for name in ("mean", "low", "high")}
        rounded = {name: None if math.isnan(value) else round(value, DIGITS) for name, value in values.items()}
        return {**rounded, "n": self.n, "skipped": dict(sorted(self.skipped.items()))}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Figure:
        """The inverse of `to_row`."""
        mean, low, high = (math.nan if row[name] is None else float(row[name]) for name in ("mean", "low", "high"))
        return cls(mean, low, high, int(row["n"]), dict(row.get("skipped", {})))


def summarize(records: Sequence[Record]) -> dict[str, Figure]:
    """Every figure of a run by name; of two suites that have figures of one name, each puts its own before it."""
    by_suite: dict[str, list[Record]] = {}
    for record in records:
        by_suite.setdefault(record.suite, []).append(record)
    found = {suite: _of_suite(suite, rows) for suite, rows in by_suite.items()}
    times = Counter(name for figures in found.values() for name in figures)
    named = {
        name if times[name] == 1 else f"{suite}/{name}": figure
        for suite, figures in found.items()
        for name, figure in figures.items()
    }
    return dict(sorted(named.items()))


def timings(records: Iterable[Record]) -> dict[str, Estimate]:
    """Mean milliseconds by name: never part of what must be the same from run to run."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.timings.items():
            values.setdefault(name, []).append(value)
    return {name: estimate(of) for name, of in sorted(values.items())}


def _of_suite(suite: str, records: Sequence[Record]) -> dict[str, Figure]:
    values: dict[str, list[float]] = {}
    skipped: dict[str, Counter[str]] = {}
    for record in records:
        for name, value in record.metrics.items():
            values.setdefault(name, []).append(value)
        for name, why in record.skipped.items():
            skipped.setdefault(name, Counter())[why] += 1
    failed = sum(bool(record.failed) for record in records)
    lost = {FAILED: failed} if failed else {}
    found = {
        name: Figure.of(estimate(values.get(name, [])), {**skipped.get(name, {}), **lost})
        for name in {*values, *skipped}
    }
    for name, (function, rows, ungraded) in _whole(suite, records).items():
        estimated = bootstrap(partial(_of_rows, function, rows), len(rows))
        found[name] = Figure.of(estimated, {**ungraded, **lost})
    return found


def _of_rows(function: Callable[[Sequence[Any]], float], rows: Sequence[Any], taken: Iterable[int]) -> float:
    return function([rows[at] for at in taken])


Whole = dict[str, tuple[Callable[[Sequence[Any]], float], Sequence[Any], Mapping[str, int]]]


def _whole(suite: str, records: Sequence[Record]) -> Whole:
    """Figures that no single question has: function, the rows it is taken of, and what was left out."""
    found = _grounding(records) if suite == "grounding" else {}
    asked = [record for record in records if {"abstained", "false_abstention"} & record.metrics.keys()]
    if any("abstained" in record.metrics for record in asked):
        found |= {name: (function, asked, {}) for name, function in REFUSALS.items()}
    return found | _orders(records) | (_health(records) if suite == "health" else {})


def _health(records: Sequence[Record]) -> Whole:
    rows = [(record.id, record.detail) for record in records if "values" in record.detail]
    kinds = {kind for _, detail in rows for kind in detail["planted"].values()}
    figures: dict[str, Callable[[Sequence[Any]], float]] = {
        f"auroc_{kind}": partial(planted_auroc, kind) for kind in kinds
    }
    return (
        {name: (function, rows, {}) for name, function in (figures | {"planted_at_bottom": planted_at_bottom}).items()}
        if kinds
        else {}
    )


def _orders(records: Sequence[Record]) -> Whole:
    """How a judge that was asked in two orders bears itself."""
    graded = [item["orders"] for record in records for item in (record.detail, *record.detail.get("verdicts", ()))
              if item.get("orders")]  # fmt: skip
    readable = [orders for orders in graded if None not in orders]
    lost = {UNSCORED: len(graded) - len(readable)} if len(graded) > len(readable) else {}
    figures = {"judge_flip_rate": flip_rate, "judge_position_bias": position_bias}
    return {name: (function, readable, lost) for name, function in figures.items()} if graded else {}


def _grounding(records: Sequence[Record]) -> Whole:
    by_set: dict[str, list[Record]] = {}
    for record in records:
        if record.detail:
            by_set.setdefault(record.detail["set"], []).append(record)
    found: Whole = {}
    for name, own in by_set.items():
        rows = [record.detail for record in own if record.detail["score"] is not None]
        lost = len(own) - len(rows)
        ungraded = {UNSCORED: lost} if lost else {}
        found |= {figure: (made.function, made.rows, ungraded) for figure, made in set_figures(name, rows).items()}
    return found


def _refusals(records: Sequence[Record]) -> tuple[int, int, int]:
    """Right refusals, all refusals, and questions that should be refused."""
    right = sum(record.metrics.get("abstained", 0.0) for record in records)
    wrong = sum(record.metrics.get("false_abstention", 0.0) for record in records)
    return int(right), int(right + wrong), sum("abstained" in record.metrics for record in records)


def refusal_precision(records: Sequence[Record]) -> float:
    """Share of the refusals that were due: the question is one that the shelf does not answer."""
    right, refused, _ = _refusals(records)
    return right / refused if refused else math.nan


def refusal_recall(records: Sequence[Record]) -> float:
    """Share of the questions that the shelf does not answer that were refused."""
    right, _, due = _refusals(records)
    return right / due if due else math.nan


def refusal_f1(records: Sequence[Record]) -> float:
    """Harmonic mean of both, refusing being the class that is looked for."""
    right, refused, due = _refusals(records)
    return 2 * right / (refused + due) if refused + due else math.nan


REFUSALS: dict[str, Callable[[Sequence[Any]], float]] = {
    "refusal_precision": refusal_precision,
    "refusal_recall": refusal_recall,
    "refusal_f1": refusal_f1,
}
