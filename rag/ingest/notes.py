"""Markdown and plain text: one file a paper, with a title at its head and the abstract under it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import yaml

from rag.ingest.fields import KEPT, LONGEST_ABSTRACT, displayed, make_paper, storable
from rag.ingest.identifiers import identifiers
from rag.ingest.lines import read_text
from rag.ingest.table import people
from rag.types import Paper, Rejected, Source

LONGEST_TITLE_LINE = 300
LONGEST_NOTE = 2_000_000
_FRONT = re.compile(r"\s*---[ \t]*\r?\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)", re.DOTALL)
_HEADING = re.compile(r"(?:#{1,2}[ \t]+(?P<text>\S[^\n]*?)[ \t#]*|(?P<under>\S[^\n]*)\r?\n=+[ \t]*)(?:\r?\n|$)")
_ABSTRACT = re.compile(
    r"^(?:#{1,6}[ \t]+{0}[ \t#:]*$|(?:\*\*|__){0}[:.]?(?:\*\*|__)[:.]?|{0}:|{0}[ \t]*$)".replace(
        "{0}", "(?:abstract|summary|tl;?dr)"
    ),
    re.IGNORECASE | re.MULTILINE,
)
_NEXT_HEADING = re.compile(r"^(?:#{1,6}[ \t]+\S|[^\n]+\r?\n(?:=+|-{3,})[ \t]*$)", re.MULTILINE)
_LABELLED = re.compile(
    r"^(title|authors?|date|year|doi|url|arxiv(?:[ _-]?id)?)[ \t]*:[ \t]*(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE
)
_ENDS = re.compile(r"[.!?…:;,][\"'”’)\]*_]*$")


def looks_like(head: str) -> bool:
    """Whether a file begins with a Markdown title, with a front matter that has one, with `Title: ...`, or with one
    short line and then nothing but prose. A list of titles and abstracts is none: it holds several papers."""
    if front := _FRONT.match(head):
        return "title" in _front_matter(front[1]) or bool(_HEADING.match(head[front.end() :].lstrip()))
    text = head.lstrip()
    if _HEADING.match(text) or re.match(r"title[ \t]*:[ \t]*\S", text, re.IGNORECASE):
        return True
    blocks = [block.strip() for block in re.split(r"\n[ \t]*\r?\n", text) if block.strip()]
    if len(blocks) < 2 or text.startswith(("<", "{", "[", "@", "%", "\\")):
        return False
    title, prose = blocks[0], blocks[1:]
    return _could_be_title(title) and all(len(block) > LONGEST_TITLE_LINE or _ENDS.search(block) for block in prose)


def _could_be_title(block: str) -> bool:
    return len(block) <= LONGEST_TITLE_LINE and "\n" not in block and not _ENDS.search(block) and len(block.split()) > 1


def read(stream: io.BufferedReader, name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]:
    """The paper of one file: its title that of the front matter, the first heading or line, or else the file's name; its
    abstract the section so called, or all text below the title."""
    text = ""
    for piece in read_text(stream):
        text += piece
        if len(text) > LONGEST_NOTE:
            yield Rejected(
                name, 1, f"more than {LONGEST_NOTE:,} characters, which is no note on one paper", text[:KEPT]
            )
            return
    try:
        if re.search("[\udc80-\udcff]", text):
            raise ValueError("not UTF-8 text; convert the file to UTF-8")
        yield _paper(text.replace("\r\n", "\n"), name)
    except ValueError as error:
        yield Rejected(name, 1, str(error), text.encode("utf-8", "replace").decode()[:KEPT])


def _paper(text: str, name: str) -> Paper:
    said: dict[str, Any] = {}
    if front := _FRONT.match(text):
        said, text = _front_matter(front[1]), text[front.end() :]
    body = text.lstrip()
    title = _said(said.get("title"))
    if heading := _HEADING.match(body):
        title, body = title or (heading["text"] or heading["under"]), body[heading.end() :]
    labelled: dict[str, str] = {}
    for found in _LABELLED.finditer(body[:4_000]):
        labelled.setdefault(re.sub(r"[^a-z]", "", found[1].casefold()), found[2].strip())
    title = title or labelled.get("title", "")
    if not title:
        first, _, rest = body.partition("\n")
        title, body = (
            (first.strip(), rest) if rest.strip() and _could_be_title(first.strip()) else (PurePath(name).stem, body)
        )
    fields = {**labelled, **{re.sub(r"[^a-z]", "", key.casefold()): value for key, value in said.items()}}
    abstract = _abstract(_LABELLED.sub("", body[:4_000]) + body[4_000:], _said(fields.get("abstract")))
    arxiv_id, doi = identifiers(f"{_said(fields.get('doi'))} {_said(fields.get('url'))} {_said(fields.get('link'))}")
    return make_paper(
        title,
        abstract,
        Source(name, 1),
        date=_said(fields.get("date")),
        year=_said(fields.get("year")) or _said(fields.get("date")),
        authors=_authors(fields.get("authors") or fields.get("author")),
        url=_said(fields.get("url") or fields.get("link")),
        arxiv_id=_said(fields.get("arxivid") or fields.get("arxiv")) or arxiv_id or "",
        doi=doi or "",
    )


def _abstract(body: str, said: str) -> str:
    """The abstract of the front matter, that under its heading or label, or all text.

    Raises:
        ValueError: there is no text, or more than an abstract's.
    """
    if said := storable(said):
        return said
    found = _ABSTRACT.search(body)
    text = body[found.end() :] if found else body
    if found and (following := _NEXT_HEADING.search(text)):
        text = text[: following.start()]
    if not (text := storable(text)):
        raise ValueError("a title and no text below it")
    if len(text) > LONGEST_ABSTRACT:
        raise ValueError(f"{len(text):,} characters below the title and no section called Abstract")
    return text


def _front_matter(text: str) -> dict[str, Any]:
    """The fields between the `---` lines by lower-case name; none when they are no YAML."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return {str(key).casefold(): value for key, value in found.items()} if isinstance(found, Mapping) else {}


def _said(value: Any) -> str:
    """A field as text; a list or mapping says nothing here."""
    return "" if value is None or isinstance(value, (list, Mapping, bool)) else str(value)


def _authors(value: Any) -> list[str]:
    if isinstance(value, list):
        return [displayed(_said(one.get("name") if isinstance(one, Mapping) else one)) for one in value[:10_000]]
    return people(_said(value))
