"""Which papers answer a query, and whether any does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.ingest.repair import readable
from rag.retrieve.aspect import asks_in_general, strange_names, unstated
from rag.retrieve.cut import answers, keep, likelihood, relevance
from rag.retrieve.retriever import Retriever
from rag.retrieve.sides import alternatives, asked_sides, described_sides, is_left_out
from rag.types import Evidence, Filters, Query, Shape

# Papers looked at sentence by sentence; of a list that would keep them all, up to the largest.
POOL, LARGEST_POOL = 16, 128
# A fact is told from one paper, or from two that stand as close as this.
FACT_SHARE = 0.97
# A comparison that names papers has these; one that only describes them may have a third that holds this share
# of the question's words that the first two do not.
MOST_SIDES, SIDE_GAIN = 3, 0.12
SUGGESTIONS = 3


@dataclass(frozen=True, slots=True)
class Gathered:
    """Evidence to write from, best first; or, when `reason` is set, why there is none, and what is nearest.

    `likelihood` is the estimated probability that the shelf answers; 1 where a record decides.
    """

    kept: tuple[Evidence, ...] = ()
    nearest: tuple[Evidence, ...] = ()
    reason: str | None = None
    notes: tuple[str, ...] = ()
    likelihood: float = 1.0


def gather(readings: Sequence[Query], retriever: Retriever) -> tuple[Query, Gathered]:
    """Search, cut and decide whether the shelf answers: the first reading of the question that it does answer,
    or else the first reading with the reason why not."""
    tried: list[tuple[Query, Gathered]] = []
    for query in _ordered(readings, retriever):
        found = _gather(query, retriever)
        tried.append((query, replace(found, notes=(*query.notes, *found.notes))))
        if tried[-1][1].kept:
            return tried[-1]
    return tried[0]


def _ordered(readings: Sequence[Query], retriever: Retriever) -> Sequence[Query]:
    """A question that may or may not be about the papers of the last answer (`Query.perhaps`) is read so when one of
    them meets its words about as well as the best paper of the shelf does; of several that one is meant."""
    alone = readings[0]
    if not alone.perhaps:
        return readings
    among = replace(alone, filters=alone.filters.and_also(Filters((("id", "in", alone.perhaps),))))
    near = search_pool(among, retriever)
    others = search_pool(alone, retriever, 4)
    if not near:
        return readings
    best = max(near, key=_nearness)
    lead = _nearness(best) - max(map(_nearness, others), default=0.0)
    about = next(
        (one for one in readings[1:] if best.paper.id in {key for name in one.names for key in name.papers}), None
    )
    if about is None or lead < -alone.margin:
        return readings
    return [about, *(one for one in readings if one is not about)]


def _nearness(item: Evidence) -> float:
    return item.cosine + item.similarity


def _gather(query: Query, retriever: Retriever) -> Gathered:
    if query.missing:
        return Gathered(nearest=named_evidence(query, retriever), reason=query.missing)
    if query.field and query.names:
        ids = tuple(key for name in query.names for key in name.papers)
        return _by_metadata(replace(query, topic="", order=None, carried=ids), retriever)
    if not query.topic:
        return _by_metadata(query, retriever)
    query, notes = _quoted(query, retriever)
    pool = _whole_pool(query, retriever)
    named = named_evidence(query, retriever)
    if not pool and not named:
        limited = query.filters or query.carried
        return Gathered(reason=_nothing_passes(query) if limited else "nothing on the shelf comes near this question")
    kept, likely = _kept(query, pool, named, retriever)
    if not kept:
        nearest = tuple(named or pool)[:SUGGESTIONS]
        reason = _not_covered(query, nearest, bool(named))
        return Gathered(nearest=nearest, reason=reason, notes=(*notes, *_collisions(query)), likelihood=likely)
    return Gathered(
        kept=tuple(kept),
        nearest=tuple(item for item in pool if item not in kept),
        notes=(*notes, *_collisions(query)),
        likelihood=likely,
    )


def search_pool(query: Query, retriever: Retriever, size: int = POOL) -> list[Evidence]:
    """The papers that are looked at sentence by sentence, likeliest first."""
    found = retriever.search(query, size + len(query.excluded))
    return _ranked(query, [item for item in found if item.paper.id not in query.excluded][:size], retriever)


def _quoted(query: Query, retriever: Retriever) -> tuple[Query, tuple[str, ...]]:
    """The query limited to the papers that hold the words in quotation marks, if any do."""
    notes = []
    for phrase in query.quoted:
        if ids := retriever.saying(phrase):
            query = replace(query, filters=query.filters.and_also(Filters((("id", "in", tuple(ids)),))))
        else:
            notes.append(f"No paper on the shelf has the exact words “{phrase}”.")
    return query, tuple(notes)


def _whole_pool(query: Query, retriever: Retriever) -> list[Evidence]:
    """The pool, made larger as long as a list or count would keep all of it."""
    size = POOL
    pool = search_pool(query, retriever, size)
    while query.shape in (Shape.LIST, Shape.COUNT) and size < LARGEST_POOL:
        if len(pool) < size or len(keep(pool)) < size:
            break
        size *= 2
        pool = search_pool(query, retriever, size)
    return pool


def _kept(
    query: Query, pool: list[Evidence], named: tuple[Evidence, ...], retriever: Retriever
) -> tuple[list[Evidence], float]:
    """The papers to answer from, best first, none when none of them answers; and how likely one does."""
    general = bool(named) and asks_in_general(query.question, [name.name for name in query.names])
    if general:
        kept = list(named)
    elif query.shape is Shape.COMPARE:
        kept = _sides(query, pool, named, retriever)
    elif query.shape.tells_one_thing:
        best = sorted(named or pool, key=lambda item: item.score, reverse=True)
        kept = [item for item in best[:2] if item.score >= FACT_SHARE * best[0].score]
    else:
        kept = [item for item in keep(pool) if not is_left_out(item.paper, query.without)]
    # Sides that are named are compared as asked: each holds only part of the question's words.
    asked_for = (
        query.carried or (query.shape is Shape.COMPARE and (len(named) > 1 or (named and query.strangers))) or general
    )
    if query.shape.tells_one_thing and not general and not query.carried:
        kept = [item for item in kept if not missed(query, item)]
    likely = max((likelihood(item, pool) for item in kept[:2]), default=0.0)
    answered = asked_for or any(answers(item, pool) for item in kept[:2])
    if query.shape is Shape.LIST and (told := _of_alternatives(query, retriever)):
        kept = list({item.paper.id: item for item in (*(kept if answered else ()), *told)}.values())
        answered = True
    return (_in_order(query, kept) if answered else []), (1.0 if asked_for else likely)


def _in_order(query: Query, kept: list[Evidence]) -> list[Evidence]:
    """As the question wants them sorted ("the newest papers on ..."); what has no such record comes last."""
    order = query.order
    if order is None:
        return kept
    known = [item for item in kept if getattr(item.paper, order.field) is not None]
    known.sort(key=lambda item: getattr(item.paper, order.field), reverse=order.descending)
    if order.limit:
        return known[: order.limit] or kept[:1]
    return [*known, *(item for item in kept if item not in known)]


def _of_alternatives(query: Query, retriever: Retriever) -> list[Evidence]:
    """What answers for each of the things that a list asks for by "or", where the shelf does."""
    told: list[Evidence] = []
    for topic in alternatives(query.topic):
        pool = search_pool(replace(query, topic=topic, question=topic), retriever)
        if pool and answers(pool[0], pool):
            told += [item for item in keep(pool) if not is_left_out(item.paper, query.without)]
    return told


def _sides(query: Query, pool: list[Evidence], named: tuple[Evidence, ...], retriever: Retriever) -> list[Evidence]:
    """The papers compared: those named; or those that what stands on either side of "and", "versus" describes best;
    and those that hold what of the question no side holds yet."""
    sides = list(named)
    if len(sides) >= asked_sides(query.question) or (sides and query.strangers):
        return sides
    if not sides and (described := described_sides(query, retriever)):
        sides = _ranked(query, described, retriever)
        sides.sort(key=lambda item: [one.paper.id for one in described].index(item.paper.id))
    taken = {side.paper.id for side in sides}
    others = [item for item in pool if item.paper.id not in taken]
    while others and len(sides) < MOST_SIDES:
        gains = {
            item.paper.id: retriever.gain(query.topic, item.paper.id, [side.paper.id for side in sides])
            for item in others
        }
        best = max(others, key=lambda item: item.score + gains[item.paper.id])
        if len(sides) >= 2 and gains[best.paper.id] < SIDE_GAIN:
            break
        sides.append(best)
        others.remove(best)
    return sides


def _ranked(query: Query, found: Sequence[Evidence], retriever: Retriever) -> list[Evidence]:
    pool = retriever.with_spans(query, found)
    return sorted(pool, key=lambda item: relevance(item, pool), reverse=True)


def named_evidence(query: Query, retriever: Retriever) -> tuple[Evidence, ...]:
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
    found = retriever.search(query, query.order.limit if query.order and query.order.limit else 10_000)
    found = _without(query, found, retriever)
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


def _without(query: Query, found: list[Evidence], retriever: Retriever) -> list[Evidence]:
    """The papers but for what the question leaves out: of an earlier answer at least the one that fits it best."""
    rest = [item for item in found if not is_left_out(item.paper, query.without)]
    if query.without and query.carried and len(rest) == len(found) > 1:
        phrase = " ".join(query.without)
        worst = retriever.search(Query(phrase, phrase, carried=query.carried), 1)
        rest = [item for item in found if item.paper.id not in {one.paper.id for one in worst}]
    return rest


def _nothing_passes(query: Query) -> str:
    return "no paper on the shelf meets the conditions" + (f" ({describe(query.filters)})" if query.filters else "")


def describe(filters: Filters) -> str:
    """The conditions in words: `year >= 2023, organization: microsoft`."""
    signs = {"in": "one of", "eq": "=", "gte": "≥", "lte": "≤", "gt": ">", "lt": "<", "known": "known:"}
    return ", ".join(
        f"{field.replace('_', ' ')} {signs.get(operator, operator)} {value}"
        for field, operator, value in filters.conditions
        if field != "id"
    )


def missed(query: Query, item: Evidence) -> str | None:
    """What the question wants of the paper that its abstract cannot hold, in words, or None."""
    text = f"{readable(item.paper.title)}. {readable(item.paper.abstract)}"
    if query.names and (strange := strange_names(query.question, [name.name for name in query.names], text)):
        return strange[0]
    return unstated(query.question, text)


def _not_covered(query: Query, nearest: Sequence[Evidence], named: bool) -> str:
    if nearest and query.shape.tells_one_thing and (what := missed(query, nearest[0])):
        return f"the abstract of “{readable(nearest[0].paper.title)}” does not speak of {what}"
    return "the papers named in the question do not say" if named else "no paper on the shelf says anything about this"


def _collisions(query: Query) -> tuple[str, ...]:
    return tuple(
        f"“{name.name}” is the name of {len(name.papers)} papers here."
        for name in query.names
        if len(name.papers) > 1 and name.name
    ) + tuple(f"“{stranger}” is not a paper on this shelf." for stranger in query.strangers)
