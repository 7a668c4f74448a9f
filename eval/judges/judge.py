"""What a judge is: a statement and the words it rests on in, a grade out - or none, when it gave none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Grade:
    """`score` in [0, 1] and whether it counts as supported. Both None: no grade, which is neither right nor wrong.

    `orders` holds, of a judge that was asked twice, what it said in each order (None where it could not be read).
    """

    score: float | None
    supported: bool | None
    why: str = ""
    orders: tuple[bool | None, ...] = ()

    @classmethod
    def none(cls, why: str, orders: tuple[bool | None, ...] = ()) -> Grade:
        """No grade, and why there is none."""
        return cls(None, None, why, orders)


class Judge(Protocol):
    """Threads share one judge.

    `name` is shown; `identity` changes whenever the judge would grade otherwise (weights, prompt), and `kept` says
    whether it stands for the content of the judge, so that grades may be kept from run to run.
    """

    name: str
    identity: str
    kept: bool

    def grade(self, claim: str, source: str) -> Grade:
        """Whether the source supports the claim. Never raises for what a model says: that is no grade."""
