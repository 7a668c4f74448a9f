"""The numbers of a text, in digits and in words."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.verify.quantity import NUMBER, Quantity, counts, measures, unit_of, value_of
from rag.verify.spelled import SCALES, WORD, in_words

_LETTERS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_SCALE = re.compile(r"[\s-]?(?:(k|m|b|t)|(thousand|million|billion|trillion|mn|bn|tn))\b", re.IGNORECASE)
_SCALES = SCALES | {"mn": 1e6, "bn": 1e9, "tn": 1e12}
# The number of an entry of a list: "4. Turn on the diffuser".
_ENTRY = re.compile(r"\s*\d{1,2}[.)]\s+(?=[A-Z*])")
_IN = re.compile(r"\s+([a-z]+\s+){0,2}?(?:in|out of)(?:\s+every)?\s+", re.IGNORECASE)
_POINTING = re.compile(r"\b(?:the|these|those|its|their|other)\s$", re.IGNORECASE)
# Sizes and widths within a name: LLaMA-7b, FP32.
_IN_NAME = re.compile(r"(?<=[A-Za-z0-9]-)(\d+(?:\.\d+)?)([bBmMkK])\b|\b(?:fp|bf|int|uint)(\d+)\b", re.IGNORECASE)
_RANGE = re.compile(r"\s*(?:to|and|or|through|[-–/,]|, and|, or)\s*", re.IGNORECASE)
# What stands behind "one in five" where the five are not five of something.
_GOES_ON = frozenset(
    "is was are were be of and but to that which who will can may might could should has have had do does did by from on"
    " with or when while where as for at than if because were remains remain go goes went turned not".split()
)
# A whole larger than this is no longer one of which "two in five" is said.
_LARGEST_WHOLE = 1000


def quantities(text: str) -> list[Quantity]:
    """The numbers of a text in order: digits (1,234 and 75.1 alike), words, shares of a whole, and factors.

    Left out is what is a pronoun, or half of "zero-shot", as often: "one", "zero", "the two".
    """
    found = sorted([*_in_digits(text), *in_words(text)], key=lambda made: made.start)
    shares = list(_one_in_five(text, found))
    taken = [(made.start, made.end) for made in shares]
    kept = [made for made in found if not any(start <= made.start < end for start, end in taken)]
    lone = [made for made in kept if made.unit or not _is_no_number(text, made)]
    made = sorted([*_ranged(text, lone), *shares], key=lambda made: made.start)
    return [
        replace(own, counts=not own.unit and counts(text, own.end), measures=measures(text, own.end)) for own in made
    ]


def _is_no_number(text: str, made: Quantity) -> bool:
    written = made.written.casefold()
    return written in ("one", "zero") or (written == "two" and bool(_POINTING.search(text[: made.start])))


def in_names(text: str) -> frozenset[float]:
    """Sizes and widths that stand within names: "LLaMA-7b" is of 7 billion, "FP32" of 32 bits."""
    found = set[float]()
    for size, letter, width in _IN_NAME.findall(text):
        found |= {float(width)} if width else {float(size) * _LETTERS[letter.casefold()]}
    return frozenset(found)


def numbers(text: str) -> frozenset[float]:
    """All that the numbers of a text may stand for."""
    return frozenset[float]().union(*(made.values for made in quantities(text)))


def _in_digits(text: str) -> Iterator[Quantity]:
    entry = _ENTRY.match(text)
    for match in NUMBER.finditer(text, entry.end() if entry else 0):
        value, end = value_of(match[0]), match.end()
        if math.isnan(value):
            continue
        values = {value}
        if scale := _SCALE.match(text, end):
            letter = scale[1] or ""
            scaled = round(value * (_LETTERS[letter.casefold()] if letter else _SCALES[scale[2].casefold()]), 6)
            # "5 m" may be metres; 7B, and what is written out, are nothing else.
            values = {scaled} if not letter or (letter.isupper() and scale.end() == end + 1) else {value, scaled}
            end = scale.end()
        yield Quantity(match.start(), match.end(), match[0], frozenset(values), unit_of(text, match.start(), end), True)


def _one_in_five(text: str, found: Sequence[Quantity]) -> Iterator[Quantity]:
    """ "Two in five", "one case in ten", "9 out of 10", "1/200": shares of a whole."""
    for few, many in itertools.pairwise(found):
        between = text[few.end : many.start]
        above, below = max(few.values), max(many.values)
        if few.unit or many.unit or not 0 < above < below <= _LARGEST_WHOLE:
            continue
        joined, behind = _IN.fullmatch(between), WORD.match(text, many.end + 1)
        # "Two in five patients" is a share, "two cases in five hospitals" is none.
        ends = not behind or behind[0].casefold() in _GOES_ON
        if between == "/" or (joined and (not joined[1] or ends or "out of" in between)):
            share = frozenset({round(100 * above / below, 6)})
            yield Quantity(few.start, many.end, text[few.start : many.end], share, "per cent", few.digits, True)


def _ranged(text: str, found: Sequence[Quantity]) -> Iterator[Quantity]:
    """Numbers as they read with what follows: of "3.2 to 4 million" both are millions, of "3 to 4%" both per cent."""
    for own, following in itertools.zip_longest(found, found[1:]):
        if (
            following
            and not own.unit
            and own.digits == following.digits
            and _RANGE.fullmatch(text[own.end : following.start])
        ):
            values = own.values | {round(value * scale, 6) for value in own.values for scale in _scales(following)}
            yield Quantity(own.start, own.end, own.written, frozenset(values), following.unit, own.digits)
        else:
            yield own


def _scales(made: Quantity) -> set[float]:
    """By how much a number is more than what is written of it before "million" and the like."""
    if made.digits:
        bare = value_of(made.written)
        return {round(value / bare, 6) for value in made.values if bare}
    return {SCALES.get(made.written.split()[-1].casefold(), 1.0)}
