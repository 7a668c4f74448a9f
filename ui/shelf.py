"""The shelf: its papers to browse, search and sort, counts by year, and pages to add."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from rag.assistant import Assistant
from rag.errors import AttestError
from rag.ingest.pipeline import Progress
from rag.ingest.repair import readable
from rag.types import IngestReport, Paper
from ui.chat import STORING, html
from ui.evidence import paper_html
from ui.filters import FilterControls
from ui.markup import literal
from ui.pace import told

LISTED = 200
HEADERS = ["Title", "Date", "Organisation", "Authors", "Comments"]
ORDERS = {
    "Newest first": ("date", True),
    "Oldest first": ("date", False),
    "Title": ("title", False),
    "Most authors": ("author_count", True),
    "Most comments": ("comment_count", True),
}
MOST_REJECTED = 50


class ShelfTab:
    """The tab, and what its events do."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def build(self, filters: FilterControls) -> None:
        """Lay the tab out and wire it; `filters` learn of new papers."""
        with gr.Row():
            with gr.Column(scale=3, min_width=340):
                with gr.Row(equal_height=True):
                    words = gr.Textbox(label="Search", placeholder="Words, or nothing for all papers", scale=3)
                    order = gr.Dropdown(list(ORDERS), value="Newest first", label="Sort by", scale=1, min_width=150)
                count = gr.Markdown(self._count(), elem_id="count")
                papers, ids = gr.Dataframe(
                    headers=HEADERS, datatype=["str", "str", "str", "str", "str"], type="array", interactive=False,
                    wrap=True, column_widths=["44%", "14%", "18%", "11%", "13%"], show_label=False, max_height=560,
                    elem_id="papers", buttons=[], latex_delimiters=[],
                ), gr.State([])  # fmt: skip
            with gr.Column(scale=2, min_width=320):
                one = html('<p class="quiet">Choose a paper to read its record and abstract.</p>', "paper")
                plot = gr.BarPlot(
                    self._years(), x="year", y="papers", title="Papers by year", height=220, show_label=False,
                    elem_id="years", buttons=[],
                )  # fmt: skip
                gr.Markdown("### Add papers\nSaved pages or JSON lines. What is there already is not stored twice.")
                files = gr.File(file_count="multiple", label="Files", show_label=False, height=130, elem_id="upload")
                with gr.Row():
                    add = gr.Button("Add to the shelf", variant="primary", min_width=120)
                    stop = gr.Button("Stop", min_width=84, elem_classes=["slim"])
                done = html("", "ingested")
        listed = [papers, ids, count]
        for event in (words.submit, order.change):
            event(self.browse, [words, order], listed, **STORING)
        papers.select(self.show, [ids], one, **STORING)
        adding = {**STORING, "concurrency_limit": 1, "concurrency_id": "ingest"}
        added = add.click(self.add, [files], [done, files], **adding)
        stop.click(
            lambda: '<p role="status">Stopped; what was stored so far is kept.</p>',
            None,
            done,
            cancels=[added],
            **STORING,
        )
        renewed = added.then(self.browse, [words, order], listed, **STORING)
        renewed.then(lambda: [self._years(), *filters.renewed()], None, [plot, *filters.choosing], **STORING)
        self.load: Callable[[gr.Blocks], Any] = lambda page: page.load(self.browse, [words, order], listed, **STORING)

    def browse(self, words: str | None, order: str) -> tuple[list[list[str]], list[str], str]:
        """Rows, ids and a line that says how many; a search is in the order of fit unless it is empty."""
        try:
            if words and words.strip():
                found = [item.paper for item in self._assistant.search(words, LISTED)]
                note = f"{len(found)} papers match, best first." if found else "No paper matches."
            else:
                field, descending = ORDERS.get(order, ORDERS["Newest first"])
                found = self._assistant.shelf.ledger.listing(field, descending=descending, limit=LISTED)
                note = self._count()
        except AttestError as error:
            return [], [], literal(str(error))
        return [_row(paper) for paper in found], [paper.id for paper in found], note

    def show(self, ids: list[str], event: gr.SelectData) -> Any:
        row = event.index[0] if isinstance(event.index, list | tuple) else event.index
        if not isinstance(row, int) or not 0 <= row < len(ids):
            return gr.skip()
        found = self._assistant.shelf.ledger.papers([ids[row]])
        return "".join(map(paper_html, found.values())) or gr.skip()

    async def add(self, files: list[str] | None) -> AsyncGenerator[tuple[Any, Any], None]:
        """Read uploaded files into the shelf, telling how far it is."""
        if not files:
            yield '<p role="status">Choose files first.</p>', gr.skip()
            return
        kept = [await asyncio.to_thread(self._keep, Path(name)) for name in files]
        report: IngestReport | None = None
        yield _progress(None), None

        def work(tell: Callable[[Progress | IngestReport], None]) -> None:
            tell(self._assistant.ingest(kept, progress=tell))

        try:
            async with aclosing(told(work)) as news:
                async for item in news:
                    if isinstance(item, IngestReport):
                        report = item
                    else:
                        yield _progress(item), gr.skip()
        except AttestError as error:
            yield f'<p class="failed" role="status">{literal(str(error))}; {literal(error.hint)}</p>', gr.skip()
            return
        if report is not None:
            yield _report(report), gr.skip()

    def _keep(self, path: Path) -> Path:
        """An upload moved into the shelf's folder, where its papers' records say that they come from."""
        folder = self._assistant.folder / "uploads"
        folder.mkdir(exist_ok=True)
        name = re.sub(r"[^\w. -]", "_", path.name).lstrip(".") or "page.txt"
        with _NAMING:
            target = folder / name
            if target.exists() and target.read_bytes() != path.read_bytes():
                number = next(
                    n for n in range(2, 100_000) if not (folder / f"{target.stem}-{n}{target.suffix}").exists()
                )
                target = folder / f"{target.stem}-{number}{target.suffix}"
            shutil.move(path, target)
        return target

    def _count(self) -> str:
        papers, _ = self._assistant.shelf.ledger.count()
        return f"{papers:,} papers on the shelf" + (
            f", the first {LISTED} shown; search for others." if papers > LISTED else "."
        )

    def _years(self) -> pd.DataFrame:
        rows = self._assistant.shelf.ledger.tally("year")
        return pd.DataFrame({"year": [str(year) for year, _ in rows], "papers": [number for _, number in rows]})


_NAMING = threading.Lock()


def _row(paper: Paper) -> list[str]:
    count = paper.author_count or len(paper.authors) or ""
    who = paper.organization.name if paper.organization else ""
    comments = "" if paper.comment_count is None else str(paper.comment_count)
    return [readable(paper.title), paper.date or str(paper.year or ""), who, str(count), comments]


def _progress(progress: Progress | None) -> str:
    share = round(100 * progress.done / progress.total) if progress and progress.total else 0
    said = f"{progress.papers:,} papers read" if progress else "Reading…"
    return (
        f'<p role="status">{said}</p><div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{share}" aria-label="Reading"><span style="width:{share}%"></span></div>'
    )


def _report(report: IngestReport) -> str:
    counts = ", ".join(f"{getattr(report, name)} {name}" for name in ("new", "updated", "unchanged", "merged"))
    said = f'<p role="status"><strong>{report.read} read:</strong> {counts}, {len(report.rejected)} rejected</p>'
    items = "".join(
        f"<li>{literal(Path(item.file).name)}{f', line {item.line}' if item.line else ''}: {literal(item.reason)}</li>"
        for item in report.rejected[:MOST_REJECTED]
    )
    more = len(report.rejected) - MOST_REJECTED
    rest = f"<li>and {more} more, all in rejected.jsonl</li>" if more > 0 else ""
    return said + (
        f'<details open id="rejected"><summary>Rejected</summary><ul>{items}{rest}</ul></details>' if items else ""
    )
