"""Answers and papers for people and programs; escaping lives here."""

from __future__ import annotations

import html
import itertools
import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from rag.ingest.repair import readable
from rag.types import Answer, Citation, Evidence, Sentence, Verdict

MARKS = {Verdict.SUPPORTED: "✓", Verdict.CONTRADICTED: "✗", Verdict.UNSUPPORTED: "?", Verdict.UNCHECKED: "·"}
COLORS = {Verdict.SUPPORTED: "32", Verdict.CONTRADICTED: "31", Verdict.UNSUPPORTED: "33", Verdict.UNCHECKED: "2"}


def plain(text: str) -> str:
    """Text without control characters: an abstract must not be able to drive a terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text)


def to_terminal(answer: Answer, *, color: bool = False, width: int = 100) -> str:
    """The answer, its citations with the quoted words, and the verdict on each claim."""
    text = "\n".join(_wrapped(line, width) for line in plain(answer.text).split("\n"))
    return text + evidence_to_terminal(answer, color=color, width=width)


def evidence_to_terminal(answer: Answer, *, color: bool = False, width: int = 100) -> str:
    """What stands below the text: citations with the quoted words, and the verdict on each claim."""
    lines = [""]
    if answer.citations:
        lines += ["", styled("Evidence", "1", color)]
        for citation in answer.citations:
            lines.append(_citation_line(citation, _verdict_on(answer, citation), color))
            lines.append(
                textwrap.fill(
                    f"“{plain(readable(citation.quote))}”", width, initial_indent="      ", subsequent_indent="      "
                )
            )
    doubtful = [claim for claim in answer.claims if claim.verdict is not Verdict.SUPPORTED]
    if answer.claims:
        checked = (
            f"{len(answer.claims) - len(doubtful)} of {len(answer.claims)} statements supported by the words they cite"
        )
        lines += ["", styled(checked, "32" if not doubtful else "33", color)]
    for claim in doubtful:
        lines.append(
            _wrapped(f"{MARKS[claim.verdict]} {claim.verdict}: “{plain(claim.text)}” ({plain(claim.reason)})", width)
        )
    return "\n".join(lines)


def _verdict_on(answer: Answer, citation: Citation) -> tuple[str, Verdict | None]:
    """Whether a citation bears out the claims that cite it, in words, and the verdict that gives the colour."""
    claims = [claim for claim in answer.claims if citation.number in claim.citations]
    found = [(one, claim) for claim in claims for one in claim.support if one.number == citation.number]
    if not found:
        return "listed", None
    one, claim = next((pair for pair in found if pair[0].verdict is Verdict.SUPPORTED), found[0])
    if not one.located:
        return f"{MARKS[one.verdict]} {one.reason}", one.verdict
    if claim.verdict is Verdict.SUPPORTED and one.verdict is not Verdict.SUPPORTED:
        return f"{MARKS[claim.verdict]} supported together with others, not by this alone", claim.verdict
    return f"{MARKS[one.verdict]} {one.verdict}", one.verdict


def _citation_line(citation: Citation, verdict: tuple[str, Verdict | None], color: bool) -> str:
    paper = citation.paper
    when = f" ({paper.date or paper.year})" if paper.date or paper.year else ""
    words, kind = verdict
    said = styled(words, COLORS[kind], color) if kind else words
    return f"  [{citation.number}] {plain(readable(paper.title))}{when}, characters {citation.start}-{citation.end}: {said}"


def _wrapped(line: str, width: int) -> str:
    if line.startswith("| "):  # a row of a table stays one
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False) if len(line) > width else line


def styled(text: str, code: str, color: bool) -> str:
    """Text in an ANSI style such as "32", where colour is wanted."""
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def search_to_terminal(found: Sequence[Evidence], width: int = 100) -> str:
    """Ranked papers, each with its best sentence."""
    lines = []
    for number, item in enumerate(found, 1):
        when = f" ({item.paper.date or item.paper.year})" if item.paper.date or item.paper.year else ""
        lines.append(f"{number:2}. {plain(readable(item.paper.title))}{when}  {item.score:.2f}")
        for span in item.spans[:1]:
            lines.append(
                textwrap.fill(
                    plain(readable(item.paper.abstract[span.start : span.end])),
                    width,
                    initial_indent="    ",
                    subsequent_indent="    ",
                )
            )
    return "\n".join(lines)


def search_to_json(found: Sequence[Evidence]) -> str:
    """Papers with `score` and the matching `sentence` (quote and offsets), as a JSON list."""
    return json.dumps(
        [
            {
                **item.paper.to_dict(),
                "score": round(item.score, 4),
                "sentence": next(
                    (
                        {"quote": item.paper.abstract[s.start : s.end], "start": s.start, "end": s.end}
                        for s in item.spans
                    ),
                    None,
                ),
            }
            for item in found
        ],
        ensure_ascii=False,
        indent=2,
    )


def quote_in_context(citations: Iterable[Citation], sentences: Sequence[Sentence] = ()) -> str:
    """One paper's abstract as HTML, escaped, the quoted words of all its citations in <mark data-number="NUMBER">.

    Args:
        citations: citations of one paper.
        sentences: of the abstract; where another part of it begins (problem, method, ...), a label says so.
    """
    found = sorted(citations, key=lambda citation: citation.start)
    if not found:
        return ""
    text, parts, at = found[0].paper.abstract, [], 0
    before = [None, *(sentence.role for sentence in sentences)]
    labels = {one.start: one.role.value for one, role in zip(sentences, before, strict=False) if one.role is not role}
    for citation in found:
        start = max(citation.start, at)
        parts.append(_labelled(text, at, start, labels))
        if citation.end > start:
            marked = _labelled(text, start, citation.end, labels)
            parts.append(f'<mark data-number="{citation.number}">{marked}</mark>')
        at = max(at, citation.end)
    return "".join([*parts, _labelled(text, at, len(text), labels)])


def _labelled(text: str, start: int, end: int, labels: Mapping[int, str]) -> str:
    """A stretch of the text, escaped, with the labels that stand in it."""
    cuts = [start, *(at for at in sorted(labels) if start < at < end), end]
    return "".join(
        (f'<span class="part">{labels[a]}</span> ' if a in labels else "") + html.escape(text[a:b])
        for a, b in itertools.pairwise(cuts)
        if b > a
    )


def to_markdown(answer: Answer) -> str:
    """The answer with its evidence as footnotes; Markdown and HTML in paper text is shown, not obeyed."""
    notes = [
        f"[{citation.number}] {escaped(citation.paper.title)}{f' ({citation.paper.year})' if citation.paper.year else ''}: > {escaped(readable(citation.quote))}"
        for citation in answer.citations
    ]
    return "\n\n".join([literal(answer.text), *notes])


def literal(text: str) -> str:
    """An answer's text as Markdown that shows it; rows of its tables stay rows."""
    return "\n".join(
        f"| {' | '.join(escaped(cell.strip()) for cell in line.strip('| ').split(' | '))} |"
        if line.startswith("| ")
        else escaped(line)
        for line in text.split("\n")
    )


def escaped(text: str) -> str:
    """Characters that Markdown or HTML would act on, made literal; citation markers stay as they are."""
    literal = re.sub(r"([\\`*_#~|!])", r"\\\1", html.escape(text, quote=False))
    return re.sub(r"\[(?!\d+\])|(?<!\d)\](?=\()|(?<=\])[(:]", lambda found: "\\" + found[0], literal)
