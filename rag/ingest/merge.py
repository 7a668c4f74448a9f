"""Two records of one paper to one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rag.types import Paper


def merge_papers(kept: Paper, other: Paper) -> Paper:
    """The union of two records of one paper: `kept` wins, `other` fills what it lacks.

    A stated year, with or without a date, beats one that was inferred, whichever record comes first, and an
    abstract that goes on where the other stops is the whole of it.
    """
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


def aliases(paper: Paper) -> list[str]:
    """What else identifies a paper: DOI, and arXiv id without its version."""
    found = []
    if paper.doi:
        found.append(f"doi:{paper.doi.casefold().removeprefix('https://doi.org/')}")
    if paper.arxiv_id:
        found.append(f"arxiv:{paper.arxiv_id.casefold().removeprefix('arxiv:').split('v')[0]}")
    return found
