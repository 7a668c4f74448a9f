"""Files of a shelf that are lost, cut short, changed or not its own: made anew from the ledger, without embedding."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rag.config import Settings
from rag.index.embed import Embedder
from rag.index.upkeep import verify
from tests.fakes import write_jsonl
from tests.hostile import TRAP, plant
from tests.processes import PAPERS, QUESTIONS, ROOT, attest, chroma_of, content, copy_of, expected

NAIVE = """
import sys, chromadb
passages = chromadb.PersistentClient(sys.argv[1]).get_collection("passages")
"""


@pytest.fixture(scope="module")
def with_graph(undisturbed, tmp_path_factory):
    """The shelf with Chroma's graph on disk, as a large one has it: after every 8 passages, where 1,000 is usual."""
    folder = copy_of(undisturbed, tmp_path_factory.mktemp("with-graph") / "shelf")
    with chroma_of(folder) as client:
        old = client.get_collection("passages", embedding_function=None)
        note, held = old.metadata, old.get(include=["embeddings", "metadatas", "documents"])
        client.delete_collection("passages")
        often = {"hnsw": {"space": "cosine", "sync_threshold": 8, "batch_size": 4}}
        new = client.create_collection("passages", metadata=note, embedding_function=None, configuration=often)
        for at in range(0, len(held["ids"]), 8):
            new.upsert(**{name: held[name][at : at + 8] for name in ("ids", "embeddings", "metadatas", "documents")})
    for path in (folder / "chroma").glob("*/"):
        if not (path / "index_metadata.pickle").exists():  # of the collection that was deleted
            shutil.rmtree(path)
    return folder


@pytest.fixture
def graph(with_graph, tmp_path):
    return copy_of(with_graph, tmp_path / "shelf")


@pytest.fixture(autouse=True)
def asked_of_chroma(monkeypatch):
    """Searches ask Chroma, as they do of a large shelf."""
    monkeypatch.setattr("rag.retrieve.retriever.ALL_PASSAGES", 0)


@pytest.fixture
def embedded(monkeypatch):
    """All texts that go through the encoder."""
    texts: list[str] = []
    real = Embedder._run

    def recording(self, given, outputs, *more, **named):
        texts.extend(given)
        yield from real(self, given, outputs, *more, **named)

    monkeypatch.setattr(Embedder, "_run", recording)
    return texts


@pytest.fixture
def stored(monkeypatch):
    """How many times passages were stored in Chroma."""
    calls: list[int] = []
    real = sys.modules["rag.index.vectors"].Collection.upsert

    def recording(self, passages, *more):
        calls.append(len(passages))
        return real(self, passages, *more)

    monkeypatch.setattr("rag.index.vectors.Collection.upsert", recording)
    return calls


def is_whole_again(folder, whole, embedded):
    assert content(folder) == whole
    assert set(embedded) == set(QUESTIONS)  # and no passage
    assert verify(folder, Settings()).stale == ()


def the(folder: Path, name: str) -> Path:
    (found,) = folder.rglob(name)
    return found


def halve(path):
    os.truncate(path, path.stat().st_size // 2)


def lose(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def flip(path):
    data = bytearray(path.read_bytes())
    data[random.Random(8).randrange(len(data))] ^= 0x55
    path.write_bytes(data)


# --- Chroma ---


def test_a_shelf_that_nothing_happened_to_is_not_made_anew(graph, whole, embedded, stored):
    assert the(graph, "data_level0.bin").stat().st_size > 0
    assert content(graph) == whole
    assert set(embedded) == set(QUESTIONS)
    assert stored == []


@pytest.mark.parametrize("harm", [halve, lose])
@pytest.mark.parametrize(
    "name", ["chroma", "chroma.sqlite3", "data_level0.bin", "header.bin", "link_lists.bin", "length.bin", "index_metadata.pickle"]
)  # fmt: skip
def test_chroma_files_lost_or_cut_in_half(graph, whole, embedded, stored, name, harm):
    path = the(graph, name)
    if path.is_dir() and harm is halve:
        path, harm = the(graph, "header.bin").parent, lose  # half of what a folder holds
    harm(path)
    is_whole_again(graph, whole, embedded)
    assert sum(stored) == len(whole[1])


@pytest.mark.parametrize("name", ["chroma.sqlite3", "data_level0.bin", "link_lists.bin", "index_metadata.pickle"])
def test_a_byte_of_chroma_that_was_flipped(graph, whole, name):
    """It may be one that nothing reads, but no process ends of it, and a verification leaves nothing of it."""
    flip(the(graph, name))
    large = "from rag.retrieve import retriever; retriever.ALL_PASSAGES = 0"
    searched = attest("search", QUESTIONS[0], "--shelf", graph, before=large)
    assert (searched.returncode, searched.stderr) == (0, "")
    verified = attest("doctor", "--verify", "--shelf", graph)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert content(graph) == whole


def replace_collection(shelf, width, space):
    with chroma_of(shelf) as client:
        old = client.get_collection("passages", embedding_function=None)
        note, held = old.metadata, old.get(include=["embeddings"])
        client.delete_collection("passages")
        other = client.create_collection(
            "passages", metadata=note, embedding_function=None, configuration={"hnsw": {"space": space}}
        )
        other.upsert(ids=held["ids"], embeddings=held["embeddings"][:, :width])


@pytest.mark.parametrize(("width", "space"), [(384, "l2"), (384, "ip"), (64, "cosine")])
def test_a_collection_of_another_space_or_dimension(shelf, whole, embedded, stored, width, space):
    replace_collection(shelf, width, space)
    is_whole_again(shelf, whole, embedded)
    assert sum(stored) == len(whole[1])


def test_a_collection_of_another_dimension_that_is_added_to(shelf, whole, tmp_path):
    replace_collection(shelf, 64, "cosine")
    more = write_jsonl(
        tmp_path / "more.jsonl", [{"title": "Owls at Night", "abstract": "Owls see at night, in colours."}]
    )
    done = attest("ingest", more, "--shelf", shelf)
    assert (done.returncode, done.stderr) == (0, "")
    assert verify(shelf, Settings()).stale == ()
    assert len(content(shelf)[1]) == len(whole[1]) + 1


# --- a collection that names code ---


@pytest.fixture
def trap(tmp_path):
    """A module that leaves a mark where it is imported, and the environment in which it is found."""
    folder = tmp_path / "trap"
    folder.mkdir()
    (folder / "ollama.py").write_text(TRAP, encoding="utf-8")
    return folder / "sprung", {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


@pytest.mark.parametrize(
    "use", ["passages.query(query_texts=['any'])", "passages.upsert(ids=['any'], embeddings=[[1.0] * 384])"]
)
def test_the_trap_springs_for_a_client_that_trusts(shelf, trap, use):
    sprung, environment = trap
    plant(shelf / "chroma" / "chroma.sqlite3", "passages")
    command = [sys.executable, "-c", NAIVE + use, str(shelf / "chroma")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert sprung.exists(), done.stderr


def test_a_hostile_collection_is_not_obeyed(whole, trap, tmp_path, source, undisturbed):
    """Not when a question is asked, and not when papers are stored, for which chromadb builds what a schema names."""
    sprung, environment = trap
    folder, all_papers = tmp_path / "shelf", source.read_text(encoding="utf-8")
    source.write_text("".join(all_papers.splitlines(keepends=True)[:12]), encoding="utf-8")
    try:
        assert attest("ingest", source, "--shelf", folder).returncode == 0
    finally:
        source.write_text(all_papers, encoding="utf-8")
    for command in (("search", QUESTIONS[0]), ("ingest", source)):
        plant(folder / "chroma" / "chroma.sqlite3", "passages")
        done = attest(*command, "--shelf", folder, env=environment)
        assert done.returncode == 0, done.stderr
        assert not sprung.exists()
    assert content(folder) == whole


# --- words and vectors ---


@pytest.mark.parametrize("harm", [halve, lose, flip])
@pytest.mark.parametrize("name", ["segments.json", "posting_counts", "lengths", "vectors", "by_id"])
def test_segment_files_lost_cut_in_half_or_changed(shelf, whole, embedded, name, harm):
    harm(next(path for path in sorted(shelf.rglob(name)) if path.stat().st_size))
    is_whole_again(shelf, whole, embedded)


def test_a_large_file_that_was_changed_is_found_when_asked_for(shelf, monkeypatch):
    """What is too large to be read whenever a shelf is opened is read by a verification."""
    monkeypatch.setattr("rag.index.sums.SMALL", 0)
    flip(next(shelf.rglob("posting_counts")))
    assert content(shelf)
    assert "other words or vectors" in verify(shelf, Settings()).stale[0]
    assert verify(shelf, Settings()).stale == ()


def test_segments_that_are_lost_stale_or_of_another_ledger(shelf, whole, embedded, tmp_path):
    other = tmp_path / "other"
    assert attest("ingest", write_jsonl(tmp_path / "few.jsonl", PAPERS[:4]), "--shelf", other).returncode == 0
    old = copy_of(other / "segments", tmp_path / "old")
    for harm in (
        lambda: shutil.rmtree(shelf / "segments"),
        lambda: (shutil.rmtree(shelf / "segments"), shutil.copytree(old, shelf / "segments")),
    ):
        harm()
        is_whole_again(shelf, whole, embedded)
    assert attest("ingest", tmp_path / "few.jsonl", tmp_path / "few.jsonl", "--shelf", other).returncode == 0
    more = write_jsonl(tmp_path / "more.jsonl", PAPERS[4:8])
    assert attest("ingest", more, "--shelf", other).returncode == 0
    now = expected(other)
    shutil.rmtree(other / "segments")
    shutil.copytree(old, other / "segments")  # as of before the last ingest
    assert content(other) == now
    assert verify(other, Settings()).stale == ()
