"""Which sentence answers: late interaction over kept word-piece vectors, the question's words, and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import LexicalIndex, terms
from rag.index.shelf import Shelf
from rag.index.tokens import cosines
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.retrieve.query import content_words
from rag.types import Evidence, Span

# fit = max-sim + WORDS * words + NUMBER * (a figure where one is asked for). On the evidence of the
# development questions the gold sentence is first in 58 % and among two in 74 % (cosine: 46 and 63 %).
WORDS, NUMBER = 0.3, 0.3
_QUANTITY = re.compile(
    r"\bhow (?:many|much|far|long|large|big|small|fast|quick|often|\w+er|more|less)\b"
    r"|\bwhat (?:percentage|share|proportion|fraction|number)\b"
    r"|\b(?:speed-?ups?|scores?|accuracy|perplexity|f1|numbers?|throughput|percentage|savings?|gains?|sizes?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class QuestionVectors:
    """A question encoded once: its vector, its word pieces' projected vectors and their weights."""

    vector: NDArray[np.float32]
    tokens: NDArray[np.float32]
    weights: NDArray[np.float64]

    @classmethod
    def read(cls, text: str, shelf: Shelf) -> QuestionVectors:
        _, vector, parts = next(shelf.embedder.embed_parts([[text]]))
        ids, vectors = parts[0]
        return cls(vector, vectors @ shelf.projection, shelf.embedder.informativeness(ids))

    def similarity(self, cosines: NDArray[np.float32]) -> float:
        """Max-sim with the kept tokens of a paper or a sentence (tokens x question tokens): the weighed mean of
        each question token's best cosine (Khattab and Zaharia, "ColBERT", 2020)."""
        return float(cosines.max(axis=0).clip(0, 1) @ self.weights / self.weights.sum()) if cosines.size else 0.0


def with_spans(topic: str, evidence: Sequence[Evidence], question: QuestionVectors, shelf: Shelf) -> list[Evidence]:
    """The same evidence, each paper with its sentences, best for `topic` first.

    A sentence's words were encoded within their passage, so that "it" is read with what it stands for.
    """
    tokens = shelf.ledger.tokens([item.paper.id for item in evidence])
    figure = NUMBER if _QUANTITY.search(topic) else 0.0
    ranked = []
    compared = cosines(question.tokens, [tokens[item.paper.id] for item in evidence])
    for item, own in zip(evidence, compared, strict=True):
        spans = split_sentences(item.paper.abstract)
        texts = [readable(item.paper.abstract[start:end]) for start, end in spans]
        numbers = tokens[item.paper.id].sentences
        similar = [question.similarity(own[numbers == number]) for number in range(len(spans))]
        fits = [
            Span(start, end, value + WORDS * share + figure * bool(re.search(r"\d", text)))
            for (start, end), value, share, text in zip(
                spans, similar, _word_shares(topic, texts, shelf.lexical), texts, strict=True
            )
        ]
        ordered = tuple(sorted(fits, key=lambda span: (-span.score, span.start)))
        ranked.append(replace(item, similarity=question.similarity(own), spans=ordered))
    return ranked


def sentence_fit(topic: str, item: Evidence, shelf: Shelf) -> float:
    """How well one sentence alone answers: the best sum of its own cosine and half its share of the
    question's idf mass. Absolute, unlike the scores of spans, so it can tell that nothing answers."""
    texts = [readable(item.paper.abstract[span.start : span.end]) for span in item.spans]
    if not texts:
        return 0.0
    vectors = shelf.embedder.embed([topic, *texts])
    weights = {term: shelf.lexical.idf(term) for term in terms(" ".join(content_words(topic)))}
    total = sum(weights.values()) or 1.0
    shares = [sum(weight for term, weight in weights.items() if term in set(terms(text))) / total for text in texts]
    return max(float(cosine) + share / 2 for cosine, share in zip(vectors[1:] @ vectors[0], shares, strict=True))


def _word_shares(topic: str, texts: Sequence[str], index: LexicalIndex) -> list[float]:
    """For each sentence the share of the question's informative words in it; a word that stands in every
    sentence of the paper tells nothing between them and weighs little."""
    stems = [set(terms(text)) for text in texts]
    weights = {}
    for term in terms(" ".join(content_words(topic))):
        if held := sum(term in own for own in stems):
            weights[term] = index.idf(term) * math.log((len(texts) + 1) / (held + 0.5))
    total = sum(weights.values())
    return [sum(weight for term, weight in weights.items() if term in own) / total if total else 0.0 for own in stems]
