"""The little of BibTeX that tells which work an entry is: title, authors, year, arXiv id and DOI."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from rag.errors import UsageError
from rag.verify.references import Reference, identifiers
from rag.verify.tex import detexed

_ENTRY = re.compile(r"@\s*(?P<kind>[A-Za-z]+)\s*[{(]\s*")
_KEY = re.compile(r"(?P<key>[^\s,{}()=]+)\s*(?:,|(?=[})]))")
_FIELD = re.compile(r"[\s,]*(?P<name>[A-Za-z][\w:+-]*)\s*=\s*")
_PLAIN = re.compile(r"[^\s,#{}()\"]+")
# Entries that are no works.
_OTHER = frozenset({"comment", "preamble", "string"})
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def read_bibliography(path: Path) -> tuple[Reference, ...]:
    """The entries of a .bib file.

    Raises:
        UsageError: the file cannot be read, is not UTF-8, or holds no entry.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path}:{line}: this is not UTF-8", hint=f"iconv -f LATIN1 -t UTF-8 {path} > refs-utf8.bib"
        ) from error
    if not (found := tuple(parse(text, path.name))) and text.strip():
        raise UsageError(f"{path} holds no BibTeX entry", hint="an entry looks like @article{key, title = {...}, ...}")
    return found


def parse(text: str, origin: str) -> Iterator[Reference]:
    """The works of a BibTeX text, in order; of an entry that is broken, the fields before the fault.

    Args:
        text: the content of a .bib file.
        origin: its name, for what is said of an entry.
    """
    macros = dict(zip(_MONTHS, _MONTHS, strict=True))
    at = 0
    while entry := _ENTRY.search(text, at):
        at, kind = entry.end(), entry["kind"].casefold()
        if kind == "string":
            fields, at = _fields(text, at, macros)
            macros.update(fields)
        elif kind in _OTHER:
            brace = entry.start() + entry[0].find("{")
            at = (_closing(text, brace) if "{" in entry[0] else 0) or at
        elif key := _KEY.match(text, at):
            fields, at = _fields(text, key.end(), macros)
            yield _reference(key["key"], fields, origin)


def _fields(text: str, at: int, macros: dict[str, str]) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    while found := _FIELD.match(text, at):
        value, at = _value(text, found.end(), macros)
        fields.setdefault(found["name"].casefold(), value)
        # After a value comes a comma or the end; anything else, such as a missing brace, ends the entry here.
        if not re.compile(r"\s*,").match(text, at):
            break
    return fields, at


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
    stop = found.start() if (found := re.compile(r"\n\s*@\s*[A-Za-z]+\s*[{(]").search(text, start)) else len(text)
    depth = 0
    for brace in re.compile(r'\\.|[{}"]', re.DOTALL).finditer(text, start, stop):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        closes = brace[0] == '"' and brace.start() > start if text[start] == '"' else brace[0] == "}"
        if closes and depth == 0:
            return brace.end()
    return 0


def _reference(key: str, fields: dict[str, str], origin: str) -> Reference:
    said = {name: detexed(value) for name, value in fields.items()}
    year = re.search(r"\b(?:1[5-9]|20)\d\d\b", said.get("year") or said.get("date") or "")
    title = said.get("title", "")
    surnames = tuple(map(_surname, _people(fields.get("author") or fields.get("editor") or "")))
    where = " ".join(fields.get(name, "") for name in ("doi", "url", "eprint", "journal", "note", "howpublished"))
    archive = (said.get("archiveprefix") or said.get("eprinttype") or "arxiv").casefold()
    eprint = fields.get("eprint", "") if archive == "arxiv" else ""
    arxiv_id, doi = identifiers(f"arXiv:{eprint} {where}" if eprint else where)
    first = f"{surnames[0]}{' et al.' if len(surnames) > 1 else ''}" if surnames else ""
    text = ". ".join(part for part in (" ".join(filter(None, (first, year[0] if year else ""))), title) if part)
    return Reference(key, text or key, title, surnames, year[0] if year else "", arxiv_id, doi, origin)


def _people(names: str) -> list[str]:
    """The names of an author field; `and` within braces parts nobody."""
    people, depth = [""], 0
    for part in re.findall(r"\\.|[{}]|\s+and\s+|[^\\{}\s]+|\s|\\", names):
        depth += (part == "{") - (part == "}")
        if depth <= 0 and re.fullmatch(r"\s+and\s+", part):
            people.append("")
        else:
            people[-1] += part
    return [person.strip() for person in people if person.strip() and person.strip() != "others"]


def _surname(person: str) -> str:
    """ "Smith" of "Smith, Jane", "Jane Smith" or "{The Smith Team}" (whole); particles belong to it."""
    if person.startswith("{") and person.endswith("}") and person.count("{") == 1:
        return detexed(person)
    said = detexed(person)
    if "," in said:
        return said.partition(",")[0].strip()
    words = said.split()
    small = next((at for at, word in enumerate(words[:-1]) if at and word.islower()), len(words) - 1)
    return unicodedata.normalize("NFC", " ".join(words[small:]))
