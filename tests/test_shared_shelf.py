"""A whole shelf in PostgreSQL: real servers, and processes that write and ask at once."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
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
from tests.test_ray import Waiting

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


# --- what happens between resolving and storing ---


def between(shelf: Shelf, action) -> None:
    """Let something happen once, after the shelf resolved a batch and before it stores it."""
    encode, left = shelf.paper_encoder.encode, [action]

    def encoding(papers):
        if left:
            left.pop()()
        return encode(papers)

    shelf.paper_encoder.encode = encoding


def test_what_others_stored_meanwhile_is_merged_as_if_it_had_been_there(url, tmp_path):
    first = source_of(tmp_path / "first.jsonl", MARMOT, ZEBRA)
    theirs = source_of(tmp_path / "theirs.jsonl", replace(MARMOT, comment_count=7), replace(CRANE, doi="10.1/crane"))
    mine = source_of(tmp_path / "mine.jsonl", replace(MARMOT, url="http://m.example"), CRANE, STORK)
    with Shelf(url, Settings(), create=True) as one, Shelf(url, Settings()) as other:
        pipeline.ingest(one, [first])
        between(one, lambda: pipeline.ingest(other, [theirs]))
        report = pipeline.ingest(one, [mine])
        assert (report.new, report.updated, report.unchanged) == (1, 1, 1)  # CraneNet is there already
        held = {paper.title: paper for _, paper in one.ledger.all_papers()}
        assert len(held) == 4
        assert (held[MARMOT.title].comment_count, held[MARMOT.title].url) == (7, "http://m.example")
        assert held[CRANE.title].doi == "10.1/crane"
        assert one.vectors.count() == one.ledger.count()[1]
        other.catch_up()
        assert len(other.segments) == len(one.segments) == 4
    assert upkeep.verify(url, Settings()).stale == ()


def test_what_is_under_way_elsewhere_is_planned_again_too(url, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH", 1)
    theirs = source_of(tmp_path / "theirs.jsonl", replace(CRANE, comment_count=3), ZEBRA)
    mine = source_of(tmp_path / "mine.jsonl", MARMOT, CRANE, ZEBRA, STORK, MARMOT)
    with Shelf(url, Settings(), create=True) as one, Shelf(url, Settings()) as other:
        told = []

        def meanwhile(now: pipeline.Progress) -> None:
            told.append(now)
            if len(told) == 3:  # the first three are being encoded
                assert one.ledger.count()[0] == 0
                pipeline.ingest(other, [theirs])

        report = pipeline.ingest(Ahead(one, Waiting(one, 3)), [mine], progress=meanwhile)
        assert (report.read, report.rejected) == (5, ())
        held = {paper.title: paper for _, paper in one.ledger.all_papers()}
        assert len(held) == one.ledger.count()[0] == len(one.segments) == 4
        assert held[CRANE.title].comment_count == 3


# --- every process sees what others stored ---


def test_what_one_stores_the_others_find_at_their_next_question(url, tmp_path):
    with Assistant.open(url) as one, Assistant.open(url) as other:
        with pytest.raises(ShelfMissing, match="no shelf"):
            one.ask("what does Marmot do?")
        one.ingest([source_of(tmp_path / "a.jsonl", MARMOT, CRANE)])
        with pytest.raises(ShelfMissing):
            other.search("marmots")  # it was opened where there was none
        with Assistant.open(url) as third:
            assert third.ask("what does Marmot do?").status == "answered"
            one.ingest([source_of(tmp_path / "b.jsonl", ZEBRA)])
            assert third.search(ZEBRA.title, 1)[0].paper.id == ZEBRA.id
            changed = replace(CRANE, abstract="CraneNet now washes dishes with steam.")
            third.ingest([source_of(tmp_path / "c.jsonl", changed)])
            assert one.search("dishes and steam", 1)[0].paper.abstract == changed.abstract
            assert len(one.shelf.segments) == len(third.shelf.segments) == 3


def test_a_past_that_was_lost_is_forgotten(server, url, tmp_path):
    """As when a replica is promoted that had not everything: revisions of the same numbers come again, with other papers."""
    admin, name = server, url.rpartition("/")[2]
    with Assistant.open(url) as assistant:
        assistant.ingest([source_of(tmp_path / "a.jsonl", MARMOT)])
    disconnect(admin, name)
    run_sql(admin, f"CREATE DATABASE {name}_old TEMPLATE {name}")
    with Assistant.open(url) as assistant:
        assistant.ingest([source_of(tmp_path / "b.jsonl", ZEBRA)])
        assert assistant.search(ZEBRA.title, 1)[0].paper.id == ZEBRA.id
        disconnect(admin, name)
        run_sql(admin, f"DROP DATABASE {name} WITH (FORCE)")
        run_sql(admin, f"ALTER DATABASE {name}_old RENAME TO {name}")
        with Assistant.open(url, settings=elsewhere(tmp_path)) as other:
            other.ingest([source_of(tmp_path / "c.jsonl", CRANE)])
            assert other.shelf.ledger.revision == 3
        for one in (assistant, Assistant.open(url)):
            assert {item.paper.id for item in one.search("marmots, meals and zebra stripes", 9)} == {
                MARMOT.id,
                CRANE.id,
            }
            one.close()


def elsewhere(folder: Path) -> Settings:
    """Those of another machine, which has the encoder and nothing else of this one's cache."""
    (folder / "cache").mkdir()
    (folder / "cache" / "models").symlink_to(Settings().cache_dir / "models")
    return Settings(cache_dir=folder / "cache")


def run_sql(address: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)


def disconnect(address: str, name: str) -> None:
    run_sql(address, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


# --- a server that goes away ---


def test_a_killed_primary_is_followed_by_its_replica_and_nothing_acknowledged_is_lost(tmp_path):
    source = source_of(tmp_path / "papers.jsonl", *ROWS)
    ports = free_port(), free_port()
    url = f"postgresql://attest@127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/postgres?target_session_attrs=read-write"
    with (
        postgres_folder() as folder,
        postgres_server(folder, ports[0]) as primary,
        postgres_replica(folder, primary, ports[1]),
        Assistant.open(url) as before,
    ):
        before.ingest([source_of(tmp_path / "first.jsonl", MARMOT)])
        with started(url, source, "int8") as worker:
            assert worker.stdout.readline() == "open\n"
            worker.stdin.write("go\n")
            worker.stdin.flush()
            acknowledged = 0
            while acknowledged < 8:
                acknowledged = int(worker.stdout.readline())
            kill(folder)
            out, said = worker.communicate(timeout=100)
            acknowledged = max([acknowledged, *(int(line) for line in out.splitlines() if line.isdecimal())])
        assert worker.returncode != 0
        assert "ShelfError" in said
        with pytest.raises(ShelfError, match="does not answer"):
            before.ask("what does Marmot do?")
        promote(folder)
        assert before.ask("what does Marmot do?").status == "answered"
        with Assistant.open(url) as after:
            assert after.shelf.ledger.count()[0] >= acknowledged + 1
            report = after.ingest([source])  # the same again
            assert report.new + report.unchanged == len(ROWS)
            assert report.unchanged >= acknowledged
            assert before.search(ROWS[-1]["title"], 1)[0].paper.title == ROWS[-1]["title"]
        health = upkeep.verify(url, Settings())
        assert (health.papers, health.stale, health.faults) == (len(ROWS) + 1, (), ())
    forget(url)


def test_a_server_that_is_down_is_said_and_one_that_is_back_is_used(tmp_path, capsys):
    port = free_port()
    url = f"postgresql://attest:very-secret@127.0.0.1:{port}/postgres"
    source = source_of(tmp_path / "papers.jsonl", MARMOT, CRANE)
    with postgres_folder() as folder:
        with postgres_server(folder, port), Assistant.open(url) as assistant:
            assistant.ingest([source])
        with pytest.raises(ShelfError, match="does not answer") as caught:
            Assistant.open(url)
        assert "start it" in caught.value.hint
        for command in (["ask", "what?"], ["ingest", str(source)], ["doctor", "--verify"], ["export"]):
            assert main([*command, "--shelf", url]) in (1, 4)
        with postgres_server(folder, port):
            reopened = Assistant.open(url)
        for use in (lambda: reopened.ask("what does Marmot do?"), lambda: reopened.ingest([source])):
            with pytest.raises(ShelfError, match="does not answer"):
                use()
        with postgres_server(folder, port):
            assert reopened.ask("what does Marmot do?").status == "answered"
            reopened.close()
            assert main(["doctor", "--shelf", url]) == 0
    printed = capsys.readouterr()
    assert "does not answer" in printed.err
    assert "2 papers, made with" in printed.out
    assert "very-secret" not in printed.out + printed.err + str(caught.value) + caught.value.hint
    forget(url)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:very-secret%zz@h/d",
        "postgresql://ada:very/secret@h:x/d",
        "postgresql://h/d?password=very-secret&nonsense=1",
    ],
)
def test_an_address_that_is_none_is_said_without_its_password(address, capsys):
    assert main(["ask", "what?", "--shelf", address]) == 2
    assert main(["doctor", "--shelf", address]) == 1
    printed = capsys.readouterr()
    assert "is no address of a database" in printed.err
    assert "secret" not in printed.out + printed.err


# --- the commands ---


def test_the_commands_of_a_shelf_in_a_database(url, tmp_path, capsys):
    source = source_of(tmp_path / "papers.jsonl", MARMOT, CRANE, ZEBRA)

    def attest(*arguments: object) -> tuple[int, str]:
        code = main([*map(str, arguments), "--shelf", url])
        return code, capsys.readouterr().out

    assert attest("search", "marmots")[0] == 4
    assert attest("ingest", source) == (0, "3 read: 3 new, 0 updated, 0 unchanged, 0 merged, 0 rejected\n")
    assert attest("ask", "what does Marmot do?")[0] == 0
    assert MARMOT.title in attest("search", "marmots")[1]
    assert attest("export", "--jsonl")[1].count("\n") == 3
    assert "3 papers, " in attest("doctor", "--verify")[1]
    more = tmp_path / "more"
    more.mkdir()
    assert attest("watch", "add", more)[0] == 0
    source_of(more / "stork.jsonl", STORK)
    assert attest("watch", "run")[1].startswith("1 new: ")
    with pytest.raises(UsageError, match="has its vectors there"):
        Assistant.open(url, settings=Settings(vectors="http://127.0.0.1:1"))


def test_a_shelf_moves_from_a_folder_into_a_database_and_back(server, url, tmp_path, capsys):
    folder, back, copy = tmp_path / "folder", tmp_path / "back", tmp_path / "copy.zip"
    with Assistant.open(folder) as assistant:
        assistant.ingest([source_of(tmp_path / "papers.jsonl", MARMOT, CRANE, ZEBRA)])
        expected = content(assistant)
    assert main(["backup", str(copy), "--shelf", str(folder)]) == 0
    assert main(["restore", str(copy), "--shelf", url]) == 0
    with Assistant.open(url) as assistant:
        assert content(assistant) == expected
    assert main(["restore", str(copy), "--shelf", url]) == 4
    copy.unlink()
    assert main(["backup", str(copy), "--shelf", url]) == 0
    assert main(["restore", str(copy), "--shelf", str(back)]) == 0
    assert "3 papers restored" in capsys.readouterr().out
    with Assistant.open(back) as assistant:
        assert content(assistant) == expected


def test_indexes_that_disagree_are_mended(url, tmp_path):
    with Assistant.open(url) as assistant:
        assistant.ingest([source_of(tmp_path / "papers.jsonl", MARMOT, CRANE)])
        run_sql(url, f'DELETE FROM "passages_{assistant.shelf.ledger.identity}"')
        (assistant.folder / "segments" / "00000000" / "vectors").unlink()
        stale = upkeep.verify(url, Settings()).stale
        assert len(stale) == 2
        assert upkeep.verify(url, Settings()).stale == ()
        assert assistant.search(MARMOT.title, 1)[0].paper.id == MARMOT.id  # which was open all the while
