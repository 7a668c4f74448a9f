"""Attest's side of the comparison, through its public interface (`eval.bench.worker` has the commands).

The first answer is asked of `python -m rag ask` itself.
"""

from __future__ import annotations

from pathlib import Path

from eval.bench.worker import Found, System, serve
from rag import Assistant


class Attest(System):
    """A shelf."""

    def __init__(self, folder: Path) -> None:
        self._assistant = Assistant.open(folder)

    def add(self, path: Path) -> None:
        self._assistant.ingest([path])

    def search(self, query: str, k: int) -> list[Found]:
        return [Found(item.paper.title, item.paper.abstract) for item in self._assistant.search(query, k)]

    def close(self) -> None:
        self._assistant.close()


if __name__ == "__main__":
    serve(Attest)
