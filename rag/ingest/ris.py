"""RIS: references as reference managers write them, from `TY  -` to `ER  -`; one with an abstract (AB, N2) is a paper,
another adds to one that is known."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from rispy import RisParser

from rag.ingest.fields import KEPT, displayed, make_paper, one_line
from rag.ingest.identifiers import identifiers
from rag.ingest.lines import Line, read_lines
from rag.types import Paper, Rejected, Source

LARGEST_RECORD = 1_000_000
_TAG = re.compile(r"^\s*([A-Z][A-Z0-9])\s{1,2}-(?:\s|$)")


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of RIS."""
    return bool(re.match(r"\s*(?:\d+\.\s*)?TY  ?-", head))


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file; a broken reference costs itself only."""
    for number, text, problem in _references(read_lines(stream, name)):
        try:
            if problem:
                raise ValueError(problem)
            yield _paper(text, Source(name, number))
        except ValueError as error:
            yield Rejected(name, number, str(error), text[:KEPT])


def _references(lines: Iterator[Line]) -> Iterator[tuple[int, str, str | None]]:
    """The lines of each reference with the first one's number, and what is wrong with them.

    A reference that the next one's `TY` ends is whole; one that the file's end cuts off is not.
    """
    held: list[str] = []
    begin, size, problem = 0, 0, None
    for line in lines:
        found = _TAG.match(line.text)
        tag = found[1] if found else ""
        if tag == "TY" and held:
            yield begin, "\n".join(held), problem
            held = []
        if not held:
            if not line.text.strip() or (not found and not line.problem):
                continue  # blank lines and remarks between references
            begin, size, problem = (
                line.number,
                0,
                None if tag == "TY" else "a line outside of any reference (TY  - to ER  -)",
            )
        size, problem = size + len(line.text) + 1, problem or line.problem
        if size > LARGEST_RECORD:
            problem = problem or f"a reference of more than {LARGEST_RECORD:,} characters"
        if size <= LARGEST_RECORD or not held:
            held.append(line.text[:LARGEST_RECORD])
        if tag == "ER":
            yield begin, "\n".join(held), problem
            held = []
    if held:
        yield begin, "\n".join(held), problem or "the file ends before this reference does (no ER)"


def _paper(text: str, source: Source) -> Paper:
    ended = text if re.search(r"^\s*ER\s{1,2}-", text, re.MULTILINE) else f"{text}\nER  - "
    parser = RisParser(skip_unknown_tags=True, delimiter_tags_mapping={})  # an address may hold a semicolon
    try:
        fields: dict[str, Any] = parser.parse(re.sub(_TAG.pattern, r"\1  - ", ended, flags=re.MULTILINE))[0]
    except (LookupError, TypeError, AttributeError):  # its way to say that lines are missing or out of place
        raise ValueError("no reference can be read of these lines") from None

    def first(*names: str) -> str:
        return next((str(fields[name]) for name in names if fields.get(name)), "")

    links = [*fields.get("urls", ()), *([first("url")] if first("url") else [])]
    doi, numbers = first("doi"), first("accession_number", "call_number", "label", "custom1")
    arxiv_id, found_doi = identifiers(f"{doi} {' '.join(links)} {numbers if 'arxiv' in numbers.casefold() else ''}")
    return make_paper(
        first("title", "primary_title", "translated_title"),
        one_line(first("abstract", "notes_abstract")),
        source,
        date=first("date") or first("year", "publication_year"),
        year=first("year", "publication_year", "date"),
        authors=[displayed(name) for name in fields.get("authors") or fields.get("first_authors") or ()],
        url=links[0] if links else "",
        arxiv_id=arxiv_id or "",
        doi=found_doi or "",
    )
