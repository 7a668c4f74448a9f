"""Slips of the keyboard, mended where the shelf or the encoder's vocabulary has the word that was meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from rag.index.lexical import terms, words
from rag.index.shelf import Shelf
from rag.ingest.names import key, looks_like_name
from rag.retrieve.scaffold import SCAFFOLD

_WORD = re.compile(r"[^\W\d_]{6,}")
# Letters that may differ (Damerau-Levenshtein): one, and two in long words.
_LONG = 9


def respelled(question: str, shelf: Shelf) -> tuple[str, tuple[str, ...]]:
    """The question with its misspelt words mended, and a note on each for the reader.

    A word is misspelt when neither the shelf nor the encoder's vocabulary has it; a name is not touched here
    (`similar_names`). It becomes the word of the shelf that is one letter (two, if long) away, or one of the encoder's.
    """
    notes: list[str] = []

    def mend(found: re.Match[str]) -> str:
        word = found[0]
        folded = word.casefold()
        if looks_like_name(word) or folded in SCAFFOLD or _known(folded, shelf):
            return word
        meant = _meant(folded, shelf)
        if meant is None:
            return word
        notes.append(f"Read “{word}” as “{meant}”.")
        return meant.capitalize() if word[0].isupper() else meant

    return _WORD.sub(mend, question), tuple(notes)


def similar_names(word: str, shelf: Shelf) -> list[str]:
    """The name keys of the shelf that a word may be a slip of, nearest first; none for a short or common one."""
    wanted = key(word)
    if len(wanted) < 5 or wanted in SCAFFOLD:
        return []
    near = shelf.ledger.names_like(wanted[:1], len(wanted) - 1, len(wanted) + 1)
    best = _nearest(wanted, near)
    return [best] if best else []


def _known(word: str, shelf: Shelf) -> bool:
    return shelf.embedder.is_word(word) or any(shelf.lexical.df(term) for term in terms(word))


def _meant(word: str, shelf: Shelf) -> str | None:
    stem = next(iter(terms(word)), word)
    if found := _nearest(stem, shelf.lexical.terms_like(stem[0], len(stem) - 2, len(stem) + 2)):
        row = shelf.lexical.rows([found])[0]
        paper = next(iter(shelf.ledger.papers([shelf.lexical.ids[row]]).values()))
        spellings = {own for own in words(f"{paper.title} {paper.abstract}") if terms(own) == [found]}
        return _nearest(word, spellings, at_least_one=True)
    return _nearest(word, shelf.embedder.words_like(word[0], len(word) - 2, len(word) + 2))


def _nearest(word: str, among: Iterable[str], *, at_least_one: bool = False) -> str | None:
    from rapidfuzz.distance import OSA

    candidates: Collection[str] = sorted(among)
    allowed = 99 if at_least_one else 2 if len(word) >= _LONG else 1
    scored = [(OSA.distance(word, other, score_cutoff=allowed), other) for other in candidates]
    distance, best = min(scored, default=(99, ""))
    return best if best and distance <= allowed else None
