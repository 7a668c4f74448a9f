"""Which sentence of a paper answers: late interaction over the words in their context, with the question's words and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rag.index.embed import MAX_TOKENS, Embedder
from rag.index.lexical import LexicalIndex, terms
from rag.ingest.chunk import cut
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.retrieve.query import content_words
from rag.types import Evidence, Paper, Span

# fit = max-sim + WORDS * words + NUMBER * (a figure where one is asked for). On the evidence of the
# development questions the gold sentence is first in 59 % and among two in 75 % (cosine: 46 and 63 %).
WORDS, NUMBER = 0.3, 0.3
_QUANTITY = re.compile(
    r"\bhow (?:many|much|far|long|large|big|small|fast|quick|often|\w+er|more|less)\b|\bwhat (?:percentage|share|proportion|fraction|number)\b"
    r"|\b(?:speed-?ups?|scores?|accuracy|perplexity|f1|numbers?|throughput|percentage|savings?|gains?|sizes?)\b",
    re.IGNORECASE,
)


def with_spans(topic: str, evidence: Sequence[Evidence], embedder: Embedder, index: LexicalIndex) -> list[Evidence]:
    """The same evidence, each paper with its sentences, best for `topic` first.

    A sentence's words are encoded within their passage (title, neighbours), so that "it" is read with
    what it stands for; max-sim is the informative mean over the question's word pieces of their greatest
    cosine (Khattab and Zaharia, "ColBERT", 2020).
    """
    ids, question = embedder.embed_tokens([topic])[0]
    weights = embedder.informativeness(ids)
    passages = [_passages(item.paper, embedder) for item in evidence]
    encoded = iter(embedder.embed_parts([[readable(item.paper.title) + ".", *texts] for item, own in zip(evidence, passages, strict=True) for _, texts in own]))
    ranked = []
    for item, own in zip(evidence, passages, strict=True):
        spans: list[tuple[int, int]] = []
        similar: list[float] = []
        nearest = np.zeros(len(question))
        for offsets, _ in own:
            for span, vectors in zip(offsets, next(encoded)[1:], strict=True):
                best = (question @ vectors.T).max(axis=1).clip(0, 1) if len(vectors) else np.zeros(len(question))
                spans.append(span)
                similar.append(_weighted(best, weights))
                nearest = np.maximum(nearest, best)
        texts = [text for _, passage in own for text in passage]
        bonus = _word_shares(topic, texts, index)
        figure = NUMBER if _QUANTITY.search(topic) else 0.0
        fits = [
            Span(start, end, value + WORDS * share + figure * bool(re.search(r"\d", text)))
            for (start, end), value, share, text in zip(spans, similar, bonus, texts, strict=True)
        ]
        ranked.append(replace(item, similarity=_weighted(nearest, weights), spans=tuple(sorted(fits, key=lambda span: (-span.score, span.start)))))
    return ranked


def sentence_fit(topic: str, item: Evidence, embedder: Embedder, index: LexicalIndex) -> float:
    """How well one sentence alone answers: the best sum of its own cosine and half its share of the
    question's idf mass. Absolute, unlike the scores of spans, so it can tell that nothing answers."""
    texts = [readable(item.paper.abstract[span.start : span.end]) for span in item.spans]
    if not texts:
        return 0.0
    vectors = embedder.embed([topic, *texts])
    weights = {term: index.idf(term) for term in terms(" ".join(content_words(topic)))}
    total = sum(weights.values()) or 1.0
    shares = [sum(weight for term, weight in weights.items() if term in set(terms(text))) / total for text in texts]
    return max(float(cosine) + share / 2 for cosine, share in zip(vectors[1:] @ vectors[0], shares, strict=True))


def _weighted(values: np.ndarray, weights: np.ndarray) -> float:
    return float((weights * values).sum() / weights.sum()) if len(weights) else 0.0


def _passages(paper: Paper, embedder: Embedder) -> list[tuple[list[tuple[int, int]], list[str]]]:
    """The paper's sentences, as offsets and as they read, in groups that the encoder sees whole."""
    sentences = split_sentences(paper.abstract)
    groups: list[tuple[list[tuple[int, int]], list[str]]] = []
    for passage in cut(paper, lambda text: len(embedder.token_ids(text)), MAX_TOKENS):
        own = [(start, end) for start, end in sentences if passage.start <= start < passage.end]
        if own:
            groups.append((own, [readable(paper.abstract[start:end]) for start, end in own]))
    return groups


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
