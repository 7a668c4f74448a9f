"""JSON lines: one object a line with `title` and `abstract`, and any of `id`, `arxiv_id`, `doi`, `date`,
`year`, `year_inferred`, `authors`, `author_count`, `organization`, `comment_count`, `url`."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from rag.ingest import json_records
from rag.ingest.fields import LONGEST_ABSTRACT, LONGEST_TITLE, bounded, storable
from rag.types import Organization, Paper, Rejected, Source, paper_id

# Ids remembered to find one that is used twice: as many as there are between two copies of a record, not a file's.
REMEMBERED = 100_000
LARGEST = {"year": 9_999, "author_count": 1_000_000, "comment_count": 1_000_000_000}


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of JSON lines, or of a list of objects."""
    return json_records.looks_like(head)


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file; a broken line, or an `id` used shortly before for another title, is rejected alone."""
    seen: dict[str, tuple[str, int]] = {}

    def to_paper(record: dict[str, Any], source: Source) -> Paper:
        paper = _paper(record, source)
        given = str(record.get("id") or "")
        if given and (earlier := seen.setdefault(given, (paper.id, source.position)))[0] != paper.id:
            raise ValueError(f"id {given!r} was used on line {earlier[1]} for another paper")
        if len(seen) > REMEMBERED:
            del seen[next(iter(seen))]
        return paper

    return json_records.read_records(stream, name, to_paper)


def _paper(record: dict[str, Any], source: Source) -> Paper:
    title = " ".join(_text(record, "title", LONGEST_TITLE, required=True).split())
    iso, year = _date(record)
    authors = tuple(_author(author) for author in _list(record, "authors"))
    return Paper(
        id=paper_id(title),
        title=title,
        abstract=_text(record, "abstract", LONGEST_ABSTRACT, required=True),
        date=iso,
        year=year,
        year_inferred=record.get("year_inferred") is True,
        author_count=_count(record, "author_count") or len(authors) or None,
        authors=authors,
        organization=_organization(record.get("organization")),
        comment_count=_count(record, "comment_count"),
        url=_text(record, "url", 2_000) or None,
        arxiv_id=_text(record, "arxiv_id", 100) or None,
        doi=_text(record, "doi", 300) or None,
        sources=(source,),
    )


def _text(record: dict[str, Any], key: str, longest: int, *, required: bool = False) -> str:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} must be text, not {type(value).__name__}")
    text = storable(bounded(key, value or "", longest))
    if required and not text:
        raise ValueError(f"no {key}")
    return text


def _list(record: dict[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{key} must be a list, not {type(value).__name__}")
    return value


def _author(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name")
    name = " ".join(storable(value).split()) if isinstance(value, str) else ""
    if not name:
        raise ValueError("authors must be names, or objects with a name")
    return name


def _count(record: dict[str, Any], key: str) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST[key]:
        raise ValueError(f"{key} must be a whole number up to {LARGEST[key]:,}, not {value!r:.40}")
    return value


def _date(record: dict[str, Any]) -> tuple[str | None, int | None]:
    """ISO date and year; `2024`, `2024-05` and a timestamp are understood, the first two as a year only."""
    year = _count(record, "year")
    value = record.get("date")
    if value is None or value == "":
        return None, year
    found = re.match(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:[T ].*)?$", str(value))
    if not found:
        raise ValueError(f"date must be YYYY-MM-DD, not {value!r}")
    try:
        day = date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
        return day.isoformat() if found[3] else None, day.year
    except ValueError:
        raise ValueError(f"there is no day {value!r}") from None


def _organization(value: Any) -> Organization | None:
    if not value:
        return None
    if isinstance(value, dict):
        slug, name = value.get("slug") or value.get("name"), value.get("name") or value.get("slug")
    else:
        slug = name = value
    if isinstance(slug, str) and isinstance(name, str) and storable(slug) and storable(name):
        return Organization(storable(slug), storable(name))
    raise ValueError("organization must be a name, or an object with slug and name")
