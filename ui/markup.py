"""Text made literal, and an answer as HTML: statements with their verdicts, markers with their quotes."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from rag.ingest.repair import readable
from rag.render import MARKS
from rag.types import Answer, Citation, Claim, Paper, Verdict

WORDS = {
    Verdict.SUPPORTED: "supported",
    Verdict.CONTRADICTED: "contradicted",
    Verdict.UNSUPPORTED: "not supported",
    Verdict.UNCHECKED: "not checked",
}
_MARKER = re.compile(r"\[(\d+)\]")
# What still belongs to a statement for the eye: the closing quotation mark, its markers and full stop.
_TAIL = re.compile(r"[”\"’).,]*(?:\s?\[\d+\])*[.,;:]?")


def literal(text: str) -> str:
    """Text that is nothing but text in HTML, in an attribute, and in Gradio's templates: all ASCII punctuation as
    character references, and marks that reorder the text around them dropped."""
    ordered = re.sub("[\u202a-\u202e\u2066-\u2069]", "", text)
    return re.sub(r"[!-/:-@\[-`{-~]", lambda found: f"&#{ord(found[0])};", ordered)


def title(paper: Paper) -> str:
    """A paper's title, readable and literal."""
    return literal(readable(paper.title))


def facts(paper: Paper) -> str:
    """Date, organisation and number of authors on one line, literal."""
    dated = (paper.date or str(paper.year or "no date")) + (" (year inferred)" if paper.year_inferred else "")
    count = paper.author_count or len(paper.authors)
    parts = [dated, paper.organization.name if paper.organization else "", f"{count} authors" if count > 1 else ""]
    return literal(" · ".join(part for part in parts if part))


def link(paper: Paper) -> str:
    """A link to the paper where its record has an address; only http(s) addresses are links."""
    address = paper.url or ""
    if not re.match(r"https?://", address):
        address = f"https://arxiv.org/abs/{paper.arxiv_id}" if paper.arxiv_id else ""
        address = address or (f"https://doi.org/{paper.doi}" if paper.doi else "")
    if not address:
        return ""
    shown = literal(re.sub(r"^https?://(?:www\.)?", "", address))
    return f'<a href="{literal(address)}" target="_blank" rel="noopener noreferrer nofollow">{shown}</a>'


def verdict_mark(claim: Claim) -> str:
    """The quiet mark behind a statement; one that is not borne out says why."""
    said, mark = WORDS[claim.verdict], MARKS[claim.verdict]
    if claim.verdict is Verdict.SUPPORTED:
        return (
            f'<span class="verdict supported" title="{literal(claim.reason or said)}"><span aria-hidden="true">{mark}'
            f'</span><span class="sr"> &#40;{said}&#41;</span></span>'
        )
    why = f": {literal(claim.reason)}" if claim.reason else ""
    return f' <span class="verdict {claim.verdict}"><span aria-hidden="true">{mark}</span> {said}{why}</span>'


def answer_html(answer: Answer, turn: int) -> str:
    """The answer's text as HTML, everything of the paper's or the model's words escaped.

    Args:
        answer: a checked answer.
        turn: its place in the conversation, which its markers carry.
    """
    writer = _Writer(answer, turn)
    return "".join(writer.blocks())


def draft_html(text: str) -> str:
    """Text that is still being written and was not checked: paragraphs only."""
    return "".join(f"<p>{literal(line)}</p>" for line in text.split("\n") if line.strip())


def tally(answer: Answer) -> str:
    """How the statements fared, in words."""
    counts = Counter(claim.verdict for claim in answer.claims)
    if not counts:
        return ""
    told = ", ".join(f"{counts[verdict]} {WORDS[verdict]}" for verdict in Verdict if counts[verdict])
    return f"Statements checked: {told}."


def quote_note(citation: Citation) -> str:
    """What a marker shows: the quoted words and the paper they stand in."""
    return f"<q>{literal(readable(citation.quote))}</q><cite>{title(citation.paper)}</cite>"


class _Writer:
    """Walks over an answer's lines, giving each piece of text its place in claims and markers."""

    def __init__(self, answer: Answer, turn: int) -> None:
        self._text, self._turn = answer.text, turn
        self._known = {citation.number: citation for citation in answer.citations}
        self._claims = sorted(answer.claims, key=lambda claim: claim.start)
        # A statement's mark stands behind its markers.
        self._ends = {id(claim): _tail(answer.text, claim.end) for claim in self._claims}
        self._offered = {readable(paper.title): paper for paper, _ in answer.nearest} if not answer.claims else {}

    def blocks(self) -> Iterator[str]:
        """Paragraphs, lists and tables."""
        for kind, lines in itertools.groupby(self._lines(), key=lambda line: line[0]):
            if kind == "item":
                yield f"<ul>{''.join(f'<li>{self._item(start, end)}</li>' for _, start, end in lines)}</ul>"
            elif kind == "row":
                yield self._table([(start, end) for _, start, end in lines])
            else:
                yield from (f"<p>{self._span(start, end)}</p>" for _, start, end in lines if start < end)

    def _lines(self) -> Iterator[tuple[str, int, int]]:
        at = 0
        for line in self._text.split("\n"):
            end = at + len(line)
            if line.startswith("- "):
                yield "item", at + 2, end
            elif line.startswith("| "):
                yield "row", at, end
            elif line.strip():
                yield "line", at, end
            at = end + 1

    def _item(self, start: int, end: int) -> str:
        paper = self._offered.get(self._text[start:end].strip())
        if paper is None:
            return self._span(start, end)
        return (
            f'<button type="button" class="paper" data-do="show" data-turn="{self._turn}" data-paper="{literal(paper.id)}">'
            f"{literal(self._text[start:end])}</button>"
        )

    def _table(self, rows: Sequence[tuple[int, int]]) -> str:
        out = []
        for number, (start, end) in enumerate(rows):
            cells = self._cells(start, end)
            if all(set(self._text[a:b].strip()) <= {"-", ":"} for a, b in cells):
                continue
            tag = "th" if number == 0 else "td"
            out.append("<tr>" + "".join(f"<{tag}>{self._span(a, b)}</{tag}>" for a, b in cells) + "</tr>")
        return f'<div class="wide"><table>{"".join(out)}</table></div>'

    def _cells(self, start: int, end: int) -> list[tuple[int, int]]:
        inner = self._text[start:end].rstrip()
        stop = start + len(inner) - (1 if inner.endswith("|") else 0)
        cells, at = [], start + 2
        for found in re.finditer(r" \| ", self._text[at:stop]):
            cells.append((at, start + 2 + found.start()))
            at = start + 2 + found.end()
        return [*cells, (min(at, stop), stop)]

    def _span(self, start: int, end: int) -> str:
        """A stretch of the text within one line."""
        parts, at = [], start
        for claim in self._claims:
            if claim.end <= at or claim.start >= end:
                continue
            first, last = max(claim.start, at), min(claim.end, end)
            behind = min(max(self._ends[id(claim)], last), end)
            said = f'<span class="claim {claim.verdict}">{self._marked(first, last)}</span>'
            mark = verdict_mark(claim) if last == claim.end else ""
            parts += [self._marked(at, first), said, self._marked(last, behind), mark]
            at = behind
        return "".join([*parts, self._marked(at, end)])

    def _marked(self, start: int, end: int) -> str:
        """Text with its citation markers made buttons."""
        parts, at = [], start
        for found in _MARKER.finditer(self._text, start, end):
            if int(found[1]) in self._known:
                parts += [literal(self._text[at : found.start()]), self._marker(int(found[1]))]
                at = found.end()
        return "".join([*parts, literal(self._text[at:end])])

    def _marker(self, number: int) -> str:
        place = f"{self._turn}-{number}"
        return (
            f'<button type="button" class="cite" data-do="show" data-turn="{self._turn}" data-number="{number}"'
            f' aria-describedby="quote-{place}">&#91;{number}&#93;</button>'
        )


def _tail(text: str, end: int) -> int:
    found = _TAIL.match(text, end)
    return found.end() if found else end
