"""The tables of a shelf's ledger, and how they are copied."""

from __future__ import annotations

from rag.index.database import Database, Dialect, marks

FORMAT = 4
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key {text} PRIMARY KEY, value {text} NOT NULL){keyed};
CREATE TABLE IF NOT EXISTS papers (
    number INTEGER PRIMARY KEY, id {text} NOT NULL UNIQUE, title {text} NOT NULL, year INTEGER, date {text},
    author_count INTEGER, organization {text}, comment_count INTEGER, record {text} NOT NULL, revision INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS papers_changed ON papers (revision, number);
CREATE INDEX IF NOT EXISTS papers_known_by ON papers (year, date, author_count, comment_count, organization, id);
CREATE INDEX IF NOT EXISTS papers_of ON papers (organization);
CREATE TABLE IF NOT EXISTS gone (passage_id {text} PRIMARY KEY, revision INTEGER NOT NULL){keyed};
CREATE INDEX IF NOT EXISTS gone_at ON gone (revision);
CREATE TABLE IF NOT EXISTS aliases (alias {text} PRIMARY KEY, paper_id {text} NOT NULL){keyed};
CREATE TABLE IF NOT EXISTS names (name {text} NOT NULL, paper_number INTEGER NOT NULL, PRIMARY KEY (name, paper_number)){keyed};
CREATE INDEX IF NOT EXISTS names_of ON names (paper_number);
CREATE TABLE IF NOT EXISTS sentences (
    paper_number INTEGER NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, role {text} NOT NULL,
    words INTEGER NOT NULL, figure INTEGER NOT NULL, stems {text} NOT NULL, PRIMARY KEY (paper_number, number)){keyed};
CREATE TABLE IF NOT EXISTS passages (
    id {text} PRIMARY KEY, paper_number INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, vector {bytes} NOT NULL,
    tokens {bytes} NOT NULL, token_sentences {bytes} NOT NULL, token_ids {bytes} NOT NULL);
CREATE INDEX IF NOT EXISTS passages_of ON passages (paper_number);
CREATE TABLE IF NOT EXISTS arrays (name {text} PRIMARY KEY, data {bytes} NOT NULL){keyed};
CREATE TABLE IF NOT EXISTS blocks (block {text} NOT NULL, paper_number INTEGER NOT NULL, PRIMARY KEY (block, paper_number)){keyed};
CREATE INDEX IF NOT EXISTS blocks_of ON blocks (paper_number);
CREATE TABLE IF NOT EXISTS history (revision INTEGER PRIMARY KEY, mark {text} NOT NULL);
"""
# The table that came last: where it is, all are.
NEWEST = "history"
# Every table with the columns of its key.
_KEYS = {
    "meta": ("key",), "papers": ("number",), "gone": ("passage_id",), "aliases": ("alias",), "names": ("name", "paper_number"),
    "sentences": ("paper_number", "number"), "passages": ("id",), "arrays": ("name",), "blocks": ("block", "paper_number"),
    "history": ("revision",),
}  # fmt: skip
_COPIED = 1_000  # rows at once


def make(database: Database) -> None:
    """Make the tables that are not there."""
    own = database.dialect
    for statement in _TABLES.format(text=own.text, bytes=own.bytes, keyed=own.keyed).split(";\n"):
        if statement.strip():
            database.run(statement)


def copy(source: Database, target: Database) -> None:
    """Make the tables of a ledger in a database that has none, with all that another one holds."""
    with source.alone(), target.transaction():
        make(target)
        for table, key in _KEYS.items():
            columns = ", ".join(key)
            first = f"SELECT {columns}, {table}.* FROM {table} ORDER BY {columns} LIMIT {_COPIED}"
            later = first.replace(" ORDER BY", f" WHERE ({columns}) > ({marks(key)}) ORDER BY")
            rows = source.run(first)
            while rows:
                held = [row[len(key) :] for row in rows]
                target.run_many(f"INSERT INTO {table} VALUES ({marks(held[0])})", held)
                rows = source.run(later, rows[-1][: len(key)])


def tallies(dialect: Dialect) -> dict[str, str]:
    """Statements that count papers by what is in their records."""
    return {
        "year": "SELECT year, count(*) FROM papers WHERE year IS NOT NULL GROUP BY year ORDER BY year",
        "organization": f"SELECT name, count(*) FROM (SELECT {dialect.organization} AS name FROM papers) AS own"
        " WHERE name IS NOT NULL GROUP BY name ORDER BY lower(name), name",
        "page": f"SELECT {dialect.file} AS file, count(DISTINCT papers.number) FROM papers, {dialect.sources} GROUP BY 1 ORDER BY 1",
    }
