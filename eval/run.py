"""A run folder: one line a question, written for good before the next is asked, and taken up again where it stopped.

manifest.json   what the run was made with
records.jsonl   one record a question, in order; the same bytes for the same questions and program
timings.jsonl   milliseconds of each, which are never the same
summary.json, report.md, report.html   made of these when the run is at its end
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from eval import manifest
from eval.record import Record, Task
from rag.errors import AttestError, UsageError

MANIFEST, RECORDS, TIMINGS = "manifest.json", "records.jsonl", "timings.jsonl"
# Tasks given to the workers ahead of the one that is waited for, by worker.
AHEAD = 2


class RunFolder:
    """Append-only: a record that was written stays, whatever happens to the process after it.

    Args:
        folder: made when it is not there.
        made: the manifest of this run.
        anew: forget what an earlier run left.

    Raises:
        UsageError: the folder cannot be made, is in use, or holds a run made with something else.
    """

    def __init__(self, folder: Path, made: Mapping[str, Any], *, anew: bool = False) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder} cannot be made: {error.strerror}") from error
        self._lock = FileLock(folder / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(f"another run is writing to {folder}", hint="give another --out") from None
        try:
            if anew:
                for name in (RECORDS, TIMINGS, MANIFEST):
                    (folder / name).unlink(missing_ok=True)
            self._continue(made)
            self.done = {record.key: record for record in read_records(folder)} if (folder / RECORDS).exists() else {}
            _mend(folder / RECORDS)
            _mend(folder / TIMINGS)
            self._records = (folder / RECORDS).open("a", encoding="utf-8")
            self._timings = (folder / TIMINGS).open("a", encoding="utf-8")
            _settle(folder)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._records.close()
        self._timings.close()
        self._lock.release()

    def add(self, record: Record) -> None:
        """Write a record and see it onto the disk."""
        for stream, row in (
            (self._timings, {"key": record.key, **record.timings}),
            (self._records, record.to_row()),
        ):
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _continue(self, made: Mapping[str, Any]) -> None:
        path = self.folder / MANIFEST
        if (self.folder / RECORDS).exists() and path.exists():
            before = read_manifest(self.folder)
            if before.get("fingerprint") != made["fingerprint"]:
                changed = manifest.differences(before.get("made_with", {}), made["made_with"])
                raise UsageError(
                    f"{self.folder} holds a run made with something else: {', '.join(changed) or 'an older version'}",
                    hint="give another --out, or --anew to write over it",
                )
        write_whole(path, json.dumps(made, indent=1, ensure_ascii=False) + "\n")


def run(
    batches: Iterable[list[Task]], folder: RunFolder | None, jobs: int, progress: Callable[[int, int], None]
) -> Iterator[Record]:
    """Every task's record in order, new ones written to the folder first; those that stand there are not made again.

    Args:
        batches: tasks that may run at once; what they need is open until all of them are done.
        jobs: threads.
        progress: told how many of the batch are done, and how many there are.
    """
    done = folder.done if folder else {}
    for tasks in batches:
        made = _in_order([task for task in tasks if not _stands(done.get(task.key))], jobs)
        with contextlib.closing(made):
            for at, task in enumerate(tasks):
                progress(at, len(tasks))
                record = done.get(task.key)
                if record is None or record.failed:
                    record = next(made)
                    if folder:
                        folder.add(record)
                yield record
        progress(len(tasks), len(tasks))


def _stands(record: Record | None) -> bool:
    """Whether a record need not be made again; one that failed is tried once more."""
    return record is not None and not record.failed


def _in_order(tasks: list[Task], jobs: int) -> Generator[Record, None, None]:
    if jobs == 1:
        yield from map(_scored, tasks)
        return
    rest = iter(tasks)
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="eval")
    try:
        waiting: list[Future[Record]] = [pool.submit(_scored, task) for task in islice(rest, jobs * AHEAD)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(_scored, task) for task in islice(rest, 1)]
    finally:
        pool.shutdown(cancel_futures=True)


def _scored(task: Task) -> Record:
    """The record under its key. What cannot be scored is a record too: it is counted, and does not end the run."""
    try:
        record = task.score()
    except AttestError as error:
        record = Record(task.suite, task.id, failed=f"{error}")
    rounded = {name: round(took, 3) for name, took in record.timings.items()}
    return replace(record, key=task.key, timings=rounded)


def read_records(folder: Path) -> list[Record]:
    """The records of a run folder in order, each question once; a last line that was cut off is left out.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    times = {row.pop("key"): row for row in _rows(folder / TIMINGS)} if (folder / TIMINGS).exists() else {}
    found: dict[str, Record] = {}
    for row in _rows(folder / RECORDS):
        try:
            record = Record.from_row(row, times.get(row["key"]))
        except (KeyError, TypeError) as error:
            raise UsageError(f"{folder / RECORDS} is no record of this version: {error!r}") from error
        found[record.key] = record
    return list(found.values())


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    try:
        return dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{folder / MANIFEST} cannot be read: {error}", hint="is it a run folder?") from error


def write_whole(path: Path, text: str) -> None:
    """The file, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="is it a run folder?") from error
    for number, line in enumerate(lines[:-1], 1):  # what follows the last line's end was cut off
        try:
            yield dict(json.loads(line))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path}:{number}: {error}") from error


def _mend(path: Path) -> None:
    """Without a last line that was cut off."""
    if path.exists():
        whole = path.read_bytes().rpartition(b"\n")
        os.truncate(path, len(whole[0]) + len(whole[1]))


def _settle(folder: Path) -> None:
    """The folder's own entries onto the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
