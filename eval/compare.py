"""Two runs on the questions they share: means, whether the difference may be chance, and which questions flipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.intervals import holm, paired_p
from eval.record import DIGITS, Record

# Metrics of which less is better.
LESS_IS_BETTER = ("false_abstention", "uncited_rate", "copy_rate", "answer_words", "obeyed")
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two runs. `p` by paired randomisation, `adjusted` for the number of metrics compared (Holm).

    `gained` and `lost` are ids of the questions that score better and worse now.
    """

    metric: str
    ours: float
    theirs: float
    n: int
    p: float
    adjusted: float
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences by metric, and how many questions only one of the runs has."""

    differences: tuple[Difference, ...]
    shared: int
    only_ours: int
    only_theirs: int


def compare(ours: Sequence[Record], theirs: Sequence[Record]) -> Comparison:
    """Questions are the same when their content is: a question that was changed, or its gold, is another one."""
    others = {record.key: record for record in theirs}
    pairs: dict[str, list[tuple[str, float, float]]] = {}
    for record in ours:
        other = others.get(record.key)
        for name, value in record.metrics.items():
            if other and name in other.metrics:
                pairs.setdefault(name, []).append((record.id, round(value, DIGITS), round(other.metrics[name], DIGITS)))
    p_values = [paired_p([row[1] for row in rows], [row[2] for row in rows]) for rows in pairs.values()]
    found = [
        _difference(name, rows, p, adjusted)
        for (name, rows), p, adjusted in zip(pairs.items(), p_values, holm(p_values), strict=True)
    ]
    keys = {record.key for record in ours}
    shared = len(keys & others.keys())
    return Comparison(
        tuple(sorted(found, key=lambda item: item.metric)), shared, len(keys) - shared, len(others) - shared
    )


def _difference(name: str, rows: Sequence[tuple[str, float, float]], p: float, adjusted: float) -> Difference:
    sign = -1 if name.rpartition("/")[2] in LESS_IS_BETTER else 1
    gained = tuple(key for key, one, other in rows if sign * (one - other) > 0)
    lost = tuple(key for key, one, other in rows if sign * (one - other) < 0)
    ours = sum(row[1] for row in rows) / len(rows)
    theirs = sum(row[2] for row in rows) / len(rows)
    return Difference(name, ours, theirs, len(rows), p, adjusted, gained, lost)


def table(found: Comparison) -> str:
    """As a Markdown table, with what it does not speak of above it."""
    apart = f"; {found.only_ours} are only in this one, {found.only_theirs} only in the other"
    lines = [
        f"Compared on {found.shared} questions that both runs have{apart if found.only_ours or found.only_theirs else ''}."
        " p: paired randomisation; adjusted: for the number of metrics (Holm).",
        "",
        "| metric | this | against | difference | p | adjusted | n | better now | worse now |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for item in found.differences:
        change = f"{item.ours - item.theirs:+.3f}"
        lines.append(
            f"| {item.metric} | {item.ours:.3f} | {item.theirs:.3f} | {change} | {item.p:.3f} | {item.adjusted:.3f} |"
            f" {item.n} | {_listed(item.gained)} | {_listed(item.lost)} |"
        )
    return "\n".join(lines)


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(ids[:SHOWN]) + more
