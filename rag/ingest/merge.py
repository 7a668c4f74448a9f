"""Two records of one paper to one, field by field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rag.types import Paper, Source

FIELDS = (
    "abstract",
    "date",
    "year",
    "authors",
    "author_count",
    "organization",
    "comment_count",
    "url",
    "arxiv_id",
    "doi",
)


def merge_papers(kept: Paper, other: Paper) -> Paper:
    """The union of two records of one paper: `kept` wins, `other` fills what it lacks.

    A stated year, with or without a date, beats one that was inferred, whichever record comes first, and an
    abstract that goes on where the other stops is the whole of it. `provenance` says which fields came of `other`.
    """
    return _with_provenance(_merged(kept, other), kept, other)


def update_paper(known: Paper, arrived: Paper) -> Paper:
    """The record of `known` after a later run brought `arrived`, which wins where both speak.

    An arrival that only repeats the beginning of the stored abstract (a page saved half-way) replaces nothing of it, and
    one without any abstract (a list of references) not the title either.
    """
    winning = replace(arrived, id=known.id, title=arrived.title if arrived.abstract else known.title)
    if known.abstract.startswith(arrived.abstract):
        winning = replace(winning, abstract=known.abstract)
    sources = tuple(dict.fromkeys(known.sources + arrived.sources))
    return _with_provenance(replace(_merged(winning, known), sources=sources), known, arrived)


def _merged(kept: Paper, other: Paper) -> Paper:
    filled: dict[str, Any] = {
        name: getattr(other, name)
        for name in ("author_count", "authors", "organization", "comment_count", "url", "arxiv_id", "doi")
        if getattr(kept, name) in (None, ())
    }
    surer, spare = (other, kept) if _certainty(other) > _certainty(kept) else (kept, other)
    filled.update(date=surer.date, year=surer.year, year_inferred=surer.year_inferred)
    if surer.date is None and spare.year == surer.year:
        filled["date"] = spare.date
    if other.abstract.startswith(kept.abstract):
        filled["abstract"] = other.abstract
    sources = tuple(dict.fromkeys(kept.sources + other.sources))
    return replace(kept, **filled, sources=sources)


def _certainty(paper: Paper) -> tuple[bool, bool, bool]:
    return paper.year is not None and not paper.year_inferred, paper.date is not None, paper.year is not None


def _with_provenance(merged: Paper, first: Paper, second: Paper) -> Paper:
    """With the source of every field that is not its first source's: that of the record, in order of arrival, which
    says so."""
    found = []
    for name in FIELDS:
        value = getattr(merged, name)
        origin = next((_origin(one, name) for one in (first, second) if getattr(one, name) == value), None)
        if value not in (None, (), "") and origin and origin != merged.sources[0]:
            found.append((name, origin))
    return replace(merged, provenance=tuple(found))


def _origin(paper: Paper, field: str) -> Source | None:
    return dict(paper.provenance).get(field) or (paper.sources[0] if paper.sources else None)
