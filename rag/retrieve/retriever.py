"""Papers for a query: dense, lexical, feedback and late interaction, fused on an absolute scale."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import terms
from rag.index.shelf import Shelf
from rag.index.tokens import cosines
from rag.retrieve.query import content_words
from rag.retrieve.spans import QuestionVectors, sentence_fit, with_spans
from rag.types import Evidence, Filters, Query

# score = cosine + LEXICAL * BM25 / max BM25 + LATE * max-sim: additive, so that it keeps an absolute scale, which
# reciprocal rank fusion loses together with 1.5 points of nDCG@10. Weights of the legs are flat around these values
# (`eval/LOG.md`).
LEXICAL, LATE = 0.5, 0.75
# Pseudo-relevance feedback: the question's vector moves this far towards the mean of the best papers.
FEEDBACK_PAPERS, FEEDBACK = 5, 0.5
# Candidates of each leg; what one leg did not score for a candidate of the other is filled in exactly.
CANDIDATES = 100
# Passages asked of Chroma for CANDIDATES papers: a paper has about two.
PASSAGES = 3 * CANDIDATES
# Papers whose words meet the question's one by one.
RERANKED = 50
# Up to so many papers that pass a filter are scored exactly, without Chroma.
EXACT = 2_000

LEGS = frozenset({"dense", "lexical", "feedback", "late"})
Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A paper under consideration: cosine of its nearest passage, BM25, and its passage vectors."""

    id: str
    cosine: float
    lexical: float
    vectors: Vector


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
        self._read = lru_cache(maxsize=4)(lambda topic: QuestionVectors.read(topic, shelf))

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
        scores = self._fused(question, found, limit)
        best = sorted(zip(found, scores, strict=True), key=lambda pair: (-pair[1], pair[0].id))[:limit]
        papers = self._shelf.ledger.papers([item.id for item, _ in best])
        return [
            Evidence(papers[item.id], score, item.cosine, item.lexical, self.coverage(wanted, item.id))
            for item, score in best
        ]

    def _fused(self, question: QuestionVectors, found: Sequence[_Candidate], limit: int) -> list[float]:
        """The score of each candidate; those that are not reranked score what they would with the least max-sim."""
        top = max((item.lexical for item in found), default=0.0) or 1.0
        words = np.array([LEXICAL * item.lexical / top for item in found])
        dense = np.array([item.cosine if "dense" in self._legs else 0.0 for item in found])
        if "feedback" in self._legs and "dense" in self._legs and found:
            leaders = np.argsort(-(dense + words), kind="stable")[:FEEDBACK_PAPERS]
            moved = question.vector + FEEDBACK * np.mean([found[at].vectors.mean(axis=0) for at in leaders], axis=0)
            moved /= np.linalg.norm(moved)
            dense = np.array([(item.vectors @ moved).max() for item in found])
        scores = dense + words
        if "late" in self._legs and found:
            near = np.argsort(-scores, kind="stable")[: max(RERANKED, limit)]
            tokens = self._shelf.ledger.tokens([found[at].id for at in near])
            compared = cosines(question.tokens, [tokens[found[at].id] for at in near])
            similar = np.array([question.similarity(own) for own in compared])
            late = np.full(len(found), similar.min())
            late[near] = similar
            scores = scores + LATE * late
        return [float(score) for score in scores]

    def coverage(self, wanted: Sequence[str], paper_id: str) -> float:
        """The share of the terms' idf mass whose terms stand in the paper, in [0, 1]; 0 without terms."""
        index = self._shelf.lexical
        weights = {term: index.idf(term) for term in wanted}
        row = index.row_of.get(paper_id)
        total = sum(weights.values())
        if row is None or not total:
            return 0.0
        return sum(weight for term, weight in weights.items() if index.holds(row, term)) / total

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

    def with_spans(self, topic: str, evidence: Sequence[Evidence]) -> list[Evidence]:
        """The same evidence, each paper with its sentences, best for `topic` first."""
        return with_spans(topic, evidence, self._read(topic), self._shelf) if evidence else []

    def sentence_fit(self, topic: str, item: Evidence) -> float:
        """How well one sentence of the paper, taken alone, answers; see `rag.retrieve.spans`."""
        return sentence_fit(topic, item, self._shelf)

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
        else:
            papers.sort(key=lambda paper: (paper.date or "", paper.id), reverse=True)
        return [Evidence(paper, 1.0, 0.0, 0.0, 0.0) for paper in papers[:limit]]

    def _candidates(self, vector: Vector, wanted: Sequence[str], allowed: list[str] | None) -> list[_Candidate]:
        """The best of both legs among the papers allowed, each scored by both."""
        index = self._shelf.lexical
        words = index.scores(wanted) if "lexical" in self._legs else np.zeros(len(index.ids), dtype=np.float32)
        if allowed is not None:
            passing = np.zeros(len(words), dtype=bool)
            passing[[index.row_of[key] for key in allowed if key in index.row_of]] = True
            words = np.where(passing, words, 0).astype(np.float32)
        rows = np.argsort(-words, kind="stable")[:CANDIDATES]
        ids = {index.ids[row] for row in rows if words[row] > 0}
        if allowed is not None and len(allowed) <= EXACT:
            ids |= set(allowed)
        elif "dense" in self._legs:
            near = {key for key, _ in self._shelf.nearest(vector, PASSAGES)}
            ids |= near if allowed is None else near & set(allowed)
        vectors = self._shelf.ledger.vectors(sorted(ids))
        return [
            _Candidate(key, float((own @ vector).max()), float(words[index.row_of[key]]), own)
            for key, own in vectors.items()
            if key in index.row_of
        ]
