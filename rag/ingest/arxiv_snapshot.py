"""The metadata snapshot of arXiv: JSON lines with `id`, `title`, `abstract`, `authors_parsed`, `versions`, `update_date`."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from rag.ingest import json_records
from rag.ingest.fields import make_paper, one_line, when
from rag.ingest.tex import detexed, lettered
from rag.types import Paper, Rejected, Source


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of the snapshot."""
    return json_records.looks_like(head) and bool(re.search(r'"(?:authors_parsed|update_date)"\s*:', head))


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file; the date is that of the first version."""
    return json_records.read_records(stream, name, _paper)


def _paper(record: dict[str, Any], source: Source) -> Paper:
    number = json_records.text(record, "id")
    if not number:
        raise ValueError("no id")
    abstract = one_line(lettered(json_records.text(record, "abstract")))
    if not abstract:
        raise ValueError("no abstract")
    return make_paper(
        one_line(lettered(json_records.text(record, "title"))),
        abstract,
        source,
        date=_first_version(record) or json_records.text(record, "update_date"),
        authors=_authors(record),
        url=f"https://arxiv.org/abs/{number}",
        arxiv_id=number,
        doi=json_records.text(record, "doi"),
    )


def _first_version(record: dict[str, Any]) -> str | None:
    created = next((one.get("created") for one in json_records.objects(record, "versions")), None)
    return when(created)[0] if isinstance(created, str) else None


def _authors(record: dict[str, Any]) -> list[str]:
    """Names of `authors_parsed` (surname, first name, suffix, ...), or of `authors` as one text."""
    parsed = record.get("authors_parsed")
    if isinstance(parsed, list) and all(isinstance(one, list) and one for one in parsed) and parsed:
        return [detexed(" ".join(str(one[at]) for at in (1, 0, 2) if at < len(one) and one[at])) for one in parsed]
    listed = re.sub(r"\([^()]*\)", "", json_records.text(record, "authors"))
    return [detexed(name) for name in re.split(r",\s*(?:and\s+)?|\s+and\s+", listed) if name.strip()]
