"""Paragraphs of a Markdown or plain-text draft, without what is not prose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.verify.flat import Builder, Flat

_ITEM = re.compile(r"\s*(?:>\s*)*(?:[-*+]|\d{1,3}[.)])\s+")
_QUOTED = re.compile(r"\s*(?:>\s*)*")
_NOT_PROSE = re.compile(r"^\s*(?:#{1,6}\s|```|\||---|!\[|<)")
_FRONT_MATTER = re.compile(r"\A[\ufeff ]?---[ \t]*\r?\n.*?^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# In order: what a line of a block quotation begins with, a linked citation, a link or picture, a tag, emphasis.
_MARKUP = re.compile(
    r"\n(?P<quoted>[ \t]*(?:>[ \t]*)+)"
    r"|\[(?P<linked>\[?\d[\d,; –-]{0,40}\]?)\]\([^()]{0,500}\)"
    r"|!?\[(?P<link>[^\[\]]{0,500})\]\([^()]{0,500}\)"
    r"|(?P<tag></?[A-Za-z][^<>\n]{0,200}>)"
    r"|(?P<emphasis>(?<![\w*])\*{1,3}(?=[^\s*])|(?<=[^\s*])\*{1,3}(?![\w*])|`+)"
)


def front_matter(text: str) -> str:
    """The YAML block that a Markdown file may begin with, or nothing."""
    found = _FRONT_MATTER.match(text)
    return found[0] if found else ""


def paragraphs(text: str, without: Sequence[tuple[int, int]] = ()) -> Iterator[Flat]:
    """Paragraphs in order, a list item being one of its own; headings, code, tables and images are passed over.

    Args:
        text: the draft.
        without: half-open offsets of parts that are no prose, such as the reference list.
    """
    prose = _blanked(text, without)
    for start, end in _ranges(prose):
        yield _flat(prose, start, end)


def _blanked(text: str, without: Sequence[tuple[int, int]]) -> str:
    """The text, as long as before, with white space in place of what is left out; its line ends stay."""
    hidden = [(0, len(front_matter(text))), *(found.span() for found in _COMMENT.finditer(text)), *without]
    for start, end in hidden:
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return text


def _ranges(text: str) -> Iterator[tuple[int, int]]:
    """Half-open offsets of lines of prose that follow one another."""
    fenced, at, begin = False, 0, None
    for line in [*text.splitlines(keepends=True), "\n"]:
        stripped = line.strip()
        fence = stripped.startswith(("```", "~~~"))
        item = _ITEM.match(line)
        prose = bool(stripped.strip("> ")) and not (fence or fenced or _NOT_PROSE.match(stripped))
        if begin is not None and re.fullmatch("=+", stripped):  # what it underlines is a heading
            begin, prose = None, False
        if begin is not None and (item or not prose):
            yield begin, at
            begin = None
        if prose and begin is None and (lead := item or _QUOTED.match(line)):
            begin = at + lead.end()
        fenced ^= fence
        at += len(line)


def _flat(text: str, start: int, end: int) -> Flat:
    made, at = Builder(), start
    for found in _MARKUP.finditer(text, start, end):
        made.keep(text, at, found.start())
        _unmarked(made, text, found)
        at = found.end()
    made.keep(text, at, end)
    return made.flat()


def _unmarked(made: Builder, text: str, found: re.Match[str]) -> None:
    if found["quoted"] is not None:
        made.keep(text, found.start(), found.start() + 1)
    elif found["linked"] is not None:
        made.put(f"[{found['linked'].strip('[]')}]", *found.span())
    elif found["link"] is not None:
        made.keep(text, *found.span("link"))
