"""What can be asked of a ledger's papers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rag.index.database import Database, marks, portions
from rag.index.filters import FIELDS, where
from rag.index.schema import tallies
from rag.types import Filters, Paper, Role, Sentence

PAGE = 1_000  # papers that are read at once
ALL = 2**62  # a limit that is none


class Queries:
    """Reads the papers of a ledger."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        """The papers of these ids that are on the shelf."""
        found: dict[str, Paper] = {}
        for some in portions(ids):
            query = f"SELECT record FROM papers WHERE id IN ({marks(some)})"
            found |= {paper.id: paper for paper in map(to_paper, self._db.run(query, some))}
        return {key: found[key] for key in ids if key in found}

    def newest(self) -> int:
        """The number of the paper that arrived last, 0 where there is none."""
        return int(self._db.run("SELECT coalesce(max(number), 0) FROM papers")[0][0])

    def all_papers(self, after: int = 0) -> Iterator[tuple[int, Paper]]:
        """Every paper, or those that arrived after one of this number, with its number, in order of arrival."""
        query = "SELECT record, number FROM papers WHERE number > ? ORDER BY number LIMIT ?"
        while rows := self._db.run(query, (after, PAGE)):
            for row in rows:
                yield row[1], to_paper(row)
            after = rows[-1][1]

    def titles(self, most: int = ALL) -> dict[str, str]:
        """Paper id to title, in order of arrival, for the whole shelf or the first so many."""
        return dict(self._db.run("SELECT id, title FROM papers ORDER BY number LIMIT ?", (most,)))

    def count(self) -> tuple[int, int]:
        """How many papers and passages there are."""
        papers, passages = self._db.run("SELECT (SELECT count(*) FROM papers), (SELECT count(*) FROM passages)")[0]
        return papers, passages

    def sentences(self, ids: Sequence[str]) -> dict[str, tuple[Sentence, ...]]:
        """How the abstracts of these papers read."""
        found: dict[str, list[Sentence]] = {key: [] for key in ids}
        for some in portions(ids):
            query = (
                'SELECT p.id, s.start, s."end", s.role, s.words, s.figure, s.stems FROM papers p'
                f" JOIN sentences s ON s.paper_number = p.number WHERE p.id IN ({marks(some)}) ORDER BY p.number, s.number"
            )
            for key, start, end, role, count, figure, stems in self._db.run(query, some):
                found[key].append(Sentence(start, end, Role(role), count, bool(figure), tuple(stems.split())))
        return {key: tuple(own) for key, own in found.items()}

    def named(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """For each of these name keys (`rag.ingest.names.key`) that is known, the ids of the papers so called."""
        found: dict[str, list[str]] = {}
        for some in portions(keys):
            query = f"SELECT n.name, p.id FROM names n JOIN papers p ON p.number = n.paper_number WHERE n.name IN ({marks(some)}) ORDER BY p.number"
            for name, paper_id in self._db.run(query, some):
                found.setdefault(name, []).append(paper_id)
        return found

    def names_like(self, first: str, shortest: int, longest: int) -> list[str]:
        """The name keys that begin so and have a length in this range."""
        query = "SELECT DISTINCT name FROM names WHERE name >= ? AND name < ? AND length(name) BETWEEN ? AND ?"
        return [row[0] for row in self._db.run(query, (first, first + "\U0010ffff", shortest, longest))]

    def select(self, filters: Filters) -> list[str]:
        """Ids of the papers that meet every condition, in order of arrival; a paper without the field meets none about it.

        Raises:
            UsageError: an unknown field or operator.
        """
        condition, values = where(filters, self._db.dialect)
        return [row[0] for row in self._db.run(f"SELECT id FROM papers WHERE {condition} ORDER BY number", values)]

    def exceeds(self, filters: Filters, most: int) -> bool:
        """Whether more papers than this meet every condition.

        Raises:
            UsageError: an unknown field or operator.
        """
        condition, values = where(filters, self._db.dialect)
        return bool(self._db.run(f"SELECT 1 FROM papers WHERE {condition} LIMIT 1 OFFSET ?", (*values, most)))

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
        condition, values = where(filters, self._db.dialect)
        column, way = FIELDS[field], "DESC" if descending else "ASC"
        if known:
            condition = f"{condition} AND {column} IS NOT NULL"
        query = f"SELECT {{}} FROM papers WHERE {condition} ORDER BY {column} IS NULL, {column} {way}, id {way} LIMIT ? OFFSET ?"
        level = self._db.run(query.format(column), (*values, 1, max(limit - 1, 0))) if known else []
        if level:
            limit = ALL
            query = query.replace("ORDER BY", f"AND {column} {'>=' if descending else '<='} ? ORDER BY")
            values = [*values, level[0][0]]
        return [to_paper(row) for row in self._db.run(query.format("record"), (*values, limit, 0))]

    def count_without(self, field: str) -> int:
        """How many papers have no value of a metadata field."""
        return int(self._db.run(f"SELECT count(*) FROM papers WHERE {FIELDS[field]} IS NULL")[0][0])

    def organizations(self) -> list[str]:
        """The organisations of the shelf's papers, slug and name in small letters, sorted."""
        # From one to the next by the index; DISTINCT would read all papers.
        query = (
            "WITH RECURSIVE found (name) AS (SELECT min(organization) FROM papers UNION ALL"
            " SELECT (SELECT min(organization) FROM papers WHERE organization > name) FROM found WHERE name IS NOT NULL)"
            " SELECT name FROM found WHERE name IS NOT NULL"
        )
        return [row[0] for row in self._db.run(query)]

    def tally(self, field: str) -> list[tuple[Any, int]]:
        """The values that `year`, `organization` (its name) or `page` (a file or address papers were read from) takes
        on the shelf, sorted, each with its number of papers."""
        return [(row[0], int(row[1])) for row in self._db.run(tallies(self._db.dialect)[field])]

    def listing(self, order: str, *, descending: bool = False, limit: int = 100, offset: int = 0) -> list[Paper]:
        """A stretch of the papers in the order of a metadata field or of their `title`; those without it come last."""
        column = "lower(title)" if order == "title" else FIELDS[order]
        query = (
            f"SELECT record FROM papers ORDER BY {column} IS NULL, {column} {'DESC' if descending else 'ASC'}, number"
            " LIMIT ? OFFSET ?"
        )
        return [to_paper(row) for row in self._db.run(query, (limit, offset))]


def to_paper(row: Sequence[Any]) -> Paper:
    """The paper whose record comes first in a row."""
    return Paper.from_dict(json.loads(row[0]))
