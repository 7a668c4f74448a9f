"""The formats of files, and which of them a file is."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol

from rag.errors import IngestError
from rag.ingest import (
    arxiv_atom,
    arxiv_snapshot,
    bibtex,
    daily_papers,
    huggingface,
    jsonl,
    notes,
    openalex,
    ris,
    semantic_scholar,
    table,
)
from rag.ingest.lines import HEAD, UTF16, read_head
from rag.types import Paper, Rejected


class Reader(Protocol):
    """A format: a module with these two functions, listed in `FORMATS`."""

    def looks_like(self, head: str, /) -> bool:
        """Whether the beginning of a file (up to `HEAD` bytes) is of this format."""

    def read(self, stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
        """The papers of a file, and what cannot be read of it with line and reason; never all of it at once."""


# Asked in this order: the peculiar ones first.
FORMATS: dict[str, Reader] = {
    "daily-papers": daily_papers,
    "arxiv-atom": arxiv_atom,
    "arxiv-snapshot": arxiv_snapshot,
    "openalex": openalex,
    "semantic-scholar": semantic_scholar,
    "huggingface": huggingface,
    "jsonl": jsonl,
    "ris": ris,
    "bibtex": bibtex,
    "csv": table,
    "text": notes,
}
KNOWN = (
    "saved Daily Papers pages, JSON lines, BibTeX, RIS, CSV, arXiv, OpenAlex and Semantic Scholar files, Markdown notes"
)


def read(stream: io.BufferedReader, name: str, format: str, page_year: int | None) -> Iterator[Paper | Rejected]:
    """The records of one file in this format, or in the one that it looks like (`auto`).

    Raises:
        IngestError: it is empty, binary, of no known format, or holds nothing.
    """
    head = stream.peek(HEAD)
    if not head.strip():
        raise IngestError("the file is empty")
    if b"\0" in head and head[:2] not in UTF16:
        raise IngestError("a binary file, not text", hint="save the page as text (UTF-8), or name a JSONL file")
    text = read_head(stream)
    chosen = (
        format if format != "auto" else next((key for key, reader in FORMATS.items() if reader.looks_like(text)), None)
    )
    if chosen is None:
        raise IngestError(
            f"no papers in a known format ({KNOWN})",
            hint=f"if it is one, say so with --format {'|'.join(FORMATS)}",
        )
    found = False
    for item in FORMATS[chosen].read(stream, name, page_year):
        found = True
        yield item
    if not found:
        raise IngestError(
            "no papers on this page" if chosen == "daily-papers" else f"no papers in this file ({chosen})"
        )
