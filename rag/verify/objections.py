"""What speaks against a claim that otherwise repeats a sentence: each difference that can be pointed at, and how clear it is.

All of it counts only as far as the claim repeats the sentence nearest to it (`gate`): told freely, a claim may turn every
word and still say the same, and then these differences are as often wrong as right (`eval/LOG.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.verify.alignment import Alignment, Words
from rag.verify.comparison import levelled, sides_swapped
from rag.verify.figures import figure_objections
from rag.verify.objection import Objection, between
from rag.verify.pairing import mispaired
from rag.verify.polarity import affirmed, denied, prefixed, turned
from rag.verify.quantity import Quantity
from rag.verify.scope import scope_objections
from rag.verify.substitution import exchanged, replaced, transposed

# The share of its words that a claim must repeat before differences count, and from which on they count in full.
_BEGINS, _FULL = 0.5, 0.8
_RULES: tuple[Callable[[Sequence[Alignment]], Objection | None], ...] = (
    turned, prefixed, denied, affirmed, sides_swapped, levelled, mispaired, exchanged, transposed, replaced,
)  # fmt: skip


def gate(repeats: float) -> float:
    """How far differences count, in [0, 1], where the claim repeats this share of the nearest sentence's words."""
    return between(repeats, _BEGINS, _FULL)


def objections(pairs: Sequence[Alignment], source: Sequence[Words], absent: Sequence[Quantity]) -> list[Objection]:
    """What speaks against a claim, at most one of a kind.

    Args:
        pairs: the claim beside the sentences nearest to it, the nearest first.
        source: all sentences.
        absent: numbers of the claim that the source does not bear out.
    """
    found = [made for rule in _RULES if (made := rule(pairs))]
    return [*found, *figure_objections(pairs, source, absent), *scope_objections(pairs)]
