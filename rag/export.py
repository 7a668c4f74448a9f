"""The papers of a shelf, or those of one answer, in the formats of other programs; escaping lives here and in `render`.

What is written here `rag.ingest` reads back.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from rag.errors import UsageError
from rag.ingest.repair import readable
from rag.render import escaped, literal
from rag.types import Citation, Paper

# Authors that a reference names before "et al.".
MOST_AUTHORS = 5


def to_bibtex(papers: Iterable[Paper]) -> Iterator[str]:
    """One @misc entry a paper, from metadata only."""
    for paper in papers:
        fields = {
            "title": _tex(paper.title),
            "author": " and ".join(map(_tex_name, paper.authors)),
            "year": str(paper.year or ""),
            "month": paper.date[5:7] if paper.date else "",
            "day": paper.date[8:10] if paper.date else "",
            "doi": _address(paper.doi or ""),
            "eprint": _address(paper.arxiv_id or ""),
            "archiveprefix": "arXiv" if paper.arxiv_id else "",
            "url": _address(paper.url or ""),
        }
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        yield f"@misc{{{paper.id},\n{body}\n}}"


def _tex_name(name: str) -> str:
    """A name, with the braces that keep it from being parted ("Bird and Lee Ltd.") or taken for nobody."""
    return f"{{{_tex(name)}}}" if re.search(r"\band\b", name) or name.casefold() == "others" else _tex(name)


def _tex(text: str) -> str:
    # BibTeX counts the braces of \{ and \} too, so they get names.
    escapes = {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
    return re.sub(r"[\\{}~^&%$#_]", lambda found: escapes.get(found[0], f"\\{found[0]}"), readable(text))


def _address(text: str) -> str:
    """As it is, for styles print these fields verbatim; what would end the field is percent-encoded."""
    return re.sub(r"[\\{}\s]", lambda found: quote(found[0]), text)


def to_jsonl(papers: Iterable[Paper]) -> Iterator[str]:
    """One JSON object a paper, as `attest ingest` reads it."""
    for paper in papers:
        yield json.dumps(paper.to_dict(), ensure_ascii=False)


CSV_FIELDS = (
    "id",
    "title",
    "date",
    "year",
    "year_inferred",
    "author_count",
    "authors",
    "organization",
    "comment_count",
    "url",
    "arxiv_id",
    "doi",
    "abstract",
)


def to_csv(papers: Iterable[Paper]) -> Iterator[str]:
    """A table with a header and one row a paper, line ends included. A cell that a spreadsheet would take for a formula gets
    a quote before it, which ingest takes away again."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_FIELDS)
    for paper in papers:
        row = {
            **paper.to_dict(),
            "authors": _cell_of_names(paper.authors),
            "organization": paper.organization.name if paper.organization else None,
        }
        writer.writerow(["" if row[name] is None else _cell(str(row[name])) for name in CSV_FIELDS])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _cell_of_names(names: Sequence[str]) -> str:
    """Names parted by semicolons, one of them alone too where a comma or "and" would part it."""
    return "; ".join(names) + (";" if len(names) == 1 and re.search(r"[,|&\[]|\band\b", names[0]) else "")


def _cell(text: str) -> str:
    return f"'{text}" if re.match(r"'*[=+\-@\t\r]", text) else text


def to_ris(papers: Iterable[Paper]) -> Iterator[str]:
    """One reference a paper, abstract and all; a line end within a field becomes a space, for it would end the field."""
    for paper in papers:
        fields = [
            ("TY", "GEN"),
            ("ID", paper.id),
            ("TI", paper.title),
            *(("AU", name) for name in paper.authors),
            ("PY", str(paper.year or "")),
            ("DA", paper.date.replace("-", "/") if paper.date else ""),
            ("AB", paper.abstract),
            ("DO", paper.doi or ""),
            ("AN", f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else ""),
            ("UR", paper.url or ""),
        ]
        lines = (f"{tag}  - {' '.join(value.split())}" for tag, value in fields if value)
        yield "\n".join([*lines, "ER  - "])


def to_reading_list(papers: Iterable[Paper]) -> Iterator[str]:
    """Markdown: the papers by year, newest first, each with a box to tick, its authors and where it is found."""
    by_year: dict[int | None, list[Paper]] = {}
    for paper in papers:
        by_year.setdefault(paper.year, []).append(paper)
    yield "# Reading list"
    for year in sorted(by_year, key=lambda year: -(year or 0)):
        yield f"\n## {year or 'Without a year'}\n"
        yield from (f"- [ ] {reference(paper)}" for paper in sorted(by_year[year], key=_newest_first))


def _newest_first(paper: Paper) -> tuple[int, str]:
    return -int((paper.date or "0").replace("-", "")), paper.title.casefold()


def to_references(text: str, citations: Sequence[Citation]) -> Iterator[str]:
    """Markdown: an answer's text and below it, by the numbers of its markers, the papers it refers to and the words quoted."""
    yield literal(text)
    if citations:
        yield "\n## References\n"
    for citation in citations:
        yield f"{citation.number}. {reference(citation.paper)}"
        yield f"   > {escaped(readable(citation.quote))}"


def reference(paper: Paper) -> str:
    """Title (linked where an address is known), authors, date and identifiers on one line of Markdown."""
    title = escaped(readable(paper.title))
    link = paper.url or (f"https://arxiv.org/abs/{paper.arxiv_id}" if paper.arxiv_id else "")
    link = link or (f"https://doi.org/{paper.doi}" if paper.doi else "")
    named = f"[{title}](<{_link(link)}>)" if link.startswith(("http://", "https://")) else title
    shown = [*paper.authors[:MOST_AUTHORS], *(["et al."] if len(paper.authors) > MOST_AUTHORS else [])]
    ids = [f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else "", f"doi:{paper.doi}" if paper.doi else ""]
    said = [named, escaped(", ".join(shown)), paper.date or str(paper.year or ""), *map(escaped, ids)]
    return ". ".join(part.rstrip(".") if part is not named else part for part in said if part) + "."


def _link(address: str) -> str:
    """An address that ends where it should within `<>`."""
    return re.sub(r"[<>\\\s]", lambda found: quote(found[0]), address)


def read_citations(text: str) -> tuple[str, list[tuple[str, Mapping[str, Any]]]]:
    """What `attest ask --json` printed: the answer's text, and of each citation the paper's id and the citation itself.

    Raises:
        UsageError: it is no such JSON.
    """
    hint = 'it reads what `attest ask --json` prints: attest ask "..." --json > answer.json'
    try:
        answer = json.loads(text)
        said, found = str(answer["text"]), [(str(one["paper"]["id"]), one) for one in answer["citations"]]
        for _, one in found:
            int(one["number"]), str(one["quote"]), str(one["paper"]["title"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError("this is no answer of Attest as JSON", hint=hint) from error
    return said, found


def to_citation(stated: Mapping[str, Any], known: Paper | None) -> Citation:
    """A citation of an answer's JSON with its paper: as the shelf has it, or with what the answer says of it when the shelf
    no longer does."""
    said = stated["paper"]
    year = said.get("year")
    paper = known or Paper(
        str(said["id"]), str(said["title"]), str(stated["quote"]), date=said.get("date"),
        year=year if isinstance(year, int) else None, url=said.get("url"),
    )  # fmt: skip
    return Citation(
        int(stated["number"]), paper, str(stated["quote"]), int(stated.get("start", 0)), int(stated.get("end", 0))
    )


WRITERS = {"jsonl": to_jsonl, "csv": to_csv, "bibtex": to_bibtex, "ris": to_ris, "markdown": to_reading_list}
