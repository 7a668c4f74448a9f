"""Packed files: what they hold is read as if it lay there, damaged ones as far as they go, and bombs not at all."""

import gzip
import io
import json
import random
import sys
import threading
import zipfile

import pytest
from test_pipeline import Fake

from rag.ingest import archives, pipeline

LINES = "".join(json.dumps({"title": f"Paper {n}", "abstract": f"It is about owl {n}."}) + "\n" for n in range(50))
BIB = "@misc{a, title={From BibTeX}, abstract={It is so.}}\n"


def read(*sources, **more):
    store = Fake()
    report = pipeline.ingest(store, sources, **more)
    return store, report


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_in_", "/"), content)
    return path


def reasons(report):
    return [(item.file.rpartition("/")[2], item.reason) for item in report.rejected]


def test_a_gzip_file_is_read_as_what_it_holds(tmp_path):
    path = tmp_path / "papers.jsonl.gz"
    path.write_bytes(gzip.compress(LINES.encode()))
    store, report = read(path)
    assert (report.new, report.rejected) == (50, ())
    assert {source.file for paper in store.held.values() for source in paper.sources} == {str(path)}
    assert [paper.sources[0].position for paper in list(store.held.values())[:3]] == [1, 2, 3]


def test_a_zip_archive_is_read_file_by_file(tmp_path):
    path = zipped(
        tmp_path / "all.zip", papers_in_p=LINES, refs=BIB, inner_in_packed=gzip.compress(BIB.replace("From", "Gzipped").encode()),
        readme="nothing here", __MACOSX_in_x=BIB, deep_in_p2=LINES.replace("Paper", "Other"),
    )  # fmt: skip
    store, report = read(path)
    assert report.new == 102
    assert reasons(report)[0][1].startswith("no papers in a known format")
    assert {source.file for paper in store.held.values() for source in paper.sources} == {
        f"{path}/{name}" for name in ("papers/p", "refs", "inner/packed", "deep/p2")
    }


def test_progress_counts_packed_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "HEAD", 256)
    monkeypatch.setattr(pipeline, "BATCH", 16)
    for number in range(3):
        noise = "".join(
            json.dumps({"title": f"T{number} {n}", "abstract": str(random.Random(n).random())}) + "\n"
            for n in range(200)
        )
        (tmp_path / f"{number}.gz").write_bytes(gzip.compress(noise.encode()))
    zipped(tmp_path / "z.zip", a=LINES, b=LINES.replace("Paper", "Other"))
    seen = []
    _, report = read(tmp_path, progress=seen.append)
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert report.new == 700
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert 0 < seen[5].done < seen[-1].done == total


def test_archives_that_are_damaged_give_what_came_before(tmp_path):
    long = "".join(
        json.dumps({"title": f"Paper {n}", "abstract": str(random.Random(n).random())}) + "\n" for n in range(2_000)
    )
    packed = gzip.compress(long.encode())
    (tmp_path / "a.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "b.gz").write_bytes(packed[:-8] + b"\0" * 8)  # a checksum of something else
    (tmp_path / "c.gz").write_bytes(packed[:2] + b"\xff" * 50)
    whole = zipped(tmp_path / "d.zip", a=LINES, b=long).read_bytes()
    (tmp_path / "d.zip").write_bytes(whole[: len(whole) // 2])
    bad = bytearray(zipped(tmp_path / "e.zip", a=long.replace("Paper", "Zip"), b=LINES).read_bytes())
    bad[20_000:20_100] = b"\xff" * 100
    (tmp_path / "e.zip").write_bytes(bad)
    store, report = read(tmp_path)
    titles = {paper.title for paper in store.held.values()}
    assert {f"Paper {n}" for n in range(2_000)} <= titles
    assert 0 < sum(title.startswith("Zip") for title in titles) < 2_000
    found = {name: reason for name, reason in reasons(report) if not reason.startswith("another abstract")}
    assert set(found) == {"a.gz", "b.gz", "c.gz", "d.zip", "a"}
    assert "End-of-file" in found["a.gz"] or "ended before" in found["a.gz"]
    assert "damaged" in found["d.zip"]


@pytest.mark.parametrize("inside", [False, True])
def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch, inside):
    monkeypatch.setattr(archives, "FREE", 1_000_000)
    bomb = gzip.compress(b'{"title": "Owls", "abstract": "They sleep."}\n' + b" " * 20_000_000)
    assert len(bomb) < 50_000
    if inside:
        zipped(
            tmp_path / "x.zip", a=b'{"title": "Owls", "abstract": "They sleep."}\n' + b" " * 20_000_000, b=BIB, c=bomb
        )
    else:
        (tmp_path / "x.gz").write_bytes(bomb)
    given = []
    readinto = archives._Bounded.readinto

    def counting(self, buffer):
        given.append(readinto(self, buffer))
        return given[-1]

    monkeypatch.setattr(archives._Bounded, "readinto", counting)
    store, report = read(tmp_path)
    assert sum(given) < 10_000_000
    assert [reason[:34] for _, reason in reasons(report)] == ["unpacks to more than 200 times its"] * (
        2 if inside else 1
    )
    assert {paper.title for paper in store.held.values()} == ({"Owls", "From BibTeX"} if inside else {"Owls"})


def test_what_is_not_opened(tmp_path):
    inner = zipped(tmp_path / "inner", a=LINES).read_bytes()
    (tmp_path / "inner").unlink()
    zipped(tmp_path / "nested.zip", again=inner, good=BIB)
    with zipfile.ZipFile(tmp_path / "letter.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<w/>")
    _, report = read(tmp_path)
    assert report.new == 1
    assert reasons(report) == [
        ("letter.docx", "a document of an office program, not text (save it as text (UTF-8))"),
        ("again", "an archive within an archive; unpack it and name the files"),
    ]


def test_more_files_than_anybody_packs(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    _, report = read(zipped(tmp_path / "x.zip", a=BIB, b=BIB, c=BIB))
    assert reasons(report) == [("x.zip", "an archive of 3 files; the most that are read are 2")]


def test_a_member_that_wants_a_password(tmp_path):
    raw = bytearray(zipped(tmp_path / "x.zip", a=BIB).read_bytes())
    for signature, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + flag] |= 1
    (tmp_path / "x.zip").write_bytes(raw)
    ((name, reason),) = reasons(read(tmp_path / "x.zip")[1])
    assert name == "a"
    assert "password" in reason


def test_from_a_pipe(monkeypatch, tmp_path):
    import os

    for content, wanted in ((gzip.compress(LINES.encode()), 50), (zipped(tmp_path / "x.zip", a=LINES).read_bytes(), 0)):
        reading, writing = os.pipe()

        def write(content=content, writing=writing):
            with open(writing, "wb") as out:
                out.write(content)

        threading.Thread(target=write).start()
        with io.TextIOWrapper(open(reading, "rb")) as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            _, report = read("-")
        assert report.new == wanted
        if not wanted:
            assert reasons(report) == [
                ("<stdin>", "a zip archive cannot be read from a pipe (save it to a file and name that)")
            ]


def test_an_archive_without_anything(tmp_path):
    assert reasons(read(zipped(tmp_path / "x.zip"))[1]) == [("x.zip", "an archive without files")]
    (tmp_path / "e.gz").write_bytes(gzip.compress(b""))
    assert reasons(read(tmp_path / "e.gz")[1]) == [("e.gz", "the file is empty")]
