"""Damage of a real shelf is found and mended; a backup gives the same shelf again."""

import shutil
import sqlite3
import zipfile

import chromadb
import pytest
from fakes import CRANE, MARMOT

from rag.assistant import Assistant
from rag.cli import main
from rag.config import Settings
from rag.errors import ShelfError, ShelfLocked, ShelfMissing
from rag.index.shelf import Shelf
from rag.index.upkeep import backup, restore, verify

SETTINGS = Settings(lock_wait=0.1)


@pytest.fixture
def folder(tmp_path):
    with Shelf(tmp_path / "shelf", SETTINGS, create=True) as shelf:
        shelf.put([CRANE, MARMOT])
        shelf.refresh()
    return tmp_path / "shelf"


def chroma(folder, change):
    client = chromadb.PersistentClient(str(folder / "chroma"))
    collection = client.get_collection("passages", embedding_function=None)
    change(collection, collection.get(include=["embeddings"]))
    client.close()


def lose_a_passage(folder):
    chroma(folder, lambda collection, held: collection.delete(ids=held["ids"][:1]))


def change_a_vector(folder):
    chroma(folder, lambda collection, held: collection.update(ids=held["ids"][:1], embeddings=-held["embeddings"][:1]))


def swap_a_passage(folder):
    def change(collection, held):
        collection.delete(ids=held["ids"][:1])
        collection.add(ids=["stranger:0-9"], embeddings=held["embeddings"][:1])

    chroma(folder, change)


def spoil_chroma(folder):
    (folder / "chroma" / "chroma.sqlite3").write_bytes(b"no database")


def spoil_words(folder):
    path = folder / "segments" / "00000000" / "posting_counts"
    path.write_bytes(bytes(reversed(path.read_bytes()[:-2])))


def cut_columns(folder):
    path = folder / "segments" / "00000000" / "tokens"
    path.write_bytes(path.read_bytes()[:-7])


def change_columns(folder):
    path = folder / "segments" / "00000000" / "vectors"
    path.write_bytes(path.read_bytes()[::-1])


def answers(folder):
    with Assistant.open(folder) as assistant:
        return [
            assistant.ask(question).to_dict() | {"timings_ms": None}
            for question in ("what does Marmot do?", "papers on cooking")
        ]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose_a_passage, "the index of vectors holds"),
        (change_a_vector, "other passages or vectors"),
        (swap_a_passage, "other passages or vectors"),
        (spoil_chroma, "could not be opened"),
        (spoil_words, "words and vectors could not be read"),
        (cut_columns, "words and vectors could not be read"),
        (change_columns, "words and vectors could not be read"),
    ],
)
def test_an_index_that_disagrees_is_named_and_made_anew(folder, damage, said):
    before = answers(folder)
    damage(folder)
    health = verify(folder, SETTINGS)
    assert health.faults == ()
    assert any(said in one for one in health.stale)
    again = verify(folder, SETTINGS)
    assert (again.papers, again.stale, again.faults) == (2, (), ())
    assert answers(folder) == before


def test_faults_of_the_ledger_are_told_and_nothing_is_touched(folder, capsys):
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.execute("UPDATE passages SET end = 100000 WHERE rowid = 1")
    database.close()
    before = (folder / "segments" / "segments.json").read_bytes()
    health = verify(folder, SETTINGS)
    assert "1 passages do not fit" in health.faults[0]
    assert (folder / "segments" / "segments.json").read_bytes() == before
    assert main(["doctor", "--verify", "--shelf", str(folder)]) == 1
    assert "attest restore" in capsys.readouterr().out


def test_a_backup_gives_the_same_shelf(folder, tmp_path, capsys):
    (folder / "rejected.jsonl").write_text("{}\n", encoding="utf-8")
    (folder / "talks").mkdir()
    (folder / "talks" / "one.json").write_text("[]", encoding="utf-8")
    copy, other = tmp_path / "copy.zip", tmp_path / "other"
    assert main(["backup", str(copy), "--shelf", str(folder)]) == 0
    assert main(["restore", str(copy), "--shelf", str(other)]) == 0
    assert "2 papers restored" in capsys.readouterr().out
    assert answers(other) == answers(folder)
    assert (other / "talks" / "one.json").read_text(encoding="utf-8") == "[]"
    assert (other / "rejected.jsonl").is_file()
    assert "chroma" not in {name.split("/")[0] for name in zipfile.ZipFile(copy).namelist()}
    assert main(["doctor", "--verify", "--shelf", str(other)]) == 0
    assert "ledger and indexes agree" in capsys.readouterr().out


def test_what_is_in_the_way_is_not_written_over(folder, tmp_path):
    copy = tmp_path / "copy.zip"
    backup(folder, copy, SETTINGS)
    with pytest.raises(ShelfError, match="there already"):
        backup(folder, copy, SETTINGS)
    with pytest.raises(ShelfError, match="not empty"):
        restore(copy, folder, SETTINGS)
    with pytest.raises(ShelfMissing):
        backup(tmp_path / "none", tmp_path / "none.zip", SETTINGS)
    with Shelf(folder, SETTINGS), pytest.raises(ShelfLocked):
        verify(folder, SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.zip", "shelf"]


def test_a_backup_that_is_not_whole_leaves_nothing(folder, tmp_path):
    copy, other = tmp_path / "copy.zip", tmp_path / "other"
    backup(folder, copy, SETTINGS)
    whole = copy.read_bytes()
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 255
    hostile = tmp_path / "hostile.zip"
    with zipfile.ZipFile(hostile, "w") as out:
        out.writestr("ledger.sqlite", b"")
        out.writestr("../outside", b"x")
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as out:
        out.writestr("talks/one.json", b"[]")
    for name, data in (("cut", whole[: len(whole) // 2]), ("spoilt", bytes(spoilt)), ("text", b"hello")):
        (tmp_path / name).write_bytes(data)
    for source in ("cut", "spoilt", "text", "hostile.zip", "empty.zip", "none.zip"):
        with pytest.raises(ShelfError, match="no whole backup"):
            restore(tmp_path / source, other, SETTINGS)
        assert not other.exists()
    assert not (tmp_path / "outside").exists()


def test_a_backup_is_whole_or_not_there(folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(ShelfError, match="No space left"):
        backup(folder, tmp_path / "copy.zip", SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["shelf"]
    shutil.rmtree(folder)
