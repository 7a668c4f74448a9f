"""Sources to a real shelf: counts, what is embedded again, what is refused, and interruption."""

from __future__ import annotations

import io
import itertools
import json
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.config import Settings
from rag.errors import UsageError
from rag.index.ledger import EVERYTHING
from rag.index.shelf import Shelf
from rag.ingest import archives, pipeline
from rag.ingest.pipeline import Progress, ingest
from rag.types import IngestReport, Paper, Rejected

HEADER = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\nbyAK and the research community\n\nDec 12\n\n"
LONG = " ".join(
    f"In trial {n} the owl of group {n % 7} hooted at {n * 3} bees before it slept again." for n in range(30)
)
ABSTRACTS = {
    "Sleepy Owls": "Owls sleep by day, as everybody knows. We show that some of them only pretend to.",
    "Busy Bees": "Bees sort pollen by colour. Our sorter does so 3.2times faster.",
    "Otters at Work": LONG,
}


def page(abstracts: dict[str, str], when: str = "May 24, 2023") -> str:
    return HEADER + "".join(
        f"{title}\n\n{abstract}\n\n  • 6 authors\n·\n{when}\n\n" for title, abstract in abstracts.items()
    )


def jsonl(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def counts(report: IngestReport) -> tuple[int, ...]:
    assert report.read == report.new + report.updated + report.unchanged + report.merged
    return report.new, report.updated, report.unchanged, report.merged, len(report.rejected)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings()


@pytest.fixture
def shelf(tmp_path: Path, settings: Settings) -> Iterator[Shelf]:
    with Shelf(tmp_path / "shelf", settings, create=True) as opened:
        yield opened


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "one.txt").write_text(page(ABSTRACTS), encoding="utf-8")
    return folder


@pytest.fixture
def embedded(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts given to the embedder since the shelf was opened."""
    seen: list[str] = []
    embed = shelf.embedder.embed_parts

    def counting(texts: Sequence[Sequence[str]]) -> Any:
        seen.extend(" ".join(parts) for parts in texts)
        return embed(texts)

    monkeypatch.setattr(shelf.embedder, "embed_parts", counting)
    return seen


def rejected_records(shelf: Shelf) -> list[dict[str, Any]]:
    path = shelf.folder / "rejected.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def passages(shelf: Shelf) -> dict[str, tuple[str, bytes]]:
    """Passage id to its words and vector in Chroma, after checking that Chroma and ledger agree."""
    in_ledger = {
        p.id: (paper.abstract[p.start : p.end], v)
        for held, vectors in shelf.ledger.passages(EVERYTHING, 100)
        for (p, paper), v in zip(held, vectors, strict=True)
    }
    shelf.nearest(np.ones(shelf.encoder.dimension, np.float32), 1)  # which opens Chroma
    stored = shelf.vectors._collection.get(include=["documents", "embeddings"])
    in_chroma = {
        key: (text, vector)
        for key, text, vector in zip(stored["ids"], stored["documents"], stored["embeddings"], strict=True)
    }
    assert in_chroma.keys() == in_ledger.keys()
    for key, (text, vector) in in_ledger.items():
        assert in_chroma[key][0] == text
        assert np.allclose(in_chroma[key][1], vector, atol=1e-6)
    return {key: (text, vector.tobytes()) for key, (text, vector) in in_ledger.items()}


def titles(shelf: Shelf) -> list[str]:
    return [paper.title for _, paper in shelf.ledger.all_papers()]


# --- counts, and what is stored again ---


def test_first_and_second_ingest(shelf: Shelf, pages: Path, embedded: list[str]):
    assert counts(ingest(shelf, [pages])) == (3, 0, 0, 0, 0)
    assert titles(shelf) == list(ABSTRACTS)
    before, revision = passages(shelf), shelf.ledger.revision
    assert len(before) == len(embedded) > 3
    assert len(shelf.segments) == 3
    embedded.clear()
    assert counts(ingest(shelf, [pages])) == (0, 0, 3, 0, 0)
    assert (embedded, shelf.ledger.revision, passages(shelf)) == ([], revision, before)


def test_changed_abstract_replaces_its_passages_alone(shelf: Shelf, pages: Path, embedded: list[str]):
    ingest(shelf, [pages])
    before, revision = passages(shelf), shelf.ledger.revision
    embedded.clear()
    changed = "Otters work at night. They fish with tools, it turns out."
    (pages / "one.txt").write_text(page({**ABSTRACTS, "Otters at Work": changed}), encoding="utf-8")
    assert counts(ingest(shelf, [pages])) == (0, 1, 2, 0, 0)
    after, otter = (
        passages(shelf),
        next(p for _, p in shelf.ledger.all_papers() if p.title == "Otters at Work").id,
    )
    assert {key: value for key, value in after.items() if not key.startswith(otter)} == {
        key: value for key, value in before.items() if not key.startswith(otter)
    }
    assert [text for key, (text, _) in after.items() if key.startswith(otter)] == [changed]
    assert len(embedded) == 1
    assert "fish with tools" in embedded[0]
    assert shelf.ledger.revision == revision + 1
    assert shelf.segments.df("tool") == 1


def test_changed_words_of_equal_length(shelf: Shelf, pages: Path):
    ingest(shelf, [pages])
    before = passages(shelf)
    (pages / "one.txt").write_text(
        page({**ABSTRACTS, "Busy Bees": ABSTRACTS["Busy Bees"].replace("pollen", "stones")}), encoding="utf-8"
    )
    assert counts(ingest(shelf, [pages])) == (0, 1, 2, 0, 0)
    after = passages(shelf)
    assert after.keys() == before.keys()
    assert sum(after[key] != before[key] for key in after) == 1


def test_changed_metadata_embeds_nothing(shelf: Shelf, pages: Path, embedded: list[str]):
    ingest(shelf, [pages])
    before = passages(shelf)
    embedded.clear()
    (pages / "one.txt").write_text(page(ABSTRACTS, "May 24, 2023 7"), encoding="utf-8")
    assert counts(ingest(shelf, [pages])) == (0, 3, 0, 0, 0)
    assert embedded == []
    assert passages(shelf) == before
    assert {paper.comment_count for _, paper in shelf.ledger.all_papers()} == {7}


@pytest.mark.parametrize("batch", [1, 2, 256])
def test_the_same_paper_on_two_pages(shelf: Shelf, pages: Path, monkeypatch: pytest.MonkeyPatch, batch: int):
    monkeypatch.setattr(pipeline, "BATCH", batch)
    bare = HEADER + f"Busy Bees\n\n{ABSTRACTS['Busy Bees']}\n\nNew Newts\n\n{LONG}\n\n"
    (pages / "two.txt").write_text(bare, encoding="utf-8")
    (pages / "aaa.txt").write_text(bare, encoding="utf-8")
    assert counts(ingest(shelf, [pages])) == (4, 0, 0, 3, 0)
    bees = next(paper for _, paper in shelf.ledger.all_papers() if paper.title == "Busy Bees")
    assert (bees.author_count, bees.date) == (6, "2023-05-24")
    assert [Path(source.file).name for source in bees.sources] == ["aaa.txt", "one.txt", "two.txt"]
    revision, before = shelf.ledger.revision, passages(shelf)
    assert counts(ingest(shelf, [pages])) == (0, 0, 4, 3, 0)
    assert (shelf.ledger.revision, passages(shelf)) == (revision, before)


@pytest.mark.parametrize("alias", [{"doi": "10.1/OWL"}, {"arxiv_id": "2401.00001v2"}])
@pytest.mark.parametrize("batch", [1, 256])
def test_one_paper_under_two_titles_is_known_by_its_number(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alias: dict[str, str], batch: int
):
    monkeypatch.setattr(pipeline, "BATCH", batch)
    again = {"doi": "https://doi.org/10.1/owl"} if "doi" in alias else {"arxiv_id": "arXiv:2401.00001"}
    source = tmp_path / "r.jsonl"
    source.write_text(
        jsonl(
            {"title": "Sleepy Owls", "abstract": "They sleep.", **alias},
            {"title": "Otters", "abstract": "Swim."},
            {"title": "Sleepy Owls (v2)", "abstract": "They sleep.", **again, "year": 2024},
        )
    )
    assert counts(ingest(shelf, [source])) == (2, 0, 0, 1, 0)
    assert sorted(titles(shelf)) == ["Otters", "Sleepy Owls"]
    revision = shelf.ledger.revision
    report = ingest(shelf, [source])
    assert (report.new, report.updated, shelf.ledger.revision) == (0, 0, revision)


def test_a_page_saved_half_way_takes_nothing_from_the_shelf(shelf: Shelf, pages: Path, embedded: list[str]):
    ingest(shelf, [pages])
    revision = shelf.ledger.revision
    embedded.clear()
    text = (pages / "one.txt").read_text(encoding="utf-8")
    (pages / "one.txt").write_text(text[: text.index("trial 9")], encoding="utf-8")
    report = ingest(shelf, [pages])
    assert (report.unchanged, len(report.rejected), embedded, shelf.ledger.revision) == (2, 1, [], revision)
    (pages / "one.txt").write_text(text[: text.index(" In trial 9")], encoding="utf-8")  # cut between sentences
    report = ingest(shelf, [pages])
    assert (report.unchanged, report.rejected, embedded, shelf.ledger.revision) == (3, (), [], revision)


def test_all_orders_of_pages_give_one_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pipeline, "BATCH", 2)
    sources = {
        "stated.txt": page(ABSTRACTS),
        "inferred.txt": page({"Busy Bees": ABSTRACTS["Busy Bees"], "Last One": LONG}, "Mar 15 2")
        + "Old Owls\n\nThey are old.\n\n  • 1 authors\n·\nMay 2, 2024\n\n",
        "bare.txt": HEADER + "".join(f"{title}\n\n{abstract}\n\n" for title, abstract in ABSTRACTS.items()),
    }
    for name, text in sources.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = []
    for order in itertools.permutations(sources):
        for runs in ([list(order)], [[name] for name in order]):
            store = Fake()
            for run in runs:
                ingest(store, [tmp_path / name for name in run])
            found.append(
                {
                    (p.id, p.abstract, p.date, p.year, p.year_inferred, p.author_count, p.comment_count)
                    for p in store.held.values()
                }
            )
    assert len(found) == 12
    assert all(one == found[0] for one in found)
    assert {("2023-05-24", 6, 2), ("2025-03-15", 6, 2), ("2024-05-02", 1, None)} <= {
        (date, authors, comments) for _, _, date, _, _, authors, comments in found[0]
    }


class Fake:
    """A store without vectors, for what needs many of them."""

    def __init__(self, fail: BaseException | None = None) -> None:
        self.held: dict[str, Paper] = {}
        self.rejected: list[Rejected] = []
        self.fail = fail

    def begin(self) -> None:
        self.taken: set[str] = set()

    def take(self, ids: Sequence[str]) -> set[str]:
        before = self.taken & set(ids)
        self.taken |= set(ids)
        return before

    def resolve(self, papers: Sequence[Paper]) -> list[tuple[str, Paper | None]]:
        return [(paper.id, self.held.get(paper.id)) for paper in papers]

    def put(self, papers: Sequence[Paper], unchanged_text: Sequence[Paper] = (), again: Any = None) -> None:
        if self.fail:
            raise self.fail
        self.held |= {paper.id: paper for paper in (*papers, *unchanged_text)}

    def finish(self) -> None: ...
    def refresh(self) -> None: ...

    def reject(self, rejected: Sequence[Rejected]) -> None:
        self.rejected += rejected


# --- what cannot be read ---

NOT_PAPERS = "no papers in a known format"


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("empty.txt", b"", [(1, "the file is empty")]),
        ("blank.txt", b" \n\t\n", [(1, "the file is empty")]),
        ("binary.bin", b"\x89PNG\r\n\x1a\n\0\0\0", [(1, "a binary file, not text")]),
        ("page.html", b"<html><body>owls</body></html>", [(1, NOT_PAPERS)]),
        ("bom.txt", b"\xef\xbb\xbf", [(1, NOT_PAPERS)]),
        ("none.txt", HEADER.encode(), [(1, "no papers on this page")]),
        ("title.txt", f"{HEADER}Lonely".encode(), [(13, "a title without an abstract: 'Lonely'")]),
        (
            "latin.txt",
            page({"Café Owls": "They sip."}).encode("latin-1", "replace"),
            [(13, "not UTF-8 text (byte 0xe9 at column 4)")],
        ),
        ("broken.jsonl", b'{"title": "A", "abs', [(1, "not JSON")]),
        ("array.json", b'[[{"title": "A", "abstract": "B"}]]', [(1, NOT_PAPERS)]),
        (
            "mixed.jsonl",
            jsonl({"title": "X", "abstract": "Y."}).encode() + b'{"title": 5}\n[]\n',
            [(2, "title must be text"), (3, "object is needed, not list")],
        ),
        (
            "twice.jsonl",
            jsonl(*({"id": 1, "title": t, "abstract": "Y."} for t in "XZ")).encode(),
            [(2, "id '1' was used on line 1")],
        ),
    ],
)
def test_each_bad_source_gets_its_line_and_the_rest_is_read(
    shelf: Shelf, pages: Path, name: str, raw: bytes, says: list[tuple[int, str]]
):
    (pages / name).write_bytes(raw)
    report = ingest(shelf, [pages])
    assert [(item.file, item.line) for item in report.rejected] == [(str(pages / name), line) for line, _ in says]
    for item, (_, reason), record in zip(report.rejected, says, rejected_records(shelf), strict=True):
        assert reason in item.reason
        assert "\n" not in item.reason
        assert record == {"file": item.file, "line": item.line, "reason": item.reason, "record": item.record}
    assert set(ABSTRACTS) <= set(titles(shelf))
    assert len(titles(shelf)) == 3 + name.endswith(("mixed.jsonl", "twice.jsonl"))
    passages(shelf)


def test_rejected_record_holds_what_was_refused(shelf: Shelf, tmp_path: Path):
    (tmp_path / "r.jsonl").write_text('{"title": "Otters", "abstract": 7}\n')
    (tmp_path / "p.txt").write_text(f"{HEADER}Sleepy Owls\n\n{LONG} And then it", encoding="utf-8")
    ingest(shelf, [tmp_path / "r.jsonl", tmp_path / "p.txt"])
    first, second = rejected_records(shelf)
    assert json.loads(first["record"]) == {"title": "Otters", "abstract": 7}
    assert second["record"] == f"Sleepy Owls\n\n{LONG} And then it"
    assert "the page ends in the middle of the abstract of 'Sleepy Owls'" in second["reason"]


def test_a_line_of_fifty_megabytes(shelf: Shelf, pages: Path):
    for name, before, after in (
        ("big.txt", page({"First": "It is."}), "\n\n" + page({"Last": "It was."})),
        ("big.jsonl", jsonl({"title": "One", "abstract": "A."}), "\n" + jsonl({"title": "Two", "abstract": "B."})),
    ):
        with (pages / name).open("w", encoding="utf-8") as out:
            out.write(before)
            for _ in range(50):
                out.write("x" * 1_000_000)
            out.write(after)
    report = ingest(shelf, [pages])
    assert {*ABSTRACTS, "First", "Last", "One", "Two"} == set(titles(shelf))
    assert [(Path(item.file).name, item.line) for item in report.rejected] == [("big.jsonl", 2), ("big.txt", 21)]
    assert all("a line of 50,000,001 bytes" in item.reason for item in report.rejected)
    assert (shelf.folder / "rejected.jsonl").stat().st_size < 5_000


def test_numbers_and_characters_no_database_holds(shelf: Shelf, tmp_path: Path):
    (tmp_path / "r.jsonl").write_text(
        jsonl(
            {"title": "A", "abstract": "B.", "year": 10**30},
            {"title": "Owl\ud83d", "abstract": "\u200b", "authors": ["\udc00x"], "organization": "\ud83dx"},
        )
    )
    far = page({f"Paper {n}": LONG for n in range(30)})  # beyond what is sniffed
    (tmp_path / "p.txt").write_text(
        f"{far}Sleepy Owls\n\nZ.\n\n• {'9' * 25} authors\n·\nMay 24, 2023 {'9' * 25}\n\nNul \0 Title\n\nWith a \0 in it.\n\n",
        encoding="utf-8",
    )
    report = ingest(shelf, [tmp_path / "r.jsonl", tmp_path / "p.txt"])
    assert [item.line for item in report.rejected] == [1]
    assert {"Owl", "Sleepy Owls"} <= set(titles(shelf))
    assert len(titles(shelf)) == 33
    passages(shelf)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(shelf: Shelf, tmp_path: Path, encoding: str):
    (tmp_path / "p.txt").write_bytes(page({"Sleepy Owls": "They sleep…"}).encode(encoding))
    (tmp_path / "r.jsonl").write_bytes(
        jsonl({"title": "Otters\u2028", "abstract": "They swim."}).replace("\\u2028", "\u2028").encode(encoding)
    )
    assert counts(ingest(shelf, [tmp_path / "p.txt", tmp_path / "r.jsonl"])) == (2, 0, 0, 0, 0)
    assert titles(shelf) == ["Sleepy Owls", "Otters"]


def test_unknown_format_is_refused(shelf: Shelf, pages: Path):
    with pytest.raises(UsageError, match="unknown format 'xml'"):
        ingest(shelf, [pages], format="xml")


def test_format_given(pages: Path):
    bare = pages / "bare.txt"
    bare.write_text(f"Sleepy Owls\n\n{LONG}\n\nBusy Bees\n\n{LONG}\n", encoding="utf-8")
    assert counts(ingest(Fake(), [bare])) == (0, 0, 0, 0, 1)
    assert counts(ingest(Fake(), [bare], format="daily-papers")) == (2, 0, 0, 0, 0)
    report = ingest(Fake(), [bare], format="jsonl")
    assert (report.read, {item.reason[:8] for item in report.rejected}) == (0, {"not JSON"})


# --- sources ---


def names(report: IngestReport) -> list[tuple[str, str]]:
    return [(Path(item.file).name, item.reason) for item in report.rejected]


def test_links(pages: Path, tmp_path: Path):
    (tmp_path / "outside.txt").write_text(page({"Secret": "It is."}), encoding="utf-8")
    (pages / "out.txt").symlink_to(tmp_path / "outside.txt")
    (pages / "in.txt").symlink_to("one.txt")
    (pages / "gone.txt").symlink_to("nowhere.txt")
    (pages / "loop.txt").symlink_to("loop.txt")
    (pages / "up").symlink_to(tmp_path)
    store = Fake()
    report = ingest(store, [pages])
    assert names(report) == [
        ("gone.txt", "a broken link"),
        ("loop.txt", "a broken link"),
        ("out.txt", "a link out of the folder; name the file itself to read it"),
    ]
    assert {paper.title for paper in store.held.values()} == set(ABSTRACTS)
    assert ingest(store, [pages / "out.txt"]).new == 1
    assert names(ingest(store, [pages / "gone.txt", pages / "g*.txt", pages / "loop.txt"])) == [
        ("gone.txt", "a broken link")
    ] * 2 + [("loop.txt", "a broken link")]


def test_folders_globs_and_missing_paths(pages: Path, monkeypatch: pytest.MonkeyPatch):
    deep = pages / "deep" / "er"
    deep.mkdir(parents=True)
    for path, title in (
        (deep / "two.txt", "Two"),
        (pages / ".hidden.txt", "Hidden"),
        (pages / "three[1].txt", "Three"),
    ):
        path.write_text(page({title: "It is."}), encoding="utf-8")
    (pages / ".git").mkdir()
    (pages / ".git" / "four.txt").write_text(page({"Four": "It is."}), encoding="utf-8")

    def read(*sources: str | Path) -> tuple[set[str], list[tuple[str, str]]]:
        store = Fake()
        report = ingest(store, sources)
        return {paper.title for paper in store.held.values()}, names(report)

    assert read(pages) == ({*ABSTRACTS, "Two", "Three"}, [])
    assert read(str(pages / "**" / "two.txt")) == ({"Two"}, [])
    assert read(pages / "d*") == ({"Two"}, [])
    assert read(pages / "*[[]1].txt") == read(pages / "three[1].txt") == ({"Three"}, [])
    assert read(pages / ".hidden.txt") == ({"Hidden"}, [])
    assert read("no/such.txt", deep, "x" * 5_000) == (
        {"Two"},
        [("such.txt", "no such file, folder or glob"), ("x" * 5_000, "no such file, folder or glob")],
    )
    assert read(os.devnull) == (set(), [("null", "neither a file nor a folder")])
    monkeypatch.chdir(pages)
    assert read("deep") == ({"Two"}, [])


def test_a_shelf_inside_the_folder_is_left_alone(tmp_path: Path, settings: Settings, pages: Path):
    with Shelf(pages / "shelf", settings, create=True) as inside:
        assert counts(ingest(inside, [pages])) == (3, 0, 0, 0, 0)


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="chmod has no effect on root"
)
def test_unreadable(pages: Path):
    (pages / "locked.txt").write_text("x", encoding="utf-8")
    (pages / "shut").mkdir()
    for path in (pages / "locked.txt", pages / "shut"):
        path.chmod(0)
    try:
        report = ingest(store := Fake(), [pages])
    finally:
        (pages / "shut").chmod(0o700)
    assert sorted(names(report)) == [
        ("locked.txt", "cannot be read: Permission denied"),
        ("shut", "cannot be read: Permission denied"),
    ]
    assert len(store.held) == 3


def test_a_file_that_cannot_be_opened(pages: Path, monkeypatch: pytest.MonkeyPatch):
    (pages / "bad.txt").write_text(page({"Bad": "It is."}), encoding="utf-8")
    opened = Path.open

    def failing(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "bad.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", failing)
    report = ingest(store := Fake(), [pages])
    assert names(report) == [("bad.txt", "cannot be read: Permission denied")]
    assert len(store.held) == 3


def test_an_error_of_the_shelf_is_not_put_down_to_the_file(pages: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pipeline, "BATCH", 1)
    with pytest.raises(OSError, match="No space left"):
        ingest(Fake(OSError(28, "No space left on device")), [pages])


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_a_file_name_that_is_not_utf8(shelf: Shelf, pages: Path):
    raw = os.fsencode(pages) + b"/caf\xe9.txt"
    with open(raw, "wb") as out:
        out.write(page({"Bad Name": "It is."}).encode() + b"Lonely")
    report = ingest(shelf, [pages])
    assert report.new == 4
    assert [item.file for item in report.rejected] == [f"{pages}/caf\\xe9.txt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are needed")
def test_a_pipe_with_a_progress_bar(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = page({f"Paper {n}": "It is." for n in range(40)})
    writer = threading.Thread(target=pipe.write_text, args=(text,), kwargs={"encoding": "utf-8"})
    writer.start()
    seen: list[Progress] = []
    assert counts(ingest(Fake(), [pipe], progress=seen.append)) == (40, 0, 0, 0, 0)
    writer.join()
    assert seen[-1] == Progress(0, 0, 40)


def test_standard_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(page(ABSTRACTS).encode())))
    store = Fake()
    assert counts(ingest(store, ["-"])) == (3, 0, 0, 0, 0)
    assert {source.file for paper in store.held.values() for source in paper.sources} == {"<stdin>"}


def test_progress(pages: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pipeline, "BATCH", 16)
    monkeypatch.setattr(archives, "HEAD", 512)
    for number in range(4):
        (pages / f"{number}.txt").write_text(
            page({f"Paper {number}.{n}": "It is so." for n in range(20)}), encoding="utf-8"
        )
    total = sum(path.stat().st_size for path in pages.iterdir())
    seen: list[Progress] = []
    ingest(Fake(), [pages], progress=seen.append)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert [p.papers for p in seen] == [16, 32, 48, 64, 80, 83]
    assert 0 < seen[0].done < seen[-1].done == total == seen[0].total


# --- interruption ---


def numbered(count: int) -> str:
    return page({f"Paper {n}": f"It is about owl number {n}. It hoots." for n in range(count)})


def test_a_second_wording_in_one_run_is_kept_for_review(tmp_path: Path, settings: Settings):
    (tmp_path / "a.jsonl").write_text(
        jsonl({"title": "Owls", "abstract": "91 % of owls hoot."}, {"title": "Owls", "abstract": "95 % of owls hoot."})
    )
    with Shelf(tmp_path / "shelf", settings, create=True) as shelf:
        report = ingest(shelf, [tmp_path / "a.jsonl"])
        assert (report.new, report.merged, len(report.rejected)) == (1, 1, 1)
        assert rejected_records(shelf)[0]["record"] == "95 % of owls hoot."


def test_a_copy_under_another_name_changes_nothing(tmp_path: Path, settings: Settings):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(jsonl({"title": "Owls", "abstract": "91 % of owls hoot."}))
    with Shelf(tmp_path / "shelf", settings, create=True) as shelf:
        ingest(shelf, [tmp_path / "a.jsonl"])
        assert ingest(shelf, [tmp_path / "b.jsonl"]).unchanged == 1
        assert [len(paper.sources) for _, paper in shelf.ledger.all_papers()] == [2]


def test_interrupted_between_batches(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pipeline, "BATCH", 16)
    (tmp_path / "a.jsonl").write_text("{oops\n" + jsonl({"title": "Paper 5", "abstract": "Kept."}))
    (tmp_path / "p.txt").write_text(numbered(100), encoding="utf-8")
    committed: list[int] = []

    def stop(now: Progress) -> None:
        if now.papers >= 48:
            committed.append(shelf.ledger.count()[0])
            raise KeyboardInterrupt

    with Shelf(tmp_path / "shelf", settings, create=True) as shelf:
        with pytest.raises(KeyboardInterrupt):
            ingest(shelf, [tmp_path / "a.jsonl", tmp_path / "p.txt"], progress=stop)
        assert ["not JSON" in one["reason"] for one in rejected_records(shelf)] == [
            True,
            False,
        ]  # and Paper 5, told otherwise
    with Shelf(tmp_path / "shelf", settings) as shelf:
        assert shelf.ledger.count()[0] == committed[0] == 48
        assert titles(shelf)[0] == "Paper 5"
        assert len(shelf.segments) == 48
        assert len(passages(shelf)) == shelf.ledger.count()[1]
        assert shelf.nearest(shelf.embedder.embed(["owl number 3"])[0], 5)
        report = ingest(shelf, [tmp_path / "p.txt"])
        assert (report.new, report.read) == (52, 100)
        assert len(passages(shelf)) == shelf.ledger.count()[1]


@pytest.mark.parametrize("step", ["ledger.put", "vectors.delete", "vectors.upsert"])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("size", [12, 20], ids=["changed", "changed and new"])
def test_interrupted_within_a_batch(tmp_path: Path, settings: Settings, step: str, late: bool, size: int):
    source = tmp_path / "p.txt"
    source.write_text(numbered(12), encoding="utf-8")
    with Shelf(tmp_path / "shelf", settings, create=True) as shelf:
        ingest(shelf, [source])
        source.write_text(
            numbered(size).replace("hoots", "naps!"), encoding="utf-8"
        )  # words of equal length: the ids stay
        part = getattr(shelf, step.split(".")[0])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(part, step.split(".")[1], interrupted(getattr(part, step.split(".")[1]), late))
            with pytest.raises(KeyboardInterrupt):
                ingest(shelf, [source])
    with Shelf(tmp_path / "shelf", settings) as shelf:
        done = step != "ledger.put"  # which is not committed until all that belongs to it is there
        assert shelf.ledger.count()[0] == len(shelf.segments) == (size if done else 12)
        assert {("naps!" if done else "hoots") in text for text, _ in passages(shelf).values()} == {True}
        ingest(shelf, [source])
        assert {"naps!" in text for text, _ in passages(shelf).values()} == {True}
        assert len(shelf.segments) == size


def interrupted(action: Callable[..., Any], late: bool) -> Callable[..., Any]:
    def stop(*args: Any, **kwargs: Any) -> Any:
        if late:
            action(*args, **kwargs)
        raise KeyboardInterrupt

    return stop


# --- several formats into one shelf ---

OWLS = "Owls sleep by day, as everybody knows. We show that some of them only pretend to, in twelve heated barns."


def test_one_paper_in_six_formats_is_one_record_that_says_where_each_field_came_from(
    tmp_path: Path, settings: Settings
):
    sources = {
        "a.jsonl": jsonl({"title": "Sleepy Owls", "abstract": OWLS}),
        "b.bib": "@article{x, title={{S}leepy {O}wls}, author={Bird, Ann}, doi={10.1234/OWL}}",
        "c.ris": "TY  - JOUR\nTI  - Sleepy owls.\nDO  - 10.1234/owl\nPY  - 2024\nER  - \n",
        "d.csv": f'Title,Abstract,arXiv ID,DOI\nSleepy Owls (v2),"{OWLS}",2401.00001v2,10.1234/owl\n',
        "e.json": json.dumps({"data": [{"paperId": "p", "title": "Owls, Sleepy", "externalIds": {"ArXiv": "2401.00001"}, "url": "http://e.example", "abstract": OWLS}]}),
        "f.jsonl": jsonl({"title": "Sleepy Owls Part 2", "abstract": OWLS, "arxiv_id": "2401.00002"}),
    }  # fmt: skip
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    with Shelf(tmp_path / "shelf", settings, create=True) as shelf:
        report = ingest(shelf, [tmp_path / name for name in sources])
        assert counts(report) == (2, 0, 0, 4, 0)
        owls, sibling = (paper for _, paper in shelf.ledger.all_papers())
        assert (owls.title, owls.doi, owls.arxiv_id, owls.year, owls.authors, owls.url) == (
            "Sleepy Owls", "10.1234/owl", "2401.00001", 2024, ("Ann Bird",), "http://e.example",
        )  # fmt: skip
        assert {field: Path(source.file).name for field, source in owls.provenance} == {
            "authors": "b.bib", "author_count": "b.bib", "doi": "b.bib", "year": "c.ris", "arxiv_id": "d.csv", "url": "e.json",
        }  # fmt: skip
        assert (sibling.title, sibling.provenance) == ("Sleepy Owls Part 2", ())
        revision = shelf.ledger.revision
        again = ingest(shelf, [tmp_path / name for name in sources])
        assert (again.new, again.updated, shelf.ledger.revision) == (0, 0, revision)


@pytest.mark.parametrize("batch", [1, 256])
def test_two_papers_of_one_title_are_two(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, batch: int
):
    monkeypatch.setattr(pipeline, "BATCH", batch)
    (tmp_path / "a.jsonl").write_text(
        jsonl(
            {"title": "Owls", "abstract": OWLS, "authors": ["Ann Bird"]},
            {"title": "Owls", "abstract": "Bees sort pollen by colour faster than machines.", "authors": ["Cy Fox"]},
        )
    )
    with Shelf(tmp_path / "shelf", settings, create=True) as shelf:
        assert counts(ingest(shelf, [tmp_path / "a.jsonl"])) == (2, 0, 0, 0, 0)
        assert counts(ingest(shelf, [tmp_path / "a.jsonl"])) == (0, 0, 2, 0, 0)
        assert len(set(shelf.ledger.titles())) == 2


def test_a_reference_without_abstract_needs_a_paper_to_add_to(tmp_path: Path, settings: Settings):
    (tmp_path / "refs.bib").write_text("@misc{a, title={Sleepy Owls}, year=2024}\n@misc{b, title={Unknown Bees}}\n")
    (tmp_path / "z.jsonl").write_text(jsonl({"title": "Sleepy Owls", "abstract": OWLS}))
    with Shelf(tmp_path / "shelf", settings, create=True) as shelf:
        report = ingest(shelf, [tmp_path / "refs.bib", tmp_path / "z.jsonl"])  # in one run the order does not matter
        assert counts(report) == (1, 0, 0, 1, 1)
        assert report.rejected[0].reason == "no abstract, and no paper on the shelf to add it to: 'Unknown Bees'"
        assert next(paper.year for _, paper in shelf.ledger.all_papers()) == 2024


def test_a_shelf_from_before_there_were_blocks(tmp_path: Path, settings: Settings):
    (tmp_path / "a.jsonl").write_text(jsonl({"title": "Pre-Training of Owls", "abstract": OWLS}))
    (tmp_path / "b.jsonl").write_text(jsonl({"title": "Pretraining of Owls", "abstract": OWLS, "year": 2024}))
    with Shelf(tmp_path / "shelf", settings, create=True) as shelf:
        ingest(shelf, [tmp_path / "a.jsonl"])
        shelf.ledger._db.run("DELETE FROM blocks")
    with Shelf(tmp_path / "shelf", settings) as shelf:
        assert counts(ingest(shelf, [tmp_path / "b.jsonl"])) == (0, 1, 0, 0, 0)


class Forgetful(Fake):
    """Keeps nothing, so that only what the pipeline holds is measured."""

    def begin(self) -> None: ...

    def take(self, ids: Sequence[str]) -> set[str]:
        return set()

    def resolve(self, papers: Sequence[Paper]) -> list[tuple[str, Paper | None]]:
        return [(paper.id, None) for paper in papers]

    def put(self, papers: Sequence[Paper], unchanged_text: Sequence[Paper] = (), again: Any = None) -> None: ...
    def reject(self, rejected: Sequence[Rejected]) -> None: ...


@pytest.mark.parametrize("broken", [False, True])
def test_memory_does_not_grow_with_the_input(tmp_path: Path, broken: bool):
    def peak(count: int) -> int:
        source = tmp_path / f"{count}.jsonl"
        with source.open("w") as out:
            for n in range(count):
                out.write(
                    "{oops " + "x" * 400 + "\n"
                    if broken
                    else jsonl({"title": f"Owl {n} of {n}", "abstract": f"It hoots. {n} " * 20})
                )
        tracemalloc.start()
        report = ingest(Forgetful(), [source])
        assert (len(report.rejected) + report.omitted if broken else report.new) == count
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(50)
    assert peak(4_000) < 1.3 * peak(1_300)  # the first is beyond what a report holds of rejected records
