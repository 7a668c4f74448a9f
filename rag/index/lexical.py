"""BM25 over papers, as sparse postings in numpy arrays.

Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) with Lucene's
non-negative idf, k1 = 1.2, b = 0.75, over stemmed words of title and abstract.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.ingest.repair import readable

K1, B = 1.2, 0.75
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

Scores = NDArray[np.float32]


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


class LexicalIndex:
    """Postings: for each term, the rows (papers) it stands in and its BM25 weight there."""

    def __init__(
        self,
        vocabulary: dict[str, int],
        starts: NDArray[np.int64],
        rows: NDArray[np.int32],
        weights: Scores,
        ids: Sequence[str],
    ) -> None:
        self._vocabulary, self._starts, self._rows, self._weights = vocabulary, starts, rows, weights
        self.ids = ids
        self.row_of = {key: row for row, key in enumerate(ids)}
        self._rarity = _idf(np.diff(starts), len(ids))
        self._unknown = float(_idf(np.zeros(1), len(ids))[0])

    @classmethod
    def build(cls, papers: Iterable[tuple[str, str, Iterable[str]]]) -> LexicalIndex:
        """Index papers: the id, the title, and the terms of the abstract of each."""
        vocabulary: dict[str, int] = {}
        ids: list[str] = []
        lengths: list[int] = []
        found: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        for paper_id, title, stems in papers:
            counts = Counter(stems)
            # The title counts twice: its words say what the paper is about.
            counts.update(2 * terms(title))
            keys = np.fromiter((vocabulary.setdefault(term, len(vocabulary)) for term in counts), np.int32, len(counts))
            found.append((keys, np.fromiter(counts.values(), np.int32, len(counts))))
            ids.append(paper_id)
            lengths.append(sum(counts.values()))
        keys = np.concatenate([pair[0] for pair in found]) if found else np.empty(0, np.int32)
        frequencies = (
            np.concatenate([pair[1] for pair in found]).astype(np.float32) if found else np.empty(0, np.float32)
        )
        rows = np.repeat(np.arange(len(ids), dtype=np.int32), [len(pair[0]) for pair in found])
        order = np.argsort(keys, kind="stable")
        keys, frequencies, rows = keys[order], frequencies[order], rows[order]
        df = np.bincount(keys, minlength=len(vocabulary))
        starts = np.concatenate([[0], np.cumsum(df)]).astype(np.int64)
        length = np.array(lengths, dtype=np.float32)
        norm = K1 * (1 - B + B * length / max(float(length.mean()) if len(length) else 1.0, 1e-9))
        weights = _idf(df, len(ids))[keys] * frequencies * (K1 + 1) / (frequencies + norm[rows])
        return cls(vocabulary, starts, rows, weights.astype(np.float32), ids)

    @classmethod
    def load(cls, path: Path) -> LexicalIndex:
        """Read what `save` wrote.

        Raises:
            OSError, ValueError, KeyError: the file is missing or damaged.
        """
        with np.load(path, allow_pickle=False) as stored:
            names = stored["terms"].tobytes().decode().split("\n") if stored["terms"].size else []
            ids = stored["ids"].tobytes().decode().split("\n") if stored["ids"].size else []
            vocabulary = {term: number for number, term in enumerate(names)}
            return cls(vocabulary, stored["starts"], stored["rows"], stored["weights"], ids)

    def save(self, path: Path) -> None:
        part = path.with_suffix(".part.npz")
        np.savez(
            part,
            terms=np.frombuffer("\n".join(self._vocabulary).encode(), np.uint8),
            ids=np.frombuffer("\n".join(self.ids).encode(), np.uint8),
            starts=self._starts,
            rows=self._rows,
            weights=self._weights,
        )
        part.replace(path)

    def scores(self, query: Iterable[str]) -> Scores:
        """The BM25 score of every paper, in row order, for these terms; a repeated term counts as often."""
        total = np.zeros(len(self.ids), dtype=np.float32)
        for term, repeated in Counter(query).items():
            if (number := self._vocabulary.get(term)) is not None:
                part = slice(self._starts[number], self._starts[number + 1])
                total[self._rows[part]] += repeated * self._weights[part]  # a paper stands once in a term's postings
        return total

    def rows(self, wanted: Iterable[str]) -> NDArray[np.int32]:
        """The rows of the papers that have every one of these terms, ascending; none without terms."""
        found: NDArray[np.int32] | None = None
        for term in wanted:
            number = self._vocabulary.get(term)
            part = slice(0, 0) if number is None else slice(self._starts[number], self._starts[number + 1])
            own = self._rows[part]
            found = own if found is None else np.intersect1d(found, own, assume_unique=True)
        return np.empty(0, np.int32) if found is None else found

    def terms_like(self, first: str, shortest: int, longest: int) -> list[str]:
        """The terms that begin so and have a length in this range."""
        return [term for term in self._vocabulary if term[:1] == first and shortest <= len(term) <= longest]

    def df(self, term: str) -> int:
        """How many papers have the term."""
        number = self._vocabulary.get(term)
        return 0 if number is None else int(self._starts[number + 1] - self._starts[number])

    def idf(self, term: str) -> float:
        """ln(1 + (n - df + 1/2) / (df + 1/2)); an unknown term has df 0."""
        number = self._vocabulary.get(term)
        return self._unknown if number is None else float(self._rarity[number])

    def holds(self, rows: Sequence[int], term: str) -> NDArray[np.bool_]:
        """Which of the papers in these rows have the term."""
        number = self._vocabulary.get(term)
        if number is None:
            return np.zeros(len(rows), dtype=bool)
        part = self._rows[self._starts[number] : self._starts[number + 1]]
        return np.asarray(part[np.searchsorted(part, rows).clip(max=len(part) - 1)] == rows)


def _idf(df: NDArray[Any], n: int) -> NDArray[np.float64]:
    return np.asarray(np.log1p((n - df + 0.5) / (df + 0.5)))
