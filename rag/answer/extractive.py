"""The writer without a model: the papers' own sentences, chosen, ordered and cited."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answer.draft import DraftBuilder
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.types import Draft, Evidence, Paper, Query, Shape, Span

# A second sentence is told when it fits nearly as well as the first.
SECOND_SHARE = 0.8
# Longer lists name the papers without quoting them.
QUOTED = 25
_OWN_WORK = re.compile(
    r"\b(?:we|our|this paper|this work|this study|the authors|the paper|introduces?|proposes?|presents?|develops?)\b",
    re.IGNORECASE,
)


def write(query: Query, evidence: Sequence[Evidence], notes: Sequence[str] = ()) -> Draft:
    """An answer in the shape the question asks for.

    A list gives one line a paper with its best sentence; a fact the sentence that holds it (and one
    more when it fits nearly as well); a comparison one part for each paper; a count the number first.
    """
    builder = DraftBuilder()
    if not query.topic or (query.field and query.names):
        _write_metadata(builder, query, evidence)
    elif query.shape is Shape.COMPARE:
        _write_comparison(builder, evidence)
    elif query.shape.tells_one_thing:
        _write_fact(builder, evidence)
    else:
        _write_list(builder, query, evidence)
    for note in notes:
        builder.say(f"\n\n{note}")
    return builder.build("extractive")


def label(paper: Paper) -> str:
    """Title and year, as a line names a paper."""
    return f"{readable(paper.title)} ({paper.year})" if paper.year else readable(paper.title)


def _write_list(builder: DraftBuilder, query: Query, evidence: Sequence[Evidence]) -> None:
    count = "1 paper" if len(evidence) == 1 else f"{len(evidence)} papers"
    builder.say(f"{count} on the shelf {'speaks' if len(evidence) == 1 else 'speak'} of this:\n")
    for item in evidence:
        builder.say(f"\n- {label(item.paper)}: ")
        span = item.spans[0]
        builder.quote(item.paper, span.start, span.end)


def _write_fact(builder: DraftBuilder, evidence: Sequence[Evidence]) -> None:
    for number, item in enumerate(evidence):
        builder.say(f"{chr(10) * 2 if number else ''}{label(item.paper)}:\n")
        _quote_best(builder, item)


def _write_comparison(builder: DraftBuilder, evidence: Sequence[Evidence]) -> None:
    for number, item in enumerate(evidence):
        builder.say(f"{chr(10) * 2 if number else ''}{label(item.paper)}:\n")
        _quote_best(builder, item)


def _quote_best(builder: DraftBuilder, item: Evidence) -> None:
    best = item.spans[0]
    told = [span for span in item.spans[:2] if span.score >= SECOND_SHARE * best.score]
    for number, span in enumerate(sorted(told, key=lambda span: span.start)):  # in the order of the text
        builder.say(" " if number else "")
        builder.quote(item.paper, span.start, span.end)


def _write_metadata(builder: DraftBuilder, query: Query, evidence: Sequence[Evidence]) -> None:
    count = "1 paper" if len(evidence) == 1 else f"{len(evidence)} papers"
    builder.say(
        f"{count} on the shelf{' meet' + ('s' if len(evidence) == 1 else '') + ' this' if query.filters or query.carried else ''}:\n"
    )
    for item in evidence:
        builder.say(f"\n- {readable(item.paper.title)}{_facts(item.paper)}")
        span = _own_sentence(item.paper)
        if len(evidence) <= QUOTED and query.shape is not Shape.COUNT:
            builder.say(": ")
            builder.quote(item.paper, span.start, span.end)
        else:
            builder.say(f" [{builder.cite(item.paper, span.start, span.end)}]")


def _facts(paper: Paper) -> str:
    facts = [
        f"{paper.date}{' (year inferred)' if paper.year_inferred else ''}"
        if paper.date
        else str(paper.year)
        if paper.year
        else "",
        f"{paper.author_count} author{'s' if paper.author_count != 1 else ''}" if paper.author_count else "",
        paper.organization.name if paper.organization else "",
        f"{paper.comment_count} comment{'s' if paper.comment_count != 1 else ''}" if paper.comment_count else "",
    ]
    return f" ({', '.join(fact for fact in facts if fact)})" if any(facts) else ""


def _own_sentence(paper: Paper) -> Span:
    """The first sentence that tells of the paper's own work, or else its first."""
    spans = split_sentences(paper.abstract) or [(0, 0)]
    start, end = next((span for span in spans if _OWN_WORK.search(paper.abstract[slice(*span)])), spans[0])
    return Span(start, end)
