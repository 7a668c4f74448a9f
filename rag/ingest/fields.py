"""What the fields of a record mean, whichever format they come in: text, dates, names, and the paper made of them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import date
from email.utils import parsedate_to_datetime

from rag.ingest.identifiers import identifiers, without_version
from rag.types import Paper, Source, paper_id

LONGEST_TITLE = 1_000
LONGEST_ABSTRACT = 100_000
LONGEST_ADDRESS = 2_000
# How much of a rejected record is kept for review.
KEPT = 20_000
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Elements that publishers leave in titles and abstracts; "a < b and c > d" is none of them.
_MARKUP = re.compile(
    r"</?(?:jats:[\w-]+|p|i|b|em|strong|sub|sup|br|sec|title|italic|bold|span|div|scp|tt|u)(?:\s[^<>]{0,200})?/?>",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^(?:abstract|summary)\s*[:.—–-]?\s+(?=[A-Z0-9“\"])", re.IGNORECASE)


def storable(text: str) -> str:
    """Without lone surrogates (a broken \\ud83d escape), which can be stored nowhere, and control characters, which are never meant."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", " ", text).strip()


def one_line(text: str) -> str:
    """Storable, with white space and line ends folded to single spaces."""
    return " ".join(storable(text).split())


def bounded(key: str, text: str, longest: int) -> str:
    """The text.

    Raises:
        ValueError: it is longer than `longest` characters.
    """
    if len(text) > longest:
        raise ValueError(f"{key} of {len(text):,} characters; the longest that is read is {longest:,}")
    return text


def without_markup(text: str) -> str:
    """A publisher's text without HTML or JATS elements and character references; any other text as it is."""
    if not _MARKUP.search(text):
        return text
    return html.unescape(_MARKUP.sub(lambda found: "" if found[0][1:3] in ("su", "/s") else " ", text)).strip()


def when(text: str) -> tuple[str | None, int | None]:
    """ISO date (None unless the day is known) and year of a date in words or figures; (None, None) of anything else.

    `2024`, `2024-05`, `2024/05/04/`, a timestamp, `May 2024`, `4 May 2024`, `May 4, 2024` and a mail date are read.
    """
    said = text.strip().strip("/")
    if found := re.match(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2})(?!\d))?)?(?:$|[T /].*$)", said):
        return _day(int(found[1]), int(found[2] or 0), int(found[3] or 0))
    if found := re.fullmatch(
        r"(?:(\d{1,2})\.? )?([A-Za-z]{3})[a-z]*\.?,? (?:(\d{1,2})(?:st|nd|rd|th)?,? )?(\d{4})", said
    ):
        month = found[2].casefold()
        return _day(int(found[4]), _MONTHS.index(month) + 1 if month in _MONTHS else 0, int(found[1] or found[3] or 0))
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return None, None
    return _day(moment.year, moment.month, moment.day)


def _day(year: int, month: int, day: int) -> tuple[str | None, int | None]:
    if not 1 <= year <= 9999:
        return None, None
    try:
        return (date(year, month, day).isoformat() if month and day else None), year
    except ValueError:  # the 30th of February: the year may be right
        return None, year


def displayed(name: str) -> str:
    """A name in the order people say it: "Bird, Ann" to "Ann Bird", "Bird, Jr., Ann" to "Ann Bird Jr."."""
    parts = [part.strip() for part in one_line(name).split(",") if part.strip()]
    if len(parts) == 2:
        return f"{parts[1]} {parts[0]}"
    return f"{parts[2]} {parts[0]} {parts[1]}" if len(parts) == 3 else " ".join(parts)


def make_paper(
    title: str,
    abstract: str,
    source: Source,
    *,
    date: str = "",
    year: str = "",
    authors: Sequence[str] = (),
    whole: bool = True,
    url: str = "",
    arxiv_id: str = "",
    doi: str = "",
) -> Paper:
    """A paper of fields as a format gives them; a date, DOI or arXiv id that is none is left out.

    Args:
        abstract: may be empty: the record then only adds to a paper that is known.
        year: asked when `date` tells none.
        authors: names in the order people say them.
        whole: whether `authors` are all of them.

    Raises:
        ValueError: there is no title, or a field is too long.
    """
    title = bounded("title", one_line(without_markup(title)), LONGEST_TITLE)
    if not title:
        raise ValueError("no title")
    abstract = bounded("abstract", storable(without_markup(abstract)), LONGEST_ABSTRACT)
    iso, said = when(date)
    if said is None and (found := re.search(r"\b(?:1[5-9]|20)\d\d\b", year)):
        said = int(found[0])
    named, known_doi = identifiers(doi)
    names = tuple(name for name in map(one_line, authors) if name)
    return Paper(
        id=paper_id(title),
        title=title,
        abstract=_LABEL.sub("", abstract),
        date=iso,
        year=said,
        author_count=len(names) or None if whole else None,
        authors=names,
        url=bounded("url", one_line(url), LONGEST_ADDRESS) or None,
        arxiv_id=without_version(arxiv_id) or named or None,
        doi=known_doi,
        sources=(source,),
    )
