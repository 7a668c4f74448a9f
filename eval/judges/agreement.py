"""A judge's agreement card: how far it agrees with people, printed beside every score it gives."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.checker.data import Part, part_of_claim
from eval.intervals import bootstrap
from eval.judges.judge import Judge
from eval.record import Record
from eval.suites.grounding import set_figures

CARDS = Path(__file__).parent.parent / "results" / "agreement.json"
FIGURES = ("auroc", "balanced_accuracy", "kappa")


@dataclass(frozen=True, slots=True)
class Card:
    """Figures against human labels by claim set: `{"n", "ungraded", "auroc": [mean, low, high], ...}`.

    `current` says whether the judge is the one that the card was made of, weights, prompt and code alike.
    """

    judge: str
    identity: str
    sets: Mapping[str, Mapping[str, Any]]
    current: bool = True

    @property
    def n(self) -> int:
        return sum(figures["n"] for figures in self.sets.values())

    def mean(self, figure: str) -> float:
        """Over the sets, each counting alike."""
        values = [figures[figure][0] for figures in self.sets.values() if figures[figure]]
        return sum(values) / len(values) if values else math.nan

    def __str__(self) -> str:
        old = "" if self.current else ", of an earlier version"
        return (
            f"AUROC {self.mean('auroc'):.2f}, balanced accuracy {self.mean('balanced_accuracy'):.2f}, "
            f"kappa {self.mean('kappa'):.2f} ({self.n:,} claims of {len(self.sets)} sets{old})"
        )


def make(judge: Judge, records: Iterable[Record]) -> Card:
    """The card of a judge from its records of the `grounding` suite.

    Claims that the checker was trained on are left out, for every judge, so that all are measured on the same.
    """
    by_set: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        row = record.detail
        if part_of_claim(row["set"], row["claim"]) is Part.REPORT:
            by_set.setdefault(row["set"], []).append(row)
    return Card(judge.name, judge.identity, {name: _figures(name, rows) for name, rows in sorted(by_set.items())})


def _figures(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    graded = [row for row in rows if row["score"] is not None]
    made = set_figures(name, graded)
    both = len({row["label"] for row in graded}) == 2  # against one class alone nothing can be measured
    found: dict[str, Any] = {"n": len(graded), "ungraded": len(rows) - len(graded)}
    for figure in FIGURES:
        function = made[f"{name}/{figure}"].function if both else _undefined
        value = bootstrap(lambda taken, function=function: function([graded[at] for at in taken]), len(graded))  # type: ignore[misc]
        known = not math.isnan(value.mean)
        found[figure] = [round(part, 4) for part in (value.mean, value.low, value.high)] if known else None
    return found


def _undefined(rows: Sequence[Mapping[str, Any]]) -> float:
    return math.nan


def find(name: str, identity: str | None = None, cards: Path = CARDS) -> Card | None:
    """The card of this very judge, or else of an earlier version of it; None where it has none.

    Without an identity any version will do.
    """
    own = [Card(row["judge"], row["identity"], row["sets"]) for row in _read(cards) if row["judge"] == name]
    same = [card for card in own if identity in (card.identity, None)]
    if same:
        return same[0]
    return Card(own[0].judge, own[0].identity, own[0].sets, current=False) if own else None


def store(card: Card, cards: Path = CARDS) -> None:
    """Put the card in the place of the judge's earlier one."""
    others = [row for row in _read(cards) if row["judge"] != card.judge]
    row = {"judge": card.judge, "identity": card.identity, "sets": card.sets}
    rows = sorted([*others, row], key=lambda item: item["judge"])
    cards.parent.mkdir(parents=True, exist_ok=True)
    cards.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(cards: Path) -> list[dict[str, Any]]:
    return list(json.loads(cards.read_text(encoding="utf-8"))) if cards.is_file() else []
