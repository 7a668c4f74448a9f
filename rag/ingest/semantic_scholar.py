"""Papers of Semantic Scholar: answers of its API (searches, batches, single papers), or lines of them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from rag.ingest import json_records
from rag.ingest.fields import make_paper
from rag.types import Paper, Rejected, Source


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of papers of Semantic Scholar."""
    return json_records.looks_like(head) and bool(
        re.search(r'"(?:paperId|corpus[Ii]d|external[Ii]ds|publicationdate)"\s*:', head)
    )


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file. A paper without an abstract only adds to one that is known."""
    return json_records.read_records(stream, name, to_paper)


def to_paper(record: dict[str, Any], source: Source) -> Paper:
    """The paper of one record; the API's names of fields and the data sets' (all in small letters) are read.

    Raises:
        ValueError: it has no title.
    """
    fields = {key.casefold(): value for key, value in record.items()}
    known = fields.get("externalids")
    ids = {key.casefold(): str(value) for key, value in known.items() if value} if isinstance(known, dict) else {}
    return make_paper(
        json_records.text(fields, "title"),
        json_records.text(fields, "abstract"),
        source,
        date=json_records.text(fields, "publicationdate"),
        year=str(fields.get("year") or ""),
        authors=[json_records.text(one, "name") for one in json_records.objects(fields, "authors")],
        url=json_records.text(fields, "url"),
        arxiv_id=ids.get("arxiv", ""),
        doi=ids.get("doi", ""),
    )
