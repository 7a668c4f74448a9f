"""Which papers answer a query, and whether any does: the cut and the abstention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.retrieve.retriever import Retriever
from rag.types import Evidence, Filters, Query, Shape

# Papers looked at sentence by sentence.
POOL = {Shape.LIST: 12, Shape.COUNT: 12, Shape.FACT: 6, Shape.COMPARE: 8}
LARGEST_POOL = 96
# P(a paper of the pool belongs in the answer) = sigmoid(RELEVANCE . features + RELEVANCE_BIAS), of: its BM25 over the
# pool's best, coverage, fit of its best sentence, how far that is below the pool's best, and how far its cosine is.
# Fitted on the list questions over digests and over raw pages by `python -m eval.fit`: F1 0.78 on questions left out.
RELEVANCE = (3.51, 3.24, 2.09, 6.39, 9.14)
RELEVANCE_BIAS = -3.36
LIST_THRESHOLD = 0.3  # flat from 0.25 to 0.35; a paper too many costs a reader more than one too few
# A fact is told from one paper, or from two that stand as close as this.
FACT_SHARE = 0.97
# A comparison has at most so many sides; a third that is not named must hold this share of the question's words
# that the first two do not.
MOST_SIDES, SIDE_GAIN = 3, 0.12
# P(the shelf answers) = sigmoid(ANSWERABLE . (cosine, coverage, best single sentence, max-sim) + ANSWERABLE_BIAS) of the
# best paper, fitted there too, half of the questions with their gold papers taken away. Below the threshold: abstain.
# It costs 4 % of the answerable ones.
ANSWERABLE = (4.92, 2.04, 5.04, 11.53)
ANSWERABLE_BIAS = -9.81
ANSWERABLE_THRESHOLD = 0.2
SUGGESTIONS = 3


@dataclass(frozen=True, slots=True)
class Gathered:
    """Evidence to write from, best first; or, when `reason` is set, why there is none, and what is nearest."""

    kept: tuple[Evidence, ...] = ()
    nearest: tuple[Evidence, ...] = ()
    reason: str | None = None
    notes: tuple[str, ...] = ()


def gather(readings: Sequence[Query], retriever: Retriever) -> tuple[Query, Gathered]:
    """Search, cut and decide whether the shelf answers: the first reading of the question that it does answer,
    or else the first reading with the reason why not."""
    tried: list[tuple[Query, Gathered]] = []
    for query in readings:
        tried.append((query, _gather(query, retriever)))
        if tried[-1][1].kept:
            return tried[-1]
    return tried[0]


def _gather(query: Query, retriever: Retriever) -> Gathered:
    if query.missing:
        nearest = _named(query, retriever)
        return Gathered(nearest=nearest, reason=query.missing)
    if query.field and query.names:
        ids = tuple(key for name in query.names for key in name.papers)
        return _by_metadata(replace(query, topic="", order=None, carried=ids), retriever)
    if not query.topic:
        return _by_metadata(query, retriever)
    pool = _whole_pool(query, retriever)
    named = _named(query, retriever)
    if not pool and not named:
        return Gathered(
            reason=_nothing_passes(query)
            if query.filters or query.carried
            else "nothing on the shelf comes near this question"
        )
    kept = _kept(query, pool, named, retriever)
    if not kept:
        nearest = tuple(named or pool)[:SUGGESTIONS]
        return Gathered(nearest=nearest, reason=_not_covered(query, bool(named)))
    return Gathered(
        kept=tuple(kept),
        nearest=tuple(item for item in pool if item not in kept)[:SUGGESTIONS],
        notes=_collisions(query),
    )


def search_pool(query: Query, retriever: Retriever, size: int | None = None) -> list[Evidence]:
    """The papers that are looked at sentence by sentence, likeliest first."""
    found = retriever.search(query, (size or POOL[query.shape]) + len(query.excluded))
    return _ranked(query, [item for item in found if item.paper.id not in query.excluded], retriever)


def _whole_pool(query: Query, retriever: Retriever) -> list[Evidence]:
    """The pool, made larger as long as a list or count would keep all of it."""
    size = POOL[query.shape]
    pool = search_pool(query, retriever, size)
    while query.shape in (Shape.LIST, Shape.COUNT) and len(pool) >= size and size < LARGEST_POOL:
        if any(relevance(item, pool) < LIST_THRESHOLD for item in pool):
            break
        size *= 2
        pool = search_pool(query, retriever, size)
    return pool


def relevance_features(item: Evidence, pool: Sequence[Evidence]) -> tuple[float, ...]:
    """What `relevance` looks at."""
    fit = _fit(item)
    return (
        item.lexical / (max(other.lexical for other in pool) or 1.0),
        item.coverage,
        fit,
        fit - max(map(_fit, pool)),
        item.cosine - max(other.cosine for other in pool),
    )


def relevance(item: Evidence, pool: Sequence[Evidence]) -> float:
    """Estimated probability that a paper of the pool belongs in the answer."""
    return _sigmoid(RELEVANCE, relevance_features(item, pool), RELEVANCE_BIAS)


def answerable_features(query: Query, item: Evidence, retriever: Retriever) -> tuple[float, ...]:
    """What `answerable` looks at."""
    return item.cosine, item.coverage, retriever.sentence_fit(query.topic, item), item.similarity


def answerable(query: Query, item: Evidence, retriever: Retriever) -> float:
    """Estimated probability that the paper answers the question."""
    return _sigmoid(ANSWERABLE, answerable_features(query, item, retriever), ANSWERABLE_BIAS)


def _sigmoid(weights: Sequence[float], features: Sequence[float], bias: float) -> float:
    return 1 / (1 + math.exp(-(sum(weight * value for weight, value in zip(weights, features, strict=True)) + bias)))


def _fit(item: Evidence) -> float:
    return item.spans[0].score if item.spans else 0.0


def _kept(query: Query, pool: list[Evidence], named: tuple[Evidence, ...], retriever: Retriever) -> list[Evidence]:
    """The papers to answer from, best first; none when none of them answers."""
    if query.shape is Shape.COMPARE:
        kept = _sides(query, pool, named, retriever)
    elif query.shape is Shape.FACT:
        best = sorted(named or pool, key=lambda item: item.score, reverse=True)
        kept = [item for item in best[:2] if item.score >= FACT_SHARE * best[0].score]
    else:
        kept = [item for item in pool if relevance(item, pool) >= LIST_THRESHOLD] or pool[:1]
    # Sides that are named are compared as asked: each holds only part of the question's words.
    asked_for = query.carried or (query.shape is Shape.COMPARE and len(named) > 1)
    if asked_for or any(answerable(query, item, retriever) >= ANSWERABLE_THRESHOLD for item in kept[:2]):
        return kept
    return []


def _sides(query: Query, pool: list[Evidence], named: tuple[Evidence, ...], retriever: Retriever) -> list[Evidence]:
    """The papers compared: those named, then those that hold what of the question no side holds yet."""
    sides = list(named)
    others = [item for item in pool if item.paper.id not in {side.paper.id for side in named}]
    while others and len(sides) < MOST_SIDES:
        taken = [side.paper.id for side in sides]
        gains = {item.paper.id: retriever.gain(query.topic, item.paper.id, taken) for item in others}
        best = max(others, key=lambda item: item.score + gains[item.paper.id])
        if len(sides) >= 2 and gains[best.paper.id] < SIDE_GAIN:
            break
        sides.append(best)
        others.remove(best)
    return sides


def _ranked(query: Query, found: Sequence[Evidence], retriever: Retriever) -> list[Evidence]:
    pool = retriever.with_spans(query.topic, found)
    return sorted(pool, key=lambda item: relevance(item, pool), reverse=True)


def _named(query: Query, retriever: Retriever) -> tuple[Evidence, ...]:
    """One piece of evidence for each name in the question, in its order; of a name's senses the best."""
    ids = tuple(dict.fromkeys(paper for name in query.names for paper in name.papers))
    if not ids:
        return ()
    only = replace(query, filters=Filters((("id", "in", ids),)), carried=(), topic=query.topic or query.question)
    found = {item.paper.id: item for item in _ranked(only, retriever.search(only, len(ids)), retriever)}
    chosen: dict[str, Evidence] = {}
    for name in query.names:
        senses = [found[paper] for paper in name.papers if paper in found]
        if senses and not any(item.paper.id in chosen for item in senses):
            best = max(senses, key=lambda item: item.score)
            chosen[best.paper.id] = best
    return tuple(chosen.values())


def _by_metadata(query: Query, retriever: Retriever) -> Gathered:
    found = retriever.search(query, query.order.limit or 1 if query.order else 10_000)
    if not found:
        return Gathered(reason=_nothing_passes(query))
    if query.field and all(getattr(item.paper, query.field) is None for item in found):
        what = query.field.replace("_", " ").removesuffix(" count")
        return Gathered(nearest=tuple(found), reason=f"the pages it was read from give no {what} of this paper")
    fields = {field for field, _, _ in query.filters.conditions} | ({query.order.field} if query.order else set())
    operators = {operator for _, operator, _ in query.filters.conditions}
    notes = []
    for field, what in (("date", "a date"), ("year", "a year"), ("author_count", "a number of authors")):
        if field in fields and ("known" not in operators) and (unknown := retriever.count_without(field)):
            notes.append(
                f"{unknown} {'paper has' if unknown == 1 else 'papers have'} no record of {what} and cannot be counted."
            )
    return Gathered(kept=tuple(found), notes=tuple(notes))


def _nothing_passes(query: Query) -> str:
    return "no paper on the shelf meets the conditions" + (f" ({describe(query.filters)})" if query.filters else "")


def describe(filters: Filters) -> str:
    """The conditions in words: `year >= 2023, organization: microsoft`."""
    signs = {"eq": "=", "gte": "≥", "lte": "≤", "gt": ">", "lt": "<", "known": "known:"}
    return ", ".join(
        f"{field.replace('_', ' ')} {signs.get(operator, operator)} {value}"
        for field, operator, value in filters.conditions
        if field != "id"
    )


def _not_covered(query: Query, named: bool) -> str:
    return "the papers named in the question do not say" if named else "no paper on the shelf says anything about this"


def _collisions(query: Query) -> tuple[str, ...]:
    return tuple(
        f"“{name.name}” is the name of {len(name.papers)} papers here."
        for name in query.names
        if len(name.papers) > 1 and name.name
    )
