"""Which numbers of a claim a source bears out: those that stand in it, and those that follow from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.index.lexical import terms
from rag.verify.quantities import in_names, quantities
from rag.verify.quantity import Quantity

# What stands before a number that need not be met exactly, and between which shares of it the source's number then is.
_ROUNDED = tuple(
    (re.compile(rf"(?:{before})(?: \w+)?\s*$"), least, most)
    for before, least, most in (
        (r"about|around|roughly|approximately|some|circa|close to|near|nearly|almost|on the order of|~|≈", 0.92, 1.08),
        (r"over|above|more than|at least|in excess of|no (?:less|fewer) than|beyond|upwards of|exceed(?:s|ed|ing)?|well past|(?:great|larg|high|long)er than", 1.0, 1.25),
        (r"under|below|(?:less|fewer|lower) than|nearly|almost|at (?:the very )?most|up to|as (?:much|many) as|no more than|not quite|just short of|shy of|within", 0.8, 1.0),
    )
)  # fmt: skip
_ROUNDED_BEHIND = re.compile(r"(?:[- ]odd\b|[- ]ish\b| or (?:so|more)\b)", re.IGNORECASE)
# A number in words is a rounding itself: so far, as a share of it, may the source's be from it.
_IN_WORDS = 0.02
# A fraction of a whole, in points of a hundred and as a share of it.
_FRACTION_POINTS, _FRACTION_SHARE = 3.0, 0.1
_SEVERAL = 10  # numbers of one sentence among which one is looked for that follows from two
_CLAUSE = re.compile(r"[;:()—.]\s| - ")
_ITEM = re.compile(r",\s*(?:and\s|or\s)?|\s(?:and|or|as well as)\s")
_ITEM_WORDS = 7
# The share of its words that a claim has in common with a sentence with whose figures it reckons.
_SHARED = 0.15


@dataclass(frozen=True)
class Figures:
    """The numbers of one sentence."""

    text: str
    quantities: tuple[Quantity, ...]

    @classmethod
    def of(cls, text: str) -> Figures:
        """Read a sentence."""
        return cls(text, tuple(quantities(text)))

    @cached_property
    def in_names(self) -> frozenset[float]:
        """The sizes in its names."""
        return in_names(self.text)

    @cached_property
    def values(self) -> frozenset[float]:
        """All that its numbers may stand for, and the sizes in its names."""
        return self.in_names.union(*(made.values for made in self.quantities))

    def has(self, made: Quantity) -> bool:
        """Whether a number of a claim stands here, or as a size within a name."""
        within = not made.unit and bool(made.values & self.in_names)
        return within or any(made.may_be(own) for own in self.quantities)

    def like(self, made: Quantity) -> Iterator[float]:
        """The values of the numbers that may count the same as one of a claim."""
        for own in self.quantities:
            if made.counts_like(own):
                yield from own.values

    @cached_property
    def plain(self) -> frozenset[float]:
        """Its numbers without a unit that may count a whole or a part of it."""
        return frozenset(max(made.values) for made in self.quantities if not made.unit)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Its content words."""
        return frozenset(terms(self.text))

    @cached_property
    def shares(self) -> frozenset[float]:
        """The shares of a whole that it names, in per cent: "40%", "a third", "two in five", "twice as cheap"."""
        own = {value for made in self.quantities for value in made.values if made.unit == "per cent"}
        factors = {value for made in self.quantities for value in made.values if made.unit == "times" and value > 1}
        return frozenset(own | {100 / value for value in factors})

    @cached_property
    def listed(self) -> frozenset[float]:
        """How many things it lists: "A, B and C" are three."""
        found = set()
        for clause in _CLAUSE.split(self.text):
            run = 0
            parts = _ITEM.split(clause)
            for part in parts[1:-1]:
                run = run + 1 if len(part.split()) <= _ITEM_WORDS else 0
                if run:
                    found.add(run + 2.0)
            if len(parts) > 1:
                found.add(2.0)
        return frozenset(found)


def missing(claim: Figures, source: Sequence[Figures]) -> list[Quantity]:
    """The numbers of a claim that neither stand in the source nor follow from one of its sentences.

    What follows: a rounding announced as one ("about 30" for 31.2, "more than 400" for 410) or told in words, a share told
    otherwise ("33%" for "a third"), the share of a figure, and where a sentence shares words with the claim, the difference,
    ratio or percentage of change of two figures, and how many things are listed.
    """
    return [made for made in claim.quantities if not _borne(made, claim, source)]


def missing_numbers(claim: str, sentences: Sequence[str]) -> list[str]:
    """As `missing`, as written and each once."""
    found = missing(Figures.of(claim), [Figures.of(sentence) for sentence in sentences])
    return list(dict.fromkeys(made.written for made in found))


def _borne(made: Quantity, claim: Figures, source: Sequence[Figures]) -> bool:
    if not made.is_part and any(own.has(made) for own in source):
        return not (made.digits and made.unit == "per cent" and _told_otherwise(claim, made.values, source))
    bounds = _bounds(claim, made)
    return any(
        _is_near_part(value, own, bounds, near)
        if made.is_part
        else (
            any(least * value <= other <= most * value for other in own.like(made) for least, most in bounds)
            or _is_share(value, made.unit, own.shares, own.values)
            or ((near or not value.is_integer()) and _follows(made, value, own, bounds))
            or (near and made.is_count and value in own.listed)
        )
        for own in source
        for near in (_speaks_of(claim, own),)
        for value in made.values
    )


def _speaks_of(claim: Figures, own: Figures) -> bool:
    """Whether a sentence shares so many words with the claim that the claim may reckon with its figures."""
    return len(claim.stems & own.stems) >= _SHARED * len(claim.stems)


def _bounds(claim: Figures, made: Quantity) -> list[tuple[float, float]]:
    """Between which shares of a number the source's may lie, for what is announced as rounded or told in words."""
    before, behind = claim.text[: made.start].casefold(), claim.text[made.end :]
    found = [(least, most) for pattern, least, most in _ROUNDED if pattern.search(before)]
    if _ROUNDED_BEHIND.match(behind):
        found.append((0.9, 1.3))
    if not made.digits and not made.is_count:
        found.append((1 - _IN_WORDS, 1 + _IN_WORDS))
    return found


def _is_near_part(value: float, own: Figures, bounds: Sequence[tuple[float, float]], near: bool) -> bool:
    """Whether a part of a whole is about one that a sentence names, what is left of one, or one number of another."""
    known = own.shares | {100 - share for share in own.shares if 0 < share < 100}
    known |= {100 * share for share in own.values if 0 < share < 1}
    several = sorted(own.plain)[:_SEVERAL] if near else []
    known |= {100 * low / high for low in several for high in several if 0 < low < high}
    room = max(_FRACTION_POINTS, _FRACTION_SHARE * value)
    return any(
        abs(share - value) <= room or any(least * value <= share <= most * value for least, most in bounds)
        for share in known
    )


def _told_otherwise(claim: Figures, values: frozenset[float], source: Sequence[Figures]) -> bool:
    """Whether a share stands in the source in words only ("half" for 50 %), and a sentence that comes nearer to the claim
    has another share in figures."""
    written = [frozenset[float]().union(*(made.values for made in own.quantities if made.digits)) for own in source]
    if any(values & own for own in written):
        return False
    worded, figured = 0, 0
    for sentence, own in zip(source, written, strict=True):
        shared = len(claim.stems & sentence.stems)
        if values & (sentence.values - own):
            worded = max(worded, shared)
        if any(made.digits and made.unit == "per cent" for made in sentence.quantities):
            figured = max(figured, shared)
    return figured > worded


def other_unit(claim: Figures, source: Sequence[Figures]) -> str | None:
    """In what the claim gives a figure of the source another unit (per cent, points, times), or None."""
    units: dict[float, set[str]] = {}
    for sentence in source:
        for made in sentence.quantities:
            for value in made.values:
                units.setdefault(value, set()).add(made.unit)
    for made in claim.quantities:
        known = set[str]().union(*(units.get(value, set()) for value in made.values))
        if made.digits and made.unit and known and not known & {made.unit, ""}:
            return f"the claim says “{made.written} {made.unit}” where the source says “{made.written} {min(known)}”"
    return None


def _is_share(value: float, unit: str, shares: Iterable[float], given: Iterable[float]) -> bool:
    """Whether a figure is one of the shares, rounded, or that share of another figure."""
    return any(
        (unit == "per cent" and abs(share - value) <= min(0.7, 0.03 * value))
        or any(whole > 20 and math.isclose(share * whole / 100, value, rel_tol=0.005) for whole in given)
        for share in shares
    )


def _follows(made: Quantity, value: float, own: Figures, bounds: Sequence[tuple[float, float]]) -> bool:
    """Whether a number follows from one or two of a sentence's: what the rest is, a difference, a ratio, a change in per cent.

    Only what the number can be: a ratio where times are told, a change where per cent are.
    """
    several = sorted(own.values)[:_SEVERAL]
    derived: list[tuple[float, float]] = []  # a number, and how far the claim's may be from it
    exact = 1e-6 * value
    for low in several:
        if made.unit == "per cent":
            derived += [(100 * low, exact)] if 0 < low <= 20 else []  # shares and factors
            derived += [(100 * (low - 1), 1.0)] if 1 < low < 3 else []  # "1.3x" told as 30 %
        elif not made.unit:
            derived += [(low / 100, exact)]
        for high in several:
            if high > low and made.unit != "times":
                derived.append((high - low, 0.051))  # the last digit of one that was rounded
            if high > low > 0 and made.unit == "per cent":
                derived += [(100 * (1 - low / high), 0.6), (100 * (high / low - 1), 0.6)]
            if high > low > 1 and made.unit == "times" and high / low < 100:
                derived.append((high / low, 0.03 * value))
    rest = made.unit == "per cent" and any(abs(100 - share - value) <= 0.06 for share in own.shares if 0 < share < 100)
    return rest or any(
        abs(other - value) <= room or any(least * value <= other <= most * value for least, most in bounds)
        for other, room in derived
    )
