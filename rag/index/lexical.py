"""Text to the terms that are searched: repaired, folded, stemmed words."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from rag.ingest.repair import readable

STOPWORDS = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being below between both
    but by can could did do does doing down during each few for from further had has have having he her here
    hers him his how i if in into is it its itself just me more most my no nor not now of off on once only or
    other our ours out over own same she should so some such than that the their theirs them then there these
    they this those through to too under until up us very was we were what when where which while who whom whose
    why will with would you your yours
    """.split()
)
WORD = re.compile(r"[^\W_]+(?:[.'’][^\W_]+)*")
_PARTING = re.compile(r"(?![\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff])[^\x00-\x7f\w]")


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


def words(text: str) -> list[str]:
    """Case-folded words of `text` in order, repaired, hyphens parted, accents folded; numbers keep their point."""
    folded = readable(text)
    if not text.isascii():
        folded = unicodedata.normalize("NFKD", folded.replace("’", "'"))
        # Dashes, arrows and quotation marks part words; accents and soft hyphens fall out of them.
        folded = _PARTING.sub(" ", folded).encode("ascii", "ignore").decode()
    # A script without ASCII letters must still be searchable.
    return [word.casefold() for word in WORD.findall(folded) or WORD.findall(text)]


# British to American, the same for papers and questions, so that it does no harm where it is no such word ("advize").
_SPELLINGS = (
    (re.compile(r"(\w{3,})is(e|ed|es|er|ers|ing|able|ation|ations)$"), r"\1iz\2"),
    (re.compile(r"(\w{3,})ys(e|ed|es|er|ers|ing)$"), r"\1yz\2"),
    (re.compile(r"(\w{3,})our(s|ed|ing|al|ally|able)?$"), r"\1or\2"),
    (re.compile(r"(\w{4,})ll(ed|ing|er|ers)$"), r"\1l\2"),
    (re.compile(r"(cent|fib|lit|met)re(s?)$"), r"\1er\2"),
    (re.compile(r"(dial|catal|anal)og(s?)$"), r"\1ogue\2"),
)


def terms(text: str) -> list[str]:
    """Stems of the content words of `text` (Porter2), in order; British spelling counts as American."""
    stems: list[str] = _stemmer().stemWords([_american(word) for word in words(text) if word not in STOPWORDS])
    return stems


@lru_cache(maxsize=65_536)
def _american(word: str) -> str:
    for pattern, replacement in _SPELLINGS:
        word = pattern.sub(replacement, word)
    return word
