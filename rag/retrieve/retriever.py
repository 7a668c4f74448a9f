"""Papers for a query: dense, lexical, feedback and late interaction, fused on an absolute scale."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import terms, words
from rag.index.segments import highest
from rag.index.shelf import Shelf
from rag.retrieve.interaction import EncodedQuestion, Interaction, Interactions, interact
from rag.retrieve.scaffold import content_words
from rag.retrieve.spans import sentence_features, with_spans
from rag.types import Evidence, Filters, Order, Paper, Query

# score = cosine + LEXICAL * BM25 / max BM25 + LATE * max-sim with the paper + SENTENCE * max-sim with its best sentence
# + PHRASE * neighbouring words: additive, so that it keeps an absolute scale, which reciprocal rank fusion loses
# together with 1.5 points of nDCG@10. The cosine is the mean of that of the nearest passage and that of the paper's
# mean vector. The weights are flat around these values (`eval/LOG.md`).
LEXICAL, LATE, SENTENCE, PHRASE = 0.4, 0.75, 0.5, 0.2
# Pseudo-relevance feedback: the question's vector moves this far towards the best papers, weighed by how far each
# is behind the best.
FEEDBACK_PAPERS, FEEDBACK, SHARPNESS = 5, 0.5, 8.0
# Candidates of each leg; what one leg did not score for a candidate of the other is filled in exactly.
CANDIDATES = 60
# Passages asked of Chroma for CANDIDATES papers: a paper has about three. Twice as many change no figure.
PASSAGES = 100
# Papers whose words meet the question's one by one. With 20 cacm loses 0.0026, with 50 nothing changes.
RERANKED = 40
# Up to so many papers that pass a filter are scored exactly, without Chroma; of more, both legs are looked down until
# enough pass, each time so many times deeper. On a shelf of up to so many passages looking at all is as fast as asking
# Chroma, misses none, and leaves Chroma unopened.
EXACT, DEEPER, ALL_PASSAGES = 2_000, 3, 10_000

LEGS = frozenset({"dense", "lexical", "feedback", "late", "phrase"})
Vector = NDArray[np.float32]


class _Candidates:
    """The papers under consideration, row by row: ids, BM25, and their passage vectors, one below the other."""

    def __init__(
        self, ids: list[str], lexical: NDArray[np.float64], passages: Vector, counts: NDArray[np.int64]
    ) -> None:
        self.ids, self.lexical, self._passages = ids, lexical, passages
        self._starts = np.cumsum(counts) - counts
        self._sums = np.add.reduceat(passages, self._starts, axis=0) if ids else passages
        self._norms = np.linalg.norm(self._sums, axis=1).clip(1e-9)
        self.means = self._sums / counts[:, None]

    def __len__(self) -> int:
        return len(self.ids)

    def cosines(self, vector: Vector) -> NDArray[np.float64]:
        """Of the nearest passage of each."""
        # Row by row: one product would be handed to other threads, and wait for them on a busy machine.
        return np.maximum.reduceat(np.vecdot(self._passages, vector), self._starts).astype(np.float64)

    def near(self, vector: Vector) -> NDArray[np.float64]:
        """The mean of two cosines: of the nearest passage, and of the mean of all passages."""
        return np.asarray((self.cosines(vector) + np.vecdot(self._sums, vector) / self._norms) / 2)

    def kinship(self, rows: Sequence[int]) -> list[float]:
        """The mean cosine of each of these with the first three: what answers a question together is alike."""
        unit = self._sums[list(rows)] / self._norms[list(rows), None]
        return [float(value) for value in (unit @ unit[:3].T).mean(axis=1)] if len(rows) else []


class Retriever:
    """Searches one open shelf.

    Args:
        shelf: the shelf.
        without: names of `LEGS` to leave out, for ablation.
    """

    def __init__(self, shelf: Shelf, without: Collection[str] = ()) -> None:
        self._shelf = shelf
        self._legs = LEGS - set(without)
        # One question is searched for and then looked for in sentences: it is encoded once.
        self._read = lru_cache(maxsize=4)(lambda topic: EncodedQuestion.read(topic, shelf))
        self._met: tuple[EncodedQuestion, dict[str, int], Interactions] | None = None

    def search(self, query: Query, limit: int) -> list[Evidence]:
        """The `limit` best papers for the query's topic among those its filters let through, best first.

        Without a topic the papers that pass the filters, in the query's order (newest first by default).
        """
        filters = query.filters
        if query.carried:
            filters = filters.and_also(Filters((("id", "in", query.carried),)))
        if not query.topic:
            return self._listed(query.order, filters, limit)
        question = self._read(query.topic)
        found = self._candidates(question, filters)
        if not len(found):
            return []
        scores = self._fused(question, found, limit)
        best = sorted(range(len(found)), key=lambda row: (-scores[row], found.ids[row]))[:limit]
        papers = self._shelf.ledger.papers([found.ids[row] for row in best])
        cosines, coverage = found.cosines(question.vector), self._coverage(question.stems, list(papers))
        return [
            Evidence(
                papers[found.ids[row]], float(scores[row]), float(cosines[row]), float(found.lexical[row]),
                covered, kinship=kin,
            )
            for row, kin, covered in zip(best, found.kinship(best), coverage, strict=True)
        ]  # fmt: skip

    def _fused(self, question: EncodedQuestion, found: _Candidates, limit: int) -> NDArray[np.float64]:
        """The score of each candidate; those that are not reranked score what they would with the least of it."""
        words = LEXICAL * found.lexical / (found.lexical.max() or 1.0)
        scores = words
        if "dense" in self._legs:
            scores = words + found.near(question.vector)
            if "feedback" in self._legs:
                scores = words + found.near(self._moved(question.vector, found, scores))
        if not self._legs & {"late", "phrase"}:
            return scores
        near = np.argsort(-scores, kind="stable")[: max(RERANKED, limit)]
        met = self._meet(question, [found.ids[row] for row in near])
        more = np.zeros(len(near))
        if "late" in self._legs:
            more += LATE * met.similarity + SENTENCE * met.sentence
        if "phrase" in self._legs:
            more += PHRASE * met.phrases
        least = float(more.min())
        scores = scores + least
        scores[near] += more - least
        return scores

    @staticmethod
    def _moved(vector: Vector, found: _Candidates, scores: NDArray[np.float64]) -> Vector:
        leaders = np.argsort(-scores, kind="stable")[:FEEDBACK_PAPERS]
        weights = np.exp(SHARPNESS * (scores[leaders] - scores[leaders[0]]))
        moved = vector + FEEDBACK * (weights / weights.sum()) @ found.means[leaders]
        return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)

    def _meet(self, question: EncodedQuestion, ids: Sequence[str]) -> Interactions:
        """How papers meet a question, kept until the next are asked for: the best of them are looked at again."""
        segments = self._shelf.segments
        met = interact(question, segments.tokens(segments.rows_of(ids)))
        self._met = question, {key: at for at, key in enumerate(ids)}, met
        return met

    def _interactions(self, question: EncodedQuestion, ids: Sequence[str]) -> list[Interaction]:
        asked, places, met = self._met or (question, {}, None)
        if met is None or asked is not question or not all(key in places for key in ids):
            return list(self._meet(question, ids))
        return [met[places[key]] for key in ids]

    def _coverage(self, wanted: Sequence[str], ids: Sequence[str]) -> list[float]:
        """For each paper the share of the terms' idf mass whose terms it has, in [0, 1]; 0 without terms."""
        index = self._shelf.segments
        weights = {term: index.idf(term) for term in wanted}
        rows = index.rows_of(ids)
        covered = sum((weight * index.holds(rows, term) for term, weight in weights.items()), np.zeros(len(rows)))
        return [float(share) for share in covered / (sum(weights.values()) or 1.0)]

    def gain(self, topic: str, paper_id: str, taken: Sequence[str]) -> float:
        """The share of the topic's idf mass that stands in the paper and in none of those taken."""
        index = self._shelf.segments
        weights = {term: index.idf(term) for term in terms(" ".join(content_words(topic)))}
        rows = index.rows_of((paper_id, *taken))
        held = {term: index.holds(rows, term) for term in weights}
        new = (weight for term, weight in weights.items() if held[term][0] and not held[term][1:].any())
        return sum(new) / (sum(weights.values()) or 1.0)

    def count_without(self, field: str) -> int:
        """How many papers of the shelf have no value of a metadata field."""
        return self._shelf.ledger.count_without(field)

    def with_spans(self, query: Query, evidence: Sequence[Evidence], *, matched: bool = True) -> list[Evidence]:
        """The same evidence, each paper with its sentences, best for the topic first, and how its words match
        (which a plain search can do without)."""
        if not evidence:
            return []
        question = self._read(query.topic)
        met = self._interactions(question, [item.paper.id for item in evidence])
        return with_spans(query, evidence, question, met, self._shelf, matched)

    def papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        """The papers of these ids."""
        return self._shelf.ledger.papers(ids)

    def sentence_features(self, query: Query, paper: Paper) -> dict[str, NDArray[np.float64]]:
        """What the choice among a paper's sentences looks at; for `eval.fit`."""
        question = self._read(query.topic)
        (met,) = self._interactions(question, [paper.id])
        sentences = self._shelf.ledger.sentences([paper.id])[paper.id]
        return sentence_features(query, question, paper, met, sentences, self._shelf.segments)

    def saying(self, phrase: str) -> list[str]:
        """Ids of the papers that have these words in a row in title or abstract, in order of arrival."""
        index, wanted = self._shelf.segments, f" {' '.join(words(phrase))} "
        papers = self._shelf.ledger.papers(index.ids_of(index.having(set(terms(phrase))))).values()
        return [
            paper.id
            for paper in papers
            if any(wanted in f" {' '.join(words(text))} " for text in (paper.title, paper.abstract))
        ]

    def _listed(self, order: Order | None, filters: Filters, limit: int) -> list[Evidence]:
        field, descending = (order.field, order.descending) if order else ("date", True)
        papers = self._shelf.ledger.ordered(filters, field, limit, descending=descending, known=order is not None)
        return [Evidence(paper, 1.0, 0.0, 0.0, 0.0) for paper in papers]

    def _candidates(self, question: EncodedQuestion, filters: Filters) -> _Candidates:
        """The best of both legs among the papers that pass the filters, each scored by both; all that pass, if few do."""
        index = self._shelf.segments
        bm25 = index.scores(question.stems)
        if "lexical" not in self._legs:
            bm25 = np.zeros_like(bm25)
        ledger = self._shelf.ledger
        if filters and not ledger.exceeds(filters, EXACT):
            ids = set(ledger.select(filters))
        else:
            ids = set(self._passing(lambda depth: index.ids_of(_best(bm25, depth)), CANDIDATES, filters))
            if "dense" in self._legs:
                ids.update(self._passing(lambda depth: self._near(question.vector, depth), PASSAGES, filters))
        held = sorted(ids)
        rows = index.rows_of(held)
        there = rows >= 0  # Chroma may have papers that this view of the segments has not
        held, rows = [key for key, is_there in zip(held, there, strict=True) if is_there], rows[there]
        return _Candidates(held, bm25[rows].astype(np.float64), *index.passages(rows))

    def _near(self, vector: Vector, depth: int) -> list[str]:
        index = self._shelf.segments
        if index.passage_count() <= ALL_PASSAGES:
            return index.ids_of(index.nearest(vector, depth))
        return [key for key, _ in self._shelf.nearest(vector, depth)]

    def _passing(self, ranking: Callable[[int], list[str]], wanted: int, filters: Filters) -> list[str]:
        """The first `wanted` of a ranking that pass the filters. Passing is looked up for what was found, ever further down:
        to find first what passes would read all papers where a filter is broad."""
        depth = wanted * (DEEPER if filters else 1)
        while True:
            found = ranking(depth)
            passing = self._shelf.ledger.passing(filters, list(dict.fromkeys(found))) if filters else found
            kept = [key for key in found if key in passing] if filters else found
            if len(kept) >= wanted or len(found) < depth:
                return kept[:wanted]
            depth *= DEEPER


def _best(scores: NDArray[np.float32], count: int) -> list[int]:
    """The rows of the `count` highest scores above 0, the first of those that are level."""
    rows = np.flatnonzero(scores > 0)
    return [int(row) for row in rows[highest(scores[rows], count)]]
