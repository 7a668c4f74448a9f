"""A paper's own words as a reader meets them: where a quotation begins and ends, and what leads into it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.ingest.names import short_name
from rag.ingest.repair import readable
from rag.types import Paper

# What ties a sentence to the one before it, which is not shown.
_LINK = re.compile(
    r"(?:however|moreover|furthermore|additionally|in addition|besides|specifically|in particular|notably|interestingly"
    r"|to this end|to do so|therefore|thus|hence|consequently|as a result|finally|lastly|first|second|third|meanwhile"
    r"|in contrast|by contrast|nevertheless|nonetheless|also|overall|in summary|in this (?:paper|work|study|article)"
    r"|here|indeed|importantly|surprisingly|crucially|remarkably|especially|further|then|at its core|in short),? +(?=\S)",
    re.IGNORECASE,
)
# Who speaks: "We train ..." is told as: The authors "train ...".
_WE = re.compile(r"we +(?=(?:also |then |further |first |finally |thus |hereby )?[a-z]+\b)", re.IGNORECASE)
_IT = re.compile(r"(?:it|this(?: (?:method|model|approach|framework|system))?) +(?=(?:also |then |further )?(?:\w+s|can|does not|has|is|was|will)\b)", re.IGNORECASE)  # fmt: skip
_NUMBER = re.compile(
    r"(?<![\w.,/-])(?:[~≈<>≤≥±+-] ?)?[$€£]?\d[\d,]*(?:\.\d+)?(?:[kKMBT]\b)?(?: ?(?:%|×|x\b|-?fold\b|times\b|points?\b|percent\b|per cent\b|billion\b|million\b|thousand\b|trillion\b|hours?\b|days?\b|[GTMk]B\b|ms\b|seconds?\b))?(?![\w/])"
)


@dataclass(frozen=True, slots=True)
class Quotation:
    """Verbatim words of an abstract (half-open offsets), and the words of ours that lead into them."""

    start: int
    end: int
    lead: str = ""


def quotation(paper: Paper, start: int, end: int) -> Quotation:
    """A sentence without what ties it to the one before: linking words are left out, and a pronoun for the authors
    or for what the paper presents is told in words of ours, before the quotation mark."""
    at = start
    while (link := _LINK.match(paper.abstract, at, end)) and link.end() < end:
        at = link.end()
    if we := _WE.match(paper.abstract, at, end):
        return Quotation(we.end(), end, "The authors ")
    if (it := _IT.match(paper.abstract, at, end)) and (name := short_name(readable(paper.title))):
        return Quotation(it.end(), end, f"{name} ")
    return Quotation(at, end)


def figures(text: str) -> list[str]:
    """The figures of a text that measure something: years and bare small numbers are none."""
    found = [match[0].strip() for match in _NUMBER.finditer(text)]
    return [figure for figure in found if not re.fullmatch(r"(?:19|20)\d\d|\d", figure)]
