"""Abstracts to passages: runs of whole sentences that the encoder sees to the last word."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.types import Paper, Passage

# Longest passage in word pieces, title included. Two or three sentences: nDCG@10 on csfcube is 0.50 against 0.48
# with passages as long as the encoder reads (256), on scifact 0.747 against 0.743 (`eval/LOG.md`).
PASSAGE_TOKENS = 100
# What an encoder call holds besides the passage: [CLS], [SEP] and the stop after the title.
SPECIAL_TOKENS = 3
# A title longer than this would leave little room for the abstract; it is cut in the vector only.
TITLE_TOKENS = 32
# The number of the title among the sentences of a paper.
TITLE = -1

CountTokens = Callable[[str], int]


def embedding_parts(paper: Paper, passage: Passage) -> list[tuple[int, str]]:
    """What the encoder reads for a passage, repaired, in parts: the title for context (-1), then each
    sentence with its number in the abstract. Parts are joined by one space."""
    title = " ".join(readable(paper.title).split()[:TITLE_TOKENS])
    parts = [(TITLE, title)]
    for number, (start, end) in enumerate(_sentences(paper.abstract)):
        if start < passage.end and end > passage.start:
            text = readable(paper.abstract[max(start, passage.start) : min(end, passage.end)])
            if text:
                parts.append((number, text))
    if len(parts) > 1 and not title.endswith((".", "?", "!")):
        parts[0] = (TITLE, f"{title}.")
    return parts


@lru_cache(maxsize=1_024)
def _sentences(abstract: str) -> tuple[tuple[int, int], ...]:
    """Asked once of a paper that is cut, and then for each of its passages."""
    return tuple(split_sentences(abstract))


def embedding_text(paper: Paper, passage: Passage) -> str:
    """The parts of a passage as one text."""
    return " ".join(text for _, text in embedding_parts(paper, passage))


def cut(paper: Paper, count_tokens: CountTokens, max_tokens: int) -> list[Passage]:
    """Passages of `paper`, in order, none longer than `max_tokens` with the title in front (which leaves at least
    a quarter of them to the abstract).

    Sentences are kept whole and passages about equally long; a sentence too long by itself is cut
    between words. An empty abstract gives one empty passage, which stands for the title.
    """
    title = readable(paper.title)
    room = max(max_tokens - SPECIAL_TOKENS - count_tokens(" ".join(title.split()[:TITLE_TOKENS])), max_tokens // 4)
    pieces: list[tuple[int, int, int]] = []
    for start, end in _sentences(paper.abstract):
        pieces += _fitting(paper.abstract, start, end, count_tokens, room)
    if not pieces:
        return [Passage(paper.id, 0, 0)]
    total = sum(tokens for _, _, tokens in pieces)
    target = total / max(1, -(-total // room))  # as few passages as fit, of equal size
    passages: list[Passage] = []
    first, used = pieces[0][0], 0
    last_end = first
    for start, end, tokens in pieces:
        over = used + tokens > room
        balanced = used and used + tokens / 2 > target
        if over or balanced:
            passages.append(Passage(paper.id, first, last_end))
            first, used = start, 0
        used += tokens
        last_end = end
    return [*passages, Passage(paper.id, first, last_end)]


def _fitting(text: str, start: int, end: int, count_tokens: CountTokens, room: int) -> list[tuple[int, int, int]]:
    """The sentence as (start, end, tokens), halved between words (or characters) until each part fits."""
    tokens = count_tokens(readable(text[start:end]))
    if tokens <= room or end - start < 2:
        return [(start, end, tokens)]
    middle = (start + end) // 2
    space = text.rfind(" ", start + 1, middle)
    middle = space if space > start else middle
    right = middle + 1 if text[middle] == " " else middle
    return _fitting(text, start, middle, count_tokens, room) + _fitting(text, right, end, count_tokens, room)
