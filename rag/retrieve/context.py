"""A question in its conversation: pronouns, ellipses and "those" resolved against the turns before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.index.shelf import Shelf
from rag.ingest.names import short_name
from rag.retrieve.aspect import WHOLE
from rag.retrieve.query import understand_alone
from rag.retrieve.scaffold import content_words
from rag.types import Filters, Named, Query, Shape

# How many turns back a question may refer; older ones are forgotten.
TURNS = 3
# An answer of more papers than this is a topic to go on with, not a thing "it" can mean.
SUBJECTS = 3
# What a name may be called by.
THINGS = frozenset("approach dataset data framework method model models network system technique".split())
# Of so many papers of an answer "the one on ..." may be one.
LARGEST_CHOICE = 12
# A question without name or pronoun goes on about the papers of the last answer unless another paper of the shelf meets
# its words (cosine + max-sim) better by this.
MARGIN = 0.15

_THOSE = re.compile(
    r"\b(?:(?:which|what|any|some|one|ones|all|none|how many|most|newest|oldest|latest|most recent|earliest)(?: \w+)? )?of (?:these|those|them|the (?:two|three|four|five))\b"
    r"|^(?:and )?(?:just|only) (?:the ones|those|these)\b|^(?:and )?(?:which|what) ones\b|\bdo any of them\b|^(?:now )?(?:sort|order|filter) (?:these|those|them)\b",
    re.IGNORECASE,
)
_OF_THOSE = re.compile(
    r"^(?:and )?(?:which|what|how many|who|any|some|all)(?: \w+)? of (?:these|those|them)\b", re.IGNORECASE
)
_DESCRIBED = re.compile(
    r"\b(?:the|that) (?:other )?(?:one|paper|study|work)s? (?:on|about|with|that|which|from|for|using|where)\b|\bthe (?!first|second|third|last|same|other)\w+ one\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(?:it|its|itself|they|their|theirs|them|these|those|this|he|she|one of them|(?:that|the same|the) (?:papers?|methods?|models?|approach|one|system|work|study|framework|"
    r"stage|set|technique|dataset|data|authors|other|student|teacher|failures?)|that)\b",
    re.IGNORECASE,
)
_THAT_CLAUSE = re.compile(
    r"\b(?:papers?|models?|methods?|work|something|anything|those|one) that\b|\bthat (?:is|are|was|were|do|does|use|uses|can|has|have)\b",
    re.IGNORECASE,
)
_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
_ORDINAL = re.compile(
    rf"\bthe ({'|'.join(_ORDINALS)})(?:(?: one| paper| of (?:them|those|these))\b|(?=[?.!,:;]|$| -| (?:do|does|did|say|says|is|was|has|about|report|use)\b))",
    re.IGNORECASE,
)
_SINGULAR = re.compile(r"\b(?:it|its|itself|this|that|he|she)\b", re.IGNORECASE)
_PLURAL = re.compile(r"\b(?:they|their|them|these|those|both|each)\b", re.IGNORECASE)
_ELLIPSIS = re.compile(r"^(?:and|but|so|then|what about|how about|same)\b", re.IGNORECASE)
_OTHERS = re.compile(
    r"\belse\b|\bothers?\b|\banother\b|\bwho\b.*\binstead\b|\bsimilar\b|\b(?:something|anything) like (?:that|it)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier question and the ids of the papers its answer used, best first."""

    question: str
    papers: tuple[str, ...] = ()


def understand(
    question: str, shelf: Shelf, history: Sequence[Turn] = (), filters: Filters = Filters()
) -> tuple[Query, ...]:
    """What `question` may ask for, likeliest reading first, given the turns before it and the filters set beside it.

    Without a history there is one reading. With one, a question that seems to lean on it is read so first
    and by itself second, and the other way round; the first reading that the shelf answers is taken.
    """
    alone = understand_alone(question, shelf)
    readings = [alone]
    if not history and alone.missing is None and not alone.names and _OF_THOSE.search(question):
        readings = [replace(alone, missing="there is no earlier answer that the question could refer to")]
    if history and alone.missing is None:
        earlier = [understand_alone(turn.question, shelf) for turn in reversed(history[-TURNS:])]
        # "which of those are from 2024?" has no topic of its own; the question before it has.
        previous = next((one for one in earlier if one.topic and not _THOSE.search(one.question)), earlier[0])
        subject = next((turn.papers for turn in reversed(history[-TURNS:]) if turn.papers), ())
        called = {key: short_name(paper.title) or paper.title for key, paper in shelf.ledger.papers(subject).items()}
        described = bool(subject and not alone.names and not alone.without and _DESCRIBED.search(question))
        if described and _OTHERS.search(question):
            return (replace(alone, excluded=subject, filters=alone.filters.and_also(filters)),)
        leaning = alone if described else _resolved(alone, previous, subject, called)
        if leaning is not alone:
            bound = alone.topic == "" or leaning.carried or leaning.excluded
            readings = [leaning] if bound else [leaning, alone]
        elif subject and not alone.names and not alone.filters and (described or len(subject) <= SUBJECTS):
            about = [_about(alone, {key: called[key]}) for key in subject[:LARGEST_CHOICE] if key in called]
            readings = [replace(alone, perhaps=subject, margin=MARGIN), *about]
    return tuple(_within(reading, filters, shelf) for reading in readings)


def _within(query: Query, filters: Filters, shelf: Shelf) -> Query:
    """The query under conditions set beside the question, which papers that it names must meet too."""
    if not filters:
        return query
    names = query.names
    if names:
        allowed = shelf.ledger.passing(filters, [key for one in names for key in one.papers])
        within = (Named(one.name, tuple(key for key in one.papers if key in allowed)) for one in names)
        names = tuple(one for one in within if one.papers)
    return replace(query, filters=query.filters.and_also(filters), names=names)


def _resolved(query: Query, previous: Query, subject: tuple[str, ...], names: dict[str, str]) -> Query:
    """`query` with what leans on the conversation filled in; the same object when nothing does."""
    asked = query.question
    if subject and _THOSE.search(asked) and {paper for name in query.names for paper in name.papers} <= set(subject):
        return _about_those(query, subject)
    if (ordinal := _ORDINAL.search(asked)) and (at := _ORDINALS[ordinal[1].casefold()]) < len(subject):
        topic = " ".join(_ORDINAL.sub("it", query.topic).split())
        return _about(replace(query, topic=topic), {subject[at]: names.get(subject[at], "")})
    if subject and query.without and not content_words(query.topic):  # "leave out the 3D one. what remains?"
        return replace(query, carried=subject, names=(), topic="", shape=Shape.LIST)
    refers = bool(_PRONOUN.search(_THAT_CLAUSE.sub(" ", asked)))
    own = content_words(query.topic)
    bare = len(own) < 2 and not (query.filters or query.order or query.names)
    others = bool(subject and _OTHERS.search(asked))
    if not (refers or others or bare or _ELLIPSIS.search(asked)):
        return query
    # What was asked before, without the names it was asked of.
    spoken = {word for name in previous.names for word in content_words(name.name)}
    before = [
        word for word in content_words(previous.topic) if word not in spoken and word not in own and word not in WHOLE
    ]
    topic = " ".join([query.topic, *before]) if len(own) < 3 else query.topic
    if others:
        if refers and previous.names and not set(own) - THINGS:  # "which other papers mention that model?"
            topic = f"papers on {previous.names[0].name}"
        return replace(query, topic=topic, excluded=subject if len(subject) <= SUBJECTS else ())
    if query.filters and not own and subject:  # "and from 2023?"
        return replace(query, topic=previous.topic, shape=previous.shape)
    if query.names:
        if subject and (
            query.shape is Shape.COMPARE or (refers and re.search(r"\bcompare|differ|than\b", asked, re.I))
        ):
            return replace(query, topic=topic, shape=Shape.COMPARE, names=_with_first(query.names, subject))
        return replace(
            query, topic=" ".join([query.topic, *before]), shape=previous.shape
        )  # "and the Routing Transformer on the same set?"
    if not subject or (query.shape is Shape.LIST and not refers):
        return replace(query, topic=topic)
    if len(subject) > SUBJECTS:
        return replace(query, topic=topic, filters=previous.filters.and_also(query.filters))
    if _SINGULAR.search(asked) and not _PLURAL.search(asked):
        names = dict(list(names.items())[:1])
    return _about(replace(query, topic=topic), names)


def _about(query: Query, names: dict[str, str]) -> Query:
    """The question asked of these papers by name: "mGPT: what data was it trained on?"."""
    named = tuple(Named("", (paper,)) for paper in names)
    return replace(
        query,
        names=named,
        topic=f"{', '.join(names.values())}: {query.topic}",
        shape=Shape.FACT if query.shape is Shape.LIST else query.shape,
    )


def _with_first(names: tuple[Named, ...], subject: tuple[str, ...]) -> tuple[Named, ...]:
    known = {paper for name in names for paper in name.papers}
    return names if subject[0] in known else (Named("", (subject[0],)), *names)


def _about_those(query: Query, subject: tuple[str, ...]) -> Query:
    rest = _THOSE.sub(" ", query.topic)
    if query.order and not query.filters and query.order.limit is None:  # "which of the two came out first?"
        rest = ""
    shape = query.shape if query.shape in (Shape.COUNT, Shape.COMPARE) else Shape.LIST
    return replace(query, carried=subject, names=(), topic=rest if content_words(rest) else "", shape=shape)
