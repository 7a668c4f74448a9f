"""Papers for a query: dense, lexical, feedback and late interaction, fused on an absolute scale."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import terms, words
from rag.index.shelf import Shelf
from rag.retrieve.interaction import EncodedQuestion, interact
from rag.retrieve.scaffold import content_words
from rag.retrieve.spans import sentence_features, with_spans
from rag.types import Evidence, Filters, Paper, Query

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
# Passages asked of Chroma for CANDIDATES papers: a paper has about three. Twice as many of both change no figure.
PASSAGES = 200
# Papers whose words meet the question's one by one.
RERANKED = 50
# Up to so many papers that pass a filter are scored exactly, without Chroma.
EXACT = 2_000

LEGS = frozenset({"dense", "lexical", "feedback", "late", "phrase"})
Vector = NDArray[np.float32]


class _Candidates:
    """The papers under consideration, row by row: ids, BM25, and their passage vectors, one below the other."""

    def __init__(self, vectors: dict[str, Vector], lexical: Mapping[str, float]) -> None:
        self.ids = list(vectors)
        self.lexical = np.array([lexical[key] for key in self.ids])
        self._passages = np.concatenate(list(vectors.values())) if vectors else np.empty((0, 1), np.float32)
        counts = np.array([len(own) for own in vectors.values()], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
        self._sums = np.add.reduceat(self._passages, self._starts, axis=0) if vectors else self._passages
        self._norms = np.linalg.norm(self._sums, axis=1).clip(1e-9)
        self.means = self._sums / counts[:, None] if vectors else self._sums

    def __len__(self) -> int:
        return len(self.ids)

    def cosines(self, vector: Vector) -> NDArray[np.float64]:
        """Of the nearest passage of each."""
        return np.maximum.reduceat(self._passages @ vector, self._starts).astype(np.float64)

    def near(self, vector: Vector) -> NDArray[np.float64]:
        """The mean of two cosines: of the nearest passage, and of the mean of all passages."""
        return np.asarray((self.cosines(vector) + self._sums @ vector / self._norms) / 2)

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

    def search(self, query: Query, limit: int) -> list[Evidence]:
        """The `limit` best papers for the query's topic among those its filters let through, best first.

        Without a topic the papers that pass the filters, in the query's order (newest first by default).
        """
        allowed = self._allowed(query)
        if not query.topic:
            return self._listed(query, allowed, limit)
        question = self._read(query.topic)
        wanted = terms(" ".join(content_words(query.topic)))
        found = self._candidates(question.vector, wanted, allowed)
        if not len(found):
            return []
        scores = self._fused(question, found, limit)
        best = sorted(range(len(found)), key=lambda row: (-scores[row], found.ids[row]))[:limit]
        papers = self._shelf.ledger.papers([found.ids[row] for row in best])
        cosines, coverage = found.cosines(question.vector), self._coverage(wanted, [found.ids[row] for row in best])
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
        tokens = self._shelf.ledger.tokens([found.ids[row] for row in near])
        met = interact(question, [tokens[found.ids[row]] for row in near])
        more = np.zeros(len(near))
        if "late" in self._legs:
            more += [LATE * one.similarity + SENTENCE * one.sentence for one in met]
        if "phrase" in self._legs:
            more += [PHRASE * one.phrases for one in met]
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

    def _coverage(self, wanted: Sequence[str], ids: Sequence[str]) -> list[float]:
        """For each paper the share of the terms' idf mass whose terms it has, in [0, 1]; 0 without terms."""
        index = self._shelf.lexical
        weights = {term: index.idf(term) for term in wanted}
        total = sum(weights.values()) or 1.0
        return [
            sum(weight for term, weight in weights.items() if index.holds(index.row_of[key], term)) / total
            for key in ids
        ]

    def gain(self, topic: str, paper_id: str, taken: Sequence[str]) -> float:
        """The share of the topic's idf mass that stands in the paper and in none of those taken."""
        index = self._shelf.lexical
        weights = {term: index.idf(term) for term in terms(" ".join(content_words(topic)))}
        rows = [index.row_of[key] for key in taken]
        new = (
            weight
            for term, weight in weights.items()
            if index.holds(index.row_of[paper_id], term) and not any(index.holds(row, term) for row in rows)
        )
        return sum(new) / (sum(weights.values()) or 1.0)

    def count_without(self, field: str) -> int:
        """How many papers of the shelf have no value of a metadata field."""
        return self._shelf.ledger.count_without(field)

    def with_spans(self, query: Query, evidence: Sequence[Evidence], *, matched: bool = True) -> list[Evidence]:
        """The same evidence, each paper with its sentences, best for the topic first, and how its words match
        (which a plain search can do without)."""
        return with_spans(query, evidence, self._read(query.topic), self._shelf, matched) if evidence else []

    def papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        """The papers of these ids."""
        return self._shelf.ledger.papers(ids)

    def sentence_features(self, query: Query, paper: Paper) -> dict[str, NDArray[np.float64]]:
        """What the choice among a paper's sentences looks at; for `eval.fit`."""
        question = self._read(query.topic)
        met = interact(question, [self._shelf.ledger.tokens([paper.id])[paper.id]])[0]
        return sentence_features(query, question, paper, met, self._shelf.lexical)

    def saying(self, phrase: str) -> list[str]:
        """Ids of the papers that have these words in a row in title or abstract, in order of arrival."""
        index, wanted = self._shelf.lexical, f" {' '.join(words(phrase))} "
        rows = index.rows(set(terms(phrase)))
        papers = self._shelf.ledger.papers([index.ids[row] for row in rows]).values()
        return [
            paper.id
            for paper in papers
            if any(wanted in f" {' '.join(words(text))} " for text in (paper.title, paper.abstract))
        ]

    def _allowed(self, query: Query) -> list[str] | None:
        """Ids that pass the filters, in order of arrival; None when there is no filter."""
        filters = query.filters
        if query.carried:
            filters = filters.and_also(Filters((("id", "in", query.carried),)))
        return self._shelf.ledger.select(filters) if filters else None

    def _listed(self, query: Query, allowed: list[str] | None, limit: int) -> list[Evidence]:
        ids = self._shelf.ledger.select(Filters()) if allowed is None else allowed
        papers = list(self._shelf.ledger.papers(ids).values())
        if order := query.order:
            papers = [paper for paper in papers if getattr(paper, order.field) is not None]
            papers.sort(key=lambda paper: (getattr(paper, order.field), paper.id), reverse=order.descending)
            if limit < len(papers):  # what stands level with the last is not left out
                level = getattr(papers[limit - 1], order.field)
                limit += sum(getattr(paper, order.field) == level for paper in papers[limit:])
        else:
            papers.sort(key=lambda paper: (paper.date or "", paper.id), reverse=True)
        return [Evidence(paper, 1.0, 0.0, 0.0, 0.0) for paper in papers[:limit]]

    def _candidates(self, vector: Vector, wanted: Sequence[str], allowed: list[str] | None) -> _Candidates:
        """The best of both legs among the papers allowed, each scored by both."""
        index = self._shelf.lexical
        bm25 = index.scores(wanted) if "lexical" in self._legs else np.zeros(len(index.ids), np.float32)
        if allowed is not None:
            passing = np.zeros(len(bm25), dtype=bool)
            passing[[index.row_of[key] for key in allowed if key in index.row_of]] = True
            bm25 = np.where(passing, bm25, 0).astype(np.float32)
        rows = np.argsort(-bm25, kind="stable")[:CANDIDATES]
        ids = {index.ids[row] for row in rows if bm25[row] > 0}
        if allowed is not None and len(allowed) <= EXACT:
            ids |= set(allowed)
        elif "dense" in self._legs:
            near = {key for key, _ in self._shelf.nearest(vector, PASSAGES)}
            ids |= near if allowed is None else near & set(allowed)
        vectors = self._shelf.ledger.vectors(sorted(key for key in ids if key in index.row_of))
        return _Candidates(vectors, {key: float(bm25[index.row_of[key]]) for key in vectors})
