"""The shelf with its real parts: SQLite, Chroma, the encoder."""

import json
import shutil
import sqlite3
import subprocess
import sys

import chromadb
import pytest

from rag.config import Settings
from rag.errors import ShelfIncompatible, ShelfLocked, ShelfMissing
from rag.index.shelf import Shelf, open_ledger
from rag.types import Filters, Paper, paper_id

SETTINGS = Settings(lock_wait=0.1)


def paper(title, abstract, **more):
    return Paper(paper_id(title), title, abstract, **more)


PAPERS = [
    paper(
        "Heron: Fast Sorting",
        "Heron sorts integers in linear time. It needs 12% less memory than quicksort.",
        year=2021,
        date="2021-05-04",
    ),
    paper(
        "Crane: Slow Cooking",
        "Crane plans meals that simmer for hours. Guests preferred it by 3 to 1.",
        year=2024,
        author_count=3,
    ),
]


@pytest.fixture
def folder(tmp_path):
    with Shelf(tmp_path / "shelf", SETTINGS, create=True) as shelf:
        shelf.put(PAPERS)
        shelf.refresh()
    return tmp_path / "shelf"


def nearest(shelf, words):
    return shelf.nearest(shelf.embedder.embed([words])[0], 1)[0][0]


def test_a_missing_shelf_is_said_and_nothing_is_made(tmp_path):
    with pytest.raises(ShelfMissing) as caught:
        Shelf(tmp_path / "none", SETTINGS)
    assert "attest ingest" in caught.value.hint
    assert not (tmp_path / "none").exists()


def test_reopening_embeds_nothing(folder, monkeypatch):
    for name in ("embed", "embed_tokens", "embed_parts"):
        monkeypatch.setattr(f"rag.index.embed.Embedder.{name}", lambda *_: pytest.fail("embedded on opening"))
    with Shelf(folder, SETTINGS) as shelf:
        assert shelf.ledger.count() == (2, shelf.vectors.count())


def noted(folder, metadata):
    client = chromadb.PersistentClient(str(folder / "chroma"), settings=chromadb.Settings(anonymized_telemetry=False))
    client.get_collection("passages", embedding_function=None).modify(metadata=metadata)
    client.close()


@pytest.mark.parametrize(
    "damage",
    [
        "no chroma", "broken chroma", "no segments", "a list that is none", "a file lost", "a file cut short", "words cut short",
        "stale", "passage lost", "ahead",
    ],
)  # fmt: skip
def test_what_can_be_rebuilt_is_rebuilt_from_the_ledger(folder, damage, monkeypatch):
    match damage:
        case "no chroma":
            shutil.rmtree(folder / "chroma")
        case "broken chroma":
            (folder / "chroma" / "chroma.sqlite3").write_bytes(b"garbage" * 500)
        case "no segments":
            shutil.rmtree(folder / "segments")
        case "a list that is none":
            (folder / "segments" / "segments.json").write_bytes(b"PK garbage")
        case "a file lost":
            (folder / "segments" / "00000000" / "tokens").unlink()
        case "a file cut short":
            with (folder / "segments" / "00000000" / "vectors").open("r+b") as column:
                column.truncate(2_000)
        case "words cut short":
            with (folder / "segments" / "00000000" / "posting_rows").open("r+b") as column:
                column.truncate(8)
        case "stale":
            noted(folder, {"ledger": "another", "revision": 9})
        case "passage lost":
            client = chromadb.PersistentClient(
                str(folder / "chroma"), settings=chromadb.Settings(anonymized_telemetry=False)
            )
            found = client.get_collection("passages", embedding_function=None)
            found.delete(ids=found.get()["ids"][:1])
            client.close()
        case "ahead":
            with sqlite3.connect(folder / "ledger.sqlite") as database:
                ((identity,),) = database.execute("SELECT value FROM meta WHERE key = 'identity'")
            noted(folder, {"ledger": identity, "revision": 99})
    with Shelf(folder, SETTINGS) as shelf:
        assert nearest(shelf, "sorting integers") == PAPERS[0].id
        assert shelf.segments.scores(["quicksort"]).argmax() == shelf.segments.rows_of([PAPERS[0].id])[0]
        assert shelf.vectors.count() == shelf.ledger.count()[1] == len(shelf.segments.passages([0, 1])[0])
    monkeypatch.setattr("rag.index.vectors.VectorStore.upsert", lambda *_: pytest.fail("rebuilt twice"))
    monkeypatch.setattr("rag.index.segment_store.SegmentStore._write", lambda *_: pytest.fail("rebuilt twice"))
    Shelf(folder, SETTINGS).close()


def test_a_broken_vector_file_is_noticed_when_asked(folder):
    with Shelf(folder, SETTINGS) as shelf:
        assert nearest(shelf, "sorting integers") == PAPERS[0].id
        shelf.vectors._collection = None  # as a client whose files went away behaves: every call fails
        assert nearest(shelf, "sorting integers") == PAPERS[0].id


ASKED = """
import sys
from pathlib import Path
from rag.config import Settings
from rag.index.shelf import Shelf
with Shelf(Path(sys.argv[1]), Settings()) as shelf:
    assert shelf.vectors.count() == shelf.ledger.count()[1], "a passage is missing"
print("chromadb" in sys.modules)
"""


def test_chroma_is_opened_only_when_its_files_were_touched(folder):
    def opened():
        command = [sys.executable, "-c", ASKED, str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "True"

    assert not opened()
    (database := folder / "chroma" / "chroma.sqlite3").touch()
    assert opened()
    assert not opened()
    database.write_bytes(database.read_bytes()[:5_000])
    assert opened()
    shutil.rmtree(folder / "chroma")
    assert opened()
    (folder / "chroma.json").write_text("no JSON")
    assert opened()
    assert not opened()


def test_a_killed_process_leaves_no_seal(folder):
    with Shelf(folder, SETTINGS) as shelf:
        nearest(shelf, "sorting integers")
        assert not (folder / "chroma.json").exists()


def test_a_changed_abstract_replaces_exactly_its_passages(folder):
    with Shelf(folder, SETTINGS) as shelf:
        nearest(shelf, "sorting integers")  # which opens Chroma
        before = shelf.vectors._collection.get()["ids"]
        changed = paper("Heron: Fast Sorting", "Heron now keeps bees. " * 60)
        shelf.put([changed])
        shelf.refresh()
        after = shelf.vectors._collection.get()["ids"]
        others = {key for key in before if not key.startswith(changed.id)}
        assert others <= set(after)
        assert {key for key in after if key.startswith(changed.id)} & set(before) == set()
        assert nearest(shelf, "keeping bees") == changed.id
        assert shelf.vectors.count() == shelf.ledger.count()[1] > 2


def test_any_chroma_client_can_read_the_collection(folder):
    client = chromadb.PersistentClient(str(folder / "chroma"), settings=chromadb.Settings(anonymized_telemetry=False))
    rows = client.get_collection("passages", embedding_function=None).get(include=["documents", "metadatas"])
    client.close()
    held = {meta["paper_id"]: (meta, text) for meta, text in zip(rows["metadatas"], rows["documents"], strict=True)}
    meta, text = held[PAPERS[0].id]
    assert meta["title"] == PAPERS[0].title
    assert meta["year"] == 2021
    assert PAPERS[0].abstract[meta["start"] : meta["end"]] == text


def test_text_can_be_kept_out_of_chroma(tmp_path):
    with Shelf(tmp_path / "s", Settings(chroma_text=False), create=True) as shelf:
        shelf.put(PAPERS)
        shelf.refresh()
        assert set(shelf.vectors._collection.get(include=["documents"])["documents"]) == {None}


def test_one_owner_at_a_time(folder):
    with Shelf(folder, SETTINGS), pytest.raises(ShelfLocked, match="in use by process"):
        Shelf(folder, SETTINGS)
    Shelf(folder, SETTINGS).close()


def test_another_process_is_kept_out_and_a_killed_one_lets_go(folder):
    hold = (
        "import sys, time; from pathlib import Path; from rag.config import Settings; from rag.index.shelf import Shelf; "
        "s = Shelf(Path(sys.argv[1]), Settings()); print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ShelfLocked, match=str(other.pid)):
            Shelf(folder, SETTINGS)
        other.kill()
    Shelf(folder, SETTINGS).close()


@pytest.mark.parametrize(
    ("key", "value"), [("model", "other-model/int8"), ("dimension", "768"), ("normaliser", "0"), ("format", "2")]
)
def test_a_shelf_of_another_make_is_refused_with_the_way_out(folder, key, value):
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))
    with pytest.raises(ShelfIncompatible, match=key) as caught:
        Shelf(folder, SETTINGS)
    assert "attest export --jsonl" in caught.value.hint
    with open_ledger(folder, SETTINGS) as ledger:  # and the way out works
        assert len(list(ledger.all_papers())) == 2


def test_a_newer_format_is_refused(folder):
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    with pytest.raises(ShelfIncompatible, match="newer"):
        Shelf(folder, SETTINGS)


def test_a_broken_ledger_is_refused_not_overwritten(folder):
    for extra in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
        (folder / extra).unlink(missing_ok=True)
    (folder / "ledger.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(ShelfIncompatible, match="damaged"):
        Shelf(folder, SETTINGS)
    assert (folder / "ledger.sqlite").read_bytes().startswith(b"not a database")


def test_papers_come_back_whole(folder):
    with Shelf(folder, SETTINGS) as shelf:
        assert list(shelf.ledger.papers([PAPERS[1].id, "unknown", PAPERS[0].id]).values()) == [PAPERS[1], PAPERS[0]]
        assert json.loads(json.dumps(PAPERS[0].to_dict())) == PAPERS[0].to_dict() | {"authors": [], "sources": []}


@pytest.mark.parametrize(
    ("conditions", "titles"),
    [
        ([("year", "gte", 2022)], ["Crane"]),
        ([("year", "lt", 2022)], ["Heron"]),
        ([("author_count", "eq", 3)], ["Crane"]),
        ([("date", "gte", "2021-05-04"), ("date", "lte", "2021-05-31")], ["Heron"]),
        ([("author_count", "lt", 3)], []),
        ([], ["Heron", "Crane"]),
    ],
)
def test_filters_are_resolved_in_the_ledger(folder, conditions, titles):
    with Shelf(folder, SETTINGS) as shelf:
        found = shelf.ledger.papers(shelf.ledger.select(Filters(tuple(conditions)))).values()
        assert [one.title.split(":")[0] for one in found] == titles


def test_a_shelf_of_the_format_before_is_brought_up_to_date(folder, monkeypatch):
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        for index in ("papers_changed", "papers_known_by", "papers_of"):
            database.execute(f"DROP INDEX {index}")
        database.execute("DROP TABLE gone")
        database.execute("ALTER TABLE papers DROP COLUMN revision")
        database.execute("UPDATE meta SET value = '3' WHERE key = 'format'")
        database.execute("DELETE FROM meta WHERE key = 'identity'")
    shutil.rmtree(folder / "segments")
    (folder / "state.json").write_text('{"revision": 1}')
    (folder / "lexical.npz").write_bytes(b"postings of old")
    (folder / "columns").mkdir()
    monkeypatch.setattr("rag.index.embed.Embedder.embed_parts", lambda *_: pytest.fail("embedded on opening"))
    with Shelf(folder, SETTINGS) as shelf:
        assert len(shelf.segments) == shelf.ledger.count()[0] == 2
        assert shelf.vectors.count() == shelf.ledger.count()[1]
    assert not (folder / "lexical.npz").exists()
    assert not (folder / "columns").exists()
