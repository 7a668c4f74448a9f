"""One contract for every index of passage vectors, on the real thing each."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from fakes import paper

from rag.assistant import Assistant
from rag.cli import main
from rag.config import Settings
from rag.errors import ShelfError
from rag.index.chroma_server import ServerVectors
from rag.index.ledger import EVERYTHING
from rag.index.pgvector import PostgresVectors
from rag.index.postgres import PostgresDatabase
from rag.index.upkeep import verify
from rag.index.vector_index import VectorIndex, Vectors
from rag.index.vectors import VectorStore
from rag.types import Paper, Passage
from tests.fakes import CRANE, MARMOT, ZEBRA, write_jsonl
from tests.hostile import TRAP, plant
from tests.postgres import free_port, postgres_folder, postgres_server

WIDTH = 384
PAPERS = [paper(f"Owl {number}", f"Owl number {number} sees at night.", year=2000 + number) for number in range(60)]


@contextlib.contextmanager
def chroma_server(folder: Path, port: int) -> Iterator[str]:
    """`chroma run` on loopback until the end of the block."""
    with chroma_process(folder, port) as (address, _):
        yield address


@contextlib.contextmanager
def chroma_process(folder: Path, port: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The same, with its process."""
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--host", "127.0.0.1"]
    said = subprocess.DEVNULL
    with subprocess.Popen([*command, "--port", str(port)], stdout=said, stderr=said) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(300):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                assert server.poll() is None, "chroma run ended"
                threading.Event().wait(0.1)
            yield address, server
        finally:
            server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    with chroma_server(tmp_path_factory.mktemp("chroma-server"), free_port()) as address:
        yield address


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_folder() as folder, postgres_server(folder, free_port()) as address:
        yield address


@pytest.fixture(params=["folder", "server", "postgres"])
def index(request, tmp_path) -> Iterator[VectorIndex]:
    opened: VectorIndex
    match request.param:
        case "folder":
            opened = VectorStore(tmp_path / "chroma", keep_text=True)
        case "server":
            opened = ServerVectors(request.getfixturevalue("server"), tmp_path.name, keep_text=True)
        case "postgres":
            database = PostgresDatabase(request.getfixturevalue("postgres"))
            opened = PostgresVectors(database, tmp_path.name, keep_text=True)
    yield opened
    opened.close()


def passage_of(one: Paper, start: int = 0) -> tuple[Passage, Paper]:
    return Passage(one.id, start, len(one.abstract)), one


def directions(count: int = len(PAPERS)) -> Vectors:
    """Vectors around a few centres, as those of texts are."""
    random = np.random.default_rng(7)
    centres = random.normal(size=(6, WIDTH))
    made = centres[np.arange(count) % 6] + random.normal(scale=0.3, size=(count, WIDTH))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def fill(index: VectorIndex) -> Vectors:
    vectors = directions()
    index.upsert([passage_of(one) for one in PAPERS], vectors, [one.abstract for one in PAPERS])
    return vectors


def test_the_nearest_come_first_with_their_cosines(index):
    vectors = fill(index)
    assert index.count() == len(PAPERS)
    asked = vectors[3]
    exact = sorted(((float(own @ asked), one.id) for own, one in zip(vectors, PAPERS, strict=True)), reverse=True)
    found = index.query(asked, 8)
    assert [key for key, _ in found] == [key for _, key in exact[:8]]
    assert [cosine for _, cosine in found] == pytest.approx([cosine for cosine, _ in exact[:8]], abs=1e-4)
    assert len(index.query(asked, 1_000)) == len(PAPERS)


def test_a_query_stays_within_the_papers_it_is_given(index):
    vectors = fill(index)
    allowed = [one.id for one in PAPERS[10:20]]
    found = index.query(vectors[3], 5, allowed)
    exact = sorted(((float(vectors[10 + at] @ vectors[3]), key) for at, key in enumerate(allowed)), reverse=True)
    assert [key for key, _ in found] == [key for _, key in exact[:5]]
    assert index.query(vectors[3], 5, []) == []
    assert index.query(vectors[3], 5, ["nobody's"]) == []


def test_an_empty_index_finds_nothing(index):
    assert index.query(directions(1)[0], 5) == []
    assert index.count() == 0


def test_storing_again_replaces(index):
    vectors = fill(index)
    ids = [passage_of(one)[0].id for one in PAPERS]
    assert index.holds(ids, vectors)
    index.upsert([passage_of(PAPERS[0])], -vectors[:1], ["changed"])
    assert index.count() == len(PAPERS)
    assert not index.holds(ids, vectors)
    assert index.holds(ids[:1], -vectors[:1])
    assert index.query(-vectors[0], 1)[0] == (PAPERS[0].id, pytest.approx(1.0, abs=1e-4))


def test_a_paper_with_two_passages_is_found_by_both(index):
    vectors = directions(2)
    long = paper("Long Owl", "Owls sleep by day and hunt by night.")
    index.upsert([passage_of(long), passage_of(long, 10)], vectors, ["", ""])
    assert [key for key, _ in index.query(vectors[1], 2)] == [long.id, long.id]


def test_deleting_forgets_what_is_there_and_minds_nothing_else(index):
    vectors = fill(index)
    gone = [passage_of(one)[0].id for one in PAPERS[:30]]
    index.delete([*gone, "stranger:0-4"])
    assert index.count() == 30
    assert not index.holds(gone[:1], vectors[:1])
    assert {key for key, _ in index.query(vectors[0], 60)} == {one.id for one in PAPERS[30:]}
    index.delete([])
    assert index.count() == 30


def test_what_was_followed_is_noted_for_one_ledger(index):
    assert index.noted("mine") == EVERYTHING
    index.note("mine", 4)
    fill(index)
    assert (index.noted("mine"), index.noted("another")) == (4, EVERYTHING)
    index.note("mine", 5)
    assert index.noted("mine") == 5


def test_threads_may_search_while_another_stores(index):
    vectors, failed = fill(index), []

    def search(number: int) -> None:
        try:
            for _ in range(10):
                assert index.query(vectors[number], 2)
        except BaseException as error:
            failed.append(error)

    readers = [threading.Thread(target=search, args=(number,)) for number in range(8)]
    for reader in readers:
        reader.start()
    for _ in range(5):
        fill(index)
    for reader in readers:
        reader.join()
    assert failed == []
    assert index.count() == len(PAPERS)


def test_cleared_it_is_as_new(index):
    vectors = fill(index)
    index.note("mine", 4)
    index.clear()
    assert (index.count(), index.noted("mine")) == (0, EVERYTHING)
    assert index.query(vectors[0], 3) == []
    fill(index)
    assert index.query(vectors[0], 1)[0][0] == PAPERS[0].id


# --- a Chroma server that is not there, goes away, or stumbles ---


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("rag.index.server.PAUSE", 0.001)


@pytest.fixture
def large(monkeypatch):
    """Searches ask the index, as they do of a large shelf."""
    monkeypatch.setattr("rag.retrieve.retriever.ALL_PASSAGES", 0)


def test_a_server_that_is_down_is_named_with_what_to_do(quick):
    with pytest.raises(ShelfError, match="does not answer") as caught:
        ServerVectors(f"http://127.0.0.1:{free_port()}", "mine", keep_text=False)
    assert "chroma run" in caught.value.hint


def test_a_server_that_goes_away_is_named_and_one_that_comes_back_is_used(tmp_path, quick):
    port = free_port()
    with chroma_server(tmp_path, port) as address:
        index = ServerVectors(address, "mine", keep_text=False)
        vectors = fill(index)
        index.note("mine", 3)
    for use in (index.count, lambda: index.query(vectors[0], 3), lambda: index.delete(["some"])):
        with pytest.raises(ShelfError, match="does not answer"):
            use()
    with chroma_server(tmp_path, port):
        assert index.count() == len(PAPERS)
        assert index.noted("mine") == 3
        assert index.holds([passage_of(one)[0].id for one in PAPERS], vectors)
        index.close()


ERRORS = {
    400: {"error": "InvalidArgumentError", "message": "not so"},
    500: {"error": "InternalError", "message": "error reading the segment"},
}


def _asked(path: str) -> str:
    return path.partition("?")[0].rpartition("/")[2]


@contextlib.contextmanager
def stumbling(address: str, failures: list[int | None]) -> Iterator[str]:
    """A server before the real one that fails as scripted for the first requests it is told to stumble over: a status, or
    None for a connection that is cut."""
    port = int(address.rpartition(":")[2])

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status = failures.pop(0) if failures and _asked(self.path) in ("query", "upsert", "count") else 0
            if status is None:
                self.connection.close()
                return
            if status:
                self.send(status, b"busy" if status == 503 else json.dumps(ERRORS[status]).encode())
                return
            real = HTTPConnection("127.0.0.1", port)
            real.request(self.command, self.path, body, {"content-type": "application/json"})
            reply = real.getresponse()
            self.send(reply.status, reply.read())

        def send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *_) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as between:
        threading.Thread(target=between.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{between.server_port}"
        finally:
            between.shutdown()


def test_what_fails_for_a_moment_is_asked_again(server, tmp_path, quick):
    failures: list[int | None] = []
    with stumbling(server, failures) as address:
        index = ServerVectors(address, tmp_path.name, keep_text=False)
        failures += [500, 503, None]
        vectors = fill(index)
        assert failures == []
        failures += [500, None]
        assert index.query(vectors[0], 1)[0][0] == PAPERS[0].id
        assert failures == []
        failures += [500] * 5
        with pytest.raises(ShelfError, match="error reading the segment"):
            index.count()
        failures += [400]
        with pytest.raises(Exception, match="not so"):  # what the server blames on us is not asked again
            index.count()
        assert failures == []
        index.close()


def test_a_shelf_with_its_vectors_on_a_server(tmp_path, quick, monkeypatch, capsys):
    source = write_jsonl(tmp_path / "papers.jsonl", [vars_of(CRANE), vars_of(MARMOT)])
    more = write_jsonl(tmp_path / "more.jsonl", [vars_of(ZEBRA)])
    port, folder = free_port(), tmp_path / "shelf"
    settings = Settings(vectors=f"http://127.0.0.1:{port}")
    with chroma_server(tmp_path / "server", port), Assistant.open(folder, settings=settings) as assistant:
        assistant.ingest([source])
        assert assistant.ask("what does Marmot do?").status == "answered"
        assert not (folder / "chroma").exists()
    with pytest.raises(ShelfError, match="does not answer"):
        Assistant.open(folder, settings=settings)
    monkeypatch.setattr("rag.assistant.settings", lambda: settings)
    assert main(["search", "marmots", "--shelf", str(folder)]) == 4
    assert "chroma run" in capsys.readouterr().err
    with chroma_server(tmp_path / "server", port), Assistant.open(folder, settings=settings) as assistant:
        assistant.ingest([more])
    with chroma_server(tmp_path / "a new one", port), Assistant.open(folder, settings=settings) as assistant:
        assert assistant.shelf.vectors.count() == assistant.shelf.ledger.count()[1]  # filled from the ledger
        assert [item.paper.id for item in assistant.search(ZEBRA.title, 1)] == [ZEBRA.id]
    with chroma_server(tmp_path / "a new one", port):
        assert verify(folder, settings).stale == ()


def found_in(assistant: Assistant) -> list[list[tuple[str, float]]]:
    return [
        [(item.paper.id, round(item.score, 3)) for item in assistant.search(words)]
        for words in ("marmots", "cooking for guests")
    ]


def test_a_server_that_goes_away_under_an_open_shelf_and_comes_back(tmp_path, quick, large):
    """While it is away that is said, and nothing is lost; when it is back, even without what it held, it is used."""
    source = write_jsonl(tmp_path / "papers.jsonl", [vars_of(CRANE), vars_of(MARMOT)])
    more = write_jsonl(tmp_path / "more.jsonl", [vars_of(ZEBRA)])
    port = free_port()
    with contextlib.ExitStack() as opened:
        with chroma_server(tmp_path / "server", port) as address:
            settings = Settings(vectors=address)
            assistant = opened.enter_context(Assistant.open(tmp_path / "shelf", settings=settings))
            assistant.ingest([source])
            before = found_in(assistant)
        for use in (lambda: found_in(assistant), lambda: assistant.ask("what does Marmot do?")):
            with pytest.raises(ShelfError, match="does not answer") as caught:
                use()
            assert "chroma run" in caught.value.hint
        with chroma_server(tmp_path / "server", port):
            assert found_in(assistant) == before
            assert assistant.ask("what does Marmot do?").status == "answered"
        with chroma_server(tmp_path / "a new one", port):
            assert found_in(assistant) == before
        with pytest.raises(ShelfError, match="does not answer"):
            assistant.ingest([more])
        with chroma_server(tmp_path / "a new one", port):
            assistant.ingest([more])
            assert [item.paper.id for item in assistant.search(ZEBRA.title, 1)] == [ZEBRA.id]
            assistant.close()
            assert verify(tmp_path / "shelf", settings).stale == ()


def test_a_server_that_does_not_move_is_not_waited_for(tmp_path, quick, large, monkeypatch):
    source = write_jsonl(tmp_path / "papers.jsonl", [vars_of(CRANE), vars_of(MARMOT)])
    with chroma_process(tmp_path / "server", free_port()) as (address, server):
        settings = Settings(vectors=address)
        with Assistant.open(tmp_path / "shelf", settings=settings) as assistant:
            assistant.ingest([source])
        monkeypatch.setattr("rag.index.chroma_server.PATIENCE", 0.5)
        with Assistant.open(tmp_path / "shelf", settings=settings) as assistant:
            before = found_in(assistant)
            server.send_signal(signal.SIGSTOP)
            for use in (lambda: found_in(assistant), lambda: ServerVectors(address, "mine", keep_text=False)):
                with pytest.raises(ShelfError, match=r"has not answered for 0\.5 seconds"):
                    use()
            server.send_signal(signal.SIGCONT)
            monkeypatch.setattr("rag.index.chroma_server.PATIENCE", 30.0)
            assistant.close()
        with Assistant.open(tmp_path / "shelf", settings=settings) as assistant:
            assert found_in(assistant) == before


def test_a_collection_on_a_server_that_names_code_is_not_obeyed(tmp_path, quick, monkeypatch):
    port = free_port()
    with chroma_server(tmp_path / "server", port) as address:
        index = ServerVectors(address, "mine", keep_text=True)
        vectors = fill(index)
        index.close()
    plant(tmp_path / "server" / "chroma.sqlite3", "passages-mine")
    (tmp_path / "ollama.py").write_text(TRAP, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with chroma_server(tmp_path / "server", port):
        index = ServerVectors(address, "mine", keep_text=True)
        assert index.damaged
        assert index.count() == 0
        assert np.array_equal(fill(index), vectors)
        assert index.query(vectors[0], 1)[0][0] == PAPERS[0].id
        index.close()
    assert not (tmp_path / "sprung").exists()


def vars_of(one: Paper) -> dict[str, str]:
    return {"title": one.title, "abstract": one.abstract}


def test_a_shelf_with_its_vectors_in_postgresql(tmp_path, monkeypatch):
    monkeypatch.setattr("rag.index.server.PAUSE", 0.001)
    source = write_jsonl(tmp_path / "papers.jsonl", [vars_of(CRANE), vars_of(MARMOT)])
    more = write_jsonl(tmp_path / "more.jsonl", [vars_of(ZEBRA)])
    shelf, port = tmp_path / "shelf", free_port()
    with postgres_folder() as folder:
        with postgres_server(folder, port) as address:
            settings = Settings(vectors=address)
            with Assistant.open(shelf, settings=settings) as assistant:
                assistant.ingest([source])
                assert assistant.ask("what does Marmot do?").status == "answered"
        with pytest.raises(ShelfError, match="does not answer"):
            Assistant.open(shelf, settings=settings)
        with postgres_server(folder, port):
            with Assistant.open(shelf, settings=settings) as assistant:
                assistant.ingest([more])
                assert [item.paper.id for item in assistant.search(ZEBRA.title, 1)] == [ZEBRA.id]
                assistant.shelf.vectors.clear()  # as on a new server
            assert verify(shelf, settings).stale != ()
            assert verify(shelf, settings).stale == ()
    assert not (shelf / "chroma").exists()
