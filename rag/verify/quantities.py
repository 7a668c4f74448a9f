"""Numbers of a text, in digits and in words: what they may stand for, and what they count."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d+(?:[.,]\d+)*")  # not the 19 of COVID-19
_ONES = {word: number for number, word in enumerate("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen
    """.split())}  # fmt: skip
_TENS = {
    word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0}
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
    "twelfth": 12, "fifteenth": 15, "twentieth": 20, "fiftieth": 50, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
_FOLD = (
    {"twice": 2, "thrice": 3}
    | {f"{word}fold": number for word, number in (_ONES | _TENS | _SCALES).items() if number > 1}
    | {
        f"{stem}{ending}": factor
        for stem, factor in (("doubl", 2), ("tripl", 3), ("quadrupl", 4))
        for ending in ("e", "es", "ed", "ing")
    }
)
_HALVED = frozenset("halve halves halved halving".split())
_GROUPS = {"couple": 2, "pair": 2, "duo": 2, "trio": 3}
_HALVES_OF = {*_SCALES, "percent", "per", "point", "percentage"}
_LETTERS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_SCALE = re.compile(r"[\s-]?(?:(k|m|b|t)|(thousand|million|billion|trillion))\b", re.IGNORECASE)
_UNITS = (
    ("points", re.compile(r"[\s-]?(?:percentage[- ]|%[- ]|per ?cent[- ]|absolute )?(?:points?\b|pp\b)", re.IGNORECASE)),
    ("per cent", re.compile(r"[\s-]?(?:%|(?:percent|per cent|pct)\b)", re.IGNORECASE)),
    ("times", re.compile(r"[\s-]?(?:x\b|×|times\b|-?fold\b)", re.IGNORECASE)),
)
_FACTOR = re.compile(r"\bfactors? of (?:\w+ )?$", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+")
_BELOW = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(list(_ONES)[1:10])})\b)?|(?:{'|'.join(_ONES)}))\b"
_PHRASE = re.compile(
    rf"\b(?:half an?(?=[ -](?:percent|per cent|point|percentage)\b)|(?:half an?|an?)(?=[ -](?:{'|'.join(_SCALES)})\b)|{_BELOW})(?: and a half\b)?"
    rf"(?:[ -](?:{'|'.join(_SCALES)})\b(?:(?: and)?[ -]{_BELOW})?)*",
    re.IGNORECASE,
)
_IN = re.compile(r"\s+([a-z]+\s+){0,2}?(?:in|out of)(?:\s+every)?\s+", re.IGNORECASE)
# Before "half" where it is one of two, not a share.
_ONE_OF_TWO = re.compile(r"\b(?:first|second|both|other|latter|former|each|either)\s$", re.IGNORECASE)
_POINTING = re.compile(r"\b(?:the|these|those|its|their|other)\s$", re.IGNORECASE)
# Sizes and widths within a name: LLaMA-7b, FP32.
_IN_NAME = re.compile(r"(?<=[A-Za-z]-)(\d+(?:\.\d+)?)([bBmMkK])\b|\b(?:fp|bf|int|uint)(\d+)\b", re.IGNORECASE)
_RANGE = re.compile(r"\s*(?:to|and|or|through|[-–/,]|, and|, or)\s*", re.IGNORECASE)
# With one of these a number in words begins.
_BEGINNINGS = frozenset({*_ONES, *_TENS, *_FOLD, *_HALVED, *_GROUPS, "half", "a", "an", "order"})
# What stands behind "a third" where it is a share and not the third of several.
_OF_A_WHOLE = frozenset(
    "of as the its their less more fewer faster slower lower higher smaller larger cheaper better longer shorter to in on"
    " at by when with for and or than or".split()
)
# What stands behind "one in five" where the five are not five of something.
_GOES_ON = frozenset(
    "is was are were be of and but to that which who will can may might could should has have had do does did by from on"
    " with or when while where as for at than if because were remains remain go goes went turned not".split()
)
# A whole larger than this is no longer one of which "two in five" is said.
_LARGEST_WHOLE = 1000


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a text, `text[start:end]`.

    `values` are what it may stand for (of "3.2 to 4 million" the first is 3.2 or 3,200,000); of a share of a whole ("a
    third") the per cent. `unit` is per cent, points, times or nothing that is known; `digits` whether it is written in them;
    `is_part` whether it is a part of a whole, told in words or as one number of another.
    """

    start: int
    end: int
    written: str
    values: frozenset[float]
    unit: str
    digits: bool
    is_part: bool = False

    @property
    def in_words(self) -> bool:
        return not self.digits

    @property
    def is_count(self) -> bool:
        """Whether it may say how many of something there are, few enough to be listed instead."""
        return not self.unit and all(value <= _LONGEST_LIST and value == int(value) for value in self.values)


_LONGEST_LIST = 12


def quantities(text: str) -> list[Quantity]:
    """The numbers of a text in order: digits (1,234 and 75.1 alike), words, shares of a whole, and factors.

    Left out is what is a pronoun, or half of "zero-shot", as often: "one", "zero", "the two".
    """
    found = sorted([*_in_digits(text), *_in_words(text)], key=lambda made: made.start)
    shares = list(_one_in_five(text, found))
    taken = [(made.start, made.end) for made in shares]
    kept = [made for made in found if not any(start <= made.start < end for start, end in taken)]
    lone = [made for made in kept if made.unit or not _is_no_number(text, made)]
    return sorted([*_ranged(text, lone), *shares], key=lambda made: made.start)


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


def value_of(written: str) -> float:
    """The value of a figure as written, without its sign; NaN where it has none ("1.2.3")."""
    grouped = re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", written)
    try:
        return abs(float(written.replace(",", "") if grouped else written.replace(",", ".")))
    except ValueError:
        return math.nan


def _unit(text: str, start: int, end: int) -> str:
    if _FACTOR.search(text[:start]):
        return "times"
    return next((name for name, pattern in _UNITS if pattern.match(text, end)), "")


def _in_digits(text: str) -> Iterator[Quantity]:
    for match in NUMBER.finditer(text):
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
        yield Quantity(match.start(), match.end(), match[0], frozenset(values), _unit(text, match.start(), end), True)


def _in_words(text: str) -> Iterator[Quantity]:
    tokens = list(_WORD.finditer(text))
    at = 0
    while at < len(tokens):
        made = None
        if tokens[at][0].casefold() in _BEGINNINGS:
            made = _share(text, tokens, at) or _factor(text, tokens, at) or _number(text, tokens, at)
        if made:
            quantity, at = made
            yield quantity
        else:
            at += 1


def _said(text: str, tokens: Sequence[re.Match[str]], at: int) -> str:
    """The word in a place, case-folded, if it follows on the one before without a mark between them."""
    if at >= len(tokens) or (at and text[tokens[at - 1].end() : tokens[at].start()] not in (" ", "-", " - ")):
        return ""
    return tokens[at][0].casefold()


def _made(text: str, first: re.Match[str], last: re.Match[str], value: float, unit: str = "") -> Quantity:
    start, end = first.start(), last.end()
    return Quantity(start, end, text[start:end], frozenset({round(value, 6)}), unit or _unit(text, start, end), False)


def _part(text: str, first: re.Match[str], last: re.Match[str], share: float) -> Quantity:
    return replace(_made(text, first, last, 100 * share, "per cent"), is_part=True)


def _share(text: str, tokens: Sequence[re.Match[str]], at: int) -> tuple[Quantity, int] | None:
    """ "Half", "a third", "two fifths", "halved"."""
    first = tokens[at][0].casefold()
    if first in _HALVED and not _ONE_OF_TWO.search(text[: tokens[at].start()]):
        return _part(text, tokens[at], tokens[at], 0.5), at + 1
    if first == "half":
        ahead = text[tokens[at].end() : tokens[at].end() + 1]
        scaled = _said(text, tokens, at + 1) in ("a", "an") and _said(text, tokens, at + 2) in _HALVES_OF
        apart = scaled or ahead == "-" or _ONE_OF_TWO.search(text[: tokens[at].start()])
        return None if apart else (_part(text, tokens[at], tokens[at], 0.5), at + 1)
    count = 1 if first in ("a", "an") else _ONES.get(first, 0)
    part = _said(text, tokens, at + 1)
    below = _PARTS.get(part) or _PARTS.get(part.removesuffix("s")) or (part == "halves" and 2)
    if not count or not below or (part.endswith("s") and count == 1):
        return None
    behind = _said(text, tokens, at + 2)
    if first in ("a", "an") and part not in ("half", "quarter") and behind and behind not in _OF_A_WHOLE:
        return None
    return _part(text, tokens[at], tokens[at + 1], count / below), at + 2


def _factor(text: str, tokens: Sequence[re.Match[str]], at: int) -> tuple[Quantity, int] | None:
    """ "Twice", "tenfold", "tripled", "an order of magnitude"."""
    factor = _FOLD.get(tokens[at][0].casefold())
    if factor:
        return _made(text, tokens[at], tokens[at], factor, "times"), at + 1
    ahead = [_said(text, tokens, at + step) for step in (1, 2)]
    if tokens[at][0].casefold() == "order" and ahead == ["of", "magnitude"]:
        return _made(text, tokens[at], tokens[at + 2], 10, "times"), at + 3
    return None


def _number(text: str, tokens: Sequence[re.Match[str]], at: int) -> tuple[Quantity, int] | None:
    """A number written out: "one hundred and twenty", "three and a half thousand", "half a million", "a dozen"."""
    if group := _GROUPS.get(tokens[at][0].casefold()):
        return _made(text, tokens[at], tokens[at], group), at + 1
    phrase = _PHRASE.match(text, tokens[at].start())
    if not phrase:
        return None
    last = at
    while last + 1 < len(tokens) and tokens[last + 1].end() <= phrase.end():
        last += 1
    return _made(text, tokens[at], tokens[last], _value(phrase[0].casefold())), last + 1


def _value(phrase: str) -> float:
    """The value of a phrase that `_PHRASE` matches."""
    said = phrase.replace("and a half", "plus").replace("-", " ").split()
    total, current = 0.0, 0.0
    for word, following in zip(said, [*said[1:], ""], strict=True):
        if word in _SCALES:
            current *= _SCALES[word]
            if current >= 1000 and following not in _SCALES:
                total, current = total + current, 0.0
        elif word == "half":
            current = 0.5
        elif word in ("a", "an"):
            current = current or 1.0
        elif word == "plus":
            current += 0.5
        else:
            current += _TENS.get(word, _ONES.get(word, 0))
    return total + current


def _one_in_five(text: str, found: Sequence[Quantity]) -> Iterator[Quantity]:
    """ "Two in five", "one case in ten", "9 out of 10", "1/200": shares of a whole."""
    for few, many in itertools.pairwise(found):
        between = text[few.end : many.start]
        above, below = max(few.values), max(many.values)
        if few.unit or many.unit or not 0 < above < below <= _LARGEST_WHOLE:
            continue
        joined, behind = _IN.fullmatch(between), _WORD.match(text, many.end + 1)
        # "Two in five patients" is a share, "two cases in five hospitals" is none.
        ends = not behind or behind[0].casefold() in _GOES_ON
        if between == "/" or (joined and (not joined[1] or ends or "out of" in between)):
            share = frozenset({round(100 * above / below, 6)})
            yield Quantity(few.start, many.end, text[few.start : many.end], share, "per cent", few.digits, True)


def _ranged(text: str, found: Sequence[Quantity]) -> Iterator[Quantity]:
    """Numbers as they read with what follows: of "3.2 to 4 million" both are millions, of "3 to 4%" both per cent."""
    for own, following in zip(found, [*found[1:], None][: len(found)], strict=True):
        if (
            following
            and not own.unit
            and own.digits
            and following.digits
            and _RANGE.fullmatch(text[own.end : following.start])
        ):
            bare = value_of(following.written)
            scales = {round(value / bare, 6) for value in following.values if bare}
            values = own.values | {round(value * scale, 6) for value in own.values for scale in scales}
            yield Quantity(own.start, own.end, own.written, frozenset(values), following.unit, True)
        else:
            yield own
