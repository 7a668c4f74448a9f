"""BibTeX: the works of a .bib file, LaTeX decoded; an entry with an `abstract` is a paper, another adds to one that is known."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from rag.ingest import bibtex_entries
from rag.ingest.bibtex_entries import BEGINS, Entry, Macros
from rag.ingest.fields import KEPT, displayed, make_paper, one_line
from rag.ingest.identifiers import identifiers
from rag.ingest.lines import Line, read_lines
from rag.ingest.tex import detexed
from rag.types import Paper, Rejected, Source

# Characters of the longest entry that is read.
LARGEST_ENTRY = 1_000_000


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of BibTeX: an entry with a key, or a definition, at the start of a line."""
    return bool(
        re.search(
            r"^[ \t]*@[ \t]*(?:\w+\s*[{(]\s*[^\s,{}()=\"]+\s*,|(?:string|preamble|comment)\s*[{(])",
            head,
            re.MULTILINE | re.IGNORECASE,
        )
    )


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file, entry by entry; a broken entry is rejected whole, and takes no other with it."""
    macros = Macros()
    for number, text, problem in _pieces(read_lines(stream, name)):
        if problem:
            yield Rejected(name, number, problem, text[:KEPT])
            continue
        for entry in bibtex_entries.entries(text, macros):
            line = number + text.count("\n", 0, entry.start)
            try:
                yield _paper(entry, Source(name, line))
            except ValueError as error:
                yield Rejected(name, line, str(error), text[entry.start :][:KEPT].rstrip())


def _pieces(lines: Iterator[Line]) -> Iterator[tuple[int, str, str | None]]:
    """The text from each line that an entry begins to the next such line, with its number and the first bad line's
    problem; what stands before the first is a remark."""
    held: list[str] = []
    begin, size, problem = 0, 0, None
    for line in lines:
        if BEGINS.match(line.text.lstrip()):
            if held:
                yield begin, "\n".join(held), problem
            held, begin, size, problem = [], line.number, 0, None
        elif not begin:
            continue
        size += len(line.text) + 1
        problem = problem or line.problem
        if size <= LARGEST_ENTRY:
            held.append(line.text)
        else:
            problem = problem or f"an entry of more than {LARGEST_ENTRY:,} characters"
    if held:
        yield begin, "\n".join(held), problem


def _paper(entry: Entry, source: Source) -> Paper:
    if entry.fault:
        raise ValueError(f"{entry.key}: {entry.fault}" if entry.key else entry.fault)
    fields = entry.fields
    said = {
        name: detexed(fields.get(name, ""))
        for name in ("title", "subtitle", "abstract", "year", "date", "month", "day")
    }
    people = bibtex_entries.people(fields.get("author") or fields.get("editor") or "")
    where = " ".join(fields.get(name, "") for name in ("doi", "url", "eprint", "journal", "note", "howpublished"))
    archive = (fields.get("archiveprefix") or fields.get("eprinttype") or "arxiv").casefold()
    eprint = fields.get("eprint", "") if archive == "arxiv" else ""
    arxiv_id, doi = identifiers(f"arXiv:{eprint} {where}" if eprint else where)
    try:
        return make_paper(
            f"{said['title']}: {said['subtitle']}" if said["subtitle"] else said["title"],
            said["abstract"],
            source,
            date=said["date"] or _date(said["year"], said["month"], said["day"]),
            year=said["year"],
            authors=[_name(person) for person in people],
            whole="and others" not in " ".join((fields.get("author") or "").split()),
            url=_address(fields.get("url") or fields.get("howpublished", "")),
            arxiv_id=arxiv_id or "",
            doi=doi or "",
        )
    except ValueError as error:
        raise ValueError(f"{entry.key}: {error}") from None


def _name(person: str) -> str:
    """A name in the order people say it; one in braces is no person's, and stands as it is."""
    return one_line(detexed(person)) if bibtex_entries.in_braces(person) else displayed(detexed(person))


def _date(year: str, month: str, day: str) -> str:
    """`2024-05-06` or `6 May 2024` as far as it is known; the day may stand in the month ("jan 5")."""
    if month.isdigit():
        return "-".join((year, month, *([day] if day.isdigit() else [])))
    if found := re.fullmatch(r"([A-Za-z]{3,9})\.?[ ~]*(\d{1,2})?|(\d{1,2})\.?[ ~]*([A-Za-z]{3,9})\.?", month):
        number = found[2] or found[3] or (day if day.isdigit() else "")
        return f"{number} {found[1] or found[4]} {year}".strip()
    return year


def _address(text: str) -> str:
    r"""The web address in a field: `\url{http://e.example/\~{}a\_b}` to `http://e.example/~a_b`."""
    plain = re.sub(r"\{?\\(?:textasciitilde|~)(?:\{\})?\}?", "~", re.sub(r"\\([_%&#$])", r"\1", text))
    return found[0] if (found := re.search(r"(?:https?|ftp)://[^\s{}]+", plain)) else ""
