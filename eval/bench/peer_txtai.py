"""txtai, after the "Embeddings" page of its documentation, content stored; `--hybrid` first turns its word index on.

Every default (backend, weights of the two searches, device) is left alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from txtai import Embeddings

from eval.bench.worker import Found, System, documents, minilm, serve


class Txtai(System):
    """An embeddings database, loaded where there is one."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        if folder.exists():
            self._embeddings = Embeddings()
            self._embeddings.load(self._folder)
        else:
            self._embeddings = Embeddings(path=minilm(), content=True, hybrid="--hybrid" in OPTIONS)

    def add(self, path: Path) -> None:
        self._embeddings.upsert(list(documents(path)))
        self._embeddings.save(self._folder)

    def search(self, query: str, k: int) -> list[Found]:
        return [Found(item["id"], item["text"]) for item in self._embeddings.search(query, k)]


if __name__ == "__main__":
    OPTIONS = [word for word in sys.argv if word.startswith("--")]
    sys.argv = [word for word in sys.argv if word not in OPTIONS]
    serve(Txtai)
