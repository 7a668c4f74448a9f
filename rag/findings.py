"""What was found in a draft, for people and programs."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from rag.ingest.repair import readable
from rag.render import COLORS, MARKS, escaped, plain, styled
from rag.types import Check, Paper, Verdict
from rag.verify.manuscript import Cited, Finding


def to_terminal(finding: Finding, *, color: bool = False, width: int = 100) -> str:
    """One sentence with its verdict, then the paper and its words; where these do not support it, why, and who does."""
    check = finding.check
    # The shades of a terminal have no width: they are put on once lines are broken.
    head = f"{MARKS[check.verdict]} {check.verdict}"
    lines = textwrap.fill(
        f"{head}  line {finding.line}: {_one_line(finding.written or finding.sentence)}",
        width, subsequent_indent="  ", break_long_words=False,
    )  # fmt: skip
    told = [styled(head, COLORS[check.verdict], color) + lines.removeprefix(head)]
    told += [
        textwrap.fill(line, width, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
        for line in _evidence(finding)
    ]
    return "\n".join(told)


def _evidence(finding: Finding) -> list[str]:
    """The lines below a sentence: the paper and its words, the other papers cited, why, and the suggestion."""
    check, lines = finding.check, []
    if finding.paper:
        own = "suggested:" if check.verdict is Verdict.SUPPORTED else "nearest:"
        role = _markers(finding.citations, finding.paper) or own
        lines.append(f"{role} {_quoted(finding.paper, check)}")
    if check.verdict is not Verdict.SUPPORTED:
        others = [cited for cited in finding.citations if cited.paper and cited.paper != finding.paper]
        lines += [f"{_one_line(cited.marker)} {_title(cited)}" for cited in others]
        lines.append(_one_line(check.reason))
        if finding.suggestion:
            lines.append(f"suggested: {_quoted(*finding.suggestion)}")
    return [line for line in lines if line]


def _markers(citations: Sequence[Cited], paper: Paper) -> str:
    return " ".join(dict.fromkeys(_one_line(cited.marker) for cited in citations if cited.paper == paper))


def _title(cited: Cited) -> str:
    verdict = f" ({cited.check.verdict})" if cited.check else ""
    return f"{_one_line(readable(cited.paper.title)) if cited.paper else ''}{verdict}"


def _quoted(paper: Paper, check: Check) -> str:
    return f"{_one_line(readable(paper.title))}: “{_one_line(readable(check.quote))}”"


def _one_line(text: str) -> str:
    return " ".join(plain(text).split())


def counts(findings: Iterable[Finding]) -> dict[Verdict, int]:
    """How many sentences have each verdict."""
    found = Counter(finding.check.verdict for finding in findings)
    return {verdict: found[verdict] for verdict in Verdict}


def summary(findings: Sequence[Finding]) -> str:
    """The counts on one line."""
    found = counts(findings)
    rest = ", ".join(f"{number} {verdict}" for verdict, number in found.items() if verdict is not Verdict.SUPPORTED)
    return f"{rest}; {found[Verdict.SUPPORTED]} of {len(findings)} sentences supported by the shelf"


def to_markdown(findings: Sequence[Finding]) -> str:
    """A list with the words that each verdict rests on; Markdown and HTML in the draft and in papers is shown, not obeyed."""
    lines = [f"**{summary(findings)}**", ""]
    for finding in findings:
        check = finding.check
        said = escaped(_one_line(finding.written or finding.sentence))
        lines.append(f"- {MARKS[check.verdict]} **{check.verdict}** (line {finding.line}) {said}")
        lines += [f"  - {escaped(line)}" for line in _evidence(finding)]
    return "\n".join(lines)


def to_json(findings: Sequence[Finding]) -> str:
    """A JSON list with one object a sentence; `rag.verify.manuscript.Finding.to_dict` says which fields it has."""
    return json.dumps([finding.to_dict() for finding in findings], ensure_ascii=False, indent=2)
