"""What a model other than our own says of a claim beside a source; who asks one is `rag.verify.backends`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Opinion:
    """The probabilities, in [0, 1], that the source supports the claim and that it contradicts it.

    `supported` is None where the model gave no opinion, and `why` says why.
    """

    supported: float | None
    contradicted: float = 0.0
    why: str = ""

    @classmethod
    def none(cls, why: str) -> Opinion:
        """No opinion, and why there is none."""
        return cls(None, why=why)


class Backend(Protocol):
    """A model that says whether sources support claims. Threads share one."""

    name: str

    def ask(self, pairs: Sequence[tuple[str, str]]) -> list[Opinion]:
        """An opinion on each (claim, source), asked together. That the model fails is no opinion, and no exception.

        Raises:
            ModelError: the model cannot be loaded.
        """
