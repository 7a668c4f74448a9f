"""What speaks against a claim that otherwise repeats a sentence: each difference that can be pointed at, and how clear it is.

All of it counts only as far as the claim repeats the sentence nearest to it (`gate`): told freely, a claim may turn every
word and still say the same, and then these differences are as often wrong as right (`eval/LOG.md`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from rag.verify.alignment import Alignment, Words, stem
from rag.verify.edits import converse
from rag.verify.figures import figure_objections
from rag.verify.opposites import negations, poles, sign_of
from rag.verify.quantity import Quantity
from rag.verify.scope import elsewhere, scope_objections

# Of the sentences nearest to a claim these many are read, each counting for less than the one before.
DISCOUNTS = (1.0, 0.9, 0.8)
# The share of its words that a claim must repeat before differences count, and from which on they count in full.
_BEGINS, _FULL = 0.5, 0.8
_PREFIX = re.compile(r"^(?:un|in|im|ir|non|dis|mis)(?=[a-z]{3})")
_OVER_UNDER = (("over", "under"), ("under", "over"))
_ONLY = frozenset("only solely exclusively alone just nothing purely sole".split())
_ALL = frozenset(
    "all every each always any entire universally entirely completely fully invariably wholly regardless everywhere never"
    " none whatever anything must necessarily both".split()
)
_AHEAD = re.compile(r"outperform|surpass|beat|exceed|overtak|outscor|superior|outdo|outdid|outstrip|defeat|dominat")
_BEHIND = re.compile(r"underperform|trail|lag|behind|inferior")
# What tells in which respect, and by how much.
_RESPECTS = frozenset("by on in at for with across over when as to".split())
# Words that a difference in one place may have at most, and about how much the heaviest of them weighs.
_SLOT, _HEAVIEST = 3, 9.0
# Words on one side of a comparison that tell what is compared.
_SIDE = 9


@dataclass(frozen=True, slots=True)
class Objection:
    """`kind` names the rule, `strength` in (0, 1] says how clear it is, `reason` tells it in words."""

    kind: str
    strength: float
    reason: str


def gate(repeats: float) -> float:
    """How far differences count, in [0, 1], where the claim repeats this share of the nearest sentence's words."""
    return between(repeats, _BEGINS, _FULL)


def between(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, in [0, 1]."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


def objections(pairs: Sequence[Alignment], source: Sequence[Words], absent: Sequence[Quantity]) -> list[Objection]:
    """What speaks against a claim, at most one of a kind.

    Args:
        pairs: the claim beside the sentences nearest to it, the nearest first.
        source: all sentences.
        absent: numbers of the claim that the source does not bear out.
    """
    rules: tuple[Callable[[Sequence[Alignment]], Objection | None], ...] = (
        _turned, _prefixed, _denied, _affirmed, _sides_swapped, _exchanged, _replaced, _every, _only,
    )  # fmt: skip
    found = [made for rule in rules if (made := rule(pairs))]
    told = [*figure_objections(pairs, source, absent), *scope_objections(pairs)]
    return found + [Objection(*made) for made in told]


def _turned(pairs: Sequence[Alignment]) -> Objection | None:
    """A word where the source has its opposite, among the same words."""
    best, reason = 0.0, ""
    given = [list(poles(pair.sentence)) for pair in pairs]
    for own in poles(pairs[0].claim):
        same, other, why = 0.0, 0.0, ""
        said = pairs[0].claim.said(own.row)
        for pair, theirs, discount in zip(pairs, given, DISCOUNTS, strict=False):
            for pole in theirs:
                if pole.line == own.line and not _from_both_sides(pair, own.row, pole.row):
                    near = discount * pair.agreement(own.row, pole.row)
                    if pole.sign == own.sign:
                        same = max(same, near)
                    elif near > other:
                        denied = pole.denied != own.denied
                        other, why = near, _one_side(said) if denied else _instead(said, pair.sentence.said(pole.row))
        if other - same > best:
            best, reason = other - same, why
    strength = between(best, 0.2, 0.6)
    return Objection("turned", strength, reason) if strength else None


def _from_both_sides(pair: Alignment, row: int, at: int) -> bool:
    """Whether the two words belong to comparisons of the same two, each told from its own side."""
    compared = all(
        "than" in text.words[place + 1 : place + 4] for text, place in ((pair.claim, row), (pair.sentence, at))
    )
    return compared and converse(pair.claim.text, pair.sentence.text)


def _one_side(said: str) -> str:
    return f"“{said}” is denied either in the claim or in the source"


def _instead(said: str, given: str) -> str:
    return f"the claim says “{said}” where the source says “{given}”"


def _prefixed(pairs: Sequence[Alignment]) -> Objection | None:
    """A word where the source has it with another prefix: stable and unstable, overestimate and underestimate."""
    best, clearest = 0.0, ("", "")
    claim = pairs[0].claim
    for pair in pairs[:2]:
        for row, word in enumerate(claim.words):
            if not claim.content[row] or word in pair.sentence.words:
                continue
            for at, other in enumerate(pair.sentence.words):
                if _opposed(word, other) and (near := pair.agreement(row, at)) > best:
                    best, clearest = near, (claim.said(row), pair.sentence.said(at))
    strength = between(best, 0.0, 0.4)
    return Objection("prefix", strength, _instead(*clearest)) if strength else None


def _opposed(word: str, other: str) -> bool:
    if any(word.startswith(one) and word.replace(one, two, 1) == other for one, two in _OVER_UNDER):
        return True
    bare, given = _PREFIX.sub("", word), _PREFIX.sub("", other)
    return (bare != word) != (given != other) and stem(bare) == stem(given)


def _denied(pairs: Sequence[Alignment]) -> Objection | None:
    """A "not" of the claim before a word that the source has without one."""
    claim = pairs[0].claim
    best, word = 0.0, ""
    for row in negations(claim):
        target = _target(claim, row)
        if target is None:
            continue
        bare, denied = 0.0, 0.0
        for pair in pairs:
            theirs = negations(pair.sentence)
            for at, alike in enumerate(pair.likeness[target]):
                if alike > 0.3:
                    near = (float(alike) + pair.agreement(target, at)) / 2
                    if any(abs(at - other) <= 5 for other in theirs):
                        denied = max(denied, near)
                    else:
                        bare = max(bare, near)
            denied = max([denied, *(0.8 * pair.agreement(row, other) for other in theirs)])
        if bare - denied > best:
            best, word = bare - denied, claim.said(row)
    strength = between(best, 0.2, 0.6)
    reason = f"“{word}” stands in the claim and not in the source"
    return Objection("denied", strength, reason) if strength else None


def _affirmed(pairs: Sequence[Alignment]) -> Objection | None:
    """A "not" of the nearest sentence before a word that the claim has without one."""
    pair = pairs[0]
    sentence, own = pair.sentence, negations(pair.claim)
    best, word = 0.0, ""
    for row in negations(sentence):
        target = _target(sentence, row)
        if target is None or not len(pair.claim) or elsewhere(pair, row):
            continue
        alike = float(pair.likeness[:, target].max())
        places = np.flatnonzero(pair.likeness[:, target] >= alike)
        if alike > 0.3 and not any(abs(at - other) <= 5 for at in places for other in own):
            near = (alike + max(pair.agreement(int(at), target) for at in places)) / 2
            if near > best:
                best, word = near, sentence.said(row)
    strength = between(best, 0.15, 0.6)
    reason = f"“{word}” stands in the source and not in the claim"
    return Objection("affirmed", strength, reason) if strength else None


def _target(text: Words, row: int) -> int | None:
    """The word that a "not" denies: the next one of its clause that says something."""
    ahead = range(row + 1, min(len(text), row + 5))
    return next((at for at in ahead if text.content[at] and text.clauses[at] == text.clauses[row]), None)


def _sides_swapped(pairs: Sequence[Alignment]) -> Objection | None:
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


def _exchanged(pairs: Sequence[Alignment]) -> Objection | None:
    """Two words of the nearest sentence that have changed places in the claim."""
    claim, sentence = pairs[0].claim, pairs[0].sentence
    blocks = SequenceMatcher(None, claim.stems, sentence.stems, autojunk=False).get_matching_blocks()
    kept = {block.a + step: block.b + step for block in blocks for step in range(block.size)}
    for row, own in enumerate(claim.stems):
        if row in kept or own not in sentence.stems or not _tells(claim, row):
            continue
        low = max((kept[other] + 1 for other in kept if other < row), default=0)
        high = min((kept[other] for other in kept if other > row), default=len(sentence))
        if high - low <= 6:
            for at in range(low, high):
                if _tells(sentence, at) and sentence.stems[at] != own and sentence.stems[at] in claim.stems:
                    if _clauses_reordered(claim, sentence, own, at):
                        continue
                    reason = f"“{claim.said(row)}” stands where the source has “{sentence.said(at)}”"
                    return Objection("exchanged", 1.0, reason)
    return None


def _clauses_reordered(claim: Words, sentence: Words, own: str, at: int) -> bool:
    """Whether a claim of one clause has put together words of two: told in another order, they need not be exchanged."""
    return len(set(claim.clauses)) == 1 and sentence.clauses[sentence.stems.index(own)] != sentence.clauses[at]


def _tells(text: Words, row: int) -> bool:
    return bool(text.content[row]) or text.words[row][0].isdigit()


def _replaced(pairs: Sequence[Alignment]) -> Objection | None:
    """A word that none of the sentences has, in the place of another word of the nearest, among words that both share."""
    pair = pairs[0]
    claim, sentence = pair.claim, pair.sentence
    known = {own for other in pairs for own in other.sentence.stems}
    best, clearest, name = 0.0, ("", ""), False
    steps = SequenceMatcher(None, claim.stems, sentence.stems, autojunk=False).get_opcodes()
    for at, (step, a, b, c, d) in enumerate(steps):
        if step != "replace" or b - a > _SLOT or d - c > _SLOT or not _anchored(steps, at):
            continue
        new = [row for row in range(a, b) if claim.content[row] and claim.stems[row] not in known]
        old = [row for row in range(c, d) if sentence.content[row] and sentence.stems[row] not in claim.stems]
        if not new or not old:
            continue
        names = any(_is_name(claim, row) for row in new) and any(_is_name(sentence, row) for row in old)
        alike = float(pair.likeness[np.ix_(new, old)].max())
        strength = 1.0 if names else between(max(pair.weights[new]) / _HEAVIEST * (1 - alike), 0.5, 0.8)
        if (names, strength) > (name, best):
            best, clearest, name = strength, (claim.said(new[0]), sentence.said(old[0])), names
    return Objection("renamed" if name else "replaced", best, _instead(*clearest)) if best else None


def _anchored(steps: Sequence[tuple[str, int, int, int, int]], at: int) -> bool:
    """Whether words that both share stand on either side of a difference, three at least (an end counts for two)."""
    sizes = [steps[row][2] - steps[row][1] if 0 <= row < len(steps) else 2 for row in (at - 1, at + 1)]
    return min(sizes) > 0 and sum(sizes) > 2


def _is_name(text: Words, row: int) -> bool:
    return bool(text.content[row]) and row > 0 and text.said(row) != text.words[row]


def _every(pairs: Sequence[Alignment]) -> Objection | None:
    """An "all" that the nearest sentence lacks."""
    return _added("every", _ALL, pairs[0])


def _only(pairs: Sequence[Alignment]) -> Objection | None:
    """An "only" that the nearest sentence lacks."""
    return _added("only", _ONLY, pairs[0])


def _added(kind: str, such: frozenset[str], pair: Alignment) -> Objection | None:
    """The first of such words in the claim, where the sentence has none of them."""
    own = [word for word in pair.claim.words if word in such]
    if not own or such & set(pair.sentence.words):
        return None
    return Objection(kind, 1.0, f"“{own[0]}” stands in the claim and not in the source")
