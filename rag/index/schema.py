"""The tables of a shelf's ledger, and the statements that count over them."""

FORMAT = 4
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS papers (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, year INTEGER, date TEXT,
    author_count INTEGER, organization TEXT, comment_count INTEGER, record TEXT NOT NULL, revision INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS papers_changed ON papers (revision, number);
CREATE INDEX IF NOT EXISTS papers_known_by ON papers (year, date, author_count, comment_count, organization, id);
CREATE INDEX IF NOT EXISTS papers_of ON papers (organization);
CREATE TABLE IF NOT EXISTS gone (passage_id TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS gone_at ON gone (revision);
CREATE TABLE IF NOT EXISTS aliases (alias TEXT PRIMARY KEY, paper_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (name TEXT NOT NULL, paper_number INTEGER NOT NULL, PRIMARY KEY (name, paper_number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS names_of ON names (paper_number);
CREATE TABLE IF NOT EXISTS sentences (
    paper_number INTEGER NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, role TEXT NOT NULL,
    words INTEGER NOT NULL, figure INTEGER NOT NULL, stems TEXT NOT NULL, PRIMARY KEY (paper_number, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passages (
    id TEXT PRIMARY KEY, paper_number INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, vector BLOB NOT NULL,
    tokens BLOB NOT NULL, token_sentences BLOB NOT NULL, token_ids BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS arrays (name TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (block TEXT NOT NULL, paper_number INTEGER NOT NULL, PRIMARY KEY (block, paper_number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blocks_of ON blocks (paper_number);
CREATE TEMP TABLE IF NOT EXISTS taken (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS passages_of ON passages (paper_number);
"""

TALLIES = {
    "year": "SELECT year, count(*) FROM papers WHERE year IS NOT NULL GROUP BY year ORDER BY year",
    "organization": "SELECT json_extract(record, '$.organization.name') AS name, count(*) FROM papers"
    " WHERE name IS NOT NULL GROUP BY name ORDER BY name COLLATE NOCASE",
    "page": "SELECT json_extract(s.value, '$.file') AS file, count(DISTINCT p.number) FROM papers p,"
    " json_each(p.record, '$.sources') s GROUP BY file ORDER BY file",
}
