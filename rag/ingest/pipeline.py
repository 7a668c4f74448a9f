"""Sources to the shelf: find files, unpack them, read their records, merge, store in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from rag.errors import IngestError, UsageError
from rag.ingest import archives, files, formats
from rag.ingest.match import Index, squashed
from rag.ingest.merge import merge_papers, update_paper
from rag.types import Again, Changes, IngestReport, Paper, Rejected, Resolve, Resolved

BATCH = 256
# Rejected records that a report holds; the shelf's rejected.jsonl has them all.
REPORTED = 1_000


class Store(Protocol):
    """What the pipeline needs of a shelf.

    `put` asks `again` what to store, given how to resolve papers now, where other processes changed the shelf since they
    were resolved.
    """

    def begin(self) -> None: ...
    def take(self, ids: Sequence[str]) -> set[str]: ...
    def resolve(self, papers: Sequence[Paper]) -> Resolved: ...
    def put(
        self, papers: Sequence[Paper], unchanged_text: Sequence[Paper] = (), again: Again | None = None
    ) -> None: ...
    def finish(self) -> None: ...
    def refresh(self) -> None: ...
    def reject(self, rejected: Sequence[Rejected]) -> None: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is: bytes read of all bytes (0 when unknown), papers stored."""

    done: int
    total: int
    papers: int


@dataclass
class _Tally:
    """Counts of a run, and what is not stored yet: of both no more than a batch."""

    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    papers: int = 0
    omitted: int = 0
    reported: list[Rejected] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    batch: dict[str, Paper] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def report(self) -> IngestReport:
        return IngestReport(
            self.read, self.new, self.updated, self.unchanged, self.merged, tuple(self.reported), self.omitted
        )


def ingest(
    shelf: Store,
    sources: Sequence[str | Path],
    *,
    format: str = "auto",
    page_year: int | None = None,
    limit: int | None = None,
    services: Mapping[str, str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Read `sources` into `shelf`. What cannot be read is reported and kept; everything else is stored.

    Args:
        sources: files (packed with gzip or zip or not), folders (read whole, hidden files and links out of them left
            out), globs, `-` for standard input, or what to ask a service (`arxiv:QUERY`, see `rag.ingest.live`).
        format: a key of `rag.ingest.formats.FORMATS`, or `auto`.
        page_year: year of saved pages whose dates have none; inferred when None.
        limit: papers at most that each service is asked for; 100 when None.
        services: addresses of services in place of their own.

    Raises:
        UsageError: an unknown format, or a query that a service does not know.
    """
    if format != "auto" and format not in formats.FORMATS:
        raise UsageError(f"unknown format {format!r}", hint=f"formats: auto, {', '.join(formats.FORMATS)}")
    tally = _Tally()
    addresses = [str(source) for source in sources if files.is_address(source)]
    found, refused = files.find([source for source in sources if not files.is_address(source)])
    asked = _asked(addresses, limit, services)
    sizes = [files.size(path) for path in found]
    total = sum(sizes)
    before = 0
    shelf.begin()
    try:
        for item in refused:
            _reject(shelf, tally, item)
        for path, size in zip(found, sizes, strict=True):
            for record, done in _records(path, format, page_year):
                _take(shelf, tally, record)
                if progress and len(tally.batch) % 16 == 0:
                    progress(Progress(before + min(done, size), total, tally.papers))
            before += size
        for record in asked:
            _take(shelf, tally, record)
            if progress and len(tally.batch) % 16 == 0:
                progress(Progress(total, total, tally.papers + len(tally.batch)))
        _flush(shelf, tally)
        shelf.finish()
    finally:
        # On Ctrl-C too: what was stored is searchable, and what was rejected is kept.
        shelf.refresh()
        shelf.reject(tally.rejected)
    if progress:
        progress(Progress(total, total, tally.papers))
    return tally.report()


def _asked(
    addresses: Sequence[str], limit: int | None, services: Mapping[str, str] | None
) -> Iterator[Paper | Rejected]:
    """The records that services give; one that fails is reported, and the next one asked."""
    if not addresses:
        return iter(())
    from rag.ingest import live  # its HTTP client takes longer to load than a shelf to open

    for address in addresses:
        live.parsed(address)  # nothing is asked before all is understood

    def each() -> Iterator[Paper | Rejected]:
        for address in addresses:
            try:
                yield from live.read(address, live.LIMIT if limit is None else limit, services)
            except IngestError as error:
                yield Rejected(address, 0, str(error) + (f" ({error.hint})" if error.hint else ""))

    return each()


def _records(path: Path | None, format: str, page_year: int | None) -> Iterator[tuple[Paper | Rejected, int]]:
    """The records of a source, each with the bytes read so far. Only errors of reading are caught here, not those of the shelf."""
    name = "<stdin>" if path is None else files.shown(path)
    try:
        for member in archives.opened(path, name):
            if isinstance(member, Rejected):
                yield member, 0
                continue
            try:
                for item in formats.read(member.stream, member.name, format, page_year):
                    yield item, member.done()
            except IngestError as error:
                yield Rejected(member.name, 1, str(error) + (f" ({error.hint})" if error.hint else "")), 0
            except archives.DAMAGED as error:
                yield Rejected(member.name, 0, f"damaged: {error}; what came before was read"), 0
    except IngestError as error:
        yield Rejected(name, 1, str(error) + (f" ({error.hint})" if error.hint else "")), 0
    except OSError as error:
        yield Rejected(name, 1, f"cannot be read: {error.strerror or error}"), 0


def _reject(shelf: Store, tally: _Tally, item: Rejected) -> None:
    tally.rejected.append(item)
    if len(tally.reported) < REPORTED:
        tally.reported.append(item)
    else:
        tally.omitted += 1
    if len(tally.rejected) >= BATCH:
        shelf.reject(tally.rejected)
        tally.rejected = []


def _take(shelf: Store, tally: _Tally, item: Paper | Rejected) -> None:
    if isinstance(item, Rejected):
        _reject(shelf, tally, item)
        return
    tally.read += 1
    if known := tally.index.find(item):
        tally.merged += 1
        for lost in _other_wording(known, item):
            _reject(shelf, tally, lost)
        merged = merge_papers(known, item)
    else:
        merged = replace(item, id=tally.index.id_for(item))
    tally.batch[merged.id] = merged
    tally.index.add(merged)
    if len(tally.batch) >= BATCH:
        _flush(shelf, tally)


@dataclass
class _Plan:
    """What a batch does to the shelf: papers with new words, ones with new metadata alone, records to reject, counts."""

    words: dict[str, Paper] = field(default_factory=dict)
    metadata: dict[str, Paper] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def changes(self) -> Changes:
        return list(self.words.values()), list(self.metadata.values())


def _flush(shelf: Store, tally: _Tally) -> None:
    """Store the batch in one transaction: only what is new or changed, embedding only changed words."""
    arrived = list(tally.batch.values())
    tally.batch, tally.index = {}, Index()
    resolved = shelf.resolve(arrived)
    keys = [key for key, _ in resolved]
    earlier = shelf.take(keys)
    plan = _plan(arrived, resolved, earlier)

    def again(resolve: Resolve) -> Changes:
        nonlocal plan
        resolved = resolve(arrived)
        plan = _plan(arrived, resolved, shelf.take([key for key, _ in resolved]) - (set(keys) - earlier))
        return plan.changes()

    if plan.words or plan.metadata:
        shelf.put(*plan.changes(), again)
    for item in plan.rejected:
        _reject(shelf, tally, item)
    for name, count in plan.counts.items():  # counted once stored
        setattr(tally, name, getattr(tally, name) + count)


def _plan(arrived: Sequence[Paper], resolved: Resolved, taken: Collection[str]) -> _Plan:
    """What becomes of records that arrived, given what the shelf has of their papers, and which of those this run took before."""
    plan, here = _Plan(), set[str]()
    words, metadata, counts = plan.words, plan.metadata, plan.counts
    for paper, (key, known) in zip(arrived, resolved, strict=True):
        before = words.get(key) or metadata.get(key) or known
        if before is None:
            if not paper.abstract:
                counts["read"] -= 1
                plan.rejected.append(_unfounded(paper))
                continue
            counts["new"] += 1
            words[key] = replace(paper, id=key)
        else:
            repeated = key in taken or key in here
            after = merge_papers(before, paper) if repeated else update_paper(before, paper)
            if repeated:
                plan.rejected += _other_wording(before, paper)
            changed = replace(after, sources=before.sources) != before  # one more place to find it changes nothing
            counts["merged" if repeated else "updated" if changed else "unchanged"] += 1
            if key in words or after.abstract != before.abstract or after.title != before.title:
                words[key] = after
                metadata.pop(key, None)
            elif after != before:
                metadata[key] = after
        counts["papers"] += key not in taken and key not in here
        here.add(key)
    return plan


def _unfounded(paper: Paper) -> Rejected:
    """A record without words to quote, of a paper that the shelf does not have."""
    where = paper.sources[0]
    reason = f"no abstract, and no paper on the shelf to add it to: {paper.title!r}"
    return Rejected(where.file, where.position, reason, paper.title)


def _other_wording(kept: Paper, paper: Paper) -> list[Rejected]:
    """For review what is lost when two records of one run differ in their abstracts: the second's."""
    own, other = squashed(kept.abstract), squashed(paper.abstract)
    if own.startswith(other) or other.startswith(own):
        return []
    where = paper.sources[0]
    reason = f"another abstract of {paper.title!r}, which was read before in this run; the first is kept"
    return [Rejected(where.file, where.position, reason, paper.abstract)]
