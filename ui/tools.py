"""The shelf as tools of an assistant: MCP at /mcp, where the extra `mcp` is installed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import importlib.util
from collections.abc import AsyncGenerator, Callable
from functools import wraps
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.assistant import Assistant
from rag.errors import AttestError
from ui.accounts import Accounts
from ui.api import endpoints

PATH = "/mcp"


def add_tools(page: FastAPI, assistant: Assistant, accounts: Accounts | None) -> None:
    """Add `search`, `fetch`, `ask` and `check` over MCP (streamable HTTP), or nothing when the SDK is not installed.

    With accounts, each request has to carry a user's name and password (HTTP Basic).
    """
    if importlib.util.find_spec("mcp") is None:
        return
    from mcp.server.fastmcp import FastMCP
    from mcp.server.fastmcp.exceptions import ToolError
    from mcp.server.fastmcp.server import StreamableHTTPASGIApp
    from mcp.server.transport_security import TransportSecuritySettings
    from mcp.types import ToolAnnotations

    def told(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def tool(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except AttestError as error:
                raise ToolError(f"{error}; {error.hint}" if error.hint else str(error)) from None

        return tool

    # Hosts and origins are held by `Guard` for the whole server.
    trusting = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    server = FastMCP("Attest", stateless_http=True, json_response=True, log_level="ERROR", transport_security=trusting)
    for function in endpoints(assistant):
        server.tool(annotations=ToolAnnotations(readOnlyHint=True, openWorldHint=False))(told(function))
    server.streamable_http_app()  # makes the session manager
    app: ASGIApp = StreamableHTTPASGIApp(server.session_manager)
    page.router.routes.append(Route(PATH, endpoint=_LogIn(app, accounts) if accounts else app))
    before = page.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[Any, None]:
        async with before(app) as state, server.session_manager.run():
            yield state

    page.router.lifespan_context = lifespan


class _LogIn:
    """Lets those through who give a user's name and password."""

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self._app, self._accounts = app, accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        name, password = "", ""
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        if kind.casefold() != "basic" or not await asyncio.to_thread(self._accounts.allows, name, password):
            refused = PlainTextResponse("Log in", 401, {"WWW-Authenticate": 'Basic realm="Attest"'})
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)
