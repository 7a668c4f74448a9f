"""Comparisons of the same two that a claim tells with another winner."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.verify.alignment import Alignment, Words, stem
from rag.verify.objection import Objection, between, instead
from rag.verify.opposites import NO_ONE, follows, negations, sign_of

_AHEAD = re.compile(r"outperform|surpass|beat|exceed|overtak|outscor|superior|outdo|outdid|outstrip|defeat|dominat")
_BEHIND = re.compile(r"underperform|trail|lag|behind|inferior")
_BEING = frozenset("is are was were be been being".split())
# Stems of what is better the less there is of it.
_COSTS = frozenset(
    map(stem, "perplexity error loss latency cost time runtime memory overhead delay toxicity bias".split())
)
# What says by itself which is the better one, and what makes little of a cost: "memory-efficient".
_QUALITIES = frozenset("better best worse worst superior inferior stronger weaker".split())
_SPARED = frozenset("efficient effective saving friendly".split())
_FACTORS = frozenset("twice thrice half times almost nearly not".split())
_COMPARATIVES = {"well": ("better", "worse"), "good": ("better",), "bad": ("worse",), "often": ("often",)}
# What tells in which respect, and by how much.
_RESPECTS = frozenset("by on in at for with across over when as to".split())
# Words on one side of a comparison that tell what is compared, and words behind a "not" that it turns.
_SIDE, _REACH = 9, 4


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


def levelled(pairs: Sequence[Alignment]) -> Objection | None:
    """Two things said to be as good as each other where the source says that one is better, or the other way round."""
    for pair in pairs[:2]:
        met = _better(pair.claim, pair.sentence)
        met += [(row, at) for at, row in _better(pair.sentence, pair.claim)]
        for row, at in met:
            if strength := between(pair.agreement(row, at, _SIDE, _SIDE), 0.3, 0.6):
                return Objection("level", strength, instead(_told(pair.claim, row), _told(pair.sentence, at)))
    return None


def _better(one: Words, other: Words) -> list[tuple[int, int]]:
    """Where one text says "as good as" and where the other says "better than" of the same quality."""
    thans = [] if _as_much(other) else [at for at, word in enumerate(other.words) if word == "than"]
    return [(row, at) for row, quality in _as_much(one) for at in thans if quality & _compared(other, at)]


def _told(text: Words, row: int) -> str:
    """A word with those around it, as they are written."""
    return text.text[text.spans[max(0, row - 2)][0] : text.spans[min(len(text) - 1, row + 1)][1]]


def _as_much(text: Words) -> list[tuple[int, frozenset[str]]]:
    """Where a text says "as good as" (not "twice as good as"), and the stems of what may stand for it in a comparative."""
    found = []
    for row in range(len(text) - 2):
        before = text.words[row - 1] if row else ""
        if text.words[row] == text.words[row + 2] == "as" and before not in _FACTORS and not before[:1].isdigit():
            of = text.words[row + 1]
            if of not in ("such", "much", "many", "long", "soon", "far", "same"):
                found.append((row + 1, frozenset({text.stems[row + 1], *_COMPARATIVES.get(of, ())})))
    denying = negations(text)
    return [(row, of) for row, of in found if not follows(row, denying, _REACH)]


def _compared(text: Words, at: int) -> frozenset[str]:
    """What may be compared before a "than": "more effective than", "better than", "faster than"."""
    return frozenset(
        own for row in range(max(0, at - 3), at) for own in (text.stems[row], stem(text.words[row].removesuffix("er")))
    )


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
            sign = next((_sign(text, at) for at in range(row - 1, max(-1, row - 9), -1) if sign_of(text.stems[at])), 0)
        elif sign and _is_passive(text, row):
            sign = -sign
        if follows(row, denying, _REACH) or any(_no_one(text, at, row) for at in denying):
            sign = -sign
        if sign:
            found.append((row, sign))
    return found[:2]


def _sign(text: Words, row: int) -> int:
    """What a comparative says of its first side; of what costs or errs, to have less is to do better."""
    sign, around = sign_of(text.stems[row]), range(max(0, row - 3), min(len(text), row + 4))
    costs = any(text.stems[at] in _COSTS and not _SPARED & set(text.words[at + 1 : at + 2]) for at in around)
    return -sign if costs and text.words[row] not in _QUALITIES else sign


def _is_passive(text: Words, row: int) -> bool:
    """Whether what stands before is what is beaten: "is beaten", "beaten by"."""
    return text.words[row + 1 : row + 2] == ("by",) or bool(_BEING & set(text.words[max(0, row - 2) : row]))


def _no_one(text: Words, at: int, row: int) -> bool:
    """Whether a "none of them" is the subject of what follows."""
    return at < row and text.words[at] in NO_ONE and text.clauses[at] == text.clauses[row]
