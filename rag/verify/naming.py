"""Names of a claim that its source lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.index.lexical import STOPWORDS, terms
from rag.ingest.names import looks_like_name

# Other names of the same, letters and digits only.
_SAME = (
    "covid19 covid sarscov2 sarscov 2019ncov ncov coronavirus".split(),
    "us usa unitedstates america".split(),
    "uk unitedkingdom britain".split(),
)
_ALIASES = {name: [other for other in names if len(other) > 2] for names in _SAME for name in names}
_NAME = re.compile(r"[A-Za-z][\w'.+-]*\w")
# A capital within a sentence: behind a word or a comma, not behind a full stop.
_PROPER = re.compile(r"(?<=[a-z,;)0-9] )[A-Z][a-z]{2,}\b")
# Where most words have one, capitals tell nothing: a title.
_TITLE = 0.5
# Letters of a name that the source must have: "Spanish" and "Spain", "Europe" and "European".
_BEGINNING = 4


def missing_names(claim: str, source: str) -> list[str]:
    """Names of the claim that the source does not hold in any spelling.

    Names with a capital or a digit inside (LoLCATs, GPT-4) may stand there as the words whose first letters they are (LLMs
    for large language models), proper names (Hindi) in another form (India is none).
    """
    folded, initials = _letters(source), _initials(source)
    marked = [name for name in _NAME.findall(claim) if looks_like_name(name) and not _held(name, folded, initials)]
    proper = [name for name in _proper(claim) if _letters(name)[:_BEGINNING] not in folded]
    return list(dict.fromkeys(marked + proper))


def _held(name: str, folded: str, initials: str) -> bool:
    bare = _letters(re.sub(r"(?:'s|s)$", "", name))
    return (
        bare in folded
        or (len(bare) > 1 and bare.isalpha() and bare in initials)
        or any(other in folded for other in _ALIASES.get(bare, ()))
    )


def _proper(claim: str) -> Iterator[str]:
    """The words of a claim that are names by their capital alone."""
    words = re.findall(r"[A-Za-z]+", claim)
    if sum(word[0].isupper() for word in words) <= _TITLE * len(words):
        yield from (found for found in _PROPER.findall(claim) if found.casefold() not in STOPWORDS and terms(found))


def _initials(text: str) -> str:
    """The first letters of the words of a text, those of words like "of" left out."""
    return "".join(word[0].casefold() for word in re.findall(r"[A-Za-z]+", text) if word not in STOPWORDS)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
