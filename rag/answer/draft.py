"""Building a draft: text grows piece by piece, and every claim and citation knows where it stands."""

from __future__ import annotations

from rag.answer.wording import quotation
from rag.ingest.repair import readable
from rag.types import Citation, Claim, Draft, Paper


class DraftBuilder:
    """Collects text, claims and citations. Citation numbers run from 1 in order of first use, one a quotation."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._claims: list[Claim] = []
        self._citations: list[Citation] = []

    def say(self, text: str) -> None:
        """Template text: words of ours that make no claim about a paper."""
        self._parts.append(text)
        self._length += len(text)

    def cite(self, paper: Paper, start: int, end: int) -> int:
        """The number of the citation of these words, the same for the same words."""
        for citation in self._citations:
            if (citation.paper.id, citation.start, citation.end) == (paper.id, start, end):
                return citation.number
        self._citations.append(Citation(len(self._citations) + 1, paper, paper.abstract[start:end], start, end))
        return len(self._citations)

    def quote(self, paper: Paper, start: int, end: int) -> None:
        """A claim in the paper's own words, in quotation marks (repaired for reading), with its marker.

        A linking word or a pronoun at the start is left out of the quotation (`rag.answer.wording`).
        """
        quoted = quotation(paper, start, end)
        number = self.cite(paper, quoted.start, quoted.end)
        said = readable(paper.abstract[quoted.start : quoted.end])
        self.say(f"{quoted.lead}“")
        self.claim(said, (number,))
        self.say(f"” [{number}]")

    def claim(self, text: str, citations: tuple[int, ...]) -> None:
        """A statement resting on the citations of these numbers."""
        start = self._length
        self.say(text)
        self._claims.append(Claim(text, start, start + len(text), citations))

    @property
    def length(self) -> int:
        """Characters of the text so far."""
        return self._length

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(self._citations)

    def build(self, writer: str) -> Draft:
        return Draft(self.text, tuple(self._claims), self.citations, writer)
