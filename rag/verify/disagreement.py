"""Findings of two papers that say the opposite of each other.

A false alarm costs more trust than a disagreement left unsaid, so both sentences must say one thing in the same words, but
for the word that turns it. What only differs in its conditions ("on long inputs", "without labels"), is hedged, told of
others or of something that only its own paper knows ("our method") is no disagreement.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rag.index.lexical import terms, words
from rag.ingest.repair import readable
from rag.types import Disagreement, Evidence, Paper, Role, Span
from rag.verify.edits import turned

# Sentences of each paper that are looked at, likeliest first, and papers of one answer.
SENTENCES, PAPERS = 4, 25
# Words that both must share, and for each so many one of them may have a word more.
SHARED, WORDS_FOR_ONE_MORE = 3, 4

_FIGURE = r"[~≈]?\d[\d.,]*(?: ?(?:%|percent\b|percentage points?\b|points?\b|x\b|×|times\b|-?fold\b))?"
# Who found it, the size of an effect, and how clear it is, say nothing of what was found.
_FOUND = re.compile(
    r"(?:(?:here|thus|overall|finally|however|moreover|surprisingly|in this \w+),? )?"
    r"(?:we|they|the authors?|this (?:paper|study|work)"
    r"|(?:(?:our|the|these|their) )?(?:results?|experiments?|evaluations?|analys[ei]s|findings))"
    r" (?:also |further |then )?"
    r"(?:find|found|show|observe|report|demonstrate|reveal|conclude|confirm|establish|indicate)(?:s|ed|n|d)? (?:\w+ )?that ",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    rf"^(?:contrary to|in contrast to|unlike|against) [^,;:]{{3,60}}, |\bby (?:up to |about |around |over |more than |at least |as much as |an average of )?{_FIGURE}(?: to {_FIGURE})?"
    r"|\b(?:significantly|substantially|consistently|considerably|markedly|greatly|clearly|strongly|notably|dramatically"
    r"|slightly|surprisingly|interestingly|however|moreover|overall|in fact|in our experiments|in experiments)\b,?",
    re.IGNORECASE,
)
# Where it holds, said first: moved to the end, where others say it.
_WHERE = re.compile(
    r"^((?:on|in|for|at|under|across|over|among|within) [^,;:]{2,50}), (.+)$", re.IGNORECASE | re.DOTALL
)
# A verb denied. "Not only", "not always" and "without" deny something else.
_DENIED = re.compile(
    r"\b(?:(?:does|do|did|is|are|was|were) not|(?:does|do|did|is|are|was|were)n[’']t|fail(?:s|ed)? to)"
    r" (?!only\b|just\b|merely\b|always\b|necessarily\b|all\b|every\b|simply\b|solely\b)",
    re.IGNORECASE,
)
# What may be, was thought or is asked, what others say, and what has a meaning in its own paper only.
_NO_FINDING = re.compile(
    r"\b(?:can|could|may|might|would|should|must|will|if|unless|whether|why|how|only|whereas|while|although|though|but|despite"
    r"|however much|perhaps|possibly|likely|believ\w+|assum\w+|suppos\w+|expect\w+|hypothes\w+|claim\w*|thought (?:that|to)|contrary"
    r"|unclear|prior|previous\w*|earlier|existing|recent|others?|known|often|sometimes|usually|typically"
    r"|that|when|where|it|its|they|their|them|this|these|those|such|our|we|us|my|he|she|which|who|former|latter|proposed|respectively)\b|\?",
    re.IGNORECASE,
)
# What every paper has one of: no name of a thing by itself.
_ANY = frozenset(
    terms(
        "method approach model framework system technique algorithm network architecture baseline result experiment"
        " author paper study work performance evaluation analysis alternative competitor variant new strong"
    )
)
# A comparative says how things are right after one of these, or at the end; elsewhere it tells of which things.
_ADJECTIVE = re.compile(
    r"\w+(?:er|est)|more|most|less|least|best|worst|worse|easy|simple|hard|difficult|cheap|expensive|costly|stable|unstable"
    r"|sufficient|enough|insufficient"
)
_LINK = frozenset(
    "is are was were becomes become remains remain makes make made to gives give gave yields yield yielded has have had"
    " needs need needed requires require required reaches reach reached achieves achieve achieved performs perform"
    " performed".split()
)
# A verb has its subject before it: after these it is none, but tells of which things ("with reduced noise").
_NO_SUBJECT = frozenset("a an the with without of in on by for from under at to and or than more most as".split())
_SMALL = frozenset("a an the of is are was were be been has have had do does did also on in at for to as and".split())
_RIVALS = frozenset(terms("outperform surpass beat exceed"))


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a sentence says was found: its words, but for the smallest, their stems, and whether its verb is denied."""

    text: str
    words: tuple[str, ...]
    stems: tuple[str, ...]
    denied: bool


def disagreements(evidence: Sequence[Evidence]) -> list[Disagreement]:
    """Pairs of likely sentences that say the opposite of each other, at most one for each two papers."""
    found = [list(_findings(item)) for item in evidence[:PAPERS]]
    pairs = []
    for ours, theirs in itertools.combinations(found, 2):
        for (one, says, mine), (other, denies, yours) in itertools.product(ours, theirs):
            if one.id != other.id and _opposite(mine, yours):
                pairs.append(Disagreement(one, says, other, denies))
                break
    return pairs


def opposite(one: str, other: str) -> bool:
    """Whether two sentences report opposite findings on the same thing."""
    mine, yours = _read(one), _read(other)
    return bool(mine and yours and _opposite(mine, yours))


def _findings(item: Evidence) -> Iterator[tuple[Paper, Span, _Finding]]:
    for span in item.spans[:SENTENCES]:
        if span.role is not Role.PROBLEM and (found := _read(item.paper.abstract[span.start : span.end])):
            yield item.paper, span, found


def _read(sentence: str) -> _Finding | None:
    """The finding of a sentence, or None where it is none that another paper could deny."""
    text = readable(sentence)
    frame = _FOUND.match(text)
    body = _WHERE.sub(r"\2 \1", _ASIDE.sub(" ", text[frame.end() :] if frame else text).strip(" .!"))
    if _NO_FINDING.search(body):
        return None
    bare, denials = _DENIED.subn("", body)
    kept = tuple(word for word in words(bare) if word not in _SMALL)
    stems = tuple((terms(word) or [word])[0] for word in kept)
    text = " ".join(words(bare))
    return _Finding(text, kept, stems, bool(denials)) if len(stems) > SHARED and denials < 2 else None


def _opposite(one: _Finding, other: _Finding) -> bool:
    short, long = sorted((one, other), key=lambda finding: len(finding.stems))
    if len(long.stems) - len(short.stems) > len(short.stems) // WORDS_FOR_ONE_MORE:
        return False
    if ("by" in short.stems) != ("by" in long.stems):  # passive and active
        return False
    if short.denied != long.denied:
        return _same(short, long)
    return _turned(short, long) or _winners_swapped(short.stems, long.stems)


def _same(short: _Finding, long: _Finding) -> bool:
    """Whether both say one thing: of one subject, the longer with a few words more that do not turn it."""
    alike = short.stems[:2] == long.stems[:2] and _named(short.stems[:1]) and _in_order(short.stems, long.stems)
    return alike and turned(" ".join(long.words), [" ".join(short.words)]) is None


def _turned(short: _Finding, long: _Finding) -> bool:
    """Whether they say of one subject opposite things: after the words they begin with alike, one word is turned."""
    pairs = enumerate(zip(short.stems, long.stems, strict=False))
    at = next((at for at, (ours, theirs) in pairs if ours != theirs), 0)
    rest = short.words[at + 1 :]
    if not _named(short.stems[:at]) or not _in_order(short.stems[at + 1 :], long.stems[at + 1 :]):
        return False
    if not all(_tells(finding.words[at], finding.text) for finding in (short, long)):
        return False
    claim, against = (" ".join((*short.words[:at], word, *rest)) for word in (short.words[at], long.words[at]))
    more = turned(" ".join(long.words), [against])
    return more is None and turned(claim, [against]) is not None and turned(against, [claim]) is not None


def _tells(word: str, text: str) -> bool:
    """Whether a word says what happens to the subject, and not of which things that is said."""
    found = re.search(rf"(\w+) (?:much |far |even )?{re.escape(word)}\b(.*)", text)
    if not found or word in ("with", "without", "before", "after"):
        return False
    if _ADJECTIVE.fullmatch(word):
        return found[1] in _LINK or not found[2]
    return found[1] not in _NO_SUBJECT and not word.endswith(("ing", "ment", "ments", "ation"))


def _winners_swapped(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    """Whether both compare the same two in the same respect, each with another winner."""
    ours, theirs = _comparison(short), _comparison(long)
    if not ours or not theirs:
        return False
    (left, right), (their_left, their_right) = ours, theirs
    for size in range(1, len(left)):
        first, how = left[:size], left[size:]
        second = their_left[: -len(how)]
        apart = _named(set(first) - set(second)) and _named(set(second) - set(first))
        if apart and their_left[-len(how) :] == how:
            where, there = right[len(second) :], their_right[len(first) :]
            if right[: len(second)] == second and their_right[: len(first)] == first:
                return _in_order(where, there)
    return False


def _comparison(stems: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """What stands before a rival is named, with the comparison, and what from there on."""
    borders = [at for at, stem in enumerate(stems) if stem == "than" or stem in _RIVALS]
    if len(borders) != 1 or "by" in stems:
        return None
    return stems[: borders[0] + 1], stems[borders[0] + 1 :]


def _in_order(few: Sequence[str], many: Sequence[str]) -> bool:
    """Whether all of the few stand in this order among the many."""
    left = iter(many)
    return all(stem in left for stem in few)


def _named(stems: Iterable[str]) -> bool:
    """Whether these words name something."""
    return any(stem not in _ANY for stem in stems)
