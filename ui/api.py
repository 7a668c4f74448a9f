"""The named endpoints /ask, /search, /fetch and /check, for programs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from rag.assistant import Assistant
from rag.errors import AttestError, UsageError
from rag.ingest.repair import readable
from rag.render import search_to_json
from rag.types import Paper
from ui.draft import LONGEST_DRAFT
from ui.pace import long

MOST_PAPERS = 100
AT_ONCE = 32


def add_endpoints(assistant: Assistant) -> None:
    """Add them to the page that is being made."""
    for made in endpoints(assistant):
        gr.api(_told(made), api_name=made.__name__, concurrency_limit=AT_ONCE, concurrency_id="api")  # type: ignore[attr-defined]


def endpoints(assistant: Assistant) -> tuple[Callable[..., Any], ...]:
    """Coroutine functions with plain values, named and described as programs and assistants see them."""
    return _ask(assistant), _search(assistant), _fetch(assistant), _check(assistant)


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, its errors told to the caller with their hints."""

    @wraps(function)
    async def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except AttestError as error:
            raise gr.Error(f"{error}; {error.hint}" if error.hint else str(error), print_exception=False) from None

    return told


def _ask(assistant: Assistant) -> Callable[..., Any]:
    async def ask(
        question: str, history: list[Any] | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer a question from the papers of the shelf: every statement cites and quotes its paper and was checked against the quoted words; or say that the shelf does not know.

        Args:
            question: the question, in words.
            history: earlier turns, oldest first, as {"question": ..., "papers": [ids]} or questions alone.
            filters: conditions on metadata, as {"year": {"gte": 2023}, "organization": "microsoft"}.
        """
        return (await assistant.aask(question, history or (), filters)).to_dict()

    return ask


def _search(assistant: Assistant) -> Callable[..., Any]:
    async def search(query: str, k: int = 10, filters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Find papers on the shelf by words and meaning: ranked, each with id, title, url, date and its best matching sentence. Use `fetch` with an id for the whole abstract.

        Args:
            query: what to look for.
            k: how many papers at most, 100 or fewer.
            filters: conditions on metadata, as {"year": {"gte": 2023}}.
        """
        if not 1 <= k <= MOST_PAPERS:
            raise UsageError(f"k must be from 1 to {MOST_PAPERS}, not {k}")
        found = await asyncio.to_thread(assistant.search, query, k, filters)
        rows = json.loads(search_to_json(found))
        return {"results": [{"id": r["id"], "title": readable(r["title"]), "url": _address(item.paper), "text": (r["sentence"] or {}).get("quote", ""), "date": r["date"], "year": r["year"], "score": r["score"], "sentence": r["sentence"]} for r, item in zip(rows, found, strict=True)]}  # fmt: skip

    return search


def _fetch(assistant: Assistant) -> Callable[..., Any]:
    async def fetch(id: str) -> dict[str, Any]:
        """The whole record of one paper by its id, as `search` gives it: title, abstract and metadata.

        Args:
            id: the paper's id.
        """
        found = assistant.shelf.ledger.papers([id])
        if id not in found:
            raise UsageError(f"no paper on the shelf has the id {id!r}", hint="take one from `search`")
        paper = found[id]
        metadata = {key: value for key, value in paper.to_dict().items() if key not in ("abstract", "sources")}
        return {
            "id": id, "title": readable(paper.title), "text": paper.abstract, "url": _address(paper), "metadata": metadata
        }  # fmt: skip

    return fetch


def _check(assistant: Assistant) -> Callable[..., Any]:
    async def check(text: str) -> list[dict[str, Any]]:
        """Check each sentence of a text (plain, Markdown or LaTeX) against the papers it cites or the nearest of the shelf: verdict, score, best quote, reason.

        Args:
            text: at most 200,000 characters.
        """
        if len(text) > LONGEST_DRAFT:
            raise UsageError(f"the text has {len(text):,} characters; at most {LONGEST_DRAFT:,} are checked at a time")
        found = await long(lambda: assistant.check(text))
        return [finding.to_dict() for finding in found]

    return check


def _address(paper: Paper) -> str | None:
    return paper.url or (f"https://arxiv.org/abs/{paper.arxiv_id}" if paper.arxiv_id else None)
