"""Works of OpenAlex: pages of its API, lines of its snapshot, or single works, with the abstract as an inverted index."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from rag.ingest import json_records
from rag.ingest.fields import make_paper
from rag.ingest.identifiers import identifiers
from rag.types import Paper, Rejected, Source


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of works of OpenAlex."""
    return json_records.looks_like(head) and bool(
        re.search(r'"abstract_inverted_index"\s*:|"id"\s*:\s*"https://openalex\.org/W\d', head)
    )


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file. A work without an abstract only adds to a paper that is known."""
    return json_records.read_records(stream, name, to_paper)


def to_paper(record: dict[str, Any], source: Source) -> Paper:
    """The paper of one work.

    Raises:
        ValueError: it has no title, or its abstract is broken.
    """
    doi = json_records.text(record, "doi")
    places = [
        json_records.text(place, "landing_page_url")
        for place in (*json_records.objects(record, "primary_location"), *json_records.objects(record, "locations"))
    ]
    arxiv_id, _ = identifiers(f"{doi} {' '.join(places)}")
    return make_paper(
        json_records.text(record, "title") or json_records.text(record, "display_name"),
        abstract_of(record.get("abstract_inverted_index")),
        source,
        date=json_records.text(record, "publication_date"),
        year=str(record.get("publication_year") or ""),
        authors=_authors(record),
        whole=record.get("is_authors_truncated") is not True,
        url=next(filter(None, (*places, doi, json_records.text(record, "id"))), ""),
        arxiv_id=arxiv_id or "",
        doi=doi,
    )


def abstract_of(index: Any) -> str:
    """The text of an inverted index (word to its places), in order of the places; gaps close.

    Raises:
        ValueError: it is no such index.
    """
    if index is None:
        return ""
    if not isinstance(index, dict):
        raise ValueError(f"abstract_inverted_index must be an object, not {type(index).__name__}")
    placed: list[tuple[int, str]] = []
    for word, places in index.items():
        if not isinstance(places, list) or not all(type(place) is int for place in places):
            raise ValueError(f"abstract_inverted_index: the places of {word!r:.40} must be whole numbers")
        placed += [(place, word) for place in places]
    return " ".join(word for _, word in sorted(placed))


def _authors(record: dict[str, Any]) -> list[str]:
    names = []
    for one in json_records.objects(record, "authorships"):
        author = one.get("author")
        known = json_records.text(author, "display_name") if isinstance(author, dict) else ""
        names.append(known or json_records.text(one, "raw_author_name"))
    return names
