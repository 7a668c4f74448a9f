"""One thing that speaks against a claim beside its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Objection:
    """`kind` names the rule, `strength` in (0, 1] says how clear it is, `reason` tells it in words."""

    kind: str
    strength: float
    reason: str


def between(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, in [0, 1]."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


def instead(said: str, given: str) -> str:
    """The reason where the claim has one word and the source another."""
    return f"the claim says “{said}” where the source says “{given}”"
