"""A person's conversations as a list."""

from __future__ import annotations

from collections.abc import Sequence

from ui.conversations import Conversation
from ui.markup import literal

LONGEST = 70


def listing_html(conversations: Sequence[Conversation], current: str) -> str:
    """The last one first, each to be opened or deleted."""
    if not conversations:
        return '<p class="quiet">None yet. Only you see yours.</p>'
    return f"<ul>{''.join(_entry(one, one.id == current) for one in conversations)}</ul>"


def _entry(one: Conversation, current: bool) -> str:
    name = one.title if len(one.title) <= LONGEST else f"{one.title[: LONGEST - 1].rstrip()}…"
    mark = ' aria-current="true"' if current else ""
    return (
        f'<li><button type="button" data-do="open" data-key="{one.id}"{mark}>{literal(name)}</button>'
        f'<button type="button" data-do="remove" data-key="{one.id}" aria-label="Delete: {literal(name)}">Delete</button></li>'
    )
