"""The entries of a BibTeX text as they stand, LaTeX and all: macros put in, parts joined, faults named.

Our own parser: bibtexparser 2 knows no entries in parentheses and joins no parts with `#`, and of a broken entry it
tells no field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

BEGINS = re.compile(r"@\s*(?P<kind>[A-Za-z]+)\s*[{(]\s*")
_KEY = re.compile(r"(?P<key>[^\s,{}()=]+)\s*(?:,|(?=[})]))")
_FIELD = re.compile(r"[\s,]*(?P<name>[A-Za-z][\w:+-]*)\s*=\s*")
_PLAIN = re.compile(r"[^\s,#{}()\"]+")
_END = re.compile(r"[\s,]*[})]")
# Entries that are no works.
_OTHER = frozenset({"comment", "preamble", "string"})
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Entry:
    """A work: its key (empty when it has none), its fields by lower-case name, where it stands (half-open), and what is
    wrong with it; then `fields` are those before the fault."""

    key: str
    fields: dict[str, str]
    start: int
    end: int
    fault: str | None = None


@dataclass(slots=True)
class Macros:
    """What `@string` defined so far, by lower-case name; the months are defined from the start."""

    values: dict[str, str] = field(default_factory=lambda: dict(zip(_MONTHS, _MONTHS, strict=True)))


def entries(text: str, macros: Macros) -> Iterator[Entry]:
    """The works of a BibTeX text, in order. A broken entry takes no other with it."""
    at = 0
    while begin := BEGINS.search(text, at):
        start, at, kind = begin.start(), begin.end(), begin["kind"].casefold()
        if kind == "string":
            fields, at, _ = _fields(text, at, macros.values)
            macros.values.update(fields)
        elif kind in _OTHER:
            brace = start + begin[0].find("{")
            at = (_closing(text, brace) if "{" in begin[0] else 0) or at
        elif key := _KEY.match(text, at):
            fields, at, fault = _fields(text, key.end(), macros.values)
            if not fault and not _END.match(text, at):
                fault = "not closed: a brace or comma is missing"
            yield Entry(key["key"], fields, start, at, fault)
        else:
            yield Entry("", {}, start, at, "an entry without a key")


def _fields(text: str, at: int, macros: dict[str, str]) -> tuple[dict[str, str], int, str | None]:
    fields: dict[str, str] = {}
    while found := _FIELD.match(text, at):
        begin = found.end()
        value, at = _value(text, begin, macros)
        fields.setdefault(found["name"].casefold(), value)
        if at == begin:
            return fields, at, f"the value of {found['name']!r} is missing or never closed"
        # After a value comes a comma or the end; anything else, such as a missing brace, ends the entry here.
        if not re.compile(r"\s*,").match(text, at):
            break
    return fields, at, None


def _value(text: str, at: int, macros: dict[str, str]) -> tuple[str, int]:
    """A value that begins at `at`, its parts joined by `#`, and the offset behind it."""
    parts: list[str] = []
    while True:
        if text[at : at + 1] in ("{", '"') and (end := _closing(text, at)):
            parts.append(text[at + 1 : end - 1])
            at = end
        elif plain := _PLAIN.match(text, at):
            parts.append(macros.get(plain[0].casefold(), plain[0]))
            at = plain.end()
        joined = re.compile(r"\s*#\s*").match(text, at)
        if not joined:
            return "".join(parts), at
        at = joined.end()


def _closing(text: str, start: int) -> int:
    """The offset behind the brace or quotation mark that closes the one at `start`, or 0.

    A value ends before what looks like the next entry: one missing brace must not swallow the file.
    """
    stop = (
        found.start() if (found := re.compile(r"\n[ \t]*@[ \t]*[A-Za-z]+[ \t]*[{(]").search(text, start)) else len(text)
    )
    depth = 0
    for brace in re.compile(r'\\.|[{}"]', re.DOTALL).finditer(text, start, stop):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        closes = brace[0] == '"' and brace.start() > start if text[start] == '"' else brace[0] == "}"
        if closes and depth == 0:
            return brace.end()
    return 0


def people(names: str) -> list[str]:
    """The names of an author field, as written; `and` within braces parts nobody, and `others` is nobody."""
    found, depth = [""], 0
    for part in re.findall(r"\\.|[{}]|\s+and\s+|[^\\{}\s]+|\s|\\", names):
        depth += (part == "{") - (part == "}")
        if depth <= 0 and re.fullmatch(r"\s+and\s+", part):
            found.append("")
        else:
            found[-1] += part
    return [person.strip() for person in found if person.strip() and person.strip() != "others"]


def in_braces(text: str) -> bool:
    """Whether one pair of braces holds all of a text."""
    return text.startswith("{") and _closing(text, 0) == len(text)
