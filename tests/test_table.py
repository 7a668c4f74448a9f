"""CSV and TSV: columns by their names, cells of several lines, authors in any of the usual ways, and broken rows."""

import csv
import io

import pytest
from fakes import read_source, where
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import table

ABSTRACT = "Owls sleep by day, as everybody knows."


@pytest.mark.parametrize(
    "head",
    [
        "Title,Abstract", "title\tabstract\tyear", "id;TITLE;Summary", '"Key","Item Type","Title","Abstract Note"',
        "Authors,Article Title,Publication Year,DOI,Abstract", "paper_title|paper_abstract", "\ufeffTitle,Abstract\r\n",
    ],
)  # fmt: skip
def test_tables_are_known_by_their_header(head):
    assert table.looks_like(head)


@pytest.mark.parametrize(
    "head",
    ["", "Title", "Title,Year", "Owls, bees and otters", '{"title": "A", "abstract": "B"}', "title: A\nabstract: B"],
)
def test_what_is_no_table(head):
    assert not table.looks_like(head)


def test_columns_and_rows():
    (paper, second), rejected = read_source(
        table,
        'Key,Title,Abstract Note,Author,Publication Year,Date,DOI,Url\n'
        '1,"Sleepy ""Owls""","Owls sleep.\n\nBy day.","Bird, Ann; Lee, Bo",2020,2020-05-04,https://doi.org/10.1234/A,http://e.example\n'
        "2,Busy Bees,They buzz.,,2021.0,,,https://arxiv.org/abs/2101.00001v2\n",
    )  # fmt: skip
    assert rejected == []
    assert (paper.title, paper.abstract) == ('Sleepy "Owls"', "Owls sleep.\n\nBy day.")
    assert (paper.authors, paper.author_count, paper.doi) == (("Ann Bird", "Bo Lee"), 2, "10.1234/a")
    assert (paper.date, paper.year, paper.url, paper.sources[0].position) == ("2020-05-04", 2020, "http://e.example", 2)
    assert (second.year, second.date, second.authors, second.arxiv_id) == (2021, None, (), "2101.00001")
    assert second.sources[0].position == 5


def test_tabs_and_quotation_marks_in_their_way():
    (paper,), rejected = read_source(
        table, 'title\tabstract\n5" disks\tThey are "big", and\told\n'.replace("\told", " old")
    )
    assert rejected == []
    assert (paper.title, paper.abstract) == ('5" disks', 'They are "big", and old')


def test_broken_rows_cost_themselves_only():
    papers, rejected = read_source(
        table,
        b'Title,Abstract,Author,Year\nOne,A.,,\nBroken,"never closed,x,2020\nTwo,B.,"Ann and Bo",2021\n,no title,,\n'
        b"Three,C.,,,,\nmany,a,b,c,d,e\nFour,D.\n" + b"Caf\xe9,E.,,\n" + b'Cut,"in the mid',
    )  # fmt: skip
    assert [paper.title for paper in papers] == ["One", "Two", "Three", "Four"]
    assert [(line, reason[:33]) for line, reason in where(rejected)] == [
        (3, "no row of a table: ',' expected a"), (5, "no title"), (7, "6 cells where the header names 4"),
        (9, "not UTF-8 text (byte 0xe9 at colu"), (10, "a quotation mark opens a cell and"),
    ]  # fmt: skip
    assert rejected[0].record == 'Broken,"never closed,x,2020'


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_file():
    rows = "".join(f"Paper {n},It is about owl {n}.\n" for n in range(2_000))
    papers, rejected = read_source(table, f'Title,Abstract\nOpen,"never closed\n{rows}')
    assert len(papers) == 2_000
    assert where(rejected) == [(2, "a quotation mark opens a cell and is never closed")]


def test_without_columns_that_are_known():
    papers, rejected = read_source(table, "a,b\n1,2\n")
    assert (papers, where(rejected)) == (
        [],
        [(1, "no columns that name a title and an abstract in the first line; name them so")],
    )


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("", []),
        ("Ann Bird", ["Ann Bird"]),
        ("Ann Bird; Bo Lee", ["Ann Bird", "Bo Lee"]),
        ("Bird, Ann; Lee, Bo;", ["Ann Bird", "Bo Lee"]),
        ("Bird, Ann;", ["Ann Bird"]),
        ("Ann Bird and Bo Lee", ["Ann Bird", "Bo Lee"]),
        ("Ann Bird, Bo Lee and Cy Fox", ["Ann Bird", "Bo Lee", "Cy Fox"]),
        ("Ann Bird, Bo Lee, & Cy Fox", ["Ann Bird", "Bo Lee", "Cy Fox"]),
        ("Bird, A., Lee, B.", ["A. Bird", "B. Lee"]),
        ("Bird, Ann", ["Ann Bird"]),
        ("van der Berg, Jan", ["Jan van der Berg"]),
        ("Ann Bird|Bo Lee", ["Ann Bird", "Bo Lee"]),
        ("['Ann Bird', 'Lee, Bo']", ["Ann Bird", "Bo Lee"]),
        ('["Ann Bird"]', ["Ann Bird"]),
        ("[Ann Bird]", ["Ann Bird"]),
        ("Plato", ["Plato"]),
    ],
)
def test_authors(cell, names):
    assert table.people(cell) == names


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\",;\n\t|'=")).filter(str.strip)


@given(st.lists(st.tuples(CELL, CELL), min_size=1), st.sampled_from(table.DELIMITERS))
def test_what_csv_writes_is_read(rows, delimiter):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerows([("title", "abstract"), *rows])
    papers, rejected = read_source(table, out.getvalue())
    assert len(papers) + len(rejected) == len(rows)
    assert {item.reason for item in rejected} <= {"no title"}


@given(st.lists(st.sampled_from(['"', ",", "\n", "a", '""', "title", " "])).map("".join))
def test_any_text_is_read_to_its_end(text):
    papers, rejected = read_source(table, f"title,abstract\n{text}")
    assert sum(bool(line.strip()) for line in text.split("\n")) >= len(papers) + len(rejected)
