"""Whether two records are of one paper: first block, then compare fields.

As in entity matching (Li et al., "Deep Entity Matching with Pre-Trained Language Models", 2020): only records that
share a block are compared; identifiers decide where both have them; of titles that are merely alike, authors and abstract
must bear it out, and a number tells siblings apart ("Part 2" is no slip of "Part 1").
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, Levenshtein

from rag.ingest.identifiers import identifiers, without_version
from rag.ingest.repair import readable
from rag.types import Paper, normalize_title, paper_id

# Letters of a title's beginning and end that a block has, of a long and of a short one: a slip leaves at least one of the
# two alone. Titles about as long as `LONG` have both, for their lengths may differ.
BLOCK, SHORT_BLOCK = 20, 8
LONG, ABOUT = 48, 4
LONGEST_HEAD = 40
# Abstracts that share this much of the shorter one's words are of one paper; those of two share a quarter at most.
SHARED = 0.6
# Titles that are kept as they are compared: a paper of a large block is met again and again.
KEPT = 1_024
# Two titles this far apart as they are written (0 to 100) are not read closer. It is quick, and few of a block are nearer.
ROUGHLY = 80
# Words shorter than this say little of what an abstract is about.
WORD = re.compile(r"\w{4,}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\b[ivx]+\b")
_VERSION = re.compile(
    r"\s*[(\[]\s*(?:v(?:er(?:sion)?)?\.?\s*\d+|preprint|extended (?:version|abstract))\s*[)\]]\s*$", re.IGNORECASE
)


def aliases(paper: Paper) -> list[str]:
    """What else identifies a paper: DOI, and arXiv id without its version."""
    return list(_aliases(paper.doi, paper.arxiv_id))


@lru_cache(maxsize=KEPT)
def _aliases(stated: str | None, number: str | None) -> tuple[str, ...]:
    arxiv_id, doi = identifiers(stated or "")
    if stated and not (arxiv_id or doi):
        doi = stated.casefold().removeprefix("https://doi.org/")
    arxiv_id = without_version(number) if number else arxiv_id
    return (*([f"doi:{doi}"] if doi else []), *([f"arxiv:{arxiv_id}"] if arxiv_id else []))


@lru_cache(maxsize=KEPT)
def compared(title: str) -> str:
    """A title as titles are compared: repaired, folded, without punctuation."""
    return normalize_title(readable(title))


def same_numbers(first: str, second: str) -> bool:
    """Whether two compared titles agree in their numbers, Roman ones included."""
    return _NUMBER.findall(first) == _NUMBER.findall(second)


@lru_cache(maxsize=KEPT)
def squashed(title: str) -> str:
    """A title as letters and digits without accents and version tag: `Pre-Training (v2)` to `pretraining`."""
    plain = unicodedata.normalize("NFKD", compared(_VERSION.sub("", title)))
    return "".join(character for character in plain if character.isalnum())


def blocks(paper: Paper) -> list[str]:
    """The blocks of a paper's title: its beginning, its end, and what stands before its colon."""
    whole = squashed(paper.title)
    head, colon, _ = readable(paper.title).partition(":")
    sizes = [
        size for size, fits in ((BLOCK, len(whole) >= LONG - ABOUT), (SHORT_BLOCK, len(whole) < LONG + ABOUT)) if fits
    ]
    found = [f"{end}:{part}" for size in sizes for end, part in (("begins", whole[:size]), ("ends", whole[-size:]))]
    if 3 < len(name := squashed(head)) <= LONGEST_HEAD and (colon or name == whole):
        found.append(f"head:{name}")
    return found if whole else []


def same(known: Paper, other: Paper) -> bool:
    """Whether two records are of one paper. Where identifiers do not decide, titles must be alike, and nothing else speak
    against it."""
    own, others = (dict(alias.split(":", 1) for alias in aliases(paper)) for paper in (known, other))
    if "arxiv" in own and "arxiv" in others:
        return own["arxiv"] == others["arxiv"]
    if "doi" in own and own["doi"] == others.get("doi"):
        return True
    exact = known.id == other.id or squashed(known.title) == squashed(other.title)
    if not exact and not alike(known.title, other.title):
        return False
    authors = _share_authors(known, other)
    abstracts = share_words(known.abstract, other.abstract)
    if not exact:
        return abstracts is True and authors is not False
    if "doi" in own and "doi" in others:  # a preprint's and the journal's, or two papers of one title
        return bool(authors) or abstracts is True
    return not (authors is False and abstracts is False)


def meet(title: str, other: str) -> bool:
    """Whether two titles may be one paper's: what else the records say has to decide."""
    first, second = (_VERSION.sub("", one) if one.endswith((")", "]")) else one for one in (title, other))
    named = len(min(first, second, key=len)) <= LONGEST_HEAD and ":" in max(first, second, key=len)
    if not named and not fuzz.ratio(first.casefold(), second.casefold(), score_cutoff=ROUGHLY):
        return False
    return squashed(title) == squashed(other) or alike(title, other)


def alike(title: str, other: str) -> bool:
    """Whether two titles differ in slips alone: a letter or two in a word, which begins as the other does; or whether one
    is the name before the other's colon."""
    first, second = compared(title), compared(other)
    if not same_numbers(first, second):
        return False
    for whole, named in ((title, other), (other, title)):
        head, colon, _ = readable(named).partition(":")
        if colon and len(squashed(head)) > 3 and squashed(head) == squashed(whole):
            return True
    words, others = first.split(), second.split()
    for one, two in _differences(words, others):
        slips = OSA.distance(one, two)
        if not one or not two or one[0] != two[0] or slips > (2 if min(len(one), len(two)) > 8 else 1):
            return False
    return bool(words)


def _differences(words: list[str], others: list[str]) -> Iterator[tuple[str, str]]:
    """The runs of words in which two titles differ, each as letters, where these differ too (`pre training` is `pretraining`)."""
    start, end = (0, 0), (0, 0)
    steps = [step for step in Levenshtein.opcodes(words, others) if step.tag != "equal"]
    for step in steps:
        if (step.src_start, step.dest_start) != end:
            yield from _unequal(words[start[0] : end[0]], others[start[1] : end[1]])
            start = step.src_start, step.dest_start
        end = step.src_end, step.dest_end
    yield from _unequal(words[start[0] : end[0]], others[start[1] : end[1]])


def _unequal(words: list[str], others: list[str]) -> Iterator[tuple[str, str]]:
    if (one := "".join(words)) != (two := "".join(others)):
        yield one, two


def share_words(abstract: str, other: str) -> bool | None:
    """Whether two abstracts have most words of the shorter one in common; None when one is missing."""
    words, others = (set(WORD.findall(readable(text).casefold())) for text in (abstract, other))
    if not words or not others:
        return None
    return len(words & others) >= SHARED * min(len(words), len(others))


def _share_authors(paper: Paper, other: Paper) -> bool | None:
    names, others = (set(map(_surname, one.authors)) - {""} for one in (paper, other))
    return bool(names & others) if names and others else None


def _surname(name: str) -> str:
    last = name.partition(",")[0] if "," in name else (name.split() or [""])[-1]
    return squashed(last)


def distinct_id(paper: Paper) -> str:
    """An id for a paper whose title another one has: of its title and what tells it apart."""
    mark = " ".join(aliases(paper)) or " ".join(map(_surname, paper.authors)) or squashed(paper.abstract)[:200]
    return hashlib.sha256(f"{paper_id(paper.title)} {mark}".encode()).hexdigest()[:16]


class Index:
    """Papers in memory, found by what a record of one of them would say. For a batch; a shelf asks its ledger."""

    def __init__(self) -> None:
        self._papers: dict[str, Paper] = {}
        self._keys: dict[str, list[str]] = {}

    def add(self, paper: Paper) -> None:
        """Add a paper, or what it became."""
        self._papers[paper.id] = paper
        for key in (*aliases(paper), *blocks(paper)):
            if paper.id not in (ids := self._keys.setdefault(key, [])):
                ids.append(paper.id)

    def find(self, paper: Paper) -> Paper | None:
        """The paper that this is a record of."""
        return first_same(self._candidates(paper), paper)

    def _candidates(self, paper: Paper) -> Iterator[Paper]:
        ids = [found for key in (*aliases(paper), *blocks(paper)) for found in self._keys.get(key, ())]
        return (self._papers[key] for key in dict.fromkeys(ids))

    def id_for(self, paper: Paper) -> str:
        """Its own id, or another one when that is taken."""
        return distinct_id(paper) if paper.id in self._papers else paper.id


def first_same(candidates: Iterable[Paper], paper: Paper) -> Paper | None:
    """The first candidate that `paper` is a record of."""
    return next((known for known in candidates if same(known, paper)), None)
