"""The conditions that may be set beside a question: year, organisation, number of authors, page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from rag.assistant import Assistant
from rag.errors import ShelfMissing, UsageError

MOST_CHOICES = 2_000


class FilterControls:
    """Controls in a fold; `values` are its inputs, in the order `to_conditions` takes them."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._counted: tuple[int, list[list[tuple[Any, int]]]] | None = None
        years, organizations, pages = self._choices()
        with gr.Accordion("Filters", open=False, elem_id="filters"):
            with gr.Row():
                self.since = gr.Dropdown(years, label="From year", value="", min_width=110)
                self.until = gr.Dropdown(years, label="To year", value="", min_width=110)
                self.least = gr.Textbox(label="Authors, at least", max_length=4, placeholder="any", min_width=110)
                self.most = gr.Textbox(label="Authors, at most", max_length=4, placeholder="any", min_width=110)
            with gr.Row():
                self.organization = gr.Dropdown(organizations, label="Organisation", value="", min_width=180)
                self.page = gr.Dropdown(pages, label="Page it was read from", value="", min_width=180)
            clear = gr.Button("Clear filters", size="sm", min_width=100)
        self.values = [self.since, self.until, self.least, self.most, self.organization, self.page]
        self.choosing = [self.since, self.until, self.organization, self.page]
        clear.click(lambda: [""] * 6, None, self.values, api_visibility="private", show_progress="hidden")

    def renewed(self) -> list[Any]:
        """The choices of `choosing` as the shelf is now."""
        years, organizations, pages = self._choices()
        return [gr.update(choices=choices) for choices in (years, years, organizations, pages)]

    def _choices(self) -> list[list[tuple[str, str]]]:
        """Years, organisations and pages, each with its number of papers."""
        try:
            ledger = self._assistant.shelf.ledger
        except ShelfMissing:
            return [[("any", "")]] * 3
        if self._counted is None or self._counted[0] != ledger.revision:  # reads all papers
            fields = ("year", "organization", "page")
            self._counted = ledger.revision, [ledger.tally(field)[:MOST_CHOICES] for field in fields]
        rows = self._counted[1]
        return [[("any", ""), *((f"{value} ({n})", str(value)) for value, n in values)] for values in rows]


def to_conditions(since: str, until: str, least: str, most: str, organization: str, page: str) -> dict[str, Any]:
    """What was set, as `Assistant.ask` takes filters.

    Raises:
        UsageError: a number is none.
    """

    def within(what: str, low: str | None, high: str | None) -> dict[str, int]:
        return {name: _whole(what, value) for name, value in (("gte", low), ("lte", high)) if value and value.strip()}

    wanted = {
        "year": within("year", since, until),
        "author_count": within("number of authors", least, most),
        "organization": organization,
        "page": {"eq": page} if page else None,
    }
    return {name: value for name, value in wanted.items() if value}


def _whole(what: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"“{text}” is no {what}", hint="set it to a whole number, or clear the filters") from None
