"""What several tests share: one real encoder, small shelves of invented papers, and a scripted language model."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rag import Assistant
from rag.answer.language_model import Finish, Message, Piece
from rag.config import Settings
from rag.index.embed import Embedder
from rag.ingest.lines import HEAD
from rag.types import Paper, Rejected, paper_id
from rag.verify.checker import Checker


@cache
def embedder() -> Embedder:
    return Embedder.from_settings(Settings())


@cache
def checker() -> Checker:
    return Checker.from_settings(Settings(), embedder())


def paper(title: str, abstract: str, **more: Any) -> Paper:
    return Paper(paper_id(title), title, abstract, **more)


# Invented, and of nothing in common: no sentence of one bears out a sentence of another.
MARMOT = paper(
    "Marmot: Retrieval From Few Notes",
    "Search over private notes is hard. We train Marmot, a retrieval model, on 3,200 hand-written notes. "
    "Marmot increases recall by 4.5 points over BM25. The model does not need labelled data. "
    "Training takes 17 hours on a single machine.",
    year=2023,
    date="2023-05-04",
)
CRANE = paper(
    "CraneNet: Planning Meals",
    "CraneNet plans meals that simmer for hours. It was trained on 9,000 recipes from twelve countries. "
    "Guests preferred its menus to those of a human cook in 71% of dinners.",
    year=2024,
    date="2024-02-01",
)
ZEBRA = paper(
    "Zebra Stripes Against Biting Flies",
    "Zebra stripes confuse biting flies. Painted horses attracted fewer horseflies than plain ones. "
    "The pattern was painted on 20 animals in one field.",
    year=2021,
)
STORK = paper(
    "The Stork Compiler",
    "The Stork compiler turns bird songs into sheet music. It reads recordings of 31 species. "
    "Musicians could play 84 percent of its output without a change.",
)
PAPERS = (MARMOT, CRANE, ZEBRA, STORK)


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def open_shelf(folder: Path, papers: Sequence[Paper] = PAPERS, settings: Settings | None = None) -> Assistant:
    """An assistant over a new shelf of these papers, read from a file as a user's would be."""
    assistant = Assistant.open(folder / "shelf", settings=settings)
    report = assistant.ingest([write_jsonl(folder / "papers.jsonl", (item.to_dict() for item in papers))])
    assert report.new == len(papers)
    return assistant


@dataclass
class Reply:
    """One HTTP answer; a string in a script stands for a chat completion that says it.

    `events` are server-sent events, each written when its turn comes; a number among them is a pause in seconds.
    """

    status: int = 200
    body: str = "{}"
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=lambda: {"retry-after-ms": "1"})
    events: Callable[[], Iterable[str | float]] | None = None

    @classmethod
    def saying(cls, content: Any, finish: str | None = "stop", *, usage: bool = True, then: Any = "[DONE]") -> Reply:
        """A streamed completion, a few letters an event; `then` ends it."""
        pieces = [content[at : at + 7] for at in range(0, len(content), 7)] if isinstance(content, str) else [content]
        said = [sse({"role": "assistant", "content": ""}), *(sse({"content": piece}) for piece in pieces)]
        said += [sse({}, finish)] if finish else []
        counted = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        said += [f"data: {json.dumps({**CHUNK, 'choices': [], 'usage': counted})}\n\n"] if usage else []
        said += [f"data: {then}\n\n" if isinstance(then, str) else then] if then is not None else []
        return cls(events=lambda: said)

    @classmethod
    def endless(cls, words: Callable[[int], str]) -> Reply:
        """A stream that never ends: `words` of 0, 1, 2, ..."""
        return cls(events=lambda: (sse({"content": words(at)}) for at in itertools.count()))


CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def sse(delta: dict[str, Any], finish: str | None = None) -> str:
    """A chunk of a streamed completion as a server-sent event."""
    return f"data: {json.dumps({**CHUNK, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}]})}\n\n"


class ScriptedModel:
    """An OpenAI-compatible endpoint on the loopback address: gives the script's replies in turn, then fails.

    `prompts` are the prompts it was sent, `requests` the whole bodies with path and key.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._script: list[Any] = []
        self._over = threading.Event()
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.requests.append({**body, "path": self.path, "key": self.headers["authorization"]})
                reply = model._script.pop(0) if model._script else Reply(500, '{"error": "the script is at its end"}')
                reply = reply(model.prompts[-1]) if callable(reply) else reply
                reply = Reply.saying(reply) if isinstance(reply, str) else reply
                self.send_response(reply.status)
                self.send_header("content-type", "text/event-stream" if reply.events else reply.kind)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                over = model._over
                with contextlib.suppress(OSError):  # the client has gone
                    for event in reply.events() if reply.events else [reply.body]:
                        if isinstance(event, str):
                            self.wfile.write(event.encode())
                            self.wfile.flush()
                        elif over.wait(event):
                            break

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ScriptedModel:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def prompts(self) -> list[str]:
        return [request["messages"][-1]["content"] for request in self.requests]

    def play(self, *script: str | Reply | Callable[[str], str]) -> None:
        """Start anew with this script; replies that still pause are given up."""
        self._over.set()
        self._over = threading.Event()
        self.requests.clear()
        self._script[:] = script


class Parrot:
    """A language model within the process that says its script, a few letters at a time; errors in it are raised."""

    name = "parrot"

    def __init__(self, *script: Any, window: int = 8_192, letters: int = 5) -> None:
        self.script = list(script)
        self.asked: list[Sequence[Message]] = []
        self._window, self._letters = window, letters

    @property
    def prompts(self) -> list[str]:
        return [messages[-1].content for messages in self.asked]

    def window(self) -> int:
        return self._window

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        self.asked.append(messages)
        said = self.script.pop(0)
        said = said(messages[-1].content) if callable(said) else said
        for part in said if isinstance(said, list) else [said, Finish("stop", {"input_tokens": 5, "output_tokens": 3})]:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, str):
                yield from (part[at : at + self._letters] for at in range(0, len(part), self._letters))
            else:
                yield part

    async def astream(self, messages: Sequence[Message]) -> AsyncGenerator[Piece, None]:
        for piece in self.stream(messages):
            await asyncio.sleep(0)
            yield piece


def rest_of(terminal: int) -> bytes:
    """All that is still written to the other end of a pseudo-terminal, until it is closed."""
    text = b""
    while True:
        try:
            text += os.read(terminal, 10_000)
        except OSError:  # the other end was closed
            return text


def read_source(reader: Any, raw: str | bytes, **more: Any) -> tuple[list[Paper], list[Rejected]]:
    """What a format's module reads of a file with this content, whose name is `f`."""
    stream = io.BufferedReader(io.BytesIO(raw.encode() if isinstance(raw, str) else raw), HEAD)
    items = list(reader.read(stream, "f", **more))
    return [item for item in items if isinstance(item, Paper)], [item for item in items if isinstance(item, Rejected)]


def where(rejected: Iterable[Rejected]) -> list[tuple[int, str]]:
    """Line and reason of what was rejected."""
    return [(item.line, item.reason) for item in rejected]
