"""The writer without a model: the papers' own sentences, chosen, ordered and cited."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from rag.answer.draft import DraftBuilder
from rag.answer.wording import figures, quotation
from rag.ingest.names import short_name
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.retrieve.aspect import asks_figure
from rag.types import Disagreement, Draft, Evidence, Paper, Query, Role, Shape, Span

# Sentences are told until one of them is likely enough to hold the answer, and no more than so many.
ENOUGH, MOST_SENTENCES = 0.9, 4
# A sentence of the problem gives way to one of what was done that is this share as likely.
BOILERPLATE_SHARE = 0.5
# A row of the table: characters of a name, figures of one quotation.
NAME_WIDTH, CELL_FIGURES = 40, 4
# Longer lists name the papers without quoting them.
QUOTED = 25
_OWN_WORK = re.compile(
    r"\b(?:we|our|this paper|this work|this study|the authors|the paper|introduces?|proposes?|presents?|develops?)\b",
    re.IGNORECASE,
)


def write(
    query: Query,
    evidence: Sequence[Evidence],
    notes: Sequence[str] = (),
    disagreements: Sequence[Disagreement] = (),
) -> Draft:
    """An answer in the shape the question asks for.

    A list gives one line a paper with its best sentence; a fact the figure asked for, where one
    sentence has it, and the sentences likeliest to hold it; a comparison one part for each paper; a count the number first.
    Where two of the papers disagree, that is said after it, in the words of both.
    """
    builder = DraftBuilder()
    if not query.topic or (query.field and query.names):
        _write_metadata(builder, query, evidence)
    elif query.shape is Shape.COMPARE:
        _write_comparison(builder, evidence)
    elif query.shape.tells_one_thing:
        _write_fact(builder, query, evidence)
    else:
        _write_list(builder, query, evidence)
    for found in disagreements:
        _write_disagreement(builder, found)
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
        span = _telling(item)
        builder.quote(item.paper, span.start, span.end)


def _telling(item: Evidence) -> Span:
    """What a list quotes of a paper: its likeliest sentence, unless that is one of the problem that everybody has
    and another is nearly as likely."""
    best = item.spans[0]
    others = [span for span in item.spans if span.role is not Role.PROBLEM]
    if best.role is Role.PROBLEM and others and others[0].probability >= BOILERPLATE_SHARE * best.probability:
        return others[0]
    return best


def _write_fact(builder: DraftBuilder, query: Query, evidence: Sequence[Evidence]) -> None:
    for number, item in enumerate(evidence):
        told = _likely(item.spans)
        figure = _figure(query, item, told[0]) if number == 0 else None
        builder.say(f"{chr(10) * 2 if number else ''}{f'{figure}. ' if figure else ''}{label(item.paper)}:\n")
        _quote_all(builder, item.paper, told)


def _figure(query: Query, item: Evidence, span: Span) -> str | None:
    """The figure that a question for one wants, where the likeliest sentence has but one."""
    if not asks_figure(query.question):
        return None
    found = figures(readable(item.paper.abstract[span.start : span.end]))
    said = set(figures(query.question))
    return found[0] if len(found) == 1 and found[0] not in said else None


def _likely(spans: Sequence[Span], most: int = MOST_SENTENCES) -> list[Span]:
    """The likeliest sentences, until together they are likely enough."""
    told: list[Span] = []
    for span in spans[:most]:
        told.append(span)
        if sum(one.probability for one in told) >= ENOUGH:
            break
    return told


def _write_comparison(builder: DraftBuilder, evidence: Sequence[Evidence]) -> None:
    told = [(item, sorted(_likely(item.spans), key=lambda span: span.start)) for item in evidence]
    _write_table(builder, told)
    for number, (item, spans) in enumerate(told):
        builder.say(f"{chr(10) * 2 if number else ''}{label(item.paper)}:\n")
        _quote_all(builder, item.paper, spans)


def _write_table(builder: DraftBuilder, told: Sequence[tuple[Evidence, Sequence[Span]]]) -> None:
    """Paper, year and the figures of what is quoted below, each with its citation; none where no two have figures.

    Columns are padded, so that the table reads as one where Markdown is not rendered.
    """
    rows = [("paper", "year", "figures")]
    for item, spans in told:
        cells = []
        for span in spans:
            quoted = quotation(item.paper, span.start, span.end)
            number = builder.cite(item.paper, quoted.start, quoted.end)
            if found := list(dict.fromkeys(figures(readable(item.paper.abstract[quoted.start : quoted.end])))):
                cells.append(f"{', '.join(found[:CELL_FIGURES])} [{number}]")
        title = readable(item.paper.title)
        name = short_name(title) or title
        name = textwrap.shorten(name.replace("|", "/"), NAME_WIDTH, placeholder=" ...")
        rows.append((name, str(item.paper.year or ""), "; ".join(cells)))
    if sum(bool(row[2]) for row in rows[1:]) < 2:
        return
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    rows.insert(1, ("-" * widths[0], "-" * widths[1], "-" * widths[2]))
    for row in rows:
        builder.say(f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |\n")
    builder.say("\n")


def _quote_all(builder: DraftBuilder, paper: Paper, spans: Sequence[Span]) -> None:
    """Sentences in the order of the text."""
    for number, span in enumerate(sorted(spans, key=lambda span: span.start)):
        builder.say(" " if number else "")
        builder.quote(paper, span.start, span.end)


def _write_disagreement(builder: DraftBuilder, found: Disagreement) -> None:
    builder.say("\n\nThese two papers report opposite findings:\n")
    for paper, span in ((found.one, found.says), (found.other, found.denies)):
        builder.say(f"\n- {label(paper)}: ")
        builder.quote(paper, span.start, span.end)


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
