"""The record of a shelf: papers, their sentences, passages and vectors in SQLite. All else can be rebuilt from it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import ShelfError, ShelfIncompatible
from rag.index.embed import BESIDE
from rag.index.filters import FIELDS, where
from rag.index.schema import FORMAT, SCHEMA, TALLIES
from rag.index.stored import EncodedPaper, EncodedPassage, StoredPaper, Vectors
from rag.ingest.match import aliases, blocks, distinct_id, first_same, meet
from rag.ingest.names import names
from rag.types import Filters, Paper, Passage, Role, Sentence

# Papers of a block that are compared; a block that holds more tells little.
COMPARED = 2_000
# SQLite's own limit of variables in one statement is 32,766.
VARIABLES = 10_000

NO_ROOM = (
    "is the disk full, or the folder read-only? What was stored is kept: the same command goes on once there is room"
)
# A revision before all others: what changed since then is all there is.
EVERYTHING = -1


class Ledger:
    """One connection. Every write is one transaction, and raises `revision` by one."""

    def __init__(self, path: Path, fingerprint: dict[str, str]) -> None:
        """Open or create.

        Raises:
            ShelfIncompatible: the ledger was made by another embedding model, dimension or normaliser,
                by a newer format, or is no ledger.
            ShelfError: it cannot be written.
        """
        self._path = path
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._upgrade()
            self._db.executescript(SCHEMA)
            self._check(fingerprint)
            self._fill_blocks()
        except sqlite3.OperationalError as error:
            self._db.close()
            raise ShelfError(f"{path} cannot be used: {error}", hint=NO_ROOM) from error
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ShelfIncompatible(
                f"{path} is damaged or is no ledger: {error}",
                hint="restore it from a backup, or ingest the sources into a new shelf",
            ) from error
        except ShelfIncompatible:
            self._db.close()
            raise

    def _upgrade(self) -> None:
        """A ledger of format 3 did not tell when a paper was written: as far as it says, before everything else."""
        tables = {row[0] for row in self._db.execute("SELECT name FROM sqlite_master")}
        if (
            not tables >= {"meta", "papers"}
            or dict(self._db.execute("SELECT key, value FROM meta")).get("format") != "3"
        ):
            return
        with self._writing():
            self._db.execute("ALTER TABLE papers ADD COLUMN revision INTEGER NOT NULL DEFAULT 0")
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(FORMAT),))
            self._db.execute("INSERT INTO meta VALUES ('identity', ?)", (uuid.uuid4().hex,))

    def _check(self, fingerprint: dict[str, str]) -> None:
        stored = dict(self._db.execute("SELECT key, value FROM meta"))
        if not stored:
            rows = {**fingerprint, "format": str(FORMAT), "revision": "0", "identity": uuid.uuid4().hex}
            with self._writing():
                self._db.executemany("INSERT INTO meta VALUES (?, ?)", rows.items())
            return
        if int(stored["format"]) > FORMAT:
            raise ShelfIncompatible(
                f"{self._path.parent} was made by a newer version (format {stored['format']})", hint="upgrade attest"
            )
        if fingerprint:  # an export asks for none, and reads what every format has
            fingerprint = {"format": str(FORMAT), **fingerprint}
        for key, value in fingerprint.items():
            if stored.get(key) != value:
                raise ShelfIncompatible(
                    f"{self._path.parent} was made with {key} {stored.get(key)!r}; this run would use {value!r}",
                    hint=_remedy(key, stored.get(key, ""), self._path.parent),
                )

    def _fill_blocks(self) -> None:
        """Blocks of a shelf that was made before there were any."""
        if self._db.execute("SELECT 1 FROM blocks LIMIT 1").fetchone() or not self.count()[0]:
            return
        self._db.execute("BEGIN IMMEDIATE")
        for number, paper in self.all_papers():
            self._put_blocks(number, paper)
        self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'revision'")
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk ends it by itself
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._db.close()

    def integrity(self, most: int) -> list[str]:
        """At most so many things that SQLite finds wrong with the file."""
        said = [str(row[0]) for row in self._db.execute(f"PRAGMA integrity_check({int(most)})")]
        return [] if said == ["ok"] else said

    def copy(self, target: Path) -> None:
        """Write the ledger as it is now to another file."""
        with contextlib.closing(sqlite3.connect(target)) as other:
            self._db.backup(other)

    @property
    def revision(self) -> int:
        """How many transactions there were; what is derived from the ledger notes up to which it has followed."""
        return int(self._meta("revision"))

    @property
    def identity(self) -> str:
        """Which ledger this is: what was derived from another follows none of its revisions."""
        return self._meta("identity")

    def _meta(self, key: str) -> str:
        return str(self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])

    def put(self, papers: Sequence[tuple[Paper, EncodedPaper | None]]) -> None:
        """Store papers; for each, its sentences and passages replace the ones it had (None keeps them). One transaction."""
        with self._writing():
            revision = self.revision + 1
            for paper, encoded in papers:
                number = self._put_paper(paper, revision, written=encoded is not None)
                if encoded is None:
                    continue
                self._db.execute(
                    "INSERT OR REPLACE INTO gone SELECT id, ? FROM passages WHERE paper_number = ?", (revision, number)
                )
                for table in ("passages", "sentences"):
                    self._db.execute(f"DELETE FROM {table} WHERE paper_number = ?", (number,))
                self._db.executemany(
                    "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [_passage_row(number, item) for item in encoded.passages],
                )
                self._db.executemany(
                    "INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [_sentence_row(number, at, item) for at, item in enumerate(encoded.sentences)],
                )

    def _put_paper(self, paper: Paper, revision: int, *, written: bool) -> int:
        """Store a paper's record. Its revision is that of the last change of what indexes hold: its words or its year."""
        organization = f"{paper.organization.slug} {paper.organization.name}".casefold() if paper.organization else None
        record = json.dumps(paper.to_dict(), ensure_ascii=False)
        values = (paper.title, paper.year, paper.date, paper.author_count, organization, paper.comment_count, record)
        number = self._db.execute(
            "INSERT INTO papers (id, title, year, date, author_count, organization, comment_count, record, revision)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET title = excluded.title, year = excluded.year, date = excluded.date, author_count = excluded.author_count,"
            " organization = excluded.organization, comment_count = excluded.comment_count, record = excluded.record,"
            " revision = CASE WHEN ? OR year IS NOT excluded.year THEN excluded.revision ELSE revision END RETURNING number",
            (paper.id, *values, revision, written),
        ).fetchone()[0]
        self._db.executemany(
            "INSERT OR IGNORE INTO aliases VALUES (?, ?)", [(alias, paper.id) for alias in aliases(paper)]
        )
        self._put_blocks(number, paper)
        self._db.execute("DELETE FROM names WHERE paper_number = ?", (number,))
        self._db.executemany("INSERT INTO names VALUES (?, ?)", [(name, number) for name in sorted(names(paper))])
        return int(number)

    def _put_blocks(self, number: int, paper: Paper) -> None:
        self._db.execute("DELETE FROM blocks WHERE paper_number = ?", (number,))
        self._db.executemany("INSERT OR IGNORE INTO blocks VALUES (?, ?)", [(block, number) for block in blocks(paper)])

    def resolve(self, paper: Paper) -> tuple[str, Paper | None]:
        """The id under which `paper` is on the shelf and the record there, or the id to store it under and None."""
        if known := first_same(self._candidates(paper), paper):
            return known.id, known
        taken = self._db.execute("SELECT 1 FROM papers WHERE id = ?", (paper.id,)).fetchone()
        return (distinct_id(paper) if taken else paper.id), None

    def _candidates(self, paper: Paper) -> Iterator[Paper]:
        """The papers that may be this one: by DOI, arXiv id, id, and then those whose titles share a block."""
        ids: dict[str, None] = {}
        for alias in aliases(paper):
            ids |= dict.fromkeys(
                row[0] for row in self._db.execute("SELECT paper_id FROM aliases WHERE alias = ?", (alias,))
            )
        ids |= dict.fromkeys((paper.id, distinct_id(paper)))
        yield from self.papers(list(ids)).values()
        found: dict[str, None] = {}
        for block in blocks(paper):
            query = "SELECT p.id, p.title FROM blocks b JOIN papers p ON p.number = b.paper_number WHERE b.block = ? LIMIT ?"
            rows = self._db.execute(query, (block, COMPARED))
            found |= dict.fromkeys(key for key, title in rows if meet(paper.title, title))
        yield from self.papers([key for key in found if key not in ids]).values()

    def begin(self) -> None:
        """Forget which papers an earlier ingest took."""
        self._db.execute("DELETE FROM taken")

    def take(self, ids: Sequence[str]) -> set[str]:
        """Of these ids, those taken before since `begin`; all are taken now. They are kept on disk, however many."""
        found: set[str] = set()
        for some in _portions(ids):
            found |= {row[0] for row in self._db.execute(f"SELECT id FROM taken WHERE id IN ({_marks(some)})", some)}
        self._db.executemany("INSERT OR IGNORE INTO taken VALUES (?)", [(key,) for key in ids])
        return found

    def papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        """The papers of these ids that are on the shelf."""
        found: dict[str, Paper] = {}
        for some in _portions(ids):
            query = f"SELECT record FROM papers WHERE id IN ({_marks(some)})"
            found |= {paper.id: paper for paper in map(_paper, self._db.execute(query, some))}
        return {key: found[key] for key in ids if key in found}

    def newest(self) -> int:
        """The number of the paper that arrived last, 0 where there is none."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM papers").fetchone()[0])

    def all_papers(self, after: int = 0) -> Iterator[tuple[int, Paper]]:
        """Every paper, or those that arrived after one of this number, with its number, in order of arrival."""
        query = "SELECT number, record FROM papers WHERE number > ? ORDER BY number"
        for number, record in self._db.execute(query, (after,)):
            yield number, _paper((record,))

    def titles(self, most: int = -1) -> dict[str, str]:
        """Paper id to title, in order of arrival, for the whole shelf or the first so many."""
        return dict(self._db.execute("SELECT id, title FROM papers ORDER BY number LIMIT ?", (most,)))

    def count(self) -> tuple[int, int]:
        """How many papers and passages there are."""
        papers, passages = self._db.execute(
            "SELECT (SELECT count(*) FROM papers), (SELECT count(*) FROM passages)"
        ).fetchone()
        return papers, passages

    def gone(self, since: int) -> list[str]:
        """Ids of the passages that a paper lost after this revision and has not been given again."""
        query = "SELECT passage_id FROM gone WHERE revision > ? AND passage_id NOT IN (SELECT id FROM passages)"
        return [row[0] for row in self._db.execute(query, (since,))]

    def passages(self, since: int, batch: int) -> Iterator[tuple[list[tuple[Passage, Paper]], Vectors]]:
        """The passages of every paper changed after this revision (`EVERYTHING`: of all), with paper and vector, `batch` at a
        time, in order of the changes."""
        cursor = self._db.execute(
            "SELECT p.id, s.start, s.end, s.vector, p.record FROM papers p JOIN passages s ON p.number = s.paper_number"
            " WHERE p.revision > ? ORDER BY p.revision, p.number, s.start",
            (since,),
        )
        while rows := cursor.fetchmany(batch):
            held = [(Passage(row[0], row[1], row[2]), _paper((row[4],))) for row in rows]
            yield held, np.stack([np.frombuffer(row[3], dtype=np.float32) for row in rows])

    def changed(self, after: tuple[int, int], most: int) -> list[StoredPaper]:
        """What is kept of at most so many papers changed after this revision and number, in order of both."""
        numbers = self._db.execute(
            "SELECT revision, number FROM papers WHERE (revision, number) > (?, ?) ORDER BY revision, number LIMIT ?",
            (*after, most),
        )
        return [self._stored(revision, number) for revision, number in numbers.fetchall()]

    def _stored(self, revision: int, number: int) -> StoredPaper:
        key, title = self._db.execute("SELECT id, title FROM papers WHERE number = ?", (number,)).fetchone()
        stems = self._db.execute("SELECT stems FROM sentences WHERE paper_number = ? ORDER BY number", (number,))
        encoded = self._db.execute(
            "SELECT vector, tokens, token_sentences, token_ids FROM passages WHERE paper_number = ? ORDER BY start",
            (number,),
        )
        words = [stem for (own,) in stems for stem in own.split()]
        return StoredPaper((revision, number), key, title, words, encoded.fetchall())

    def sentences(self, ids: Sequence[str]) -> dict[str, tuple[Sentence, ...]]:
        """How the abstracts of these papers read."""
        found: dict[str, list[Sentence]] = {key: [] for key in ids}
        for some in _portions(ids):
            query = (
                "SELECT p.id, s.start, s.end, s.role, s.words, s.figure, s.stems FROM papers p"
                f" JOIN sentences s ON s.paper_number = p.number WHERE p.id IN ({_marks(some)}) ORDER BY p.number, s.number"
            )
            for key, start, end, role, count, figure, stems in self._db.execute(query, some):
                found[key].append(Sentence(start, end, Role(role), count, bool(figure), tuple(stems.split())))
        return {key: tuple(own) for key, own in found.items()}

    def named(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """For each of these name keys (`rag.ingest.names.key`) that is known, the ids of the papers so called."""
        found: dict[str, list[str]] = {}
        for some in _portions(keys):
            query = f"SELECT n.name, p.id FROM names n JOIN papers p ON p.number = n.paper_number WHERE n.name IN ({_marks(some)}) ORDER BY p.number"
            for name, paper_id in self._db.execute(query, some):
                found.setdefault(name, []).append(paper_id)
        return found

    def names_like(self, first: str, shortest: int, longest: int) -> list[str]:
        """The name keys that begin so and have a length in this range."""
        query = "SELECT DISTINCT name FROM names WHERE name >= ? AND name < ? AND length(name) BETWEEN ? AND ?"
        return [row[0] for row in self._db.execute(query, (first, first + "\U0010ffff", shortest, longest))]

    def array(self, name: str) -> bytes | None:
        """Data the shelf keeps under a name."""
        found = self._db.execute("SELECT data FROM arrays WHERE name = ?", (name,)).fetchone()
        return bytes(found[0]) if found else None

    def put_array(self, name: str, data: bytes) -> None:
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO arrays VALUES (?, ?)", (name, data))

    def select(self, filters: Filters) -> list[str]:
        """Ids of the papers that meet every condition, in order of arrival; a paper without the field meets none about it.

        Raises:
            UsageError: an unknown field or operator.
        """
        condition, values = where(filters)
        return [row[0] for row in self._db.execute(f"SELECT id FROM papers WHERE {condition} ORDER BY number", values)]

    def exceeds(self, filters: Filters, most: int) -> bool:
        """Whether more papers than this meet every condition.

        Raises:
            UsageError: an unknown field or operator.
        """
        condition, values = where(filters)
        query = f"SELECT 1 FROM papers WHERE {condition} LIMIT 1 OFFSET ?"
        return self._db.execute(query, (*values, most)).fetchone() is not None

    def passing(self, filters: Filters, ids: Sequence[str]) -> set[str]:
        """Those of these ids whose papers meet every condition.

        Raises:
            UsageError: an unknown field or operator.
        """
        within = Filters((*filters.conditions, ("id", "in", tuple(ids))))
        return set(self.select(within))

    def ordered(self, filters: Filters, field: str, limit: int, *, descending: bool, known: bool) -> list[Paper]:
        """The first papers that meet every condition, in the order of a metadata field and then of their ids. What stands level
        with the last is not left out; with `known`, a paper without the field is, and otherwise it comes last.

        Raises:
            UsageError: an unknown field or operator.
        """
        condition, values = where(filters)
        column, way = FIELDS[field], "DESC" if descending else "ASC"
        if known:
            condition = f"{condition} AND {column} IS NOT NULL"
        query = f"SELECT {{}} FROM papers WHERE {condition} ORDER BY {column} IS NULL, {column} {way}, id {way} LIMIT ? OFFSET ?"
        level = self._db.execute(query.format(column), (*values, 1, max(limit - 1, 0))).fetchone() if known else None
        if level:
            limit = -1
            query = query.replace("ORDER BY", f"AND {column} {'>=' if descending else '<='} ? ORDER BY")
            values = [*values, level[0]]
        return [_paper(row) for row in self._db.execute(query.format("record"), (*values, limit, 0))]

    def count_without(self, field: str) -> int:
        """How many papers have no value of a metadata field."""
        return int(self._db.execute(f"SELECT count(*) FROM papers WHERE {FIELDS[field]} IS NULL").fetchone()[0])

    def organizations(self) -> list[str]:
        """The organisations of the shelf's papers, slug and name in small letters, sorted."""
        # From one to the next by the index; DISTINCT would read all papers.
        query = (
            "WITH RECURSIVE found (name) AS (SELECT min(organization) FROM papers UNION ALL"
            " SELECT (SELECT min(organization) FROM papers WHERE organization > name) FROM found WHERE name IS NOT NULL)"
            " SELECT name FROM found WHERE name IS NOT NULL"
        )
        return [row[0] for row in self._db.execute(query)]

    def tally(self, field: str) -> list[tuple[Any, int]]:
        """The values that `year`, `organization` (its name) or `page` (a file or address papers were read from) takes
        on the shelf, sorted, each with its number of papers."""
        return [(row[0], int(row[1])) for row in self._db.execute(TALLIES[field])]

    def listing(self, order: str, *, descending: bool = False, limit: int = 100, offset: int = 0) -> list[Paper]:
        """A stretch of the papers in the order of a metadata field or of their `title`; those without it come last."""
        column = "title COLLATE NOCASE" if order == "title" else FIELDS[order]
        query = (
            f"SELECT record FROM papers ORDER BY {column} IS NULL, {column} {'DESC' if descending else 'ASC'}, number"
            " LIMIT ? OFFSET ?"
        )
        return [_paper(row) for row in self._db.execute(query, (limit, offset))]


def _passage_row(number: int, item: EncodedPassage) -> tuple[str, int, int, int, bytes, bytes, bytes, bytes]:
    passage, tokens = item.passage, item.tokens
    blobs = [column.tobytes() for column in (tokens.vectors, tokens.sentences, tokens.ids)]
    vector = item.vector.astype(np.float32).tobytes()
    return passage.id, number, passage.start, passage.end, vector, blobs[0], blobs[1], blobs[2]


def _sentence_row(number: int, at: int, item: Sentence) -> tuple[int, int, int, int, str, int, int, str]:
    return number, at, item.start, item.end, item.role.value, item.words, int(item.figure), " ".join(item.stems)


def _paper(row: Sequence[str]) -> Paper:
    return Paper.from_dict(json.loads(row[0]))


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), VARIABLES):
        yield ids[start : start + VARIABLES]


def _marks(values: Iterable[object]) -> str:
    return ",".join("?" for _ in values)


def _remedy(key: str, stored: str, shelf: Path) -> str:
    again = f"attest export --jsonl --shelf {shelf} > papers.jsonl && attest ingest papers.jsonl --shelf NEW_FOLDER"
    if key == "model":
        name, _, precision = stored.rpartition("/")
        if BESIDE in name:
            own = name.partition(BESIDE)[0]
            return f"give the embedding {own} again (embedding= of Assistant.open, or ATTEST_EMBEDDING_MODEL=openai:MODEL), or move the papers: {again}"
        return f"set ATTEST_EMBEDDING_PRECISION={precision} and the model {name} again, or move the papers: {again}"
    return f"move the papers: {again}"
