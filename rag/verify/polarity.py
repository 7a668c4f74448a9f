"""Words of a claim that the source turns round or denies: opposites, prefixes, and a "not" that only one of them has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rag.verify.alignment import DISCOUNTS, Alignment, Words, stem
from rag.verify.edits import converse
from rag.verify.objection import Objection, between, instead
from rag.verify.opposites import NO_ONE, WANTING, follows, negations, poles
from rag.verify.scope import elsewhere

_PREFIX = re.compile(r"^(?:un|in|im|ir|non|dis|mis|ab|mal|anti|counter)(?=[a-z]{3})")
# Behind a "no" these tell nothing of what is denied: "no way of sharing", "no sign of bias".
_GENERAL = frozenset("way ways means possibility ability sign signs evidence indication need attempt longer".split())
# Words behind a "not" that it denies at most.
_REACH = 3
_OVER_UNDER = "over/under pre/post hyper/hypo macro/micro inter/intra up/down homo/hetero".split()
_EITHER_WAY = [tuple(pair.split("/")[::step]) for pair in _OVER_UNDER for step in (1, -1)]


def turned(pairs: Sequence[Alignment]) -> Objection | None:
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
                        if denied and (_is_wanting(pair.sentence, pole.row) or _is_wanting(pair.claim, own.row)):
                            continue
                        other, why = near, _one_side(said) if denied else instead(said, pair.sentence.said(pole.row))
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


def prefixed(pairs: Sequence[Alignment]) -> Objection | None:
    """A word where the source has it with another prefix: stable and unstable, overestimate and underestimate."""
    best, clearest = 0.0, ("", "")
    claim = pairs[0].claim
    for pair in pairs[:2]:
        for row, word in enumerate(claim.words):
            if not claim.content[row] or word in pair.sentence.words:
                continue
            for at, other in enumerate(pair.sentence.words):
                if not _opposed(word, other) or _is_denied(claim, row) != _is_denied(pair.sentence, at):
                    continue
                if (near := pair.agreement(row, at)) > best:
                    best, clearest = near, (claim.said(row), pair.sentence.said(at))
    strength = between(best, 0.0, 0.4)
    return Objection("prefix", strength, instead(*clearest)) if strength else None


@lru_cache(maxsize=65_536)
def _opposed(word: str, other: str) -> bool:
    if any(word.startswith(one) and word.replace(one, two, 1) == other for one, two in _EITHER_WAY):
        return True
    bare, given = _PREFIX.sub("", word), _PREFIX.sub("", other)
    return (bare != word) != (given != other) and stem(bare) == stem(given)


def denied(pairs: Sequence[Alignment]) -> Objection | None:
    """A "not" of the claim before a word that the source has without one."""
    claim = pairs[0].claim
    best, word = 0.0, ""
    for row in negations(claim):
        target = _target(claim, row)
        if target is None or (claim.words[row] in NO_ONE and "than" in claim.words[row:]):
            continue  # "none is better than X" is a comparison
        bare, denied = 0.0, 0.0
        for pair in pairs:
            theirs = [*negations(pair.sentence), *_wanting(pair.sentence)]
            for at, alike in enumerate(pair.likeness[target]):
                if _opposed(claim.words[target], pair.sentence.words[at]):
                    denied = 1.0
                elif alike > 0.3:
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


def affirmed(pairs: Sequence[Alignment]) -> Objection | None:
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


def _is_denied(text: Words, row: int) -> bool:
    return follows(row, negations(text), _REACH)


def _is_wanting(text: Words, row: int) -> bool:
    return follows(row, _wanting(text), _REACH)


def _wanting(text: Words) -> list[int]:
    """Words that say nearly the same as a "not": "before any tuning", "little is known"."""
    return [row for row, word in enumerate(text.words) if word in WANTING]


def _target(text: Words, row: int) -> int | None:
    """The word that a "not" denies: the next one of its clause that says something."""
    ahead = range(row + 1, min(len(text), row + 6))
    own = [at for at in ahead if text.content[at] and text.clauses[at] == text.clauses[row]]
    return next((at for at in own if text.words[at] not in _GENERAL), own[0] if own else None)
