"""What stands between the network and the page: headers, foreign origins, sizes, and a cookie for each browser."""

from __future__ import annotations

import re
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.people import COOKIE, is_token, new_token

# Gradio compiles its HTML component's template and styles its elements at run time, hence 'unsafe-eval'
# and inline styles. Scripts within the page run only by the nonce: no handler or script brought in by text does.
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
LARGEST_REQUEST = 2_000_000
LARGEST_UPLOAD = 64_000_000  # bytes of one file
UPLOADS = "/gradio_api/upload"
A_YEAR = 31_536_000
_ELSEWHERE = "Request from another site refused"


class TooLarge(Exception):
    """A request's body is larger than is taken."""


class Guard:
    """Adds the security headers, refuses requests that another site's page makes in the user's name and bodies that
    are too large, and gives each browser the cookie that its conversations are kept under."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # none is offered
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = _Reply(scope, send)
        headers = Headers(scope=scope)
        limit = 2 * LARGEST_UPLOAD if scope["path"].startswith(UPLOADS) else LARGEST_REQUEST
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and _is_foreign(headers):
            await PlainTextResponse(_ELSEWHERE, status_code=403)(scope, receive, reply)
            return
        if int(headers.get("content-length") or 0) > limit:
            await _too_large(limit)(scope, receive, reply)
            return
        try:
            await self._app(scope, reply.limited(receive, limit), reply)
        except TooLarge:  # what reads the body may also have made an answer of its own out of it
            if not reply.begun:
                await _too_large(limit)(scope, receive, reply)


def _is_foreign(headers: Headers) -> bool:
    if "origin" in headers:
        return urlsplit(headers["origin"]).netloc != headers.get("host")
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _too_large(limit: int) -> PlainTextResponse:
    return PlainTextResponse(f"The request is larger than {limit:,} bytes", status_code=413)


class _Reply:
    """Sends on what the application answers, with the headers, and the nonce put into a page."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.begun = self._too_large = False
        self._send, self._nonce = send, secrets.token_urlsafe(16)
        self._cookie = None if _has_cookie(Headers(scope=scope)) else new_token()
        self._held: list[Message] = []  # the start and body of an HTML page, until the nonce can be put into it whole

    def limited(self, receive: Receive, limit: int) -> Receive:
        """The body as it comes, also without a length told, until it is too large."""
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                self._too_large = True
                raise TooLarge
            return message

        return limited

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._too_large:
            message = {**message, "status": 413}
        self.begun = True
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = POLICY.format(nonce=self._nonce)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
            if headers.get("content-type", "").startswith("text/html"):
                if self._cookie:
                    kept = f"Path=/; Max-Age={A_YEAR}; HttpOnly; SameSite=Strict"
                    headers.append("Set-Cookie", f"{COOKIE}={self._cookie}; {kept}")
                self._held.append(message)
                return
        if self._held and message["type"] == "http.response.body":
            self._held.append(message)
            if message.get("more_body"):
                return
            # The page as served holds no text of the shelf (that comes later, as JSON): its scripts are Gradio's own.
            body = b"".join(part.get("body", b"") for part in self._held)
            body = re.sub(rb"<script(?=[\s>])", f'<script nonce="{self._nonce}"'.encode(), body)
            MutableHeaders(scope=self._held[0])["Content-Length"] = str(len(body))
            await self._send(self._held[0])
            message = {"type": "http.response.body", "body": body}
        await self._send(message)


def _has_cookie(headers: Headers) -> bool:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return found is not None and is_token(found.value)
