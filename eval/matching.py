"""Texts compared as a reader would: expected answers, nuggets, refusals, quoted words, copied words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from rag.index.lexical import words
from rag.ingest.repair import readable

# Words in a row that stand in a source too, from which on they count as copied.
COPIED = 5
_QUOTED = re.compile(r"“([^“”]+)”|\"([^\"]+)\"")
# A quotation of fewer words is a name or a term.
QUOTED_WORDS = 4
_REFUSAL = re.compile(
    r"^\W*(?:(?:(?:i'm |i am )?(?:sorry|afraid)\b[^.]{0,40}?\s)?(?:i (?:do not|don't|cannot|can't|could not|couldn't) "
    r"(?:know|say|tell|find|answer|determine)|i am (?:unable|not able)|i'm (?:unable|not able)|unknown\b|no (?:answer|information)\b|not on the shelf"
    r"|the (?:shelf|papers?|passages?|context|documents?|sources?|abstracts?|provided \w+) (?:do|does) not "
    r"|there is (?:no|not enough) (?:information|answer|evidence)|(?:cannot|can't) (?:be )?(?:answer|say|determine)))",
    re.IGNORECASE,
)


def said(expected: str, text: str) -> bool:
    """Whether the words of a right answer stand in a text in a row."""
    return f" {' '.join(words(expected))} " in f" {' '.join(words(text))} "


def nugget_recall(nuggets: Sequence[Sequence[str]], text: str) -> float:
    """Share of the nuggets that a text has; each is given in one or more wordings, one of which must stand there.

    (Voorhees, "Overview of the TREC 2003 question answering track", all nuggets vital.)
    """
    return sum(any(said(wording, text) for wording in nugget) for nugget in nuggets) / len(nuggets)


def token_f1(expected: str, text: str) -> float:
    """F1 of the words of both, counted as often as they occur (Rajpurkar et al., "SQuAD", 2016)."""
    own, wanted = Counter(words(text)), Counter(words(expected))
    shared = sum((own & wanted).values())
    return 2 * shared / (own.total() + wanted.total()) if shared else 0.0


def is_refusal(text: str) -> bool:
    """Whether a text of unknown origin only says that it has no answer: it opens so, and cites nothing."""
    plain = text.strip().replace("’", "'")
    return not plain or (bool(_REFUSAL.match(plain)) and not re.search(r"\[\d+\]", plain))


def quotations(text: str) -> list[str]:
    """What stands between quotation marks and is long enough to be somebody's words."""
    found = [first or second for first, second in _QUOTED.findall(text)]
    return [quote for quote in found if len(words(quote)) >= QUOTED_WORDS]


def is_verbatim(quote: str, sources: Sequence[str]) -> bool:
    """Whether the quoted words stand in a row in one of the sources; of "a ... b" each part."""
    held = [f" {' '.join(words(readable(source)))} " for source in sources]
    parts = [" ".join(words(part)) for part in re.split(r"\[?(?:\.\.\.|…)\]?", readable(quote))]
    return any(all(f" {part} " in source for part in parts if part) for source in held)


def copy_rate(text: str, sources: Sequence[str]) -> float:
    """Share of the text's words that stand, in a row of five or more, in one of the sources.

    (Extractive fragment coverage of Grusky et al., "Newsroom", 2018, without its short fragments.)
    """
    own = words(readable(text))
    grams = {gram for source in sources for gram in _grams(words(readable(source)))}
    copied: set[int] = set()
    for at, gram in enumerate(_grams(own)):
        if gram in grams:
            copied.update(range(at, at + COPIED))
    return len(copied) / len(own) if own else 0.0


def longest_copy(text: str, source: str) -> int:
    """How many words in a row the two have in common at most."""
    own, other = words(readable(text)), words(readable(source))
    found = SequenceMatcher(None, own, other, autojunk=False).find_longest_match()
    return found.size


def _grams(of: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(of[at : at + COPIED]) for at in range(len(of) - COPIED + 1)]
