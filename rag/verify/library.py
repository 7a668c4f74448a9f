"""The papers of a shelf, found by what a reference says of them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from functools import cached_property
from itertools import pairwise

from rapidfuzz import fuzz, process

from rag.index.shelf import Shelf
from rag.ingest.match import compared, same_numbers
from rag.ingest.names import looks_like_name, short_name
from rag.ingest.repair import readable
from rag.types import Paper, paper_id
from rag.verify.references import SHELF, Reference

# Titles as alike as this are one: a letter lost, a hyphen more, but no other word in a short one.
ALIKE = 92.0
# A reference that has fewer of a title's words is not compared with it.
SHARED = 0.6
_WORD = re.compile(r"\w+")
_BREAK = re.compile(r"[^\w\s'’-]")
# As `normalize_title` takes it off.
_CODE = re.compile(r"\\[a-z]+|[${}\\]")
_MAY_NAME = re.compile(r"\b(?:19|20)\d\d[a-z]?\s*[)\];,]|\b[0-9a-f]{16}\b")
_YEAR = re.compile(r"\W*\b(?:19|20)\d\d[a-z]?\W*$")


class Library:
    """Looks up references on one shelf: by DOI or arXiv id, then by title, exactly or nearly."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def paper(self, reference: Reference) -> Paper | None:
        """The paper that a reference means, or None when the shelf does not have it."""
        if reference.origin == SHELF:
            return self._by_id(reference.label)
        stated = Paper(
            paper_id(reference.title or reference.text), reference.title, "",
            arxiv_id=reference.arxiv_id, doi=reference.doi,
        )  # fmt: skip
        if known := self._shelf.known([stated])[0]:
            return known
        found = self._titled(reference.title) if reference.title else self._within(reference.text)
        return self._by_id(found) if found else None

    def named(self, text: str) -> list[Reference]:
        """The papers as references, if the text may name some by a paper's own id, or by its authors and year."""
        if not _MAY_NAME.search(text):
            return []
        return [
            Reference(
                paper.id, readable(paper.title), paper.title, tuple(map(_surname, paper.authors)),
                str(paper.year or ""), paper.arxiv_id, paper.doi, SHELF,
            )
            for _, paper in self._shelf.ledger.all_papers()
            if paper.authors or paper.id in text
        ]  # fmt: skip

    def _by_id(self, key: str) -> Paper | None:
        return self._shelf.ledger.papers([key]).get(key)

    @cached_property
    def _titles(self) -> dict[str, str]:
        """Paper id to title, as compared."""
        return {key: compared(title) for key, title in self._shelf.ledger.titles().items()}

    @cached_property
    def _short(self) -> dict[str, str]:
        """What stands before a title's colon, to the paper's id; without those that several share."""
        heads = [
            (compared(head), key)
            for key, title in self._shelf.ledger.titles().items()
            if (head := short_name(readable(title))) and (len(head.split()) > 1 or looks_like_name(head))
        ]
        counts = Counter(head for head, _ in heads)
        return {head: key for head, key in heads if counts[head] == 1}

    @cached_property
    def _words(self) -> dict[str, list[str]]:
        """Word to the ids of the papers that have it in their titles."""
        found: dict[str, list[str]] = defaultdict(list)
        for key, title in self._titles.items():
            for word in set(title.split()):
                found[word].append(key)
        return found

    def _titled(self, title: str) -> str | None:
        wanted = compared(title)
        best = process.extractOne(wanted, self._titles, scorer=fuzz.ratio, score_cutoff=ALIKE)
        if best and same_numbers(wanted, best[0]):
            return str(best[2])
        return self._short.get(wanted)  # "CraneNet" for "CraneNet: Planning Meals"

    def _within(self, text: str) -> str | None:
        """The paper whose title stands in the text of a reference, between full stops, commas or quotation marks."""
        if short := self._short.get(compared(_YEAR.sub("", text))):
            return short
        words, closes = _parted(text)
        shared = Counter(key for word in set(words) for key in self._words.get(word, ()))
        best: tuple[float, int, str] | None = None
        for key, count in shared.items():
            title = self._titles[key].split()
            if count < SHARED * len(set(title)):
                continue
            score = _standing(title, words, closes)
            # Of two titles one of which stands in the other, the longer one is meant.
            if score >= ALIKE and (best is None or (score, len(title), key) > best):
                best = (score, len(title), key)
        return best[2] if best else None


def _parted(text: str) -> tuple[list[str], list[bool]]:
    """The words of a reference, and after which of them a full stop, comma, quotation mark or the like stands."""
    folded = _CODE.sub(" ", unicodedata.normalize("NFKC", readable(text)).casefold())
    words = list(_WORD.finditer(folded))
    closes = [bool(_BREAK.search(folded, a.end(), b.start())) for a, b in pairwise(words)]
    return [word[0] for word in words], [*closes, True]


def _standing(title: list[str], words: list[str], closes: list[bool]) -> float:
    """How alike a title is to the words of a reference that stand in its place, in [0, 100]."""
    wanted, best = " ".join(title), 0.0
    for start in (at for at in range(len(words)) if not at or closes[at - 1]):
        for stop in range(max(start + 1, start + len(title) - 2), min(len(words), start + len(title) + 2) + 1):
            if closes[stop - 1]:
                said = " ".join(words[start:stop])
                score = fuzz.ratio(wanted, said, score_cutoff=ALIKE)
                best = max(best, score if same_numbers(wanted, said) else 0.0)
    return best


def _surname(name: str) -> str:
    return name.partition(",")[0].strip() if "," in name else (name.split() or [""])[-1]
