"""The conditions that may be set beside a question: year, organisation, number of authors, page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from rag.assistant import Assistant
from rag.errors import ShelfMissing

MOST_CHOICES = 2_000


class FilterControls:
    """Controls in a fold; `values` are its inputs, in the order `to_filters` takes them."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        organizations, pages = self._choices()
        with gr.Accordion("Filters", open=False, elem_id="filters"):
            with gr.Row():
                self.since = gr.Number(label="From year", precision=0, value=None, min_width=110)
                self.until = gr.Number(label="To year", precision=0, value=None, min_width=110)
                self.least = gr.Number(label="Authors, at least", precision=0, value=None, min_width=110)
                self.most = gr.Number(label="Authors, at most", precision=0, value=None, min_width=110)
            with gr.Row():
                self.organization = gr.Dropdown(
                    organizations, label="Organisation", value=None, min_width=180, elem_id="organization"
                )
                self.page = gr.Dropdown(pages, label="Page it was read from", value=None, min_width=180)
            clear = gr.Button("Clear filters", size="sm", min_width=100)
        self.values = [self.since, self.until, self.least, self.most, self.organization, self.page]
        clear.click(lambda: [None] * 6, None, self.values, api_visibility="private", show_progress="hidden")

    def renewed(self) -> list[Any]:
        """The choices of `organization` and `page` as the shelf is now."""
        return [gr.update(choices=choices) for choices in self._choices()]

    def _choices(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        try:
            ledger = self._assistant.shelf.ledger
        except ShelfMissing:
            return [], []
        both = [ledger.tally(field)[:MOST_CHOICES] for field in ("organization", "page")]
        organizations, pages = ([("Any", ""), *((f"{name} ({n})", name) for name, n in rows)] for rows in both)
        return organizations, pages


def to_conditions(
    since: float | None,
    until: float | None,
    least: float | None,
    most: float | None,
    organization: str | None,
    page: str | None,
) -> dict[str, Any]:
    """What was set, as `Assistant.ask` takes filters."""

    def within(low: float | None, high: float | None) -> dict[str, int]:
        return {name: int(value) for name, value in (("gte", low), ("lte", high)) if value is not None}

    wanted = {
        "year": within(since, until),
        "author_count": within(least, most),
        "organization": organization,
        "page": page,
    }
    return {name: value for name, value in wanted.items() if value}
