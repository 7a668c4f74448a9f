"""A number of a text: where it stands, what it may stand for, and what it counts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rag.index.lexical import STOPWORDS

NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d+(?:[.,]\d+)*")  # not the 19 of COVID-19
_UNITS = (
    ("points", re.compile(r"[\s-]?(?:percentage[- ]|%[- ]|per ?cent[- ]|absolute )?(?:points?\b|pp\b)", re.IGNORECASE)),
    ("per cent", re.compile(r"[\s-]?(?:%|(?:percent|per cent|pct)\b)", re.IGNORECASE)),
    ("times", re.compile(r"[\s-]?(?:x\b|×|times\b|-?fold\b)", re.IGNORECASE)),
)
_FACTOR = re.compile(r"\bfactors? of (?:\w+ )?$", re.IGNORECASE)
_BEHIND = re.compile(r"[\s-]([A-Za-z]{2,})")
# A count up to this may be told by listing what is counted, but for what is measured.
_LONGEST_LIST = 12
_MEASURE = re.compile(
    r"[\s-]?(?:(?:milli|micro)?seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|ms|[kmgt]i?b|bits?|bytes?"
    r"|(?:kilo|centi)?met(?:er|re)s?|km|miles?|degrees?|dollars?|euros?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a text, `text[start:end]`.

    `values` are what it may stand for (of "3.2 to 4 million" the first is 3.2 or 3,200,000); of a share of a whole ("a
    third") the per cent. `unit` is per cent, points, times or nothing that is known; `digits` whether it is written in them;
    `is_part` whether it is a part of a whole, told in words or as one number of another; `counts` whether a word follows that
    may be what it counts, `measures` whether that is time, length or the like.
    """

    start: int
    end: int
    written: str
    values: frozenset[float]
    unit: str
    digits: bool
    is_part: bool = False
    counts: bool = False
    measures: bool = False

    @property
    def is_count(self) -> bool:
        """Whether it may say how many of something there are, few enough to be listed instead."""
        return not (self.unit or self.measures) and all(
            value <= _LONGEST_LIST and value.is_integer() for value in self.values
        )

    def counts_like(self, other: Quantity) -> bool:
        """Whether both may count the same: not per cent and sets."""
        return self.unit == other.unit or not ((self.unit or self.counts) and (other.unit or other.counts))

    def may_be(self, other: Quantity) -> bool:
        """Whether both may stand for the same: "5%" is not "five sets"."""
        return bool(self.values & other.values) and self.counts_like(other)


def value_of(written: str) -> float:
    """The value of a figure as written, without its sign; NaN where it has none ("1.2.3")."""
    grouped = re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", written)
    try:
        return abs(float(written.replace(",", "") if grouped else written.replace(",", ".")))
    except ValueError:
        return math.nan


def unit_of(text: str, start: int, end: int) -> str:
    """What the number at `text[start:end]` counts: points, per cent, times, or nothing that is known."""
    if _FACTOR.search(text[:start]):
        return "times"
    return next((name for name, pattern in _UNITS if pattern.match(text, end)), "")


def counts(text: str, end: int) -> bool:
    """Whether the word behind a number that ends there may be what it counts."""
    behind = _BEHIND.match(text, end)
    return behind is not None and behind[1].casefold() not in STOPWORDS


def measures(text: str, end: int) -> bool:
    """Whether the word behind a number that ends there is a unit of time, length, size or the like."""
    return _MEASURE.match(text, end) is not None
