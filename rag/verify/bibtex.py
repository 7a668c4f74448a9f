"""The little of BibTeX that tells which work an entry is: title, authors, year, arXiv id and DOI."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from rag.errors import UsageError
from rag.ingest.bibtex_entries import Macros, entries, people
from rag.ingest.identifiers import identifiers
from rag.ingest.tex import detexed
from rag.verify.references import Reference


def read_bibliography(path: Path) -> tuple[Reference, ...]:
    """The entries of a .bib file.

    Raises:
        UsageError: the file cannot be read, is not UTF-8, or holds no entry.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        said = f"{path} cannot be read: {error.strerror or error}"
        raise UsageError(said, hint="leave --bib out to take the .bib files beside the draft") from error
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
    for entry in entries(text, Macros()):
        if entry.key:
            yield _reference(entry.key, entry.fields, origin)


def _reference(key: str, fields: dict[str, str], origin: str) -> Reference:
    said = {name: detexed(value) for name, value in fields.items()}
    year = re.search(r"\b(?:1[5-9]|20)\d\d\b", said.get("year") or said.get("date") or "")
    title = said.get("title", "")
    surnames = tuple(map(_surname, people(fields.get("author") or fields.get("editor") or "")))
    where = " ".join(fields.get(name, "") for name in ("doi", "url", "eprint", "journal", "note", "howpublished"))
    archive = (said.get("archiveprefix") or said.get("eprinttype") or "arxiv").casefold()
    eprint = fields.get("eprint", "") if archive == "arxiv" else ""
    arxiv_id, doi = identifiers(f"arXiv:{eprint} {where}" if eprint else where)
    first = f"{surnames[0]}{' et al.' if len(surnames) > 1 else ''}" if surnames else ""
    text = ". ".join(part for part in (" ".join(filter(None, (first, year[0] if year else ""))), title) if part)
    return Reference(key, text or key, title, surnames, year[0] if year else "", arxiv_id, doi, origin)


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
