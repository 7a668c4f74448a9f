"""Saved Hugging Face "Daily Papers" pages (the text a browser copies or saves).

A page is a header (`new`, `Get trending papers ...`, `Subscribe`, `Daily Papers`, `byAK ...`, the page's
day) and then, with blank lines between them, a title, an abstract and, in one of the two variants,
a block of metadata:

      • 6 authors            or  microsoft Microsoft      (organisation: slug, display name)
    ·
    May 24, 2023 2           year only when it is not the page's own; then the number of comments
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from rag.ingest.lines import Line, read_lines
from rag.types import Organization, Paper, Rejected, Source, paper_id

MARKERS = ("Get trending papers in your email inbox!", "and the research community")
HEADER = {"new", MARKERS[0], "Subscribe", "Daily Papers"}
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DAY = re.compile(rf"({'|'.join(MONTHS)})[a-z]* (\d{{1,2}})(?:, (\d{{4}}))?(?:\s+(\d{{1,9}}))?")
AUTHORS = re.compile(r"•?\s*(\d{1,9}) authors?")
# Longest title seen is 145 characters, shortest abstract of a page 640; workshop records have 200.
LONGEST_TITLE = 300
WHOLE_END = re.compile(r"""[.!?…。！？]["'”’)\]}*]*$|https?://\S+$|\S*\w\.\w+/\S+$""")


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive lines; `problem` is that of its first bad line."""

    number: int
    lines: tuple[str, ...]
    problem: tuple[int, str] | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_metadata(self) -> bool:
        parts = [part.strip() for part in " ".join(self.lines).split("·")]
        known = any(AUTHORS.fullmatch(part) or DAY.fullmatch(part) for part in parts)
        return len(self.text) < LONGEST_TITLE and (
            "·" in self.lines[:4] or (len(parts) > 1 and known) or bool(AUTHORS.fullmatch(self.text))
        )

    @property
    def could_be_title(self) -> bool:
        return len(self.text) <= LONGEST_TITLE and len(self.lines) <= 2 and not self.is_metadata


@dataclass(frozen=True, slots=True)
class _Listing:
    title: _Block
    abstract: tuple[_Block, ...]
    metadata: _Block | None


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of a Daily Papers page."""
    return any(marker in head for marker in MARKERS) or bool(
        re.search(r"^[ \t]*(?:•[ \t]*)?\d+ authors?[ \t]*\r?\n·", head, re.MULTILINE)
    )


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file, which may hold several pages in a row.

    Args:
        stream: the file.
        name: the file, for `Paper.sources` and rejections.
        page_year: year of the page; when None it is inferred as the year after the latest year that
            the page states (a page leaves out the year of its own dates), and flagged so.
    """
    for page in _pages(_blocks(read_lines(stream, name))):
        yield from _read_page(page, name, page_year)


def _blocks(lines: Iterator[Line]) -> Iterator[_Block]:
    held: list[Line] = []
    for line in lines:
        text = _stripped(line)
        if text == MARKERS[0] and held:  # header straight after a page's last line
            yield _block(held)
            held = []
        if text:
            held.append(line)
        elif held:
            yield _block(held)
            held = []
    if held:
        yield _block(held)


def _block(lines: list[Line]) -> _Block:
    bad = next(((line.number, line.problem) for line in lines if line.problem), None)
    return _Block(lines[0].number, tuple(map(_stripped, lines)), bad)


def _stripped(line: Line) -> str:
    """The text without white space around it, and without the byte-order mark of a page appended to another."""
    return line.text.replace("\ufeff", "").strip()


def _pages(blocks: Iterator[_Block]) -> Iterator[list[_Block]]:
    """Cut where a header begins. The `new` of a header may be glued to the last line of the page before."""
    page: list[_Block] = []
    for block in blocks:
        if block.text == MARKERS[0]:
            if page and page[-1].text.endswith("new"):
                last = page.pop()
                lines = tuple(filter(None, (*last.lines[:-1], last.lines[-1].removesuffix("new").rstrip())))
                if lines:
                    page.append(replace(last, lines=lines))
            if page:
                yield page
            page = []
        page.append(block)
    if page:
        yield page


def _read_page(page: list[_Block], name: str, page_year: int | None) -> Iterator[Paper | Rejected]:
    found = list(_listings(_without_header(page), name))
    year, inferred = (page_year, False) if page_year else (_inferred_year(found), True)
    last = found[-1] if found else None
    for item in found:
        yield _paper(item, name, year, inferred, at_end=item is last) if isinstance(item, _Listing) else item


def _without_header(page: list[_Block]) -> list[_Block]:
    start = 0
    for index, block in enumerate(page[:8]):
        if block.text in HEADER:
            start = index + 1
        elif block.text.endswith(MARKERS[1]):
            start = index + 1
            if start < len(page) and DAY.fullmatch(page[start].text):
                start += 1
            break
    return page[start:]


def _inferred_year(found: list[_Listing | Rejected]) -> int | None:
    """The year after the latest stated one; None when the page states none."""
    years = [
        day[2]
        for item in found
        if isinstance(item, _Listing) and item.metadata and (day := _day(item.metadata)) and day[2]
    ]
    return max(years) + 1 if years else None


def _listings(blocks: list[_Block], name: str) -> Iterator[_Listing | Rejected]:
    at = 0
    while at < len(blocks):
        title = blocks[at]
        at += 1
        if title.is_metadata or not title.could_be_title:
            kind = "author and date line" if title.is_metadata else "abstract"
            yield _rejected(name, title, f"{kind} without a title before it")
            continue
        abstract: list[_Block] = []
        while at < len(blocks) and not blocks[at].is_metadata and (not abstract or not _starts_listing(blocks, at)):
            if not abstract and _starts_listing(blocks, at) and not WHOLE_END.search(blocks[at].text):
                break  # two titles in a row: the first has no abstract
            abstract.append(blocks[at])
            at += 1
        metadata = None
        if at < len(blocks) and blocks[at].is_metadata:
            metadata = blocks[at]
            at += 1
        if abstract:
            yield _Listing(title, tuple(abstract), metadata)
        else:
            yield _rejected(name, title, "a title without an abstract")


def _starts_listing(blocks: list[_Block], at: int) -> bool:
    """Whether a title stands at `at`: short, and an abstract (not metadata) follows, or the page ends."""
    if not blocks[at].could_be_title:
        return False
    if at + 1 == len(blocks):
        return True
    following = blocks[at + 1]
    if following.is_metadata:
        return False
    # The last paragraph of an abstract ("Code is at ..."), when the title of another listing follows.
    is_paragraph = bool(WHOLE_END.search(blocks[at].text)) and not blocks[at].text.endswith("?")
    return not (
        is_paragraph and following.could_be_title and not WHOLE_END.search(following.text) and at + 2 < len(blocks)
    )


def _paper(item: _Listing, name: str, year: int | None, inferred: bool, at_end: bool) -> Paper | Rejected:
    title = " ".join(item.title.text.split())
    abstract = "\n".join(block.text for block in item.abstract)
    for block in (item.title, *item.abstract, *([item.metadata] if item.metadata else [])):
        if block.problem:
            line, reason = block.problem
            return Rejected(name, line, reason, f"{title}\n\n{abstract}")
    if at_end and item.metadata is None and not WHOLE_END.search(abstract):
        return Rejected(
            name,
            item.title.number,
            f"the page ends in the middle of the abstract of {title!r}",
            f"{title}\n\n{abstract}",
        )
    paper = Paper(id=paper_id(title), title=title, abstract=abstract, sources=(Source(name, item.title.number),))
    return _with_metadata(paper, item.metadata, year, inferred) if item.metadata else paper


def _with_metadata(paper: Paper, block: _Block, page_year: int | None, inferred: bool) -> Paper:
    """Fill in authors or organisation, date and comments; what cannot be read stays empty."""
    for index, part in enumerate(" ".join(block.lines).split("·")):
        part = part.strip()
        if authors := AUTHORS.fullmatch(part):
            paper = replace(paper, author_count=int(authors[1]))
        elif part.strip("• ") and index == 0 and not DAY.fullmatch(part):  # later parts are a date, perhaps cut off
            slug, _, display = part.removeprefix("•").strip().partition(" ")
            paper = replace(paper, organization=Organization(slug, display.strip() or slug))
    if (day := _day(block)) is None:
        return paper
    month, number, stated, comments = day
    paper = replace(paper, comment_count=comments)
    year = stated or page_year
    if year is None:
        return paper
    try:
        iso = date(year, month, number).isoformat()
    except ValueError:  # "Feb 30"
        return paper
    return replace(paper, date=iso, year=year, year_inferred=stated is None and inferred)


def _day(block: _Block) -> tuple[int, int, int | None, int | None] | None:
    """Month, day, stated year, comments of a metadata block's date."""
    for part in " ".join(block.lines).split("·"):
        if found := DAY.fullmatch(part.strip()):
            month, day, year, comments = found.groups()
            return MONTHS.index(month) + 1, int(day), int(year) if year else None, int(comments) if comments else None
    return None


def _rejected(name: str, block: _Block, reason: str) -> Rejected:
    if block.problem:
        return Rejected(name, block.problem[0], block.problem[1], block.text[:2000])
    return Rejected(name, block.number, f"{reason}: {block.text[:60]!r}", block.text[:2000])
