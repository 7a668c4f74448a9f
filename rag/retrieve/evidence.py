"""Which papers answer a query, and whether any does: the cut and the abstention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.retrieve.retriever import Retriever
from rag.types import Evidence, Filters, Query, Shape

# Papers looked at sentence by sentence.
POOL = {Shape.LIST: 12, Shape.COUNT: 12, Shape.FACT: 6, Shape.COMPARE: 8}
# A paper's standing: its fused score plus half the fit of its best sentence. (Development questions,
# `eval/LOG.md`: with this the best possible list cut gives F1 0.90, by the fused score alone 0.88.)
SENTENCE_WEIGHT = 0.5
# A list keeps papers at these shares of the best one's standing, probability of answering and coverage
# (F1 0.81 on the development questions; the first alone gives 0.79 and is flat from 0.65 to 0.70).
LIST_SHARES = (0.68, 0.2, 0.4)
# A fact is told from one paper, or from two that stand as close as this.
FACT_SHARE = 0.97
# P(the shelf answers) = sigmoid(weights . (cosine, coverage, sentence fit) + bias): fitted on the
# development questions, half of them with their gold papers taken away. Below the threshold: abstain.
# It costs 4 % of the answerable ones.
ANSWERABLE = (4.56, 4.14, 5.58)
BIAS = -7.79
THRESHOLD = 0.26
SUGGESTIONS = 3


@dataclass(frozen=True, slots=True)
class Gathered:
    """Evidence to write from, best first; or, when `reason` is set, why there is none, and what is nearest."""

    kept: tuple[Evidence, ...] = ()
    nearest: tuple[Evidence, ...] = ()
    reason: str | None = None
    notes: tuple[str, ...] = ()


def gather(query: Query, retriever: Retriever) -> Gathered:
    """Search, cut and decide whether the shelf answers."""
    if query.missing:
        nearest = _named(query, retriever)
        return Gathered(nearest=nearest, reason=f"saved pages do not hold {query.missing}")
    if not query.topic:
        return _by_metadata(query, retriever)
    pool = _ranked(query, retriever.search(query, POOL[query.shape] + len(query.excluded)), retriever)
    pool = [item for item in pool if item.paper.id not in query.excluded]
    named = _named(query, retriever)
    if not pool and not named:
        return Gathered(reason=_nothing_passes(query) if query.filters or query.carried else "nothing on the shelf comes near this question")
    kept = _kept(query, pool, named)
    if max(map(answerable, kept), default=0.0) < THRESHOLD and not query.carried:
        nearest = tuple(named or pool)[:SUGGESTIONS]
        return Gathered(nearest=nearest, reason=_not_covered(query, bool(named)))
    return Gathered(kept=tuple(kept), nearest=tuple(item for item in pool if item not in kept)[:SUGGESTIONS], notes=_collisions(query))


def standing(item: Evidence) -> float:
    """Fused score plus the weighed fit of the best sentence."""
    return item.score + SENTENCE_WEIGHT * (item.spans[0].score if item.spans else 0.0)


def answerable(item: Evidence) -> float:
    """Estimated probability that the paper answers the question."""
    features = (item.cosine, item.coverage, item.spans[0].score if item.spans else 0.0)
    return 1 / (1 + math.exp(-(sum(weight * value for weight, value in zip(ANSWERABLE, features, strict=True)) + BIAS)))


def _kept(query: Query, pool: list[Evidence], named: tuple[Evidence, ...]) -> list[Evidence]:
    if query.shape is Shape.COMPARE:
        others = [item for item in pool if item.paper.id not in {side.paper.id for side in named}]
        return [*named, *others[: max(0, 2 - len(named))]]
    if query.shape is Shape.FACT:
        best = list(named) if named and max(map(answerable, named)) >= THRESHOLD else pool
        best = sorted(best, key=standing, reverse=True)
        return [item for item in best[:2] if standing(item) >= FACT_SHARE * standing(best[0])]
    measures = (standing, answerable, lambda item: item.coverage)
    least = [share * max(map(measure, pool), default=0.0) for share, measure in zip(LIST_SHARES, measures, strict=True)]
    return [item for item in pool if all(measure(item) >= floor for measure, floor in zip(measures, least, strict=True))]


def _ranked(query: Query, found: Sequence[Evidence], retriever: Retriever) -> list[Evidence]:
    return sorted(retriever.with_spans(query.topic, found), key=standing, reverse=True)


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
            best = max(senses, key=standing)
            chosen[best.paper.id] = best
    return tuple(chosen.values())


def _by_metadata(query: Query, retriever: Retriever) -> Gathered:
    found = retriever.search(query, query.order.limit or 1 if query.order else 10_000)
    if not found:
        return Gathered(reason=_nothing_passes(query))
    fields = {field for field, _, _ in query.filters.conditions} | ({query.order.field} if query.order else set())
    notes = []
    for field, unknown in (("date", retriever.count_without("date")), ("author_count", retriever.count_without("author_count"))):
        if (field in fields or field == "date" and "year" in fields) and unknown:
            what = "a date" if field == "date" else "a number of authors"
            notes.append(f"{unknown} {'paper has' if unknown == 1 else 'papers have'} no record of {what} and cannot be counted.")
    return Gathered(kept=tuple(found), notes=tuple(notes))


def _nothing_passes(query: Query) -> str:
    return "no paper on the shelf meets the conditions" + (f" ({describe(query.filters)})" if query.filters else "")


def describe(filters: Filters) -> str:
    """The conditions in words: `year >= 2023, organization: microsoft`."""
    signs = {"eq": "=", "gte": "≥", "lte": "≤", "gt": ">", "lt": "<"}
    return ", ".join(f"{field.replace('_', ' ')} {signs.get(operator, operator)} {value}" for field, operator, value in filters.conditions if field != "id")


def _not_covered(query: Query, named: bool) -> str:
    return "the papers named in the question do not say" if named else "no paper on the shelf says anything about this"


def _collisions(query: Query) -> tuple[str, ...]:
    return tuple(f"“{name.name}” is the name of {len(name.papers)} papers here." for name in query.names if len(name.papers) > 1 and name.name)
