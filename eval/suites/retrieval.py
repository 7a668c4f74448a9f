"""BEIR collections through the product's own retriever."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from eval import metrics
from eval.cases import Collection, read_collections, read_lines
from eval.record import Record, Task
from eval.suites.options import Options, shelf_copy
from rag.config import settings
from rag.index.shelf import Shelf
from rag.retrieve.retriever import Retriever
from rag.types import Paper, Query

INGEST_BATCH = 256
DEPTH = 100


def retrieval(options: Options) -> Iterator[list[Task]]:
    """All judged queries; one without results scores 0."""
    for collection in read_collections(options.folder()):
        with _shelf(collection) as shelf:
            retriever = Retriever(shelf)
            yield [
                Task(
                    "retrieval",
                    f"{collection.name}/{key}",
                    (collection.name, collection.queries[key], collection.relevance[key]),
                    partial(_search, collection, key, retriever),
                )
                for key in list(collection.queries)[: options.limit]
            ]


def _search(collection: Collection, key: str, retriever: Retriever) -> Record:
    """Documents that score alike are taken in the order of their ids, as trec_eval does."""
    text, began = collection.queries[key], time.perf_counter()
    scores = {item.paper.id: item.score for item in retriever.search(Query(text, text), DEPTH)}
    took, relevance = 1000 * (time.perf_counter() - began), collection.relevance[key]
    found = metrics.by_score(scores)
    scored = {
        "ndcg@10": metrics.ndcg(found, relevance),
        "recall@20": metrics.recall_at(found, relevance, 20),
        "recall@100": metrics.recall_at(found, relevance, 100),
        "rr@10": metrics.reciprocal_rank(found, relevance),
        "map": metrics.average_precision(found, relevance),
    }
    named = {f"{collection.name}/{name}": value for name, value in scored.items()}
    detail = {"query": text, "found": found[:10], "relevant": relevance}
    return Record("retrieval", f"{collection.name}/{key}", named, {}, detail, {f"{collection.name}/latency_ms": took})


@contextlib.contextmanager
def _shelf(collection: Collection) -> Iterator[Shelf]:
    def make(folder: Path) -> None:
        with Shelf(folder, settings(), create=True) as shelf:
            _fill(shelf, collection)

    with shelf_copy([collection.documents], make) as folder, Shelf(folder, settings()) as shelf:
        yield shelf


def _fill(shelf: Shelf, collection: Collection) -> None:
    """Documents under their own ids: a collection may hold one title twice."""
    batch: list[Paper] = []
    for row in read_lines(collection.documents, "_id"):
        batch.append(Paper(id=str(row["_id"]), title=str(row.get("title") or ""), abstract=str(row.get("text") or "")))
        if len(batch) == INGEST_BATCH:
            shelf.put(batch)
            batch = []
    shelf.put(batch)
    shelf.refresh()
