"""Numbers of a claim and of a source, and which of the claim's the source does not bear out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from rag.index.lexical import terms, words

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
_SCALE = re.compile(r"[\s-]?(?:(k|thousand)|(m|million)|(b|billion)|(t|trillion))\b", re.IGNORECASE)
_UNITS = (
    ("points", re.compile(r"\s?(?:percentage[- ]|%[- ]|absolute )?(?:points?\b|pp\b)", re.IGNORECASE)),
    ("per cent", re.compile(r"\s?(?:%|(?:percent|per cent|pct)\b)", re.IGNORECASE)),
    ("times", re.compile(r"\s?(?:x\b|×|times\b|-?fold\b)", re.IGNORECASE)),
)
_FACTOR = re.compile(r"\bfactors? of (?:\w+ )?$", re.IGNORECASE)
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_COUNTS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_FRACTION = re.compile(rf"\b(?:({'|'.join(_COUNTS)})[ -])?({'|'.join(_PARTS)})s?\b", re.IGNORECASE)
_ONE_IN = re.compile(
    rf"\b({'|'.join(_COUNTS)}|\d+) (?:in|out of)(?: every)? ({'|'.join(_COUNTS)}|\d+)\b|\b(\d+)/(\d+)\b", re.IGNORECASE
)
_SEVERAL = 10  # numbers of one sentence among which one is looked for that follows from two


def numbers(text: str) -> frozenset[float]:
    """The quantities in a text: digits (1,234 and 75.1 alike) and small numbers in words."""
    found = {value_of(match) for match in NUMBER.findall(text)}
    found |= {float(UNITS[word]) for word in words(text) if word in UNITS}
    return frozenset(value for value in found if not math.isnan(value))


def missing_numbers(claim: str, sentences: Sequence[str]) -> list[str]:
    """Figures of the claim, as written, that neither stand in the source nor follow from one of its sentences.

    What follows: a rounding announced as one ("about 30" for 31.2, "more than 400" for 410), thousands told as "k", a
    share told otherwise ("33%" for "a third"), the share of a figure, and the difference, ratio or percentage of change
    of two figures of one sentence.
    """
    given = [numbers(sentence) | _scaled(sentence) for sentence in sentences]
    shares = [_shares(sentence) for sentence in sentences]
    held = frozenset[float]().union(*given)
    found = []
    for match in NUMBER.finditer(claim):
        values, unit = _values(claim, match), unit_of(claim, match)
        if values & held:
            borne = not (unit == "per cent" and _told_otherwise(claim, values, sentences))
        else:
            borne = any(
                _rounds(value, held, claim[: match.start()].casefold())
                or any(
                    _follows(value, unit, own) or _is_share(value, unit, parts, own)
                    for own, parts in zip(given, shares, strict=True)
                )
                for value in values
            )
        if values and not borne:
            found.append(match[0])
    return list(dict.fromkeys(found))


def _told_otherwise(claim: str, values: frozenset[float], sentences: Sequence[str]) -> bool:
    """Whether a share stands in the source in words only ("half" for 50 %), and a sentence that comes nearer to the claim
    has another share in figures."""
    written = [frozenset(value_of(found) for found in NUMBER.findall(sentence)) for sentence in sentences]
    if any(values & own for own in written):
        return False
    wanted = set(terms(claim))
    worded, figured = 0, 0
    for sentence, own in zip(sentences, written, strict=True):
        shared = len(wanted & set(terms(sentence)))
        if values & (numbers(sentence) - own):
            worded = max(worded, shared)
        if any(unit_of(sentence, match) == "per cent" for match in NUMBER.finditer(sentence)):
            figured = max(figured, shared)
    return figured > worded


def other_unit(claim: str, sentences: Sequence[str]) -> str | None:
    """In what the claim gives a figure of the source another unit (per cent, points, times), or None."""
    units: dict[float, set[str]] = {}
    for sentence in sentences:
        for match in NUMBER.finditer(sentence):
            units.setdefault(value_of(match[0]), set()).add(unit_of(sentence, match))
    for match in NUMBER.finditer(claim):
        unit, known = unit_of(claim, match), units.get(value_of(match[0]), set())
        if unit and known and not known & {unit, ""}:
            return f"the claim says “{match[0]} {unit}” where the source says “{match[0]} {min(known)}”"
    return None


def unit_of(text: str, match: re.Match[str]) -> str:
    """What the figure of a match counts: points, per cent, times, or nothing that is known."""
    if _FACTOR.search(text[: match.start()]):
        return "times"
    return next((name for name, pattern in _UNITS if pattern.match(text, match.end())), "")


def _shares(text: str) -> frozenset[float]:
    """The shares of a whole that a text names, as per cent: "40%", "a third", "two in five", "1/200"."""
    found = {value_of(match[0]) for match in NUMBER.finditer(text) if unit_of(text, match) == "per cent"}
    found |= set(shares_in_words(text).values())
    for few, many, top, bottom in _ONE_IN.findall(text):
        above, below = (_COUNTS.get(word.casefold()) or int(word) for word in (few or top, many or bottom))
        if 0 < above < below:
            found.add(100 * above / below)
    return frozenset(found)


def shares_in_words(text: str) -> dict[str, float]:
    """The fractions of a whole that a text names, as written and as per cent: "a third", "two fifths"."""
    return {
        match[0]: 100 * _COUNTS[(match[1] or "a").casefold()] / _PARTS[match[2].casefold()]
        for match in _FRACTION.finditer(text)
    }


def _is_share(value: float, unit: str, shares: Iterable[float], given: Iterable[float]) -> bool:
    """Whether a figure is one of the shares, rounded, or that share of another figure."""
    return any(
        (unit == "per cent" and abs(share - value) <= min(0.7, 0.03 * value))
        or any(whole > 20 and math.isclose(share * whole / 100, value, rel_tol=0.005) for whole in given)
        for share in shares
    )


def _scaled(text: str) -> frozenset[float]:
    return frozenset[float]().union(*(_values(text, match) for match in NUMBER.finditer(text)))


def _values(text: str, match: re.Match[str]) -> frozenset[float]:
    """What a figure may stand for: 3.2 million is 3.2 and 3,200,000."""
    value, scale = value_of(match[0]), _SCALE.match(text, match.end())
    if math.isnan(value):
        return frozenset()
    return frozenset({value, round(value * 1_000.0**scale.lastindex, 6)} if scale and scale.lastindex else {value})


def _rounds(value: float, held: Iterable[float], before: str) -> bool:
    return any(
        pattern.search(before) and any(least * value <= other <= most * value for other in held)
        for pattern, least, most in _ROUNDED
    )


def _follows(value: float, unit: str, given: Iterable[float]) -> bool:
    own = sorted(given)[:_SEVERAL]
    for low in own:
        if unit == "per cent" and 0 < low <= 20 and math.isclose(low * 100, value, rel_tol=1e-6):  # shares and factors
            return True
        if unit != "per cent" and math.isclose(low / 100, value, rel_tol=1e-6):
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


def value_of(written: str) -> float:
    """The value of a figure as written, without its sign; NaN where it has none ("1.2.3")."""
    grouped = re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", written)
    try:
        return abs(float(written.replace(",", "") if grouped else written.replace(",", ".")))
    except ValueError:
        return math.nan
