"""Words of a sentence that a claim has put in each other's place, or replaced by others."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from rag.verify.alignment import Alignment, Words
from rag.verify.objection import Objection, between, instead

# Words that a difference in one place may have at most, and about how much the heaviest of them weighs.
_SLOT, _HEAVIEST = 3, 9.0


def exchanged(pairs: Sequence[Alignment]) -> Objection | None:
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


def replaced(pairs: Sequence[Alignment]) -> Objection | None:
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
    return Objection("renamed" if name else "replaced", best, instead(*clearest)) if best else None


def _anchored(steps: Sequence[tuple[str, int, int, int, int]], at: int) -> bool:
    """Whether words that both share stand on either side of a difference, three at least (an end counts for two)."""
    sizes = [steps[row][2] - steps[row][1] if 0 <= row < len(steps) else 2 for row in (at - 1, at + 1)]
    return min(sizes) > 0 and sum(sizes) > 2


def _is_name(text: Words, row: int) -> bool:
    return bool(text.content[row]) and row > 0 and text.said(row) != text.words[row]
