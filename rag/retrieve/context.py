"""A question in its conversation: pronouns, ellipses and "those" resolved against the turns before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.index.ledger import Ledger
from rag.index.lexical import LexicalIndex
from rag.retrieve.query import content_words, understand_alone
from rag.types import Filters, Named, Query, Shape

# How many turns back a question may refer; older ones are forgotten.
TURNS = 3
# An answer of more papers than this is a topic to go on with, not a thing "it" can mean.
SUBJECTS = 3

_THOSE = re.compile(
    r"\b(?:(?:which|what|any|some|one|ones|all|none|how many|most|newest|oldest|latest|most recent|earliest)(?: \w+)? )?of (?:these|those|them)\b"
    r"|^(?:and )?(?:just|only) (?:the ones|those|these)\b|^(?:and )?(?:which|what) ones\b|\bdo any of them\b|^(?:now )?(?:sort|order|filter) (?:these|those|them)\b",
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
_ELLIPSIS = re.compile(r"^(?:and|but|so|then|what about|how about|same)\b", re.IGNORECASE)
_OTHERS = re.compile(r"\b(?:else|others?|another|instead|similar|like that|besides)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier question and the ids of the papers its answer used, best first."""

    question: str
    papers: tuple[str, ...] = ()


def understand(
    question: str, ledger: Ledger, lexical: LexicalIndex, history: Sequence[Turn] = (), filters: Filters = Filters()
) -> Query:
    """What `question` asks for, given the turns before it and the filters set beside it."""
    query = understand_alone(question, ledger, lexical)
    if history and query.missing is None:
        previous = understand_alone(history[-1].question, ledger, lexical)
        subject = next((turn.papers for turn in reversed(history[-TURNS:]) if turn.papers), ())
        query = _resolved(query, previous, subject)
    return replace(query, filters=query.filters.and_also(filters))


def _resolved(query: Query, previous: Query, subject: tuple[str, ...]) -> Query:
    asked = query.question
    if subject and _THOSE.search(asked) and not query.names:
        return _about_those(query, subject)
    refers = bool(_PRONOUN.search(_THAT_CLAUSE.sub(" ", asked)))
    elliptic = bool(_ELLIPSIS.search(asked)) or len(content_words(asked)) < 2
    if not (refers or elliptic):
        return query
    topic = " ".join(
        [query.topic, *(word for word in content_words(previous.topic) if word not in content_words(query.topic))]
    )
    if _OTHERS.search(asked):
        excluded = (
            subject
            if re.search(r"\b(?:else|others?|another|instead)\b", asked, re.IGNORECASE) and len(subject) <= SUBJECTS
            else ()
        )
        return replace(query, topic=topic, excluded=excluded)
    if not subject:
        return replace(query, topic=topic)
    if query.filters and not content_words(query.topic):  # "and from 2023?"
        return replace(query, topic=previous.topic, shape=previous.shape)
    if query.names:
        if query.shape is Shape.COMPARE or (refers and re.search(r"\bcompare|differ|than\b", asked, re.IGNORECASE)):
            return replace(query, topic=topic, shape=Shape.COMPARE, names=_with_first(query.names, subject))
        return replace(query, topic=topic)  # "and the Routing Transformer on the same set?"
    if query.shape is Shape.LIST and not refers:
        return replace(query, topic=topic)
    if len(subject) > SUBJECTS:
        return replace(query, topic=topic, filters=previous.filters.and_also(query.filters))
    # "and what about its throughput?": the papers are given, so the words of the last question would only mislead.
    return replace(
        query,
        names=tuple(Named("", (paper,)) for paper in subject),
        topic=query.topic if len(content_words(query.topic)) > 1 else topic,
    )


def _with_first(names: tuple[Named, ...], subject: tuple[str, ...]) -> tuple[Named, ...]:
    known = {paper for name in names for paper in name.papers}
    return names if subject[0] in known else (Named("", (subject[0],)), *names)


def _about_those(query: Query, subject: tuple[str, ...]) -> Query:
    rest = _THOSE.sub(" ", query.topic)
    shape = query.shape if query.shape in (Shape.COUNT, Shape.COMPARE) else Shape.LIST
    return replace(query, carried=subject, topic=rest if content_words(rest) else "", shape=shape)
