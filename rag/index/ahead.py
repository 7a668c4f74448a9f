"""Papers stored while the next ones are already being encoded elsewhere: the shelf comes out the same, only sooner."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rag.index.shelf import Shelf
from rag.index.stored import EncodedPaper
from rag.ingest.match import Index, distinct_id
from rag.types import Again, Paper, Rejected, Resolved


class Encoders(Protocol):
    """Many encoders at work at once; a ticket stands for what one of them was given."""

    def capacity(self) -> int:
        """How many batches keep all of them busy."""
        ...

    def submit(self, papers: Sequence[Paper]) -> Any: ...
    def result(self, ticket: Any) -> list[EncodedPaper]: ...


@dataclass(frozen=True, slots=True)
class _Batch:
    papers: Sequence[Paper]
    unchanged_text: Sequence[Paper]
    again: Again | None
    resolved_at: int
    ticket: Any


class Ahead:
    """A shelf as `rag.ingest.pipeline.Store`, whose batches are encoded several at a time and stored in their order.

    A batch goes to one encoder whole, as it would go to the shelf's own, so that its vectors are the same bits. What is
    under way is not in the ledger yet: a record of one of those papers waits until they are stored.
    """

    def __init__(self, shelf: Shelf, encoders: Encoders) -> None:
        self._shelf, self._encoders = shelf, encoders
        self._under_way = deque[_Batch]()
        # Two generations, each of as many batches as may be under way: all that are, are in one of them.
        self._recent, self._earlier, self._batches = Index(), Index(), 0

    def begin(self) -> None:
        self._shelf.begin()

    def take(self, ids: Sequence[str]) -> set[str]:
        return self._shelf.take(ids)

    def resolve(self, papers: Sequence[Paper]) -> Resolved:
        """As the shelf would when everything put was stored."""
        ids = {paper.id for batch in self._under_way for paper in (*batch.papers, *batch.unchanged_text)}
        if ids and any(distinct_id(paper) in ids or self._met(paper) for paper in papers):
            self.finish()
        resolved = self._shelf.resolve(papers)
        if self._under_way and any(key in ids for key, _ in resolved):
            self.finish()
            resolved = self._shelf.resolve(papers)
        return resolved

    def put(self, papers: Sequence[Paper], unchanged_text: Sequence[Paper] = (), again: Again | None = None) -> None:
        """Have them encoded, and store the oldest of what is under way when that is enough."""
        at = self._shelf.resolved_at
        self._under_way.append(_Batch(papers, unchanged_text, again, at, self._encoders.submit(papers)))
        capacity = self._encoders.capacity()
        if self._batches >= capacity:
            self._recent, self._earlier, self._batches = Index(), self._recent, 0
        self._batches += 1
        for paper in (*papers, *unchanged_text):
            self._recent.add(paper)
        while len(self._under_way) > capacity:
            self._store_oldest()

    def finish(self) -> None:
        """Store all that is under way."""
        while self._under_way:
            self._store_oldest()
        self._recent, self._earlier, self._batches = Index(), Index(), 0
        self._shelf.finish()

    def refresh(self) -> None:
        """Let searches see what was stored; what is under way is not waited for."""
        self._shelf.refresh()

    def reject(self, rejected: Sequence[Rejected]) -> None:
        self._shelf.reject(rejected)

    def _met(self, paper: Paper) -> bool:
        return bool(self._recent.find(paper) or self._earlier.find(paper))

    def _store_oldest(self) -> None:
        batch = self._under_way[0]
        encoded = self._encoders.result(batch.ticket)
        self._shelf.store(batch.papers, encoded, batch.unchanged_text, batch.again, batch.resolved_at)
        self._under_way.popleft()
