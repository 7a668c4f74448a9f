"""Two records of one paper to one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rag.types import Paper


def merge_papers(kept: Paper, other: Paper) -> Paper:
    """The union of two records of one paper: `kept` wins, `other` fills what it lacks.

    A date with a stated year beats one whose year was inferred, whichever record comes first, and an
    abstract that goes on where the other stops is the whole of it.
    """
    filled: dict[str, Any] = {
        name: getattr(other, name)
        for name in ("author_count", "authors", "organization", "comment_count", "url", "arxiv_id", "doi")
        if getattr(kept, name) in (None, ())
    }
    if other.date and (kept.date is None or (kept.year_inferred and not other.year_inferred)):
        filled.update(date=other.date, year=other.year, year_inferred=other.year_inferred)
    elif kept.year is None and other.year is not None:
        filled.update(year=other.year, year_inferred=other.year_inferred)
    if other.abstract.startswith(kept.abstract):
        filled["abstract"] = other.abstract
    sources = tuple(dict.fromkeys(kept.sources + other.sources))
    return replace(kept, **filled, sources=sources)
