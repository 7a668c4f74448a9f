"""Answers of Hugging Face's papers API: a day's Daily Papers, or a search."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rag.ingest import json_records
from rag.ingest.fields import make_paper
from rag.types import Organization, Paper, Rejected, Source


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of such an answer."""
    return json_records.looks_like(head) and bool(re.search(r'"paper"\s*:\s*\{', head))


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one answer."""
    return json_records.read_records(stream, name, _paper)


def _paper(record: dict[str, Any], source: Source) -> Paper:
    inner = record.get("paper")
    fields = inner if isinstance(inner, dict) else record
    number = json_records.text(fields, "id")
    paper = make_paper(
        json_records.text(fields, "title") or json_records.text(record, "title"),
        " ".join((json_records.text(fields, "summary") or json_records.text(record, "summary")).split()),
        source,
        date=json_records.text(fields, "publishedAt") or json_records.text(record, "publishedAt"),
        authors=[json_records.text(one, "name") for one in json_records.objects(fields, "authors")],
        url=f"https://huggingface.co/papers/{number}" if number else "",
        arxiv_id=number,
    )
    lab = next(iter((*json_records.objects(fields, "organization"), *json_records.objects(record, "organization"))), {})
    slug, full = json_records.text(lab, "name"), json_records.text(lab, "fullname")
    comments = record.get("numComments")
    return replace(
        paper,
        organization=Organization(slug or full, full or slug) if slug or full else None,
        comment_count=comments if type(comments) is int and 0 <= comments < 10**9 else None,
    )
