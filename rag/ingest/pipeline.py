"""Sources to the shelf: find files, sniff their format, read, merge, store in batches."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from rag.errors import IngestError, UsageError
from rag.ingest import daily_papers, jsonl
from rag.ingest.lines import HEAD, UTF16, Line, read_lines
from rag.ingest.merge import aliases, merge_papers
from rag.types import IngestReport, Paper, Rejected

BATCH = 256


class Reader(Protocol):
    """A format: a module with these two functions, listed in `FORMATS`."""

    def looks_like(self, head: str, /) -> bool: ...
    def read(self, lines: Iterator[Line], name: str, page_year: int | None = None) -> Iterator[Paper | Rejected]: ...


FORMATS: dict[str, Reader] = {"daily-papers": daily_papers, "jsonl": jsonl}


class Store(Protocol):
    """What the pipeline needs of a shelf."""

    def known(self, papers: Sequence[Paper]) -> list[Paper | None]: ...
    def put(self, papers: Sequence[Paper], unchanged_text: Sequence[Paper] = ()) -> None: ...
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
    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    batch: dict[str, Paper] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)  # of the batch: to the key there


def ingest(
    shelf: Store,
    sources: Sequence[str | Path],
    *,
    format: str = "auto",
    page_year: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Read `sources` into `shelf`. What cannot be read is reported and kept; everything else is stored.

    Args:
        sources: files, folders (read whole, hidden files and links out of them left out), globs, or
            `-` for standard input.
        format: a key of `FORMATS`, or `auto`.
        page_year: year of saved pages whose dates have none; inferred when None.

    Raises:
        UsageError: an unknown format.
    """
    if format != "auto" and format not in FORMATS:
        raise UsageError(f"unknown format {format!r}", hint=f"formats: auto, {', '.join(FORMATS)}")
    tally = _Tally()
    files, tally.rejected = _files(sources)
    sizes = [_size(path) for path in files]
    total = sum(sizes)
    before = 0
    try:
        for path, size in zip(files, sizes, strict=True):
            for item, done in _records(path, format, page_year):
                _take(shelf, tally, item)
                if progress and len(tally.batch) % 16 == 0:
                    progress(Progress(before + done, total, len(tally.seen)))
            before += size
        _flush(shelf, tally)
    finally:
        # On Ctrl-C too: what was stored is searchable, and what was rejected is kept.
        shelf.refresh()
        shelf.reject(tally.rejected)
    if progress:
        progress(Progress(total, total, len(tally.seen)))
    return IngestReport(tally.read, tally.new, tally.updated, tally.unchanged, tally.merged, tuple(tally.rejected))


def _size(path: Path | None) -> int:
    try:
        return path.stat().st_size if path else 0
    except OSError:  # gone meanwhile; reading it will say so
        return 0


def _shown(path: str | Path) -> str:
    """A path that can be stored and printed, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _records(path: Path | None, format: str, page_year: int | None) -> Iterator[tuple[Paper | Rejected, int]]:
    """The records of a source, each with the bytes read so far. Only errors of reading are caught here, not those of the shelf."""
    name = "<stdin>" if path is None else _shown(path)
    try:
        with _open(path) as stream:
            counted = path is not None and stream.seekable()
            for item in _read(stream, name, format, page_year):
                yield item, stream.tell() if counted else 0
    except IngestError as error:
        yield Rejected(name, 1, str(error) + (f" ({error.hint})" if error.hint else "")), 0
    except OSError as error:
        yield Rejected(name, 1, f"cannot be read: {error.strerror or error}"), 0


def _open(path: Path | None) -> io.BufferedReader:
    """A file, or standard input for None, with a buffer as large as what is sniffed."""
    if path is not None:
        return io.BufferedReader(path.open("rb", buffering=0), HEAD)
    return (
        io.BufferedReader(sys.stdin.buffer.raw, HEAD)
        if isinstance(sys.stdin.buffer, io.BufferedReader)
        else io.BufferedReader(io.BytesIO(sys.stdin.buffer.read()))
    )


def _take(shelf: Store, tally: _Tally, item: Paper | Rejected) -> None:
    if isinstance(item, Rejected):
        tally.rejected.append(item)
        return
    tally.read += 1
    key = next((tally.aliases[alias] for alias in aliases(item) if alias in tally.aliases), item.id)
    tally.aliases = dict.fromkeys(aliases(item), key) | tally.aliases
    if key in tally.batch:
        tally.merged += 1
        tally.rejected += _other_wording(tally.batch[key], item)
        tally.batch[key] = merge_papers(tally.batch[key], item)
        return
    tally.batch[key] = item
    if len(tally.batch) >= BATCH:
        _flush(shelf, tally)


def _flush(shelf: Store, tally: _Tally) -> None:
    """Store the batch in one transaction: only what is new or changed, embedding only changed words."""
    arrived = list(tally.batch.values())
    tally.batch, tally.aliases = {}, {}
    words: dict[str, Paper] = {}
    metadata: dict[str, Paper] = {}
    new = updated = unchanged = merged = 0
    for paper, known in zip(arrived, shelf.known(arrived), strict=True):
        key = known.id if known else paper.id
        pending = words.get(key) or metadata.get(key)
        if known is None and pending is None:
            new += 1
            words[key] = paper
        else:
            before = pending or known
            assert before is not None
            repeated = key in tally.seen or pending is not None
            after = _updated(before, paper, repeated)
            changed = replace(after, sources=before.sources) != before  # one more place to find it changes nothing
            tally.rejected += _other_wording(before, paper) if repeated else []
            merged += repeated
            unchanged += not repeated and not changed
            updated += not repeated and changed
            if key in words or after.abstract != before.abstract or after.title != before.title:
                words[key] = after
                metadata.pop(key, None)
            elif after != before:
                metadata[key] = after
        tally.seen.add(key)
    if words or metadata:
        shelf.put(list(words.values()), list(metadata.values()))
    tally.new, tally.updated, tally.unchanged, tally.merged = (
        tally.new + new,
        tally.updated + updated,
        tally.unchanged + unchanged,
        tally.merged + merged,
    )


def _other_wording(kept: Paper, paper: Paper) -> list[Rejected]:
    """What is lost when two records of one run differ in their abstracts: the second, kept for review."""
    if kept.abstract.startswith(paper.abstract) or paper.abstract.startswith(kept.abstract):
        return []
    where = paper.sources[0]
    reason = f"another abstract of {paper.title!r}, which was read before in this run; the first is kept"
    return [Rejected(where.file, where.position, reason, paper.abstract)]


def _updated(known: Paper, paper: Paper, repeated: bool) -> Paper:
    """The record after `paper` arrived. Within one run the first abstract stays; a later run's replaces it.

    An arrival that only repeats the beginning of the stored abstract (a page saved half-way) replaces nothing.
    """
    if repeated:
        return merge_papers(known, paper)
    arrived = replace(paper, id=known.id)
    if known.abstract.startswith(paper.abstract):
        arrived = replace(arrived, abstract=known.abstract)
    return replace(merge_papers(arrived, known), sources=tuple(dict.fromkeys(known.sources + paper.sources)))


def _read(stream: io.BufferedReader, name: str, format: str, page_year: int | None) -> Iterator[Paper | Rejected]:
    head = stream.peek(HEAD)
    if not head.strip():
        raise IngestError("the file is empty")
    text = head.decode("utf-16" if head[:2] in UTF16 else "utf-8-sig", "replace")
    if b"\0" in head and head[:2] not in UTF16:
        raise IngestError("a binary file, not text", hint="save the page as text (UTF-8), or name a JSONL file")
    chosen = (
        format if format != "auto" else next((key for key, reader in FORMATS.items() if reader.looks_like(text)), None)
    )
    if chosen is None:
        raise IngestError(
            "no papers: neither a saved Daily Papers page nor JSON lines",
            hint=f"if it is one, say so with --format {'|'.join(FORMATS)}",
        )
    found = False
    for item in FORMATS[chosen].read(read_lines(stream, name), name, page_year):
        found = True
        yield item
    if not found:
        raise IngestError("no papers on this page")


def _files(sources: Sequence[str | Path]) -> tuple[list[Path | None], list[Rejected]]:
    """Files to read (None is standard input), and the sources that are none."""
    files: list[Path | None] = []
    rejected: list[Rejected] = []
    for source in map(str, sources):
        path = Path(source)
        if source == "-":
            files.append(None)
        elif os.path.isdir(path):  # os.path: a name too long is just no file
            inside, refused = _folder(path)
            files += inside
            rejected += refused
        elif os.path.isfile(path) or (os.path.exists(path) and path.is_fifo()):
            files.append(path)
        elif os.path.exists(path):
            rejected.append(Rejected(_shown(source), 0, "neither a file nor a folder"))
        elif os.path.islink(path):
            rejected.append(Rejected(_shown(source), 0, "a broken link"))
        elif matched := sorted(glob.glob(source, recursive=True)):
            inside, refused = _files(matched)
            files += inside
            rejected += refused
        else:
            rejected.append(Rejected(_shown(source), 0, "no such file, folder or glob"))
    return files, rejected


def _folder(folder: Path) -> tuple[list[Path | None], list[Rejected]]:
    files: list[Path | None] = []
    rejected: list[Rejected] = []
    root = os.path.realpath(folder)

    def unreadable(error: OSError) -> None:
        rejected.append(Rejected(_shown(error.filename), 0, f"cannot be read: {error.strerror}"))

    for parent, folders, names in os.walk(folder, onerror=unreadable, followlinks=False):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not os.path.exists(Path(parent) / name / "ledger.sqlite")
        )
        for name in sorted(names):
            path = Path(parent) / name
            if name.startswith("."):
                continue
            if not os.path.exists(path) and os.path.islink(path):
                rejected.append(Rejected(_shown(path), 0, "a broken link"))
            elif os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(root):
                rejected.append(Rejected(_shown(path), 0, "a link out of the folder; name the file itself to read it"))
            elif os.path.isfile(path):
                files.append(path)
    return files, rejected
