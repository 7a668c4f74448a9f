"""Claims that say more of things than their source does: all or only where it does not, all where it says most, of one
what it says of another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rag.verify.alignment import CONTRAST, Alignment, Words
from rag.verify.objection import Objection, between, instead
from rag.verify.opposites import follows

_ONLY = frozenset("only solely exclusively alone just nothing purely sole".split())
_ALL = frozenset(
    "all every each always any entire universally entirely completely fully invariably wholly regardless everywhere never"
    " whatever anything must necessarily both".split()
)
# How many or how often, the most first; a claim may say less than its source, not more.
_AMOUNTS = (
    "all every each always entirely invariably".split(),
    "most majority mostly usually largely".split(),
    "many often".split(),
    "some several sometimes occasionally".split(),
    "few rarely seldom".split(),
)
_LEVELS = {word: level for level, words in enumerate(_AMOUNTS) for word in words}
# Words behind a "not" that it denies at most: "not only", "not in all".
_REACH = 3
_MOST = frozenset(_AMOUNTS[1][:2])
_NEAR, _CLEAR = 0.2, 0.6
_HALF = 50.0  # per cent
# By how much more of a claim one side of a contrast must repeat than another to be the one it speaks of.
_CLEARLY = 0.15


def scope_objections(pairs: Sequence[Alignment]) -> Iterator[Objection]:
    """What speaks against how widely a claim speaks.

    Kinds: "every" and "only" (which the nearest sentence lacks), "amount" (all where it says most), "clause" (the figure of
    one side of a contrast, told of the other).
    Arguments as for `rag.verify.objections.objections`.
    """
    yield from _added("every", _ALL, pairs[0])
    yield from _added("only", _ONLY, pairs[0])
    strength, reason = _more(pairs)
    if strength > 0:
        yield Objection("amount", strength, reason)
    if told := next(filter(None, map(_of_the_other, pairs)), ""):
        yield Objection("clause", 1.0, told)


def _added(kind: str, such: frozenset[str], pair: Alignment) -> Iterator[Objection]:
    """The first of such words in the claim, where the sentence has none of them."""
    denied = [at for at, word in enumerate(pair.claim.words) if word in ("not", "no")]
    own = [word for row, word in enumerate(pair.claim.words) if word in such and not follows(row, denied, _REACH)]
    if own and not such & set(pair.sentence.words):
        yield Objection(kind, 1.0, f"“{own[0]}” stands in the claim and not in the source")


def _more(pairs: Sequence[Alignment]) -> tuple[float, str]:
    """How clearly, and with which words, a claim says more than the nearest sentence and than any other says of the same."""
    claim, sentence = pairs[0].claim, pairs[0].sentence
    best, reason = 0.0, ""
    for row, word in enumerate(claim.words):
        if word not in _LEVELS:
            continue
        level = _LEVELS[word]
        same = max(
            (
                pair.agreement(row, at)
                for pair in pairs
                for at, other in enumerate(pair.sentence.words)
                if _LEVELS.get(other, len(_AMOUNTS)) <= level
            ),
            default=0.0,
        )
        less = [
            (pairs[0].agreement(row, at), sentence.said(at))
            for at, other in enumerate(sentence.words)
            if _LEVELS.get(other, 0) > level
        ]
        shares = [made for made in sentence.quantities if made.unit == "per cent"] if word in _MOST else []
        if shares and all(max(made.values) < _HALF for made in shares):
            less.append((pairs[0].agreement(row, sentence.at(shares[0].start) or 0), shares[0].written))
        for other_way, given in less:
            strength = between(other_way - same, _NEAR, _CLEAR)
            if strength > best:
                best, reason = strength, instead(claim.said(row), given)
    return best, reason


def elsewhere(pair: Alignment, at: int) -> bool:
    """Whether a word of the sentence stands on a side of its contrast that the claim does not repeat."""
    parts = _sides(pair.sentence)
    repeated = [pair.shared(range(len(pair.claim)), rows) for rows in parts]
    own = next((share for share, rows in zip(repeated, parts, strict=True) if at in rows), 0.0)
    return len(parts) > 1 and own < max(repeated) - _CLEARLY


def _of_the_other(pair: Alignment) -> str:
    """Why a figure of the claim belongs to the other side of the sentence's contrast, or nothing."""
    sides = _sides(pair.sentence)
    if len(sides) < 2 or len(_sides(pair.claim)) > 1:
        return ""
    said = set(pair.claim.stems)
    heads = [_head(pair.sentence, rows) for rows in sides]
    told = [(pair.sentence.at(made.start), made) for made in pair.sentence.quantities]
    figures = [[made for row, made in told if row in rows] for rows in sides]
    for own in pair.claim.quantities:
        holding = [any(own.may_be(made) for made in found) for found in figures]
        if sum(holding) != 1:
            continue
        side = holding.index(True)
        for other, found in enumerate(figures):
            rivals = [made for made in found if made.unit == own.unit]
            if other != side and rivals and heads[other] in said and heads[side] and heads[side] not in said:
                return f"the source gives {rivals[0].written} for this, and {own.written} for something else"
    return ""


def _sides(text: Words) -> list[range]:
    """The words of each side of a text's contrasts."""
    breaks = [match.start() for match in CONTRAST.finditer(text.text)]
    rows = [sum(start < place for start, _ in text.spans) for place in breaks]
    edges = [0, *rows, len(text)]
    return [range(start, end) for start, end in itertools.pairwise(edges) if end - start > 1]


def _head(text: Words, rows: range) -> str:
    """The first word of a side that says something: mostly that of which it speaks."""
    return next((text.stems[row] for row in rows if text.content[row] and not CONTRAST.fullmatch(text.words[row])), "")
