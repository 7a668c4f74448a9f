"""What several tests share: one real encoder, small shelves of invented papers, and a scripted language model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rag import Assistant
from rag.config import Settings
from rag.index.embed import Embedder
from rag.types import Paper, paper_id
from rag.verify.checker import Checker


@cache
def embedder() -> Embedder:
    return Embedder.from_settings(Settings())


@cache
def checker() -> Checker:
    return Checker(embedder())


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
    """One HTTP answer; a string in a script stands for a chat completion that says it."""

    status: int = 200
    body: str = "{}"
    kind: str = "application/json"

    @classmethod
    def saying(cls, content: Any, finish: str = "stop") -> Reply:
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        completion = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
        return cls(body=json.dumps({**completion, "choices": [choice]}))


class ScriptedModel:
    """An OpenAI-compatible endpoint on the loopback address: gives the script's replies in turn, then fails.

    `prompts` are the prompts it was sent, `requests` the whole bodies with path and key.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._script: list[Any] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.requests.append({**body, "path": self.path, "key": self.headers["authorization"]})
                reply = model._script.pop(0) if model._script else Reply(500, '{"error": "the script is at its end"}')
                reply = reply(model.prompts[-1]) if callable(reply) else reply
                reply = Reply.saying(reply) if isinstance(reply, str) else reply
                self.send_response(reply.status)
                self.send_header("content-type", reply.kind)
                self.send_header("retry-after-ms", "1")
                self.end_headers()
                self.wfile.write(reply.body.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ScriptedModel:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def prompts(self) -> list[str]:
        return [request["messages"][-1]["content"] for request in self.requests]

    def play(self, *script: str | Reply | Callable[[str], str]) -> None:
        """Start anew with this script."""
        self.requests.clear()
        self._script[:] = script
