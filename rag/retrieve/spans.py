"""Which sentence answers: late interaction over kept word-piece vectors, words, figures, and the parts sentences play."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import LexicalIndex, terms
from rag.index.shelf import Shelf
from rag.ingest.repair import readable
from rag.ingest.roles import roles
from rag.ingest.sentences import split_sentences
from rag.retrieve.aspect import asks_figure, sorts_asked
from rag.retrieve.interaction import EncodedQuestion, Interaction, interact
from rag.retrieve.match import Meeting, Sentences, has_figure, match
from rag.retrieve.scaffold import content_words
from rag.types import Evidence, Match, Paper, Query, Role, Span

# How well a sentence fits: max-sim + WORDS * words + NUMBER * (a figure where one is asked for).
WORDS, NUMBER = 0.3, 0.3
# P(this sentence of its paper answers) = softmax over its sentences of the sum of these; `a_b` is the part b when a sort
# of answer a is asked for. By `python -m eval.fit`; the sentence is first in 0.68 of the questions left out, and
# among the first two in 0.83 (with the fit alone 0.62 and 0.79).
CHOICE = {"similarity": 8.16, "words": 1.11, "figure": 3.12, "met": 2.67, "thing": 1.18, "first": -1.18, "length": -0.07, "problem": -0.33, "method": 0.2, "data": 0.83, "result": -0.12, "resource": -0.11, "figure_problem": -0.45, "figure_method": -0.56, "figure_data": -0.09, "figure_result": 0.73, "figure_resource": 0.03, "how_method": 1.52, "how_result": 0.26, "data_data": 1.23, "release_resource": 2.25, "why_problem": 4.11, "which_result": 1.31}  # fmt: skip

Array = NDArray[np.float64]


def with_spans(
    query: Query, evidence: Sequence[Evidence], question: EncodedQuestion, shelf: Shelf, matched: bool = True
) -> list[Evidence]:
    """The same evidence, each paper with its sentences, the likeliest to answer first, and how its words match.

    A sentence's words were encoded within their passage, so that "it" is read with what it stands for.
    """
    tokens = shelf.ledger.tokens([item.paper.id for item in evidence])
    met = interact(question, [tokens[item.paper.id] for item in evidence])
    ranked = []
    for item, interaction in zip(evidence, met, strict=True):
        places, sentences = read_abstract(item.paper.abstract)
        basics = _basics(question, interaction, sentences, shelf.lexical)
        figures = asks_figure(question.text) * has_figure(sentences)
        fits = basics["similarity"] + WORDS * basics["words"] + NUMBER * figures
        found, spans = Match(), [Span(*place, score=float(fit)) for place, fit in zip(places, fits, strict=True)]
        if matched:
            meeting = Meeting.read(query, question, item.paper, interaction, sentences, shelf.lexical)
            features = _features(query, item.paper, sentences, meeting, basics)
            played, odds = parts(item.paper.abstract), choice(features, CHOICE)
            spans = [
                replace(span, role=part, probability=float(p))
                for span, part, p in zip(spans, played, odds, strict=True)
            ]
            found = match(query, item.paper, interaction, sentences, shelf.lexical, meeting)
        spans.sort(key=lambda span: (-span.probability, -span.score, span.start))
        ranked.append(replace(item, similarity=interaction.similarity, match=found, spans=tuple(spans)))
    return ranked


def _basics(
    question: EncodedQuestion, interaction: Interaction, sentences: Sentences, index: LexicalIndex
) -> dict[str, Array]:
    """What both the fit of a sentence and the choice among them rest on; comparable between papers."""
    return {
        "similarity": _similar(question, interaction, len(sentences)),
        "words": np.array(_word_shares(question.text, [stems for _, stems in sentences], index)),
    }


@lru_cache(maxsize=4_096)
def read_abstract(
    abstract: str,
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[str, frozenset[str]], ...]]:
    """The sentences of an abstract: their half-open offsets, and how they read with their stems.

    Kept for the papers that were looked at last: a conversation goes on about the same ones.
    """
    places = tuple(split_sentences(abstract))
    texts = [readable(abstract[start:end]) for start, end in places]
    return places, tuple((text, frozenset(terms(text))) for text in texts)


@lru_cache(maxsize=4_096)
def parts(abstract: str) -> tuple[Role, ...]:
    """The part of each sentence of an abstract."""
    return tuple(roles([text for text, _ in read_abstract(abstract)[1]]))


def choice(features: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """The probability of each sentence: softmax of the weighed features."""
    logits = sum((weight * features[name] for name, weight in weights.items()), np.zeros(len(features["words"])))
    odds = np.exp(logits - logits.max(initial=0.0))
    return np.asarray(odds / (odds.sum() or 1.0))


def sentence_features(
    query: Query, question: EncodedQuestion, paper: Paper, interaction: Interaction, index: LexicalIndex
) -> dict[str, Array]:
    """What `choice` looks at, by name; one value a sentence of the paper."""
    sentences = read_abstract(paper.abstract)[1]
    meeting = Meeting.read(query, question, paper, interaction, sentences, index)
    return _features(query, paper, sentences, meeting, _basics(question, interaction, sentences, index))


def _features(
    query: Query, paper: Paper, sentences: Sentences, meeting: Meeting, basics: Mapping[str, Array]
) -> dict[str, Array]:
    count, each = len(sentences), meeting.each
    features = {
        **basics,
        "figure": meeting.figures.astype(np.float64) * meeting.figure,
        "met": each @ meeting.rarity if meeting.words else np.zeros(count),
        "thing": each[:, meeting.wanted].mean(axis=1) if meeting.wanted else np.zeros(count),
        "first": np.array([float(at == 0) for at in range(count)]),
        "length": np.log([len(text.split()) + 1 for text, _ in sentences]) if count else np.zeros(0),
    }
    played = parts(paper.abstract)
    features |= {part.value: np.array([float(one is part) for one in played]) for part in Role}
    asked = sorts_asked(query.question)
    for name in CHOICE:
        if "_" in name:
            sort, part = name.split("_")
            features[name] = features[part] * (sort in asked)
    return features


def _similar(question: EncodedQuestion, interaction: Interaction, count: int) -> Array:
    """The max-sim of each of the `count` sentences; one without a kept word scores 0."""
    found = np.zeros(count)
    weights = question.weights / (question.weights.sum() or 1.0)
    for number, similarity in zip(interaction.sentences, interaction.cosines @ weights, strict=True):
        if 0 <= number < count:
            found[number] = max(found[number], similarity)
    return found


def _word_shares(topic: str, stems: Sequence[frozenset[str]], index: LexicalIndex) -> list[float]:
    """For each sentence the share of the question's informative words in it; a word that stands in every
    sentence of the paper tells nothing between them and weighs little."""
    weights = {}
    for term in terms(" ".join(content_words(topic))):
        if held := sum(term in own for own in stems):
            weights[term] = index.idf(term) * math.log((len(stems) + 1) / (held + 0.5))
    total = sum(weights.values())
    return [sum(weight for term, weight in weights.items() if term in own) / total if total else 0.0 for own in stems]
