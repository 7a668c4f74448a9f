"""Attest in processes of its own, and all that a shelf holds, for tests of what goes wrong."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromadb
import pytest

from eval.cases import DATASETS
from rag.assistant import Assistant

ROOT = Path(__file__).parent.parent
PAPERS = [json.loads(line) for line in (DATASETS / "papers.jsonl").read_text(encoding="utf-8").splitlines()[:20]]
QUESTIONS = ("linear attention", "training on fewer examples", "what does the benchmark measure?")
# The command line, with batches so small that an ingest commits many times.
ATTEST = "import sys; from rag.ingest import pipeline; pipeline.BATCH = 4; from rag.cli import main; sys.exit(main())"


def attest(*arguments: Any, before: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """One command to its end; `before` is run in its process first."""
    with started(*arguments, before=before, **options) as process:
        said, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, said, errors)


def started(*arguments: Any, before: str = "", **options: Any) -> subprocess.Popen[str]:
    """A command under way, in a process group of its own."""
    command = [sys.executable, "-c", before + "\n" + ATTEST, *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, **streams)


def content(folder: Path) -> tuple[Any, ...]:
    """Papers, passages and what searches find."""
    with Assistant.open(folder) as assistant:
        ledger = assistant.shelf.ledger
        passages = [passage.id for held, _ in ledger.passages(-1, 1_000) for passage, _ in held]
        found = [{item.paper.id: item.score for item in assistant.search(one)} for one in QUESTIONS]
        papers = sorted(paper.to_dict().items() for _, paper in ledger.all_papers())
        return papers, sorted(passages), [list(one) for one in found], found


def expected(folder: Path) -> tuple[Any, ...]:
    """The same, to be compared with: scores depend in their last digits on where numbers lie in memory."""
    papers, passages, order, scores = content(folder)
    return papers, passages, order, [pytest.approx(one, abs=1e-3) for one in scores]


@contextlib.contextmanager
def chroma_of(folder: Path) -> Iterator[Any]:
    """A Chroma client of another's on the folder of a shelf."""
    client = chromadb.PersistentClient(str(folder / "chroma"), settings=chromadb.Settings(anonymized_telemetry=False))
    try:
        yield client
    finally:
        client.close()


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of so many megabytes, which really fills up; skips where this user may not mount one."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted")
    try:
        yield folder
    finally:
        # Lazily: files of a shelf that was searched stay mapped until its arrays are gone.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def copy_of(shelf: Path, folder: Path) -> Path:
    return Path(shutil.copytree(shelf, folder))
