"""One contract for the ledger, on SQLite and on a real PostgreSQL, which must give the same answers."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rag.errors import ShelfError, ShelfIncompatible, UsageError
from rag.index.database import Database, SqliteDatabase
from rag.index.ledger import EVERYTHING, Ledger
from rag.index.postgres import PostgresDatabase
from rag.types import Filters, Organization, Paper, Source, paper_id
from tests.postgres import free_port, fresh_database, postgres_folder, postgres_server
from tests.test_segments import encoded

MADE = {"model": "made by hand", "dimension": "4"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_folder() as folder, postgres_server(folder, free_port()) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path) -> Iterator[Database]:
    with contextlib.closing(opened(request, request.param, tmp_path)) as database:
        yield database


def opened(request, kind, tmp_path) -> Database:
    if kind == "sqlite":
        return SqliteDatabase(tmp_path / "ledger.sqlite")
    return PostgresDatabase(fresh_database(request.getfixturevalue("server")))


@pytest.fixture
def ledger(database) -> Ledger:
    return Ledger(database, MADE)


def paper(title, abstract="Owls hoot. They hoot at night.", **more):
    return Paper(paper_id(title), title, abstract, **more)


OWLS, BEES = (
    paper("Owls: a Study", year=2021, doi="10.1/owls"),
    paper("Busy Bees of the Northern Meadows", "Bees hum all day long."),
)


def put(ledger, *papers):
    ledger.put([(one, encoded(one)) for one in papers])


def ids(ledger, since=EVERYTHING):
    return [passage.id for held, _ in ledger.passages(since, 2) for passage, _ in held]


def test_what_is_put_comes_back(ledger):
    put(ledger, OWLS, BEES)
    assert list(ledger.papers([BEES.id, "stranger", OWLS.id]).values()) == [BEES, OWLS]
    assert [(number, one.id) for number, one in ledger.all_papers()] == [(1, OWLS.id), (2, BEES.id)]
    assert (ledger.newest(), ledger.count()[0], ledger.revision) == (2, 2, 1)
    assert ledger.sentences([BEES.id])[BEES.id] == tuple(encoded(BEES).sentences)
    stored = ledger.changed((EVERYTHING, 0), 10)
    assert [(one.changed, one.id, one.title) for one in stored] == [
        ((1, 1), OWLS.id, OWLS.title),
        ((1, 2), BEES.id, BEES.title),
    ]
    assert [len(one.encoded) for one in stored] == [len(encoded(one).passages) for one in (OWLS, BEES)]
    blobs = [
        part
        for own in encoded(BEES).passages
        for part in (own.vector, own.tokens.vectors, own.tokens.sentences, own.tokens.ids)
    ]
    assert b"".join(map(bytes, stored[1].encoded[0])) == b"".join(part.tobytes() for part in blobs[:4])
    ((held, vectors),) = ledger.passages(EVERYTHING, 10)
    assert [one.paper_id for one, _ in held] == [one.id for one in (OWLS, BEES) for _ in encoded(one).passages]
    assert np.array_equal(vectors[-1], encoded(BEES).passages[-1].vector)


def test_new_words_replace_the_old_ones_and_metadata_leaves_them(ledger):
    put(ledger, OWLS, BEES)
    before = ids(ledger)
    put(ledger, replace(OWLS, abstract="Owls sleep."))
    assert ids(ledger, 1) == [f"{OWLS.id}:0-2"]
    assert set(ledger.gone(1)) == {key for key in before if key.startswith(OWLS.id)} - set(ids(ledger))
    ledger.put([(replace(BEES, comment_count=9), None)])
    assert ledger.papers([BEES.id])[BEES.id].comment_count == 9
    assert ids(ledger, 2) == []  # no index holds how many comments there are
    ledger.put([(replace(BEES, year=2020), None)])
    assert ids(ledger, 3) == [key for key in before if key.startswith(BEES.id)]
    assert (ledger.count()[0], ledger.revision) == (2, 4)


def test_records_are_of_one_paper_by_identifier_or_title(ledger):
    put(ledger, OWLS, BEES)
    same = paper("Another title", doi="https://doi.org/10.1/OWLS")
    slip = paper("Busy Bees of the Northern Meadoows", BEES.abstract)
    stranger = paper(BEES.title, "Nothing of the kind: traffic lights.", authors=("A. Fox",))
    known = replace(BEES, authors=("C. Wolf",))
    ledger.put([(known, None)])
    found = ledger.resolve([same, slip, stranger, paper("New")])
    assert found[:2] == [(OWLS.id, OWLS), (BEES.id, known)]
    assert found[2][1] is None
    assert found[2][0] != stranger.id  # which is taken
    assert found[3] == (paper_id("New"), None)


def test_a_transaction_is_whole_or_nothing(ledger, database):
    put(ledger, OWLS)
    state = ledger.state

    def broken():
        with ledger.writing():
            put(ledger, BEES)
            assert ledger.revision == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert (ledger.count()[0], ledger.revision, ledger.state) == (1, 1, state)
    put(ledger, BEES)
    assert (ledger.revision, ledger.mark(1)) == (2, state)
    assert ledger.state not in (state, "")


def test_threads_read_what_is_committed_while_one_writes(ledger):
    put(ledger, OWLS)
    failed = []

    def read():
        try:
            for _ in range(20):
                assert ledger.papers([OWLS.id])[OWLS.id].title == OWLS.title
                assert ledger.count()[0] >= 1
        except BaseException as error:
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(5):
        put(ledger, paper(f"Owl {number}"))
    for reader in readers:
        reader.join()
    assert failed == []
    assert ledger.revision == 6


def test_another_make_is_refused(database):
    Ledger(database, MADE)
    with pytest.raises(ShelfIncompatible, match="dimension"):
        Ledger(database, MADE | {"dimension": "5"})
    assert Ledger(database, {}).count() == (0, 0)


# --- the same answers ---


def odd_papers(count=70):
    """Papers whose fields are missing, level, or full of letters that databases order and match in their own ways."""
    draw = random.Random(5)
    words = [
        "Äpfel",
        "apple",
        "Zebra",
        "zebra",
        "éclair",
        "%",
        "_x",
        "o'Brien",
        "λ-calculus",
        "中文",
        "e",
        "\\",
        '"q"',
        "?",
        "😀",
    ]
    made = []
    for number in range(count):
        name = draw.choice(["Müller Labs", "ACME_1", "100% Pure", "acme", None])
        year = draw.choice([None, 2019, 2020, 2021])
        made.append(
            paper(
                f"{draw.choice(words)} {draw.choice(words)} {number % 50}: {draw.choice(words)} study {number}",
                f"{draw.choice(words)} is {number} of them. It holds {draw.choice(words)} and more.",
                year=year,
                date=f"{year}-0{draw.randint(1, 9)}-11" if year and draw.random() < 0.7 else None,
                author_count=draw.choice([None, 1, 2, 30]),
                comment_count=draw.choice([None, 0, 7]),
                organization=Organization(name.casefold().replace(" ", "-"), name) if name else None,
                sources=(Source(f"/tmp/{draw.choice(words)}.txt", number),) if draw.random() < 0.8 else (),
                doi=f"10.1/{number}" if draw.random() < 0.3 else None,
            )
        )
    return made


FILTERS = [
    (), (("year", "gte", 2020),), (("year", "in", (2019, 2021)),), (("year", "in", ()),), (("date", "gte", "2020-05"),), (("date", "lt", 2021),),
    (("organization", "eq", "ACME"),), (("organization", "eq", "%"),), (("organization", "eq", "_"),), (("organization", "eq", ""),),
    (("author_count", "known", False),), (("comment_count", "eq", 0), ("year", "known", True)), (("page", "eq", "/tmp/Äpfel.txt"),),
    (("page", "eq", "/tmp/\\.txt"),),
]  # fmt: skip


def answers(ledger, papers):
    filters = [Filters(own) for own in FILTERS]
    fields = ("year", "date", "author_count", "organization", "comment_count")
    yield [ledger.select(own) for own in filters]
    yield [ledger.exceeds(own, 3) for own in filters]
    yield [sorted(ledger.passing(own, [one.id for one in papers[:20]])) for own in filters]
    for field in fields:
        for down in (False, True):
            yield [one.id for one in ledger.listing(field, descending=down, limit=50, offset=3)]
            for known in (False, True):
                yield [one.id for one in ledger.ordered(Filters(()), field, 9, descending=down, known=known)]
        yield ledger.count_without(field)
    yield [one.title for one in ledger.listing("title", limit=100)]
    yield ledger.organizations()
    yield [ledger.tally(field) for field in ("year", "organization", "page")]
    yield [ledger.titles(), ledger.titles(4), ledger.count(), ledger.newest()]
    yield [sorted(ledger.names_like(first, 2, 9)) for first in ("a", "z", "é", "λ", "中")]
    yield ledger.named(["zebra", "apple", "äpfel", "中文"])
    yield ledger.sentences([one.id for one in papers])
    yield ledger.changed((EVERYTHING, 0), 30)
    yield [[held, vectors.tolist()] for held, vectors in ledger.passages(1, 7)]
    yield ledger.gone(EVERYTHING)
    yield ledger.resolve([*papers[::3], *(replace(one, id="other", doi=None) for one in papers[1::3]), paper("New")])
    yield ledger.array("kept")


def fill(ledger, papers):
    put(ledger, *papers[:40])
    put(ledger, *papers[40:], replace(papers[3], abstract="Changed, with another sentence now. Or two."))
    ledger.put([(replace(papers[5], year=2022), None), (replace(papers[6], comment_count=99), None)])
    ledger.put_array("kept", bytes(range(256)))


def test_both_give_the_same_answers(request, tmp_path):
    papers = odd_papers()
    found = []
    for kind in ("sqlite", "postgres"):
        with contextlib.closing(opened(request, kind, tmp_path)) as database:
            ledger = Ledger(database, MADE)
            fill(ledger, papers)
            found.append(list(answers(ledger, papers)))
            for own in (Filters((("nothing", "eq", 1),)), Filters((("year", "eq", "2020"),))):
                with pytest.raises(UsageError):
                    ledger.select(own)
    for own, other in zip(*found, strict=True):
        assert own == other


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_a_copy_in_the_other_database_is_the_same_ledger(request, tmp_path, source, target):
    papers = odd_papers()
    with (
        contextlib.closing(opened(request, source, tmp_path)) as one,
        contextlib.closing(opened(request, target, tmp_path)) as other,
    ):
        ledger = Ledger(one, MADE)
        fill(ledger, papers)
        ledger.copy(other)
        copied = Ledger(other, MADE)
        assert list(answers(copied, papers)) == list(answers(ledger, papers))
        assert (copied.identity, copied.state) == (ledger.identity, ledger.state)
        put(copied, paper("Arrives later"))
        assert copied.newest() == ledger.newest() + 1


# --- what only a server does ---


def test_writers_in_other_processes_are_told_apart_from_this_one(server):
    address = fresh_database(server)
    with contextlib.closing(PostgresDatabase(address)) as one, contextlib.closing(PostgresDatabase(address)) as other:
        mine, theirs = Ledger(one, MADE), Ledger(other, MADE)
        before = mine.foreign
        put(mine, OWLS)
        assert mine.foreign == before
        put(theirs, BEES)
        assert mine.foreign != before
        assert mine.papers([BEES.id]) == theirs.papers([BEES.id])


def test_two_shelves_live_in_two_schemas_of_one_database(server):
    address = fresh_database(server)
    with contextlib.closing(PostgresDatabase(address)) as database:
        put(Ledger(database, MADE), OWLS)
        database.run("CREATE SCHEMA bees")
    with contextlib.closing(PostgresDatabase(f"{address}?options=-csearch_path%3Dbees,public")) as database:
        ledger = Ledger(database, MADE)
        assert ledger.count()[0] == 0
        put(ledger, BEES)
    with contextlib.closing(PostgresDatabase(address)) as database:
        assert list(Ledger(database, MADE).papers([OWLS.id, BEES.id])) == [OWLS.id]


def test_what_a_server_refuses_is_no_full_disk(server):
    with contextlib.closing(PostgresDatabase(fresh_database(server))) as database:
        with pytest.raises(ShelfError, match="refuses") as caught:
            database.run("SELECT nothing FROM nowhere")
        assert "disk" not in caught.value.hint
        with pytest.raises(ShelfError, match="refuses"), database.transaction():
            database.run("SELECT nothing FROM nowhere")
        assert database.run("SELECT 1") == [(1,)]
