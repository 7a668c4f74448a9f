"""Slips of the keyboard, mended where the shelf has the word that was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz.distance import OSA

from rag.index.lexical import terms, words
from rag.index.shelf import Shelf
from rag.ingest.names import key, looks_like_name
from rag.retrieve.scaffold import SCAFFOLD

# Words that questions about papers are made of, which abstracts need not have.
_ASKING = tuple(
    """
    abstract abstracts article articles author authored authors between comments compare comparison difference earliest fewest headcount
    january february august september october november december latest newest oldest organisation organization
    paper papers publication published publications recent review reviews survey surveys without written
    """.split()
)
_WORD = re.compile(r"[^\W\d_]{6,}")
# Letters that may differ (Damerau-Levenshtein): one, and two in long words.
_LONG = 9
# Stems of the shelf whose words are looked at.
LIKELY = 8


def respelled(question: str, shelf: Shelf) -> tuple[str, tuple[str, ...]]:
    """The question with its misspelt words mended, and a note on each for the reader.

    A word is misspelt when neither the shelf nor the encoder's vocabulary has it; a name is not touched here
    (`similar_names`). It becomes the word of the shelf that is one letter (two, if long) away.
    """
    notes: list[str] = []

    def mend(found: re.Match[str]) -> str:
        word = found[0]
        folded = word.casefold()
        if looks_like_name(word) or folded in SCAFFOLD or _known(folded, shelf):
            return word
        meant = _meant(folded, shelf) or folded
        if meant == folded:
            return word
        notes.append(f"Read “{word}” as “{meant}”.")
        return meant.capitalize() if word[0].isupper() else meant

    return _WORD.sub(mend, question), tuple(notes)


def similar_names(word: str, shelf: Shelf) -> list[str]:
    """The name keys of the shelf that a word may be a slip of, nearest first; none for a short or common one."""
    wanted = key(word)
    plain = word.islower() and "-" not in word
    if len(wanted) < (7 if plain else 5) or wanted in SCAFFOLD:
        return []
    if plain and any(shelf.segments.df(term) for term in terms(word)):
        return []
    near = shelf.ledger.names_like(wanted[:1], len(wanted) - 1, len(wanted) + 1)
    best = _nearest(wanted, near)
    return [best] if best else []


def _known(word: str, shelf: Shelf) -> bool:
    """Whether the encoder or the shelf has the word, or it is made of two words ("slowdown")."""
    pieces = shelf.embedder.pieces(word)
    if len(pieces) == 2 and all(len(piece) > 3 and shelf.embedder.is_word(piece) for piece in pieces):
        return True
    return shelf.embedder.is_word(word) or any(shelf.segments.df(term) for term in terms(word))


def _meant(word: str, shelf: Shelf) -> str | None:
    """The word of the shelf that is meant, as the first paper that has it writes it."""
    if asking := _nearest(word, _ASKING):
        return asking
    stem = next(iter(terms(word)), word)
    near = shelf.segments.terms_like(stem[0], len(stem) - 4, len(stem) + 2)
    # Slips near the end of a word change its stem: the words are compared, not the stems.
    likely = sorted(near, key=lambda other: (OSA.distance(stem, other), other))[:LIKELY]
    rows = [shelf.segments.having([term])[0] for term in likely]
    papers = shelf.ledger.papers(shelf.segments.ids_of(rows))
    written = {own for paper in papers.values() for own in words(f"{paper.title} {paper.abstract}")}
    return _nearest(word, {own for own in written if own[:1] == word[:1] and set(terms(own)) <= set(likely)})


def _nearest(word: str, among: Iterable[str]) -> str | None:
    allowed = 2 if len(word) >= _LONG else 1
    scored = [(OSA.distance(word, other, score_cutoff=allowed), other) for other in sorted(among)]
    distance, best = min(scored, default=(99, ""))
    return best if best and distance <= allowed else None
