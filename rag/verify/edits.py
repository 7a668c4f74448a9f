"""Small dishonest edits that similarity cannot see: a "not" or a direction changed.

Each rule speaks only of what it can point at, in words for the reader.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from rag.index.lexical import STOPWORDS, terms, words
from rag.verify.alignment import CONTRAST
from rag.verify.opposites import DENIES_NOTHING, WANTING

_NEGATIONS = frozenset(
    """
    not no never neither nor none nothing without cannot can't don't doesn't didn't isn't aren't wasn't weren't
    won't hardly fails failed fail unable lacks lack
    """.split()
)
_OPPOSITES = (
    ("increase increases increased increasing raise raises raised grow grows grew rise rises rose boost boosts boosted", "decrease decreases decreased decreasing reduce reduces reduced reducing lower lowers lowered drop drops dropped fall falls fell cut cuts shrink shrinks"),
    ("improve improves improved improving improvement improvements enhance enhances enhanced better best gain gains", "degrade degrades degraded degrading degradation worsen worsens worsened worse worst hurt hurts harm harms harmed loss losses"),
    ("outperform outperforms outperformed outperforming surpass surpasses surpassed beat beats exceed exceeds exceeded", "underperform underperforms underperformed lag lags lagged trail trails trailed"),
    ("higher highest larger largest greater greatest more most bigger", "lower lowest smaller smallest less least fewer fewest"),
    ("faster fastest quicker quicker speedup accelerate accelerates accelerated", "slower slowest slowdown slow slows slowed"),
    ("always all every", "never none no rarely seldom"),
    ("easy easier simple", "hard harder difficult"),
    ("before", "after"),
    ("cheap cheaper", "expensive costly costlier"),
    ("stable", "unstable"),
    ("sufficient enough", "insufficient"),
)  # fmt: skip
_AT_MOST = re.compile(r"\bat (?:the very )?(?:most|least)\b", re.IGNORECASE)
# Where what stands behind "than" goes on to tell in which respect.
_RESPECT = re.compile(r"[,;:.]|\b(?:by|on|in|at|for|with|across|over|when|as|to|is|are|was|were|does|do|did)\b")
_DIRECTIONS = tuple((frozenset(left.split()), frozenset(right.split())) for left, right in _OPPOSITES)
# Claim words that must be found in one sentence before a missing "not" or a turned word there counts.
_ALIGNED = 0.75
# And words of that sentence that the claim must repeat: in a longer one the "not" is likely of something else.
_COVERED = 0.6
_SHARED = 0.5


def turned(claim: str, sentences: Sequence[str]) -> str | None:
    """In what a claim says the opposite of the sentence it otherwise repeats, or None."""
    said, wanted = _content(claim)
    if not wanted:
        return None
    shared, sentence = max(((len(wanted & _content(text)[1]), text) for text in sentences), default=(0, ""))
    given, stems = _content(sentence)
    covered = len(wanted & stems) / max(len(stems), 1)
    for left, right in _DIRECTIONS:
        for ours, theirs in ((left, right), (right, left)):
            mine, other = ours & said, theirs & given
            opposed = mine and other and not ours & given and not theirs & said
            if opposed and _aligned(said, stems, ours | theirs) and not converse(claim, sentence):
                return f"the claim says “{min(mine)}” where the source says “{min(other)}”"
    ours, theirs = _NEGATIONS & said, _NEGATIONS & _content(_clause(sentence, wanted))[0]
    if (
        shared >= _ALIGNED * len(wanted)
        and covered >= _COVERED
        and len(ours) % 2 != len(theirs) % 2
        and not (ours and ours <= given)
    ):
        word = min(ours or theirs)
        return f"“{word}” stands in {'the claim' if word in said else 'the source'} and not in {'the source' if word in said else 'the claim'}"
    return None


def _clause(sentence: str, wanted: frozenset[str]) -> str:
    """The side of a sentence's contrast that a claim repeats, where it is clearly one: a "not" counts only there."""
    sides = sorted(CONTRAST.split(sentence), key=lambda side: -len(wanted & _content(side)[1]))
    shared = [len(wanted & _content(side)[1]) for side in sides[:2]]
    return sides[0] if len(shared) == 2 and shared[0] > shared[1] else sentence


def one_sided_negation(claim: str, sentence: str) -> str | None:
    """The "not" of a claim that the sentence nearest to it lacks, when they share half the claim's words: too little to
    say that they contradict each other, too much to call it support. (The other way round it is mostly a false
    alarm: long sentences say "not" of something else.)"""
    (said, wanted), (given, stems) = _content(claim), _content(sentence)
    if not wanted or len(wanted & stems) / len(wanted) < _SHARED:
        return None
    ours, theirs = _NEGATIONS & said, (_NEGATIONS | WANTING) & given
    return f"“{min(ours)}” stands in the claim and not in the nearest sentence" if ours and not theirs else None


def converse(claim: str, sentence: str) -> bool:
    """Whether both compare the same two, each from its own side: "A is faster than B", "B is slower than A"."""
    (own_left, own_rival), (_, rival) = _sides(claim), _sides(sentence)
    return bool(rival & own_left) and not rival & own_rival


def _sides(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """What stands before the first "than", and with what it compares; nothing where there is none."""
    left, than, right = text.partition(" than ")
    return (frozenset(terms(left)), frozenset(terms(_RESPECT.split(right)[0]))) if than else (frozenset(), frozenset())


def _aligned(said: frozenset[str], stems: frozenset[str], but: frozenset[str]) -> bool:
    rest = {stem for word in said if word not in but and word not in STOPWORDS for stem in terms(word)}
    return bool(rest) and len(rest & stems) / len(rest) >= _ALIGNED


@lru_cache(maxsize=4_096)
def _content(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words of a text and their stems; claims about one source ask for the same sentences."""
    return frozenset(words(DENIES_NOTHING.sub("", _AT_MOST.sub("at", text)))), frozenset(terms(text))
