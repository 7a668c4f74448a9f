"""CSV and TSV: a header line that names a title and an abstract, and one row a paper."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.ingest.fields import KEPT, displayed, make_paper, one_line
from rag.ingest.identifiers import identifiers
from rag.ingest.lines import Line, read_lines
from rag.types import Organization, Paper, Rejected, Source

# What the columns may be called, best first, as letters and digits.
COLUMNS: dict[str, tuple[str, ...]] = {
    "title": ("title", "papertitle", "articletitle", "documenttitle", "primarytitle", "ti", "name", "paper"),
    "abstract": ("abstract", "abstractnote", "abstracttext", "paperabstract", "summary", "ab", "description", "tldr"),
    "authors": ("authors", "author", "authorfullnames", "authornames", "authorlist", "au", "creators", "creator"),
    "date": ("date", "publicationdate", "publisheddate", "datepublished", "published", "publishedat", "pubdate", "submitteddate", "created", "updatedate"),
    "year": ("year", "publicationyear", "pubyear", "py", "yearpublished"),
    "doi": ("doi", "dois", "di", "doilink", "articledoi"),
    "arxiv_id": ("arxivid", "arxiv", "eprint", "arxivnumber"),
    "url": ("url", "link", "paperurl", "urls", "absurl", "absurls", "landingpage", "pdfurl", "arxivurl"),
    "organization": ("organization", "organisation", "institution"),
    "author_count": ("authorcount", "numauthors", "nauthors"),
    "comment_count": ("commentcount",),
    "year_inferred": ("yearinferred",),
    "id": ("id", "paperid", "key"),
}  # fmt: skip
DELIMITERS = (",", "\t", ";", "|")
# A quotation mark that is never closed must not swallow the file: a row has at most so many lines and characters.
ROW_LINES = 400
ROW_LENGTH = 200_000
_CLOSING = re.compile(r'(?:[^"]|"")*+"')
FORMULA = re.compile(r"'+[=+\-@\t\r]")


def looks_like(head: str) -> bool:
    """Whether the first line of a file names columns with a title and an abstract."""
    return _delimiter(head) is not None


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file, row by row; a row that is broken, or has other columns than the header, is rejected alone."""
    lines = read_lines(stream, name)
    first = next((line for line in lines if line.text.strip()), Line(1, ""))
    delimiter = _delimiter(first.text)
    if delimiter is None:
        reason = "no columns that name a title and an abstract in the first line"
        yield Rejected(name, first.number, f"{reason}; name them so", first.text[:KEPT])
        return
    header = _cells(first.text, delimiter)
    columns = _columns(header)
    for number, row, cells in _rows(lines, delimiter, len(header)):
        try:
            if isinstance(cells, str):
                raise ValueError(cells)
            said = {field: _plain(cells[at]) for field, at in columns.items() if at < len(cells)}
            yield _paper(said, Source(name, number))
        except ValueError as error:
            yield Rejected(name, number, str(error), row[:KEPT])


def _delimiter(head: str) -> str | None:
    line = head.lstrip("\ufeff \t\r\n").partition("\n")[0]
    return next((sign for sign in DELIMITERS if {"title", "abstract"} <= _columns(_cells(line, sign)).keys()), None)


def _cells(row: str, delimiter: str) -> list[str]:
    """The cells of one row; where quotation marks are out of place they count as letters."""
    try:
        return next(
            csv.reader(
                [f"{row}\n"] if "\n" not in row else io.StringIO(row, newline=""), delimiter=delimiter, strict=True
            ),
            [],
        )
    except csv.Error:
        if "\n" in row:
            raise
        return next(csv.reader([row], delimiter=delimiter, quoting=csv.QUOTE_NONE), [])


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Field to the place of its column. Of several columns the best-named one is taken, and each once."""
    names = ["".join(re.findall(r"[^\W_]+", name.casefold())) for name in header]
    found: dict[str, int] = {}
    for field, known in COLUMNS.items():
        at = next((names.index(name) for name in known if name in names), None)
        if at is not None and at not in found.values():
            found[field] = at
    return found


def _rows(lines: Iterator[Line], delimiter: str, width: int) -> Iterator[tuple[int, str, list[str] | str]]:
    """Each row with the number of its first line, and its cells or what is wrong with it.

    Lines are joined while a quoted cell is open. Where that gives no row, it is the fault of the first line, which is
    given alone; those after it are rows of their own.
    """
    again: deque[Line] = deque()

    def take() -> Line | None:
        return again.popleft() if again else next(lines, None)

    while (line := take()) is not None:
        if not line.text.strip():
            continue
        held, size = [line], len(line.text)
        quoted = not line.problem and _still_quoted(line.text, delimiter, False)
        while quoted and len(held) < ROW_LINES and size < ROW_LENGTH and (more := take()):
            held.append(more)
            size += len(more.text)
            quoted = not more.problem and _still_quoted(more.text, delimiter, True)
        row = "\n".join(one.text for one in held)
        problem = next((one.problem for one in held if one.problem), None)
        cells = problem or (
            "a quotation mark opens a cell and is never closed" if quoted else _row(row, delimiter, width)
        )
        if isinstance(cells, str) and len(held) > 1:
            again.extendleft(reversed(held[1:]))
            row = line.text
        yield line.number, row, cells


def _row(row: str, delimiter: str, width: int) -> list[str] | str:
    try:
        cells = _cells(row, delimiter)
    except csv.Error as error:
        return f"no row of a table: {error}"
    return f"{len(cells)} cells where the header names {width}" if any(cells[width:]) else cells


def _still_quoted(text: str, delimiter: str, quoted: bool) -> bool:
    """Whether a quoted cell is open at the end of a line; `quoted`: one is at its beginning."""
    at = 0
    while True:
        if not quoted and text.startswith('"', at):
            quoted, at = True, at + 1
        if quoted:
            if not (end := _CLOSING.match(text, at)):
                return True
            quoted, at = False, end.end()
        following = text.find(delimiter, at)
        if following < 0:
            return False
        at = following + 1


def _plain(cell: str) -> str:
    """The cell without the quote that keeps a spreadsheet from taking it for a formula."""
    return cell[1:] if FORMULA.match(cell) else cell


def _paper(said: dict[str, str], source: Source) -> Paper:
    arxiv_id, doi = identifiers(f"{said.get('doi', '')} {said.get('url', '')}")
    stated = said.get("arxiv_id", "") or arxiv_id or ""
    paper = make_paper(
        said.get("title", ""),
        said.get("abstract", ""),
        source,
        date=said.get("date", ""),
        year=said.get("year", "") or said.get("date", ""),
        authors=people(said.get("authors", "")),
        url=said.get("url", ""),
        arxiv_id=stated,
        doi=doi or "",
    )
    organization = one_line(said.get("organization", ""))
    counts = {
        name: int(said[name])
        for name in ("author_count", "comment_count")
        if re.fullmatch(r"\d{1,6}(?:\.0)?", said.get(name, ""))
    }
    return replace(
        paper,
        organization=Organization(organization, organization) if organization else None,
        author_count=counts.get("author_count", paper.author_count),
        comment_count=counts.get("comment_count"),
        year_inferred=said.get("year_inferred", "") == "True",
    )


def people(text: str) -> list[str]:
    """The names of a cell, in the order people say them.

    Semicolons part names before all else, then bars, then "and"; of commas only those between whole names do
    ("Ann Bird, Bo Lee"), or every second one ("Bird, A., Lee, B."). A list of Python or JSON is read as one.
    """
    said = one_line(text)
    if said.startswith("[") and said.endswith("]"):
        try:
            listed = ast.literal_eval(said)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            listed = None
        if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
            return [displayed(name) for name in listed]
        said = said[1:-1]
    for sign in (";", "|"):
        if sign in said:
            return [displayed(name) for name in said.split(sign) if name.strip()]
    if "," not in said:
        return [displayed(name) for name in re.split(r"\s+(?:and|&)\s+", said) if name.strip()]
    parts = [part.strip() for part in re.sub(r",?\s+(?:and|&)\s+", ", ", said).split(",") if part.strip()]
    inverted = len(parts) % 2 == 0 and all(len(part.split()) == 1 or part.split()[0].islower() for part in parts[::2])
    if inverted:
        return [f"{first} {last}" for last, first in zip(parts[::2], parts[1::2], strict=True)]
    return parts
