"""A whole shelf in PostgreSQL: real servers, and processes that write and ask at once."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eval.cases import DATASETS
from rag.assistant import Assistant
from rag.cli import main
from rag.config import Settings
from rag.errors import ShelfError, ShelfMissing, UsageError
from rag.index import upkeep
from rag.index.ahead import Ahead
from rag.index.place import Place
from rag.index.shelf import Shelf
from rag.ingest import pipeline
from tests.fakes import CRANE, MARMOT, STORK, ZEBRA, write_jsonl
from tests.postgres import free_port, fresh_database, kill, postgres_folder, postgres_replica, postgres_server, promote

ROOT = Path(__file__).parent.parent
ROWS = [json.loads(line) for line in (DATASETS / "papers.jsonl").read_text(encoding="utf-8").splitlines()[:32]]
QUESTIONS = ("linear attention", "training on fewer examples", "what does the benchmark measure?")
# Ingests a file in small batches and asks all the while; tells how far it is, and at the end what it did.
WORKER = """
import json, sys, threading
from rag import Assistant, Settings
from rag.errors import ShelfMissing
from rag.ingest import pipeline

pipeline.BATCH = 4
address, source, precision = sys.argv[1:]
done, failed, asked = threading.Event(), [], 0


def ask(assistant):
    global asked
    while not done.wait(0.01):
        try:
            found = assistant.search("linear attention", 5)
            assert len({item.paper.id for item in found}) == len(found)
            asked += assistant.ask("papers on linear attention").status in ("answered", "abstained")
        except ShelfMissing:
            pass
        except BaseException as error:
            failed.append(repr(error))
            return


with Assistant.open(address, settings=Settings(embedding_precision=precision)) as assistant:
    reader = threading.Thread(target=ask, args=(assistant,))
    print("open", flush=True)
    sys.stdin.readline()
    reader.start()
    try:
        report = assistant.ingest([source], progress=lambda now: print(now.papers, flush=True))
    finally:
        done.set()
        reader.join()
print(json.dumps({"new": report.new, "read": report.read, "asked": asked, "failed": failed}), flush=True)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("rag.index.server.PAUSE", 0.01)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_folder() as folder, postgres_server(folder, free_port()) as address:
        yield address


@pytest.fixture
def url(server) -> Iterator[str]:
    address = fresh_database(server)
    yield address
    forget(address)


def forget(address: str) -> None:
    shutil.rmtree(Place.of(address, Settings()).folder, ignore_errors=True)


def source_of(path: Path, *papers) -> Path:
    return write_jsonl(path, [one if isinstance(one, dict) else one.to_dict() for one in papers])


def content(assistant: Assistant):
    """Papers, passages, sentences and what searches find."""
    ledger = assistant.shelf.ledger
    papers = sorted(
        (replace(paper, sources=tuple(sorted(paper.sources, key=repr))) for _, paper in ledger.all_papers()),
        key=lambda paper: paper.id,
    )
    passages = sorted(passage.id for held, _ in ledger.passages(-1, 1_000) for passage, _ in held)
    found = [[(item.paper.id, round(item.score, 3)) for item in assistant.search(one)] for one in QUESTIONS]
    return papers, passages, ledger.sentences([paper.id for paper in papers]), found


def started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_four_processes_that_ingest_and_ask_at_once_lose_and_duplicate_nothing(url, tmp_path):
    draw = random.Random(3)
    sources = []
    for number in range(4):  # each half of the papers, and every paper in two of them
        rows = [ROWS[(8 * number + at) % len(ROWS)] for at in range(16)]
        sources.append(source_of(tmp_path / f"{number}.jsonl", *draw.sample(rows, len(rows))))
    workers = [started(url, source, "fp32") for source in sources]
    for worker in workers:
        assert worker.stdout.readline() == "open\n", worker.stderr.read()
    for worker in workers:  # all at once
        worker.stdin.write("go\n")
        worker.stdin.flush()
    told = [worker.communicate(timeout=250) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, told
    reports = [json.loads(out.splitlines()[-1]) for out, _ in told]
    assert [report["failed"] for report in reports] == [[]] * 4
    assert all(report["asked"] for report in reports)
    assert [report["read"] for report in reports] == [16] * 4
    assert sum(report["new"] for report in reports) == len(ROWS)  # each paper was new to one of them
    settings = Settings(embedding_precision="fp32")
    with (
        Assistant.open(tmp_path / "alone", settings=settings) as alone,
        Assistant.open(url, settings=settings) as together,
    ):
        alone.ingest(sources)
        assert content(together) == content(alone)
    assert upkeep.verify(url, settings) == upkeep.Health(len(ROWS), alone_passages(tmp_path), (), ())


def alone_passages(folder: Path) -> int:
    return upkeep.verify(folder / "alone", Settings(embedding_precision="fp32")).passages
