"""A server of the chat page as a user starts it, on a free port of the loopback address, with its connections watched."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes import write_jsonl

from rag import Assistant

ROOT = Path(__file__).resolve().parent.parent
# Runs `attest` and notes every address or name outside the machine that anything within it tries to reach.
WATCHED = """
import sys
log = open(sys.argv.pop(1), "a", buffering=1)
def watch(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) and not str(args[1][0]).startswith(("127.", "::1", "localhost")):
        log.write(f"{args[1]}\\n")
    if event == "socket.getaddrinfo" and args[0] not in (None, "", "localhost", "127.0.0.1", "::1"):
        log.write(f"{args[0]}\\n")
sys.addaudithook(watch)
from rag.cli import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Served:
    address: str
    shelf: Path
    outside: Path  # what was reached outside the machine, one a line
    errors: Path


@contextlib.contextmanager
def serving(
    folder: Path, papers: Iterable[dict[str, Any]], *options: str, environment: dict[str, str] | None = None
) -> Iterator[Served]:
    """`attest serve` over a new shelf of these papers, in a process of its own."""
    pages = write_jsonl(folder / "papers.jsonl", papers)
    with Assistant.open(folder / "shelf") as assistant:
        assert not assistant.ingest([pages]).rejected
    served = Served("", folder / "shelf", folder / "outside", folder / "errors")
    served.outside.touch()
    command = [sys.executable, "-c", WATCHED, str(served.outside), "serve", "--shelf", str(served.shelf), "--port", "0"]
    own = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **(environment or {})}
    with served.errors.open("w", encoding="utf-8") as errors:
        server = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=errors, text=True, env=own, cwd=folder
        )
        try:
            assert server.stdout
            said = server.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found, f"the server said {said!r} and {served.errors.read_text(encoding='utf-8')!r}"
            yield Served(found[0], served.shelf, served.outside, served.errors)
        finally:
            server.terminate()
            server.communicate(timeout=30)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A real browser; tests that want one are skipped where there is none."""
    path = shutil.which("chromium")
    if not path:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    playwright.expect.set_options(timeout=60_000)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def patient(page: Any) -> Any:
    """The page, waiting longer than usual for everything: the machine may be busy."""
    page.set_default_timeout(120_000)
    return page


def lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, none when it is not there."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
