"""Words of a sentence that a claim has put in each other's place, or replaced by others."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from rag.verify.alignment import Alignment, Words
from rag.verify.objection import Objection, between, instead
from rag.verify.opposites import NO_ONE, are_rivals

# What stands between the things of a list.
_AND = re.compile(r"[,/&]|\b(?:and|or|as well as|alongside)\b")
# Words that a difference in one place may have at most, and about how much the heaviest of them weighs.
_SLOT, _HEAVIEST = 3, 9.0


def exchanged(pairs: Sequence[Alignment]) -> Objection | None:
    """Two words of the nearest sentence that have changed places in the claim."""
    claim, sentence = pairs[0].claim, pairs[0].sentence
    if NO_ONE & set(claim.words) and "than" in claim.words:
        return None  # "none of them is better than X" tells of both from the other side
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
                    if _clauses_reordered(claim, sentence, own, at) or _of_one_list(claim, sentence, row, at):
                        continue
                    reason = f"“{claim.said(row)}” stands where the source has “{sentence.said(at)}”"
                    return Objection("exchanged", 1.0, reason)
    return None


def transposed(pairs: Sequence[Alignment]) -> Objection | None:
    """Two words that stand once in claim and nearest sentence, each where the other has stood.

    Where more has changed places than these two (and what goes with them), clauses are told in another order.
    """
    claim, sentence = pairs[0].claim, pairs[0].sentence
    once = {own: row for row, own in enumerate(claim.stems) if _tells(claim, row) and claim.stems.count(own) == 1}
    places = {own: sentence.stems.index(own) for own in once if sentence.stems.count(own) == 1}
    rows = sorted((once[own], at) for own, at in places.items())
    crossed = [
        (one, other)
        for (one, p), (other, q) in itertools.combinations(rows, 2)
        if q < p and _in_place(claim, one, sentence, q) and _in_place(claim, other, sentence, p)
    ]
    runs = [pair for pair in crossed if (pair[0] - 1, pair[1] - 1) not in crossed]
    moved = {row for pair in crossed for row in pair}
    rest = [at for row, at in rows if row not in moved]
    if len(runs) != 1 or rest != sorted(rest):
        return None
    one, other = runs[0]
    if _listed(claim, one, other) and _listed(sentence, places[claim.stems[one]], places[claim.stems[other]]):
        return None
    reason = f"“{claim.said(one)}” stands where the source has “{claim.said(other)}”, and the other way round"
    return Objection("transposed", 1.0, reason)


def _in_place(claim: Words, row: int, sentence: Words, at: int) -> bool:
    """Whether the same word stands right before or right behind both places."""
    return any(
        0 <= row + step < len(claim)
        and 0 <= at + step < len(sentence)
        and claim.stems[row + step] == sentence.stems[at + step]
        for step in (-1, 1)
    )


def _clauses_reordered(claim: Words, sentence: Words, own: str, at: int) -> bool:
    """Whether a claim of one clause has put together words of two: told in another order, they need not be exchanged."""
    return len(set(claim.clauses)) == 1 and sentence.clauses[sentence.stems.index(own)] != sentence.clauses[at]


def _of_one_list(claim: Words, sentence: Words, row: int, at: int) -> bool:
    """Whether both texts list the two words, in whatever order: "A, B and C", "C, A and B"."""
    return _listed(claim, row, claim.stems.index(sentence.stems[at])) and _listed(
        sentence, at, sentence.stems.index(claim.stems[row])
    )


def _listed(text: Words, one: int, other: int) -> bool:
    """Whether nothing but commas, "and" and single names stands between two words that are no figures."""
    first, last = sorted((one, other))
    parts = _AND.split(text.text[text.spans[first][1] : text.spans[last][0]])
    single = all(len(part.split()) <= 1 for part in parts)
    return len(parts) > 1 and single and not any(text.words[at][0].isdigit() for at in (one, other))


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
        if rivals := _rivals(claim, range(a, b), sentence, range(c, d)):
            return Objection("renamed", 1.0, instead(*rivals))
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


def _rivals(claim: Words, rows: range, sentence: Words, places: range) -> tuple[str, str] | None:
    """Two of these words that name one thing and another of its kind."""
    for row in rows:
        for at in places:
            if are_rivals(claim.stems[row], sentence.stems[at]):
                return claim.said(row), sentence.said(at)
    return None


def _anchored(steps: Sequence[tuple[str, int, int, int, int]], at: int) -> bool:
    """Whether words that both share stand on either side of a difference, three at least (an end counts for two)."""
    sizes = [steps[row][2] - steps[row][1] if 0 <= row < len(steps) else 2 for row in (at - 1, at + 1)]
    return min(sizes) > 0 and sum(sizes) > 2


def _is_name(text: Words, row: int) -> bool:
    return bool(text.content[row]) and row > 0 and text.said(row) != text.words[row]
