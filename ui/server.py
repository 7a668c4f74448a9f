"""The server: the page mounted under FastAPI, guarded, on an address of this machine."""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from rag.assistant import Assistant
from rag.errors import AttestError
from ui.accounts import Accounts
from ui.guard import LARGEST_UPLOAD, Guard
from ui.options import ServeOptions, add_options, ask_for_user, to_options
from ui.page import create_app
from ui.tools import add_tools

LOOPBACK = ("127.0.0.1", "localhost", "::1")
STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def serve(assistant: Assistant, options: ServeOptions = ServeOptions()) -> None:
    """Serve the page until interrupted.

    Raises:
        ShelfMissing: there is no shelf to ask.
        UsageError: the file of users will not do.
        AttestError: the address cannot be used.
    """
    assistant.shelf  # noqa: B018  a missing shelf must be told now, not at the first question
    accounts = Accounts.read(options.auth_file) if options.auth_file else None
    host, port = options.host, options.port
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise AttestError(f"cannot listen on {host}:{port}: {error}", hint="choose another --port") from None
    if host not in LOOPBACK and accounts is None:
        print("attest: everybody who reaches this address may ask and add papers (--auth-file FILE)", file=sys.stderr)
    with listener:
        shown = f"[{host}]" if ":" in host else host
        print(f"Attest answers at http://{shown}:{listener.getsockname()[1]} (Ctrl+C ends it)", flush=True)
        page = application(assistant, options, accounts)
        server = uvicorn.Server(uvicorn.Config(page, log_level="warning", timeout_graceful_shutdown=2))
        # Open pages hold a connection; that Ctrl+C cuts it is no error to tell of.
        logging.getLogger("uvicorn.error").addFilter(lambda _: not server.should_exit)
        server.run(sockets=[listener])


def application(assistant: Assistant, options: ServeOptions, accounts: Accounts | None = None) -> FastAPI:
    """The page as an ASGI application, with everything that guards it."""
    page = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @page.get("/health")
    def health() -> dict[str, str | int]:
        """For who watches over the server: the shelf is asked, and what is on it is not told."""
        return {"status": "ok", "papers": assistant.shelf.ledger.count()[0]}

    add_tools(page, assistant, accounts)
    gr.mount_gradio_app(
        page,
        create_app(assistant, options.runs),
        "/",
        theme=_theme(),
        css=STYLE,
        footer_links=[],
        auth=accounts.allows if accounts else None,
        max_file_size=LARGEST_UPLOAD,
        run_history=False,  # what is asked stays out of the browser's storage
        show_error=False,  # only errors meant for the user are shown
        ssr_mode=False,
        mcp_server=False,  # ours answers in JSON, and asks for a password where there are users
        enable_monitoring=False,
    )
    bare = f"[{options.host}]" if ":" in options.host else options.host
    names = [bare, "localhost", "127.0.0.1", "[::1]", *options.names]
    page.add_middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
    page.add_middleware(Guard)
    return page


def _theme() -> gr.Theme:
    """Gradio's own look with the system's fonts, and the colours that are too faint to read made stronger (WCAG AA)."""
    theme = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=["system-ui"], font_mono=["monospace"])
    return theme.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_title_text_color="*neutral_700",
        block_label_text_color="*neutral_700",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        color_accent="*primary_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """`python app.py [--shelf DIR] [--host HOST] [--port PORT] ...`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="app.py", description="Serve the chat page of Attest.")
    parser.add_argument("--shelf", help="folder or database of the shelf (default: ATTEST_SHELF, or ./shelf)")
    add_options(parser)
    options = parser.parse_args(arguments)
    try:
        if options.add_user:
            ask_for_user(options)
            return 0
        with Assistant.open(options.shelf) as assistant:
            serve(assistant, to_options(options))
    except AttestError as error:
        print(f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        pass
    return 0
