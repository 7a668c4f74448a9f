"""Which sentence answers: late interaction over kept word-piece vectors, words, figures, and the parts sentences play."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag.index.segments import Segments
from rag.index.shelf import Shelf
from rag.retrieve.aspect import asks_figure, sorts_asked
from rag.retrieve.interaction import EncodedQuestion, Interaction
from rag.retrieve.match import Meeting, has_figure, match
from rag.types import Evidence, Match, Paper, Query, Role, Sentence, Span

# How well a sentence fits: max-sim + WORDS * words + NUMBER * (a figure where one is asked for).
WORDS, NUMBER = 0.3, 0.3
# P(this sentence of its paper answers) = softmax over its sentences of the sum of these; `a_b` is the part b when a sort
# of answer a is asked for. By `python -m eval.fit`; the sentence is first in 0.68 of the questions left out, and
# among the first two in 0.83 (with the fit alone 0.62 and 0.79).
CHOICE = {"similarity": 8.16, "words": 1.11, "figure": 3.12, "met": 2.67, "thing": 1.18, "first": -1.18, "length": -0.07, "problem": -0.33, "method": 0.2, "data": 0.83, "result": -0.12, "resource": -0.11, "figure_problem": -0.45, "figure_method": -0.56, "figure_data": -0.09, "figure_result": 0.73, "figure_resource": 0.03, "how_method": 1.52, "how_result": 0.26, "data_data": 1.23, "release_resource": 2.25, "why_problem": 4.11, "which_result": 1.31}  # fmt: skip

Array = NDArray[np.float64]


def with_spans(
    query: Query,
    evidence: Sequence[Evidence],
    question: EncodedQuestion,
    met: Sequence[Interaction],
    shelf: Shelf,
    matched: bool = True,
) -> list[Evidence]:
    """The same evidence, each paper with its sentences, the likeliest to answer first, and how its words match.

    A sentence's words were encoded within their passage, so that "it" is read with what it stands for.

    Args:
        query: the question as understood.
        evidence: the papers.
        question: the topic, encoded.
        met: how each paper meets it.
        shelf: the shelf.
        matched: whether to look at words one by one, which a plain search can do without.
    """
    held = shelf.ledger.sentences([item.paper.id for item in evidence])
    figures = asks_figure(question.text)
    ranked = []
    for item, interaction in zip(evidence, met, strict=True):
        sentences = held[item.paper.id]
        basics = _basics(question, interaction, sentences, shelf.segments)
        fits = basics["similarity"] + WORDS * basics["words"]
        if figures:
            fits = fits + NUMBER * has_figure(sentences)
        found, odds = Match(), np.zeros(len(sentences))
        if matched:
            meeting = Meeting.read(query, question, item.paper, interaction, sentences, shelf.segments)
            odds = choice(_features(query, sentences, meeting, basics), CHOICE)
            found = match(query, item.paper, interaction, shelf.segments, meeting)
        spans = [
            Span(one.start, one.end, fit, one.role, p)
            for one, fit, p in zip(sentences, fits.tolist(), odds.tolist(), strict=True)
        ]
        spans.sort(key=lambda span: (-span.probability, -span.score, span.start))
        ranked.append(replace(item, similarity=interaction.similarity, match=found, spans=tuple(spans)))
    return ranked


def _basics(
    question: EncodedQuestion, interaction: Interaction, sentences: Sequence[Sentence], index: Segments
) -> dict[str, Array]:
    """What both the fit of a sentence and the choice among them rest on; comparable between papers."""
    return {
        "similarity": _similar(question, interaction, len(sentences)),
        "words": _word_shares(question.stems, sentences, index),
    }


def choice(features: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """The probability of each sentence: softmax of the weighed features."""
    logits = sum((weight * features[name] for name, weight in weights.items()), np.zeros(len(features["words"])))
    odds = np.exp(logits - logits.max(initial=0.0))
    return np.asarray(odds / (odds.sum() or 1.0))


def sentence_features(
    query: Query,
    question: EncodedQuestion,
    paper: Paper,
    interaction: Interaction,
    sentences: Sequence[Sentence],
    index: Segments,
) -> dict[str, Array]:
    """What `choice` looks at, by name; one value a sentence of the paper."""
    meeting = Meeting.read(query, question, paper, interaction, sentences, index)
    return _features(query, sentences, meeting, _basics(question, interaction, sentences, index))


def _features(
    query: Query, sentences: Sequence[Sentence], meeting: Meeting, basics: Mapping[str, Array]
) -> dict[str, Array]:
    count, each = len(sentences), meeting.each
    features = {
        **basics,
        "figure": meeting.figures.astype(np.float64) * meeting.figure,
        "met": each @ meeting.rarity if meeting.words else np.zeros(count),
        "thing": each[:, meeting.wanted].mean(axis=1) if meeting.wanted else np.zeros(count),
        "first": np.array([float(at == 0) for at in range(count)]),
        "length": np.log([one.words + 1 for one in sentences]) if count else np.zeros(0),
    }
    features |= {part.value: np.array([float(one.role is part) for one in sentences]) for part in Role}
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


def _word_shares(wanted: Sequence[str], sentences: Sequence[Sentence], index: Segments) -> Array:
    """For each sentence the share of the question's informative words in it; a word that stands in every
    sentence of the paper tells nothing between them and weighs little."""
    asked = dict.fromkeys(wanted)
    held = [asked.keys() & one.stems for one in sentences]
    counts = Counter(itertools.chain.from_iterable(held))
    weights = {
        term: index.idf(term) * math.log((len(sentences) + 1) / (counts[term] + 0.5))
        for term in asked
        if term in counts
    }
    total = sum(weights.values()) or 1.0
    # In the order of the question: the sum must not depend on how a set lies in memory.
    return np.array([sum(weights[term] for term in asked if term in own) / total for own in held])
