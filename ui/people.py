"""Who asks: a user that has logged in, or a browser that carries the cookie it was given."""

from __future__ import annotations

import re
import secrets

import gradio as gr

from ui.conversations import owner_key

COOKIE = "attest_browser"


def new_token() -> str:
    """A secret for one browser."""
    return secrets.token_urlsafe(24)


def is_token(text: str) -> bool:
    return bool(re.fullmatch(r"[\w-]{32}", text))


def owner(request: gr.Request | None) -> str:
    """The key under which this person's conversations are kept; without name or cookie they are of the tab alone."""
    if request is not None and request.username:
        return owner_key("user", request.username)
    cookies = dict(request.request.cookies) if request is not None and request.request else {}
    token = cookies.get(COOKIE, "")
    if is_token(token):
        return owner_key("browser", token)
    return owner_key("tab", (request.session_hash if request is not None else None) or "nobody")
