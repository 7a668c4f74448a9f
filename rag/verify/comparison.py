"""Comparisons of the same two that a claim tells with another winner."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.verify.alignment import Alignment, Words
from rag.verify.objection import Objection, between
from rag.verify.opposites import negations, sign_of

_AHEAD = re.compile(r"outperform|surpass|beat|exceed|overtak|outscor|superior|outdo|outdid|outstrip|defeat|dominat")
_BEHIND = re.compile(r"underperform|trail|lag|behind|inferior")
# What tells in which respect, and by how much.
_RESPECTS = frozenset("by on in at for with across over when as to".split())
# Words on one side of a comparison that tell what is compared.
_SIDE = 9


def sides_swapped(pairs: Sequence[Alignment]) -> Objection | None:
    """A comparison of the same two with another winner."""
    same, other_way = 0.0, 0.0
    for pair in pairs[:2]:
        for row, sign in _comparisons(pair.claim):
            left, right = range(max(0, row - _SIDE), row), range(row + 1, _rival_ends(pair.claim, row))
            for at, other in _comparisons(pair.sentence):
                before = range(max(0, at - _SIDE), at)
                after = range(at + 1, min(len(pair.sentence), at + _SIDE + 3))
                straight = pair.shared(left, before) + pair.shared(right, after)
                crossed = pair.shared(left, after) + pair.shared(right, before)
                turned = sign * other * (crossed - straight)
                same, other_way = max(same, -turned), max(other_way, turned)
    strength = between(other_way - same, 0.25, 0.8)
    return Objection("sides", strength, "the source compares the two the other way round") if strength else None


def _rival_ends(text: Words, row: int) -> int:
    """Where what stands behind a comparison stops telling with what: "than Owl | on three sets"."""
    behind = range(row + 2, min(len(text), row + _SIDE + 1))
    ends = (at for at in behind if text.words[at] in _RESPECTS and text.content[row + 1 : at].any())
    return next(ends, behind.stop)


def _comparisons(text: Words) -> list[tuple[int, int]]:
    """Where two things are compared, and 1 where the first is said to have more or do better, -1 where the second."""
    found, denying = [], negations(text)
    for row, word in enumerate(text.words):
        sign = 1 if _AHEAD.match(word) else -1 if _BEHIND.match(word) else 0
        if word == "than":
            sign = next((sign for at in range(row - 1, max(-1, row - 9), -1) if (sign := sign_of(text.stems[at]))), 0)
        elif sign and row + 1 < len(text) and text.words[row + 1] == "by":
            sign = -sign
        if any(0 < row - at <= 4 for at in denying):
            sign = -sign
        if sign:
            found.append((row, sign))
    return found[:2]
