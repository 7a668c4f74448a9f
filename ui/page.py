"""The page: its tabs, and the endpoints for programs."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from rag.assistant import Assistant
from ui.api import add_endpoints
from ui.chat import STORING, Chat
from ui.draft import DraftTab
from ui.runs import RunsTab
from ui.shelf import ShelfTab

WAITING = 500  # events that may wait in the queue before the server says that it is busy
KEPT = 3_600  # seconds that an upload which was not added stays
DARK = "() => { document.body.classList.toggle('dark'); }"


def create_app(assistant: Assistant, runs: Path = Path("runs")) -> gr.Blocks:
    """The page and its named endpoints, /ask, /search, /fetch and /check.

    Args:
        assistant: an open shelf.
        runs: folder that evaluation runs are written into.
    """
    chat, shelf, draft, newest = Chat(assistant), ShelfTab(assistant), DraftTab(assistant), RunsTab(runs)
    page = gr.Blocks(title="Attest", analytics_enabled=False, fill_width=True, delete_cache=(KEPT, KEPT))
    with page:
        add_endpoints(assistant)  # first, for an event's function of the same name would take theirs
        with gr.Row(elem_id="top"):
            gr.Markdown("# Attest")
            theme = gr.Button("Light or dark", size="sm", min_width=110, scale=0)
        theme.click(None, None, None, js=DARK, api_visibility="private")
        with gr.Tabs():
            with gr.Tab("Ask"):
                chat.build()
            with gr.Tab("Shelf"):
                shelf.build(chat.filters)
            with gr.Tab("Check a draft"):
                draft.build()
            with gr.Tab("Evaluation") as evaluation:
                newest.build()
        evaluation.select(newest.newest, None, newest.shown, **STORING)
        shelf.load(page)
        chat.load(page)
    page.queue(max_size=WAITING, default_concurrency_limit=16)
    return page
