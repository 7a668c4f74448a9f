"""What a draft's citations refer to: its reference list, the entries of a .bib, and the works that a marker means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rag.ingest.identifiers import identifiers
from rag.ingest.tex import detexed
from rag.verify.markers import Key

LIST = "the reference list"
SHELF = "the shelf"
_TITLES = r"(?:references?(?: list)?|bibliography|works cited|literature cited|cited works)"
_HEADING = re.compile(
    rf"^[ \t]*(?:(?P<hashes>#{{1,6}})[ \t]*|\\(?:sub)*section\*?\{{|\*\*|__)?(?:\d+(?:\.\d+)*\.?[ \t]+)?{_TITLES}[ \t]*:?[ \t]*"
    r"(?:\}|\*\*:?|__|#+)?[ \t]*\r?$(?:\n[=-]{3,}[ \t]*\r?$)?",
    re.IGNORECASE | re.MULTILINE,
)
_NEXT_HEADING = re.compile(
    r"^(?:#{1,6}[ \t]|\\(?:sub)*section\*?\{|\\end\{document\})|^[^\n]+\n(?:={3,}|-{3,})[ \t]*\r?$", re.MULTILINE
)
_LABEL = re.compile(
    r"^[ \t]*(?:[-*+][ \t]+)?(?:\[(?P<label>\^?[^\[\]\s]{1,40})\]:?|(?P<number>\d{1,3})[.)]|(?P<bullet>[-*+]))[ \t]+(?=\S)",
    re.MULTILINE,
)
# "[1] Title" at the end without a heading, "[1]: Title" and "[^1]: Title" anywhere.
_BRACKETED = re.compile(
    r"^[ \t]*(?:[-*+][ \t]+)?\[(?P<label>\^?[^\[\]\s]{1,40})\]:?[ \t]+(?=[\"“‘*_]*[A-ZÀ-Þ0-9h])", re.MULTILINE
)
_DEFINED = re.compile(
    r"^[ \t]{0,3}\[(?P<label>\^?[^\[\]\s]{1,40})\]:[ \t]+(?P<text>\S[^\n]*(?:\n[ \t]{2,}\S[^\n]*)*)", re.MULTILINE
)
_LATEX_LIST = re.compile(r"\\begin\{thebibliography\}.*?(?:\\end\{thebibliography\}|\Z)", re.DOTALL)
_BIBITEM = re.compile(r"\\bibitem(?:\[[^\[\]]*\])?\s*\{(?P<label>[^{}]+)\}")
_YEAR = re.compile(r"\b(?:19|20)\d\d(?=[a-z]?\b)")
# In an entry of a list the authors come first, and seldom take more words.
_AUTHOR_WORDS = 40


@dataclass(frozen=True, slots=True)
class Reference:
    """One work that a draft may cite.

    `label` is what markers call it by, empty in a list without labels; `text` what is shown of it; `title` and
    `surnames` are empty where they stand unparted in `text`; `origin` names the list or file.
    """

    label: str
    text: str
    title: str = ""
    surnames: tuple[str, ...] = ()
    year: str = ""
    arxiv_id: str | None = None
    doi: str | None = None
    origin: str = LIST


class References:
    """The works a draft may cite, by label and by authors and year; of two with one label the first counts."""

    def __init__(self, items: Iterable[Reference] = ()) -> None:
        self.items = tuple(items)
        self._labelled: dict[str, Reference] = {}
        self._by_author: dict[str, list[Reference]] = {}
        for item in self.items:
            if item.label:
                self._labelled.setdefault(item.label, item)
            # An entry whose authors stand unparted in its text may be of anybody.
            self._by_author.setdefault(_folded(item.surnames[0]) if item.surnames else "", []).append(item)

    def of(self, key: Key) -> tuple[Reference, ...]:
        """The works that a key means: one for a label, for authors and year all that fit."""
        if key.label:
            return (self._labelled[key.label],) if key.label in self._labelled else ()
        perhaps = [*self._by_author.get(_folded(key.surnames[0]), ()), *self._by_author.get("", ())]
        fitting = dict.fromkeys(item for item in perhaps if _by(item, key))
        # "Smith (2023)" for a work of three is a slip; where Smith has one alone, that is meant.
        exact = [item for item in fitting if (len(item.surnames) > len(key.surnames)) == key.others]
        return tuple(exact or fitting)

    def origin(self, key: Key) -> str | None:
        """The list or file that should have told of a key, or None: then nothing is known of what it means.

        A draft without a reference list is a passage of a longer one; its `[1]` says nothing, and is no fault.
        """
        kin = (
            item.origin
            for item in self.items
            if item.origin != SHELF
            and (not key.label or (bool(item.label) and item.label.isdigit() == key.label.isdigit()))
        )
        return next(kin, None)


def _by(item: Reference, key: Key) -> bool:
    wanted = [_folded(name) for name in key.surnames]
    if item.surnames:
        own = [_folded(name) for name in item.surnames]
        return own[: len(wanted)] == wanted and item.year == key.year[:4]
    text = f" {' '.join(_folded(item.text).split()[:_AUTHOR_WORDS])} "
    places = [text.find(f" {name} ") for name in wanted]
    return (
        key.year[:4] in _YEAR.findall(item.text) and min(places) >= 0 and places == sorted(places)
        and len(text[: places[0]].split()) <= 3  # the first author's name comes first, after initials or first names
    )  # fmt: skip


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    return " ".join(re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c))))


def read_list(text: str) -> tuple[tuple[Reference, ...], tuple[tuple[int, int], ...]]:
    """The reference list of a draft, and the half-open offsets of what belongs to it and is no prose.

    Entries stand under a heading such as References, in a `thebibliography`, as `[1]: ...` or `[^1]: ...` anywhere,
    or as `[1] ...` in the last lines.
    """
    found: list[Reference] = []
    parts: list[tuple[int, int]] = []
    for region in _LATEX_LIST.finditer(text):
        found += _entries(text, [*_BIBITEM.finditer(text, *region.span())], region.end())
        parts.append(region.span())
    if headings := list(_HEADING.finditer(text)):
        after = _NEXT_HEADING.search(text, headings[-1].end())
        start, stop = headings[-1].start(), after.start() if after else len(text)
        found += _under_heading(text, headings[-1].end(), stop)
        parts.append((start, stop))
    elif tail := _last_lines(text):
        found += _entries(text, tail, len(text))
        parts.append((tail[0].start(), len(text)))
    for item in _DEFINED.finditer(text):
        if not any(start <= item.start() < stop for start, stop in parts):
            found.append(_reference(item["label"], item["text"]))
            parts.append(item.span())
    return tuple(found), tuple(sorted(parts))


def _last_lines(text: str) -> list[re.Match[str]]:
    """The labels of the entries that a draft ends with: from a line `[1] ...` after a blank one, nothing but such."""
    labels = [found for found in _BRACKETED.finditer(text) if not found["label"].startswith("^")]
    blocks = [found.end() for found in re.finditer(r"\n[ \t]*\r?\n\s*?(?=\S|[ \t]+\S)|\A", text)]
    begins = {found.start() for found in labels}
    tail = len(text)
    for block in reversed(blocks):
        if block not in begins:
            break
        tail = block
    return [found for found in labels if found.start() >= tail]


def _under_heading(text: str, start: int, stop: int) -> Iterator[Reference]:
    if labels := list(_LABEL.finditer(text, start, stop)):
        return _entries(text, labels, stop)
    blocks = [block for block in re.split(r"\n[ \t]*\r?\n", text[start:stop]) if block.strip()]
    if len(blocks) == 1:  # a line for each
        blocks = [line for line in blocks[0].splitlines() if line.strip()]
    return (_reference("", block) for block in blocks)


def _entries(text: str, labels: list[re.Match[str]], stop: int) -> Iterator[Reference]:
    """The text between each label and the next; a list that Markdown numbers itself (1. 1. 1.) is counted."""
    last = 0
    for at, found in enumerate(labels, 1):
        end = labels[at].start() if at < len(labels) else stop
        groups = found.groupdict()
        label = groups.get("label") or ""
        if number := groups.get("number"):
            last = int(number) if int(number) > last else last + 1
            label = str(last)
        body = re.split(r"\n[ \t]*\r?\n(?![ \t]{2,})|\\end\{thebibliography\}", text[found.end() : end])[0]
        yield _reference(label, body)


def _reference(label: str, text: str) -> Reference:
    arxiv_id, doi = identifiers(text)
    plain = re.sub(r"!?\[([^\[\]]*)\]\([^()]*\)", r"\1", re.sub(r"%[^\n]*\n|\\newblock|\\bibinfo\{\w+\}", " ", text))
    said = re.sub(r"(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)|`", "", detexed(plain))
    year = _YEAR.search(said)
    return Reference(label, said, "", (), year[0] if year else "", arxiv_id, doi)
