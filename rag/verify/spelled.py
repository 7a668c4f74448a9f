"""Numbers that are written out: "three and a half thousand", "two thirds", "tenfold"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.verify.quantity import Quantity, unit_of

_ONES = {word: number for number, word in enumerate("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen
    """.split())}  # fmt: skip
_TENS = {
    word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0}
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
    "twelfth": 12, "fifteenth": 15, "twentieth": 20, "fiftieth": 50, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
_FOLD = (
    {"twice": 2, "thrice": 3}
    | {f"{word}fold": number for word, number in (_ONES | _TENS | SCALES).items() if number > 1}
    | {
        f"{stem}{ending}": factor
        for stem, factor in (("doubl", 2), ("tripl", 3), ("quadrupl", 4))
        for ending in ("e", "es", "ed", "ing")
    }
)
_HALVED = frozenset("halve halves halved halving".split())
_GROUPS = {"couple": 2, "pair": 2, "duo": 2, "trio": 3}
_HALVES_OF = {*SCALES, "percent", "per", "point", "percentage"}
WORD = re.compile(r"[A-Za-z]+")
_BELOW = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(list(_ONES)[1:10])})\b)?|(?:{'|'.join(_ONES)}))\b"
_PHRASE = re.compile(
    rf"\b(?:half an?(?=[ -](?:percent|per cent|point|percentage)\b)|(?:half an?|an?)(?=[ -](?:{'|'.join(SCALES)})\b)|{_BELOW})(?: and a half\b)?"
    rf"(?:[ -](?:{'|'.join(SCALES)})\b(?:(?: and)?[ -]{_BELOW})?)*",
    re.IGNORECASE,
)
# Before "half" where it is one of two, not a share.
_ONE_OF_TWO = re.compile(r"\b(?:first|second|both|other|latter|former|each|either)\s$", re.IGNORECASE)
# With one of these a number in words begins.
_BEGINNINGS = frozenset({*_ONES, *_TENS, *_FOLD, *_HALVED, *_GROUPS, "half", "a", "an", "order"})
# What stands behind "a third" where it is a share and not the third of several.
_OF_A_WHOLE = frozenset(
    "of as the its their less more fewer faster slower lower higher smaller larger cheaper better longer shorter to in on"
    " at by when with for and or than or".split()
)


def in_words(text: str) -> Iterator[Quantity]:
    """The numbers of a text that are written out, in order."""
    tokens = list(WORD.finditer(text))
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
    return Quantity(
        start, end, text[start:end], frozenset({round(float(value), 6)}), unit or unit_of(text, start, end), False
    )


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
        if word in SCALES:
            current *= SCALES[word]
            if current >= 1000 and following not in SCALES:
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
