"""Whose figure is it, by name: "A reaches 38% and B 82%" beside a claim that gives A 82%."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from rag.index.lexical import STOPWORDS
from rag.verify.alignment import Alignment, Words
from rag.verify.objection import Objection
from rag.verify.quantity import Quantity

_TOKEN = re.compile(r"(?<![\w.-])[A-Za-z][\w+]*(?:[-.][\w+]+)*")
_LIKE_A_NAME = re.compile(r"[A-Z]|\d")
# What stands between a figure and a name behind it that it is of ("38% for Mamba"), or in respect of which it is told
# ("38% on MMLU").
_FOR = re.compile(r"\S*\s+(?:[a-z]+\s+)?(?:for|by|with|from|using)\s+(?:the\s+)?")
_ON = re.compile(r"\S*\s+(?:[a-z]+\s+)?(?:on|in)\s+(?:the\s+)?")
_RESPECT = re.compile(r"\b(?:on|in)\s+(?:the\s+)?$")
# What stands between names, or figures, that are told in one go: "A and B reach 38% and 82%".
_TOGETHER = re.compile(r"[%x×]?(?:,|\s+and|,\s*and|\s+versus|\s+vs\.?|\s+against)\s+")
# Where what is said of a name ends.
_ENDS = re.compile(r"[;.]\s|\b(?:while|whereas|but)\b")

Spans = list[tuple[int, int, str]]
Links = list[tuple[str, Quantity]]


def mispaired(pairs: Sequence[Alignment]) -> Objection | None:
    """A figure given to one name that a sentence gives to another, while it has another one for the first.

    Where the claim names that other too, but gives it no figure, it may be told of both.
    """
    if not _figures(pairs[0].claim):
        return None
    for pair in pairs:
        own_text, text = pair.claim.text, pair.sentence.text
        names = _names(own_text) | _names(text) | (_capitals(own_text) & _capitals(text))
        for links in (_owners, _respects):
            told, given = links(pair.claim, names), links(pair.sentence, names)
            if reason := _conflict(told, given, _capitals(own_text) - {name for name, _ in told}):
                return Objection("pairing", 1.0, reason)
    return None


def _conflict(told: Links, given: Links, unpaired: frozenset[str]) -> str:
    for name, own in told:
        holders = [other for other, made in given if own.may_be(made)]
        rivals = [made for other, made in given if other == name and made.unit == own.unit]
        if holders and rivals and name not in holders and not unpaired & set(holders):
            return f"the source gives {rivals[0].written} for {name}, and {own.written} for {holders[0]}"
    return ""


def _names(text: str) -> frozenset[str]:
    """The words of a text that look like names; the first only if it does without its capital."""
    return frozenset(
        match[0] for match in _TOKEN.finditer(text) if _LIKE_A_NAME.search(match[0], 0 if match.start() else 1)
    )


def _capitals(text: str) -> frozenset[str]:
    """The words of a text that may be names, wherever they stand."""
    found = (match[0] for match in _TOKEN.finditer(text) if _LIKE_A_NAME.search(match[0]))
    return frozenset(word for word in found if word.casefold() not in STOPWORDS and not word.endswith(("ed", "ing")))


def _owners(text: Words, names: frozenset[str]) -> Links:
    """Figures of a text with the name that each is of: of several told in one go the one in the same place, else the name
    that a "for" joins to it, else the nearest one before it."""
    named = [one for one in _places(text.text, names) if not _RESPECT.search(text.text[: one[0]])]
    found = []
    for run in _runs(text.text, _figures(text)):
        before = [one for one in named if one[1] <= run[0].start]
        together = _last_run(text.text, before)
        for place, made in enumerate(run):
            behind = next((one for one in named if one[0] >= made.end), None)
            if len(run) > 1 and len(together) == len(run):
                found.append((together[place][2], made))
            elif behind and _FOR.fullmatch(text.text, made.end, behind[0]):
                found.append((behind[2], made))
            elif before and not _ENDS.search(text.text, before[-1][1], made.start):
                found.append((before[-1][2], made))
    return found


def _respects(text: Words, names: frozenset[str]) -> Links:
    """Figures of a text with the name on which they were reached: "82% on MMLU"."""
    places = _places(text.text, names)
    return [
        (name, made)
        for made in _figures(text)
        for start, _, name in places
        if start >= made.end and _ON.fullmatch(text.text, made.end, start)
    ]


def _figures(text: Words) -> list[Quantity]:
    """Numbers in digits (in words they are as often pronouns), but for factors, which are of two."""
    return [made for made in text.quantities if made.digits and not made.is_part and made.unit != "times"]


def _places(text: str, names: frozenset[str]) -> Spans:
    return [(*match.span(), match[0]) for match in _TOKEN.finditer(text) if match[0] in names]


def _runs(text: str, quantities: Sequence[Quantity]) -> list[list[Quantity]]:
    """Figures of one unit that are told in one go, together."""
    runs: list[list[Quantity]] = []
    for made in quantities:
        joined = runs and _TOGETHER.fullmatch(text, runs[-1][-1].end, made.start) and runs[-1][-1].unit == made.unit
        if joined:
            runs[-1].append(made)
        else:
            runs.append([made])
    return runs


def _last_run(text: str, named: Spans) -> Spans:
    """The last names that are told in one go."""
    run = named[-1:]
    for one, other in itertools.pairwise(reversed(named)):
        if not _TOGETHER.fullmatch(text, other[1], one[0]):
            break
        run.insert(0, other)
    return run
