"""Numbers of a claim and of a source, and which of the claim's the source does not bear out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from rag.index.lexical import words

NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d+(?:[.,]\d+)*")  # not the 19 of COVID-19
UNITS = {word: number for number, word in enumerate("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen
    """.split())}  # fmt: skip
UNITS |= {
    word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
UNITS |= {"half": 50, "twice": 2, "double": 2, "thrice": 3, "hundred": 100, "thousand": 1000}
# What stands before a number that need not be met exactly, and between which shares of it the source's number then is.
_ROUNDED = tuple(
    (re.compile(rf"(?:{before})(?: \w+)?\s*$"), least, most)
    for before, least, most in (
        (r"about|around|roughly|approximately|some|circa|close to|near|nearly|almost|on the order of|~|≈", 0.92, 1.08),
        (r"over|above|more than|at least|in excess of|no (?:less|fewer) than|beyond|(?:great|larg|high|long)er than", 1.0, 1.4),
        (r"under|below|(?:less|fewer|lower) than|nearly|almost|at most|up to|no more than|not quite", 0.6, 1.0),
    )
)  # fmt: skip
_SCALES = (1e3, 1e6, 1e9, 1e-3, 1e-6, 100.0, 0.01)  # thousands told as "k", millions as "M", shares as per cent
_SEVERAL = 10  # numbers of one sentence among which one is looked for that follows from two


def numbers(text: str) -> frozenset[float]:
    """The quantities in a text: digits (1,234 and 75.1 alike) and small numbers in words."""
    found = {_value(match) for match in NUMBER.findall(text)}
    found |= {float(UNITS[word]) for word in words(text) if word in UNITS}
    return frozenset(value for value in found if not math.isnan(value))


def missing_numbers(claim: str, sentences: Sequence[str]) -> list[str]:
    """Figures of the claim, as written, that neither stand in the source nor follow from one of its sentences.

    What follows: a rounding announced as one ("about 30" for 31.2, "more than 400" for 410), another scale, and the
    difference, ratio or percentage of change of two figures of one sentence.
    """
    given = [numbers(sentence) for sentence in sentences]
    held = frozenset[float]().union(*given)
    found = []
    for match in NUMBER.finditer(claim):
        value = _value(match[0])
        if math.isnan(value) or value in held:
            continue
        if not _rounds(value, held, claim[: match.start()].casefold()) and not any(
            _follows(value, own) for own in given
        ):
            found.append(match[0])
    return list(dict.fromkeys(found))


def _rounds(value: float, held: Iterable[float], before: str) -> bool:
    return any(
        pattern.search(before) and any(least * value <= other <= most * value for other in held)
        for pattern, least, most in _ROUNDED
    )


def _follows(value: float, given: Iterable[float]) -> bool:
    own = sorted(given)[:_SEVERAL]
    for low in own:
        if any(math.isclose(low * scale, value, rel_tol=1e-6) for scale in _SCALES):
            return True
        if 0 < low < 100 and abs(100 - low - value) <= 0.06:  # what the rest is
            return True
        if 1 < low < 3 and abs(100 * (low - 1) - value) <= 1:  # "1.3x" told as 30 %
            return True
        for high in own:
            if high > low and _from_two(value, low, high):
                return True
    return False


def _from_two(value: float, low: float, high: float) -> bool:
    if abs(high - low - value) <= 0.051:  # the last digit of one that was rounded
        return True
    if not low:
        return False
    changes = (100 * (1 - low / high), 100 * (high / low - 1))
    ratio = high / low
    return (ratio < 100 and abs(ratio - value) <= 0.03 * value) or any(abs(change - value) <= 0.6 for change in changes)


def _value(written: str) -> float:
    grouped = re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", written)
    try:
        return abs(float(written.replace(",", "") if grouped else written.replace(",", ".")))
    except ValueError:  # "1.2.3"
        return math.nan
