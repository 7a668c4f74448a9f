"""Whose figure is it? Numbers of a claim, in digits or words, beside those that its source gives for the same thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.verify.alignment import Alignment, Words
from rag.verify.objection import Objection
from rag.verify.quantity import Quantity

# What tells of one, and is no number by itself.
_SINGLE = frozenset("single sole once one".split())
# Words on either side of a figure that tell what it is of, and what the same word right behind both adds.
_NEAR, _SAME_HEAD = 5, 0.3
# Words that tell what a figure counts at most, how alike they must be to tell the same, and how clear it is if they do not.
_LONGEST_NAME, _ALIKE_THINGS, _OTHER_THINGS = 3, 0.4, 0.7


@dataclass(frozen=True, slots=True)
class _Figure:
    row: int
    values: frozenset[float]
    unit: str
    written: str
    digits: bool


def figure_objections(
    pairs: Sequence[Alignment], source: Sequence[Words], absent: Sequence[Quantity]
) -> Iterator[Objection]:
    """What speaks against the figures of a claim.

    Kinds: "figure" (digits that are not the source's), "count" (a number word that is not), "owner" (the source's figure,
    but of something else), "share" (a fraction that the source does not bear out). Arguments as for
    `rag.verify.objections.objections`.
    """
    lacking = {made.written for made in absent}
    if wrong := next((made.written for made in absent if made.is_part), ""):
        yield Objection("share", 1.0, f"the share “{wrong}” is not the source's")
    own = list(_figures(pairs[0].claim))
    if not own:
        return
    given = [list(_figures(pair.sentence)) for pair in pairs]
    held = frozenset[float]().union(*(figure.values for sentence in source for figure in _figures(sentence)))
    strongest: dict[str, tuple[float, str]] = {}
    for figure in own:
        same, other, instead, alike = _same_and_other(figure, pairs, given)
        if figure.values & held:
            if figure.written == "one":  # as often a pronoun
                continue
            kind, strength = "owner", (other - same - 0.25) / 0.35 * (1.0 if alike else 0.3)
            reason = f"the source gives {instead} for this, and {figure.written} for something else"
            if strength < _OTHER_THINGS and (told := _of_other_things(figure, pairs, given)):
                strength, reason = _OTHER_THINGS, told
        elif not figure.digits:
            kind, strength = "count", other / 0.6 * (1.0 if alike else 0.5)
            reason = f"“{figure.written}” is not the source's number" + (f"; it has {instead}" if instead else "")
        elif figure.written in lacking:
            kind, strength = "figure", (0.3 + other) / 0.6
            reason = f"the number {figure.written} does not occur in the source"
        else:
            continue
        if strength > strongest.get(kind, (0.0, ""))[0]:
            strongest[kind] = min(strength, 1.0), reason
    yield from (Objection(kind, *made) for kind, made in strongest.items())


def _same_and_other(
    figure: _Figure, pairs: Sequence[Alignment], given: Sequence[Sequence[_Figure]]
) -> tuple[float, float, str, bool]:
    """How far what the claim says of a figure is said of it in the source, how far of another, which, and whether the same
    word follows on that."""
    same, other, instead, alike = 0.0, 0.0, "", False
    for pair, figures in zip(pairs, given, strict=True):
        for theirs in figures:
            near = pair.agreement(figure.row, theirs.row, _NEAR, _NEAR)
            head = _head(pair.claim, figure.row)
            of_same = bool(head) and head == _head(pair.sentence, theirs.row)
            near += _SAME_HEAD * of_same
            if theirs.values & figure.values:
                same = max(same, near)
            elif near > other and (theirs.unit == figure.unit or not (theirs.unit and figure.unit)):
                other, instead, alike = near, theirs.written, of_same
    return same, other, instead, alike


def _of_other_things(figure: _Figure, pairs: Sequence[Alignment], given: Sequence[Sequence[_Figure]]) -> str:
    """Why a figure counts other things in the claim than wherever it stands in the source, or nothing."""
    counted, reason = _counted(pairs[0].claim, figure.row), ""
    for pair, figures in zip(pairs, given, strict=True):
        for theirs in figures:
            there = _counted(pair.sentence, theirs.row)
            if counted and there and theirs.values & figure.values:
                if float(pair.likeness[counted.start : counted.stop, there.start : there.stop].max()) > _ALIKE_THINGS:
                    return ""
                says, said = pair.claim.said(counted[-1]), pair.sentence.said(there[-1])
                reason = f"the source says “{theirs.written}” of {said}, not of {says}"
    return reason


def _counted(text: Words, row: int) -> range:
    """The words behind a figure that tell what it counts."""
    end = row + 1
    while (
        end < min(len(text), row + 1 + _LONGEST_NAME) and text.content[end] and text.clauses[end] == text.clauses[row]
    ):
        end += 1
    return range(row + 1, end)


def _head(text: Words, row: int) -> str:
    return text.stems[row + 1] if row + 1 < len(text) and text.content[row + 1] else ""


def _figures(text: Words) -> Iterator[_Figure]:
    for made in text.quantities:
        if not made.is_part and (row := text.at(made.end - 1)) is not None:
            yield _Figure(row, made.values, made.unit, made.written, made.digits)
    for row, word in enumerate(text.words):
        if word in _SINGLE and (word != "one" or _counts(text, row)):
            yield _Figure(row, frozenset({1.0}), "", word, False)


def _counts(text: Words, row: int) -> bool:
    """Whether a "one" counts something: "one of", "one seed"."""
    return row + 1 < len(text) and (text.words[row + 1] == "of" or bool(text.content[row + 1]))
