"""DOI and arXiv id, however they are written."""

from __future__ import annotations

import re

_ARXIV = re.compile(
    r"(?:arxiv[.:/\s]*(?:org/)?(?:abs/|pdf/|html/)?|\bcorr,?\s*abs/)(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?!\d)",
    re.IGNORECASE,
)
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>{}]+", re.IGNORECASE)
_VERSION = re.compile(r"v\d+$")


def identifiers(text: str) -> tuple[str | None, str | None]:
    """The arXiv id and the DOI that stand in a text; arXiv's own DOIs count as arXiv ids."""
    arxiv, doi = _ARXIV.search(text), _DOI.search(text)
    named = _ended(doi[0]).casefold() if doi else None
    if named and named.startswith("10.48550/arxiv."):
        return without_version(named.removeprefix("10.48550/arxiv.")), None
    return (arxiv["id"] if arxiv else None), named


def _ended(doi: str) -> str:
    """A DOI without the marks of the sentence or brackets it stands in; brackets of its own stay."""
    bare = doi.rstrip(".,;:'")
    for opening, closing in ("()", "[]"):
        while bare.endswith(closing) and bare.count(opening) < bare.count(closing):
            bare = bare[:-1].rstrip(".,;:'")
    return bare


def without_version(arxiv_id: str) -> str:
    """An arXiv id without prefix and version tag: `arXiv:2401.00001v2` to `2401.00001`, `solv-int/9701001v1` to
    `solv-int/9701001`."""
    bare = arxiv_id.strip().casefold().removeprefix("arxiv:").strip()
    return _VERSION.sub("", found["id"].casefold() if (found := _ARXIV.search(f"arxiv:{bare}")) else bare)
