"""Atom feeds of arXiv's API (and other Atom feeds with summaries), entry by entry."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from rag.ingest.fields import KEPT, make_paper, one_line
from rag.ingest.identifiers import identifiers
from rag.ingest.lines import read_text
from rag.ingest.tex import detexed, lettered
from rag.types import Paper, Rejected, Source

LARGEST_ENTRY = 1_000_000
_DECLARED = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_PREFIX = re.compile(r"[<\s](?!xml(?:ns)?:)([A-Za-z_][\w.-]*):[A-Za-z_]")


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of an Atom feed."""
    return bool(re.match(r"\s*<(?:\?xml|!|(?:\w+:)?feed\b)", head)) and "http://www.w3.org/2005/Atom" in head


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """Papers of one file. Each entry is parsed alone, so that a broken one costs itself only and a feed of any length
    fits; the parser never sees a document type, so that no entity can be declared, let alone expanded."""
    for line, entry, problem in _entries(read_text(stream)):
        try:
            if problem:
                raise ValueError(problem)
            yield _paper(_parsed(entry), Source(name, line))
        except ValueError as error:
            yield Rejected(name, line, str(error), entry[:KEPT])


def _entries(pieces: Iterator[str]) -> Iterator[tuple[int, str, str | None]]:
    """Each entry with its line, or what is wrong: a document type, an entry too long, or a feed that is cut off."""
    held, line, begun, whole = "", 1, False, False
    for piece in pieces:
        held += piece
        if not begun and _DECLARED.search(held.partition("<entry")[0]):
            yield line, "", "a document type with declarations, which may expand without end, is not read"
            return
        while found := re.search(r"<((?:\w+:)?entry)\b[^<>]*>.*?</\1\s*>", held, re.DOTALL):
            begun = True
            yield line + held.count("\n", 0, found.start()), found[0], None
            line, held = line + held.count("\n", 0, found.end()), held[found.end() :]
        whole = whole or bool(re.search(r"</(?:\w+:)?feed\s*>", held))
        if len(held) > LARGEST_ENTRY:
            if start := re.search(r"<(?:\w+:)?entry\b", held):
                yield (
                    line + held.count("\n", 0, start.start()),
                    held[start.start() :],
                    f"an entry of more than {LARGEST_ENTRY:,} characters",
                )
            line, held = line + held.count("\n"), ""
    if not whole:
        start = re.search(r"<(?:\w+:)?entry\b", held)
        at = start.start() if start else 0
        yield line + held.count("\n", 0, at), held[at:], "the feed ends in the middle"


def _parsed(entry: str) -> ElementTree.Element:
    if re.search("[\udc80-\udcff]", entry):
        raise ValueError("not UTF-8 text; convert the file to UTF-8")
    names = "".join(f' xmlns:{prefix}="urn:{prefix}"' for prefix in sorted(set(_PREFIX.findall(entry))))
    try:
        root = ElementTree.fromstring(f"<feed{names}>{entry}</feed>")
    except ElementTree.ParseError as error:
        line, column = error.position
        raise ValueError(
            f"not well-formed XML: {error.msg.partition(':')[0]} (line {line} of the entry, column {column})"
        ) from None
    for element in root.iter():  # whatever prefixes a feed has
        element.tag = element.tag.rpartition("}")[2]
    return root[0]


def _paper(entry: ElementTree.Element, source: Source) -> Paper:
    address = one_line(entry.findtext("id") or "")
    title, summary = (one_line(lettered(entry.findtext(tag) or "")) for tag in ("title", "summary"))
    if "/api/errors" in address or (title == "Error" and "arxiv.org/api" in address):
        raise ValueError(f"arXiv answered with an error: {summary}")
    if not summary:
        summary = one_line(lettered("".join(part for tag in entry.findall("content") for part in tag.itertext())))
    links = {link.get("rel", "alternate"): link.get("href", "") for link in reversed(entry.findall("link"))}
    doi = entry.findtext("doi") or ""
    return make_paper(
        title,
        summary,
        source,
        date=entry.findtext("published") or entry.findtext("updated") or "",
        authors=[detexed(author.findtext("name") or "") for author in entry.findall("author")],
        url=links.get("alternate") or (address if address.startswith("http") else ""),
        arxiv_id=identifiers(address)[0] or "",
        doi=doi,
    )
