"""A text of the reader's own, checked sentence by sentence as on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import gradio as gr

from rag.assistant import Assistant
from rag.errors import AttestError
from rag.findings import summary
from rag.ingest.repair import readable
from rag.render import MARKS
from rag.types import Check, Paper, Verdict
from rag.verify.manuscript import Finding
from ui.chat import STORING, html
from ui.markup import WORDS, literal, title
from ui.pace import told

LONGEST_DRAFT = 200_000
PLACEHOLDER = (
    "Paste a paragraph or a whole section: plain text, Markdown or LaTeX. A reference list at its end is used."
)


class DraftTab:
    """The tab, and what its events do."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def build(self) -> None:
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                text = gr.Textbox(label="Draft", lines=14, max_lines=30, placeholder=PLACEHOLDER, elem_id="draft")
                bib = gr.File(label="BibTeX file (optional)", file_types=[".bib"], height=130, elem_id="bib")
                with gr.Row():
                    check = gr.Button("Check", variant="primary", min_width=100)
                    stop = gr.Button("Stop", min_width=84, elem_classes=["slim"])
            with gr.Column(scale=3, min_width=340):
                found = html(
                    '<p class="quiet">Each sentence is held against the papers it cites, or the nearest of the shelf.</p>',
                    "findings",
                )
        many: dict[str, Any] = {**STORING, "concurrency_limit": 8, "concurrency_id": "check"}
        running = check.click(self.check, [text, bib], found, **many)
        stop.click(None, None, None, cancels=[running], **STORING)

    async def check(self, text: str, bib: str | None) -> AsyncGenerator[str, None]:
        """The findings as they are made."""
        text = text or ""
        if not text.strip() or len(text) > LONGEST_DRAFT:
            said = "Paste a text first." if not text.strip() else f"At most {LONGEST_DRAFT:,} characters at a time."
            yield f'<p role="status">{said}</p>'
            return
        found: list[Finding] = []
        try:
            manuscript = await asyncio.to_thread(self._assistant.manuscript, text, bib=bib or ())

            def work(tell: Callable[[Finding], None]) -> None:
                for finding in self._assistant.check_each(manuscript):
                    tell(finding)

            total = len(manuscript.sentences)
            yield _page(found, total)
            async with aclosing(told(work)) as news:
                async for finding in news:
                    found.append(finding)
                    yield _page(found, total)
        except AttestError as error:
            yield f'<p class="failed" role="status">{literal(str(error))}; {literal(error.hint)}</p>'


def _page(found: Sequence[Finding], total: int) -> str:
    if not total:
        return '<p role="status">There is no sentence to check.</p>'
    said = literal(summary(found)) if len(found) == total else f"{len(found)} of {total} sentences checked…"
    return f'<p role="status"><strong>{said}</strong></p>{"".join(map(finding_html, found))}'


def finding_html(finding: Finding) -> str:
    """A sentence, its verdict and why, and the words of the paper that comes nearest to saying it."""
    check = finding.check
    mark = f'<span class="verdict {check.verdict}"><span aria-hidden="true">{MARKS[check.verdict]}</span> {WORDS[check.verdict]}</span>'
    why = (
        f'<p class="quiet">{literal(check.reason)}</p>'
        if check.reason and check.verdict is not Verdict.SUPPORTED
        else ""
    )
    quoted = _quoted(finding.paper, check, _role(finding)) if finding.paper else ""
    other = _quoted(*finding.suggestion, "says it instead") if finding.suggestion else ""
    return f'<div class="sentence {check.verdict}"><p>{literal(finding.written or finding.sentence)} {mark}</p>{why}{quoted}{other}</div>'


def _role(finding: Finding) -> str:
    markers = dict.fromkeys(one.marker for one in finding.citations if one.paper == finding.paper)
    if markers:
        return f"cited as {' '.join(markers)}"
    return "suggested by the shelf" if finding.check.verdict is Verdict.SUPPORTED else "nearest on the shelf"


def _quoted(paper: Paper, check: Check, role: str) -> str:
    words = f"<q>{literal(readable(check.quote))}</q> " if check.quote else ""
    return f'<p>{words}<span class="quiet">{title(paper)} &#40;{literal(role)}&#41;</span></p>'
