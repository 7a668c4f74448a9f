"""The record of a shelf: papers, their sentences, passages and vectors in a database. All else can be rebuilt from it."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from rag.errors import ShelfIncompatible
from rag.index import schema
from rag.index.database import Database, marks, portions
from rag.index.embed import BESIDE
from rag.index.queries import Queries, to_paper
from rag.index.resolving import resolve
from rag.index.schema import FORMAT
from rag.index.stored import EncodedPaper, EncodedPassage, StoredPaper, Vectors
from rag.ingest.match import aliases, blocks
from rag.ingest.names import names
from rag.types import Paper, Passage, Sentence

# A revision before all others: what changed since then is all there is.
EVERYTHING = -1


class Ledger(Queries):
    """Every write is one transaction, and raises `revision` by one; threads and, where the database allows it, processes
    write one after the other."""

    def __init__(self, database: Database, fingerprint: dict[str, str], name: object = "") -> None:
        """Open or create.

        Args:
            name: what messages call the shelf; the database's when empty.

        Raises:
            ShelfIncompatible: the ledger was made by another embedding model, dimension or normaliser,
                by a newer format, or is no ledger.
            ShelfError: it cannot be written.
        """
        super().__init__(database)
        self._name = str(name or database.name)
        self._own = 0  # transactions of this process
        with database.opening():
            self._upgrade()
            if not database.has(schema.NEWEST):
                with database.transaction():
                    schema.make(database)
            self._check(fingerprint)
            self._fill_blocks()

    def _upgrade(self) -> None:
        """A ledger of format 3 did not tell when a paper was written: as far as it says, before everything else."""
        if not (self._db.has("meta") and self._db.has("papers")) or self._all_meta().get("format") != "3":
            return
        with self._db.transaction():
            self._db.run("ALTER TABLE papers ADD COLUMN revision INTEGER NOT NULL DEFAULT 0")
            self._db.run("UPDATE meta SET value = ? WHERE key = 'format'", (str(FORMAT),))
            self._db.run("INSERT INTO meta VALUES ('identity', ?)", (uuid.uuid4().hex,))

    def _all_meta(self) -> dict[str, str]:
        return dict(self._db.run("SELECT key, value FROM meta"))

    def _check(self, fingerprint: dict[str, str]) -> None:
        if not self._all_meta():
            rows = {**fingerprint, "format": str(FORMAT), "revision": "0", "identity": uuid.uuid4().hex}
            with self._db.transaction():
                if not self._all_meta():  # another process may have been quicker
                    self._db.run_many("INSERT INTO meta VALUES (?, ?)", rows.items())
        stored = self._all_meta()
        if int(stored["format"]) > FORMAT:
            raise ShelfIncompatible(
                f"{self._name} was made by a newer version (format {stored['format']})", hint="upgrade attest"
            )
        if fingerprint:  # an export asks for none, and reads what every format has
            fingerprint = {"format": str(FORMAT), **fingerprint}
        for key, value in fingerprint.items():
            if stored.get(key) != value:
                raise ShelfIncompatible(
                    f"{self._name} was made with {key} {stored.get(key)!r}; this run would use {value!r}",
                    hint=_remedy(key, stored.get(key, ""), self._name),
                )

    def _fill_blocks(self) -> None:
        """Blocks of a shelf that was made before there were any."""
        if self._db.run("SELECT 1 FROM blocks LIMIT 1") or not self.newest():
            return
        with self._db.transaction():
            self._db.run_many("INSERT INTO blocks VALUES (?, ?)", _blocks(self.all_papers()))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written within is one transaction, whose revision holds from its beginning."""
        with self._db.transaction() as outer:
            if outer:
                self._own += 1
                self._db.run("UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'revision'")
                self._db.run("INSERT INTO history VALUES (?, ?)", (self.revision, uuid.uuid4().hex))
            yield

    def alone(self) -> contextlib.AbstractContextManager[object]:
        """While nobody else writes."""
        return self._db.alone()

    def close(self) -> None:
        self._db.close()

    def faults(self, most: int) -> list[str]:
        """At most so many things that the database finds wrong with itself."""
        return self._db.faults(most)

    def copy(self, target: Database) -> None:
        """Write the ledger as it is now into an empty database."""
        schema.copy(self._db, target)

    @property
    def revision(self) -> int:
        """How many transactions there were; what is derived from the ledger notes up to which it has followed."""
        return int(self._meta("revision"))

    @property
    def foreign(self) -> int:
        """Changes when another process has written, and only then."""
        return self.revision - self._own

    @property
    def identity(self) -> str:
        """Which ledger this is: what was derived from another follows none of its revisions."""
        return self._meta("identity")

    def _meta(self, key: str) -> str:
        return str(self._db.run("SELECT value FROM meta WHERE key = ?", (key,))[0][0])

    @property
    def state(self) -> str:
        """Changes with every transaction, and never comes again."""
        found = self._db.run("SELECT mark FROM history ORDER BY revision DESC LIMIT 1")
        return str(found[0][0]) if found else ""

    def mark(self, revision: int) -> str:
        """What tells this revision from one of the same number in another past: a database that was promoted or restored
        may have lost the last transactions, and made others since."""
        found = self._db.run("SELECT mark FROM history WHERE revision = ?", (revision,))
        return str(found[0][0]) if found else ""

    def put(self, papers: Sequence[tuple[Paper, EncodedPaper | None]]) -> None:
        """Store papers; for each, its sentences and passages replace the ones it had (None keeps them). One transaction."""
        with self.writing():
            revision = self.revision
            numbers = self._put_papers(papers, revision)
            encoded = [(numbers[paper.id], own) for paper, own in papers if own is not None]
            changed = [(number,) for number, _ in encoded]
            self._db.run_many(
                "INSERT INTO gone SELECT id, CAST(? AS INTEGER) FROM passages WHERE paper_number = ?"
                " ON CONFLICT (passage_id) DO UPDATE SET revision = excluded.revision",
                [(revision, number) for (number,) in changed],
            )
            for table in ("passages", "sentences"):
                self._db.run_many(f"DELETE FROM {table} WHERE paper_number = ?", changed)
            self._db.run_many(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_passage_row(number, item) for number, own in encoded for item in own.passages],
            )
            self._db.run_many(
                "INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_sentence_row(number, at, item) for number, own in encoded for at, item in enumerate(own.sentences)],
            )

    def _put_papers(self, papers: Sequence[tuple[Paper, EncodedPaper | None]], revision: int) -> dict[str, int]:
        """Store the records of papers, and return their numbers. A paper's revision is that of the last change of what
        indexes hold: its words or its year."""
        self._db.run_many(
            "INSERT INTO papers (number, id, title, year, date, author_count, organization, comment_count, record, revision)"
            " VALUES ((SELECT coalesce(max(number), 0) + 1 FROM papers), ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET title = excluded.title, year = excluded.year, date = excluded.date, author_count = excluded.author_count,"
            " organization = excluded.organization, comment_count = excluded.comment_count, record = excluded.record,"
            " revision = CASE WHEN ? = 1 OR coalesce(papers.year, -1) <> coalesce(excluded.year, -1)"
            " THEN excluded.revision ELSE papers.revision END",
            [_paper_row(paper, revision, written=own is not None) for paper, own in papers],
        )
        numbers: dict[str, int] = {}
        for some in portions([paper.id for paper, _ in papers]):
            numbers |= dict(self._db.run(f"SELECT id, number FROM papers WHERE id IN ({marks(some)})", some))
        own = [(numbers[paper.id], paper) for paper, _ in papers]
        self._db.run_many(
            "INSERT INTO aliases VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(alias, paper.id) for _, paper in own for alias in aliases(paper)],
        )
        for table in ("blocks", "names"):
            self._db.run_many(f"DELETE FROM {table} WHERE paper_number = ?", [(number,) for number, _ in own])
        self._db.run_many("INSERT INTO blocks VALUES (?, ?)", _blocks(own))
        self._db.run_many(
            "INSERT INTO names VALUES (?, ?)",
            [(name, number) for number, paper in own for name in sorted(names(paper))],
        )
        return numbers

    def resolve(self, papers: Sequence[Paper]) -> list[tuple[str, Paper | None]]:
        """For each paper, the id under which it is on the shelf and the record there, or the id to store it under and None."""
        return resolve(self._db, self, papers)

    def gone(self, since: int) -> list[str]:
        """Ids of the passages that a paper lost after this revision and has not been given again."""
        query = "SELECT passage_id FROM gone WHERE revision > ? AND passage_id NOT IN (SELECT id FROM passages)"
        return [row[0] for row in self._db.run(query, (since,))]

    def passages(self, since: int, batch: int) -> Iterator[tuple[list[tuple[Passage, Paper]], Vectors]]:
        """The passages of every paper changed after this revision (`EVERYTHING`: of all), with paper and vector, those of
        `batch` papers at a time, in order of the changes."""
        after = (since + 1, 0)
        while places := self._changed(after, batch):
            after = places[-1]
            records = self._of(places, "SELECT number, record FROM papers WHERE number")
            found = self._of(
                places, 'SELECT paper_number, start, "end", vector FROM passages WHERE paper_number', "start"
            )
            papers = {number: to_paper(rows[0]) for number, rows in records.items()}
            rows = [(papers[number], row) for _, number in places for row in found.get(number, ())]
            if rows:
                held = [(Passage(paper.id, start, end), paper) for paper, (start, end, _) in rows]
                yield held, np.stack([np.frombuffer(vector, dtype=np.float32) for _, (_, _, vector) in rows])

    def changed(self, after: tuple[int, int], most: int) -> list[StoredPaper]:
        """What is kept of at most so many papers changed after this revision and number, in order of both."""
        places = self._changed(after, most)
        titles = self._of(places, "SELECT number, id, title FROM papers WHERE number")
        stems = self._of(places, "SELECT paper_number, stems FROM sentences WHERE paper_number", "number")
        columns = "vector, tokens, token_sentences, token_ids"
        encoded = self._of(places, f"SELECT paper_number, {columns} FROM passages WHERE paper_number", "start")
        return [
            StoredPaper(
                (revision, number),
                titles[number][0][0],
                titles[number][0][1],
                [stem for (own,) in stems.get(number, ()) for stem in own.split()],
                encoded.get(number, []),
            )
            for revision, number in places
        ]

    def _changed(self, after: tuple[int, int], most: int) -> list[tuple[int, int]]:
        query = (
            "SELECT revision, number FROM papers WHERE (revision, number) > (?, ?) ORDER BY revision, number LIMIT ?"
        )
        return self._db.run(query, (*after, most))

    def _of(self, places: Sequence[tuple[int, int]], query: str, order: str = "") -> dict[int, list[Any]]:
        """The rows of papers, by the papers' numbers, which a query gives first."""
        found: dict[int, list[Any]] = {}
        for some in portions([number for _, number in places]):
            ordered = f" ORDER BY paper_number, {order}" if order else ""
            for row in self._db.run(f"{query} IN ({marks(some)}){ordered}", some):
                found.setdefault(row[0], []).append(row[1:])
        return found

    def array(self, name: str) -> bytes | None:
        """Data the shelf keeps under a name."""
        found = self._db.run("SELECT data FROM arrays WHERE name = ?", (name,))
        return bytes(found[0][0]) if found else None

    def put_array(self, name: str, data: bytes) -> None:
        with self.writing():
            query = "INSERT INTO arrays VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data"
            self._db.run_many(query, [(name, data)])


def _paper_row(paper: Paper, revision: int, *, written: bool) -> tuple[Any, ...]:
    organization = f"{paper.organization.slug} {paper.organization.name}".casefold() if paper.organization else None
    record = json.dumps(paper.to_dict(), ensure_ascii=False)
    values = (paper.title, paper.year, paper.date, paper.author_count, organization, paper.comment_count, record)
    return (paper.id, *values, revision, int(written))


def _blocks(papers: Iterable[tuple[int, Paper]]) -> Iterator[tuple[str, int]]:
    return ((block, number) for number, paper in papers for block in dict.fromkeys(blocks(paper)))


def _passage_row(number: int, item: EncodedPassage) -> tuple[str, int, int, int, bytes, bytes, bytes, bytes]:
    passage, tokens = item.passage, item.tokens
    blobs = [column.tobytes() for column in (tokens.vectors, tokens.sentences, tokens.ids)]
    vector = item.vector.astype(np.float32).tobytes()
    return passage.id, number, passage.start, passage.end, vector, blobs[0], blobs[1], blobs[2]


def _sentence_row(number: int, at: int, item: Sentence) -> tuple[int, int, int, int, str, int, int, str]:
    return number, at, item.start, item.end, item.role.value, item.words, int(item.figure), " ".join(item.stems)


def _remedy(key: str, stored: str, shelf: str) -> str:
    again = f"attest export --jsonl --shelf {shelf} > papers.jsonl && attest ingest papers.jsonl --shelf NEW_FOLDER"
    if key == "model":
        name, _, precision = stored.rpartition("/")
        if BESIDE in name:
            own = name.partition(BESIDE)[0]
            return f"give the embedding {own} again (embedding= of Assistant.open, or ATTEST_EMBEDDING_MODEL=openai:MODEL), or move the papers: {again}"
        return f"set ATTEST_EMBEDDING_PRECISION={precision} and the model {name} again, or move the papers: {again}"
    return f"move the papers: {again}"
