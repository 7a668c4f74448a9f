"""The panel beside the chat: the cited papers in order, their abstracts with the quoted words marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.render import quote_in_context
from rag.types import Answer, Citation, Claim, Paper, Sentence, Verdict
from ui.markup import facts, link, literal, title, verdict_mark

OPEN_ABSTRACTS = 6  # longer lists come with their abstracts folded
Read = Mapping[str, Sequence[Sentence]]


def evidence_html(answer: Answer | None, turn: int = 0, read: Read | None = None, focus: str = "") -> str:
    """Every cited paper in order of use, its verdicts, and its abstract.

    Args:
        answer: what to show, if anything was asked.
        turn: its place in the conversation.
        read: how the abstracts of its papers read (`Ledger.sentences`), for the labels of their parts.
        focus: number of the citation, or id of the paper, to bring into view.
    """
    cited: dict[str, list[Citation]] = {}
    for citation in answer.citations if answer else ():
        cited.setdefault(citation.paper.id, []).append(citation)
    if answer is None:
        return _panel("Evidence", "The papers an answer cites appear here, the quoted words marked.", "")
    alone = "".join(_verdict(claim) for claim in answer.claims if not claim.citations)
    bare = f"<article><h3>Statements that cite no paper</h3><ul>{alone}</ul></article>" if alone else ""
    unfolded = len(cited) <= OPEN_ABSTRACTS
    papers = "".join(
        _cited(own, answer.claims, (read or {}).get(key, ()), unfolded or _named(focus, own), turn)
        for key, own in cited.items()
    )
    # What was not used is told of below the answer; here, when it is asked for or there is nothing else.
    wanted = not cited or focus in {paper.id for paper, _ in answer.nearest}
    others = "".join(paper_html(paper, folded=paper.id != focus) for paper, _ in answer.nearest if wanted)
    if others:
        heading = "Nearest papers" if not cited else "Retrieved and not used"
        note = "Nothing is cited: these come nearest, and may or may not help." if not cited else ""
        others = f'<h2 class="more">{heading}</h2>' + (f'<p class="quiet">{note}</p>' if note else "") + others
    count = f"Evidence: {len(cited)} {'paper' if len(cited) == 1 else 'papers'} cited" if cited else "Evidence"
    return _panel(count, answer.question, bare + papers + others, turn, focus)


def paper_html(paper: Paper, *, folded: bool = False) -> str:
    """A paper's page: what its record says, its authors and its abstract."""
    where = link(paper)
    authors = f'<p class="quiet">{literal(", ".join(paper.authors))}</p>' if paper.authors else ""
    return (
        f'<article data-paper="{literal(paper.id)}"><h3>{title(paper)}</h3>'
        f'<p class="quiet">{facts(paper)}{f" · {where}" if where else ""}</p>{authors}'
        f"<details{'' if folded else ' open'}><summary>Abstract</summary><p>{literal(paper.abstract)}</p></details></article>"
    )


def _panel(heading: str, note: str, inside: str, turn: int = -1, focus: str = "") -> str:
    back = f'<button type="button" class="back" data-do="back" data-turn="{turn}">Back to the answer</button>'
    return (
        f'<div class="panel" data-turn="{turn}" data-focus="{literal(focus)}">{back if turn >= 0 else ""}<h2>{literal(heading)}</h2>'
        f'<p class="quiet">{literal(note)}</p>{inside}</div>'
    )


def _named(focus: str, citations: Sequence[Citation]) -> bool:
    return any(focus in (str(one.number), one.paper.id) for one in citations)


def _cited(
    citations: Sequence[Citation], claims: Sequence[Claim], sentences: Sequence[Sentence], unfolded: bool, turn: int
) -> str:
    paper, numbers = citations[0].paper, [citation.number for citation in citations]
    where = link(paper)
    verdicts = "".join(_verdict(claim) for claim in claims if set(claim.citations) & set(numbers))
    verdicts = verdicts or '<li class="quiet">Cited for its record; no statement to check.</li>'
    abstract = f"<summary>Abstract</summary><p>{quote_in_context(citations, sentences)}</p>"
    return (
        f'<article data-paper="{literal(paper.id)}" data-numbers="{" ".join(map(str, numbers))}">'
        f'<h3>{_markers(numbers)} {title(paper)}</h3><p class="quiet">{facts(paper)}{f" · {where}" if where else ""}</p>'
        f"<ul>{verdicts}</ul><details{' open' if unfolded else ''}>{abstract}</details>{_rating(turn, numbers)}</article>"
    )


def _verdict(claim: Claim) -> str:
    if claim.verdict is Verdict.SUPPORTED:
        why = f' <span class="quiet">{literal(claim.reason)}</span>' if claim.reason else ""
        mark = '<span class="verdict supported"><span aria-hidden="true">✓</span>'
        return f'<li class="supported">{mark} Supported</span> {_markers(claim.citations)}{why}</li>'
    # The statement is repeated only where the reader has to compare it with the quote.
    said = f"“{literal(claim.text)}”"
    return f'<li class="{claim.verdict}">{_markers(claim.citations)} {said} {verdict_mark(claim)}</li>'


def _rating(turn: int, numbers: Sequence[int]) -> str:
    """Feedback on a citation."""
    buttons = "".join(
        f'<button type="button" data-do="rate" data-turn="{turn}" data-number="{number}" data-kind="{kind}"'
        f' aria-label="Citation {number}: {kind}">{f"&#91;{number}&#93; " if len(numbers) > 1 else ""}{kind.capitalize()}</button>'
        for number in numbers
        for kind in ("wrong paper", "not supported")
    )
    return f'<details class="feedback"><summary>Feedback on this citation</summary><div>{buttons}</div></details>'


def _markers(numbers: Sequence[int]) -> str:
    return " ".join(f'<span class="number">&#91;{number}&#93;</span>' for number in numbers)
