"""What a question sets side by side, and what it leaves out."""

from __future__ import annotations

import re

from rag.index.lexical import terms
from rag.ingest.repair import readable
from rag.retrieve.retriever import Retriever
from rag.retrieve.scaffold import content_words
from rag.types import Evidence, Paper, Query

# Where a question that names no papers may part: the likeliest first.
_PARTINGS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bversus\b|\bvs\b\.?|\bas opposed to\b|\bcompared? (?:to|with|against)\b|\brather than\b|\bwhereas\b|\bagainst\b",
        r"[,;:]? (?:and|the other|another|to|with|than|or)\b|[;,]",
    )
)
_LEAD = re.compile(r"^.*?\b(?:compar\w+|contrast\w*|difference between|between|routes? to)\b", re.IGNORECASE)
MOST_PARTINGS = 4
_ITEM = r"[\w'/.+-]+(?: [\w'/.+-]+){0,2}"
_LISTED = re.compile(rf"(?<![\w-])[\w'/.+-]+(?:, {_ITEM})+,? or {_ITEM}")


def described_sides(query: Query, retriever: Retriever) -> list[Evidence]:
    """The two papers that the halves of a question describe best, where it can be parted; of several ways to part
    it, the one whose halves are met best."""
    best: tuple[float, list[Evidence]] = (0.0, [])
    for left, right in partings(query.topic)[:MOST_PARTINGS]:
        first = retriever.search(Query(left, left), 2)
        second = [item for item in retriever.search(Query(right, right), 2) if first and item.paper != first[0].paper]
        if first and second and first[0].score + second[0].score > best[0]:
            best = (first[0].score + second[0].score, [first[0], second[0]])
    return best[1]


def asked_sides(question: str) -> int:
    """How many things a question sets side by side: one more than it says "vs", and at least two."""
    return max(2, 1 + len(re.findall(r"\b(?:vs|versus)\b", question, re.IGNORECASE)))


def partings(topic: str) -> list[tuple[str, str]]:
    """Ways to part a question in two, each half with words of its own."""
    for pattern in _PARTINGS:
        found = [
            (
                _LEAD.sub("", topic[: match.start()]).strip() or topic[: match.start()].strip(),
                topic[match.end() :].strip(),
            )
            for match in pattern.finditer(topic)
        ]
        if parted := [pair for pair in found if all(len(content_words(half)) > 1 for half in pair)]:
            return parted
    return []


def alternatives(topic: str) -> list[str]:
    """The topic once for each of the three or more things it lists with "or": "notes, songs or meals"."""
    found = _LISTED.search(topic)
    if not found:
        return []
    items = [item.strip() for item in re.split(r",? or |, ", found[0]) if content_words(item)]
    return [f"{topic[: found.start()]}{item}{topic[found.end() :]}" for item in items] if len(items) > 2 else []


def is_left_out(paper: Paper, phrases: tuple[str, ...]) -> bool:
    """Whether the paper is about what a question leaves out: its words stand in the title, or in two sentences."""
    if not phrases:
        return False
    title, text = set(terms(readable(paper.title))), terms(readable(paper.abstract))
    for phrase in phrases:
        stems = set(terms(" ".join(content_words(phrase))))
        if stems and all(stem in title or text.count(stem) > 1 for stem in stems):
            return True
    return False
