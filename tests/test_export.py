"""Exports: escaped for each format, and read back by ingest as what they were."""

import csv
import io
import json

import pytest
from fakes import read_source
from hypothesis import given
from hypothesis import strategies as st
from test_render import TEXT

from rag import export
from rag.errors import UsageError
from rag.ingest import bibtex, jsonl, ris, table
from rag.ingest.fields import displayed, one_line
from rag.ingest.repair import readable
from rag.types import Organization, Paper, normalize_title, paper_id


@given(TEXT | st.text(alphabet="{}\\$~^%&#_ab"), TEXT)
def test_bibtex_braces_balance(title, name):
    paper = Paper(
        "p",
        title,
        "a",
        authors=(name,),
        date="2024-05-06",
        year=2024,
        url=f"http://e.example/{name}",
        doi=title,
        arxiv_id=name,
    )
    depth = 0
    for character in "".join(
        export.to_bibtex([paper])
    ):  # BibTeX counts braces whether or not a backslash is before them
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0


def test_bibtex():
    paper = Paper(
        "0a", r"A {B} at 5% & $x_1$", "a", date="2024-05-06", year=2024, authors=("Ann Owl", "Bo_Bee"),
        url="https://e.example/~a_b?c=1%20&d#e", doi="10.1/a_b", arxiv_id="2401.00001",
    )  # fmt: skip
    assert list(export.to_bibtex([paper, Paper("0b", "C", "c")])) == [
        "@misc{0a,\n  title = {A \\textbraceleft{}B\\textbraceright{} at 5\\% \\& x\\_1},\n  author = {Ann Owl and Bo\\_Bee},\n"
        "  year = {2024},\n  month = {05},\n  day = {06},\n  doi = {10.1/a_b},\n  eprint = {2401.00001},\n  archiveprefix = {arXiv},\n"
        "  url = {https://e.example/~a_b?c=1%20&d#e}\n}",
        "@misc{0b,\n  title = {C}\n}",
    ]
    assert list(export.to_bibtex([])) == []


@pytest.mark.parametrize(
    ("title", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"),
        ("1=1", "1=1"), ('a "b", c\nd', 'a "b", c\nd'), ("", ""),
    ],
)  # fmt: skip
def test_csv_formulas(title, cell):
    paper = Paper("p", title, title, authors=("=a", "b"), organization=Organization("x", "=x"), comment_count=0)
    (row,) = csv.DictReader(io.StringIO("".join(export.to_csv([paper])), newline=""))
    assert list(row) == list(export.CSV_FIELDS)
    assert (row["title"], row["abstract"]) == (cell, cell)
    assert (row["authors"], row["organization"], row["comment_count"], row["year"]) == ("'=a; b", "'=x", "0", "")
    assert "".join(export.to_csv([])) == ",".join(export.CSV_FIELDS) + "\r\n"


def test_exported_lines_are_papers_again():
    papers = [
        Paper("p", "Owls\u2028", "a\nb", authors=("A",)),
        Paper("q", "Bees", "c", organization=Organization("s", "n")),
    ]
    lines = list(export.to_jsonl(papers))
    assert not any("\n" in line for line in lines)
    assert [Paper.from_dict(json.loads(line)) for line in lines] == papers


# --- there and back ---

LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
WORDS = st.lists(
    st.text(LETTERS, min_size=1, max_size=8) | st.sampled_from(["{", "}", "\\", "$x_1$", "50%", "&", "#", "~", "^", '"', "and", "=", "@", ",", ";", "'"]),
    min_size=1,
    max_size=6,
).map(" ".join).map(one_line).filter(normalize_title)  # fmt: skip
NAME = st.sampled_from(
    [
        "Ann Bird",
        "Bird, Ann",
        "The Owl Team",
        "Bird and Lee Ltd.",
        "Jörg Müller",
        "Ann van der Berg",
        "Bird, Jr., Ann",
        "O'Neil_X",
        "others",
        "=Bo",
    ]
)
PAPER = st.builds(
    lambda title, **fields: Paper(paper_id(title), title, **fields),
    WORDS,
    abstract=WORDS,
    date=st.just("2024-05-06"),
    year=st.just(2024),
    authors=st.lists(NAME, max_size=4, unique=True).map(tuple),
    url=st.none() | st.sampled_from(["https://e.example/~a_b?c=1%20&d#e", "http://e.example/(x);y"]),
    arxiv_id=st.none() | st.sampled_from(["2401.00001", "hep-th/9901001"]),
    doi=st.none() | st.sampled_from(["10.1234/a_b.c", "10.1234/x(1)"]),
)


def told(paper):
    """What every format tells of a paper, as ingest would say it."""
    return {
        "title": paper.title,
        "authors": tuple(map(displayed, paper.authors)),
        "date": paper.date,
        "year": paper.year,
        "url": paper.url,
        "arxiv_id": paper.arxiv_id,
        "doi": paper.doi,
        "abstract": paper.abstract,
    }


@given(st.lists(PAPER, min_size=1, max_size=3))
def test_json_lines_there_and_back(papers):
    back, rejected = read_source(jsonl, "\n".join(export.to_jsonl(papers)))
    assert rejected == []
    assert list(map(told, back)) == list(map(told, papers))


@given(st.lists(PAPER, min_size=1, max_size=3))
def test_csv_there_and_back(papers):
    back, rejected = read_source(table, "".join(export.to_csv(papers)))
    assert rejected == []
    assert list(map(told, back)) == list(map(told, papers))


@given(st.lists(PAPER, min_size=1, max_size=3))
def test_ris_there_and_back(papers):
    back, rejected = read_source(ris, "\n\n".join(export.to_ris(papers)))
    assert rejected == []
    assert list(map(told, back)) == [told(paper) for paper in papers]


@given(st.lists(PAPER, min_size=1, max_size=3))
def test_bibtex_there_and_back(papers):
    back, rejected = read_source(bibtex, "\n\n".join(export.to_bibtex(papers)))
    assert rejected == []
    for one, paper in zip(back, papers, strict=True):
        assert normalize_title(readable(one.title)) == normalize_title(readable(readable(paper.title)))
        wanted = told(paper)
        assert {**told(one), "title": 0} == {**wanted, "title": 0, "abstract": ""}


# --- for people ---

OWLS = Paper(
    "0a", "Sleepy [Owls] *now*", "Owls sleep.", "2024-05-06", 2024, authors=tuple(f"A{n} Bird" for n in range(7)),
    url="https://e.example/a b>c", doi="10.1234/a_b", arxiv_id="2401.00001",
)  # fmt: skip


def test_a_reading_list_has_the_newest_first():
    papers = [
        Paper("0b", "Bees", "x"),
        OWLS,
        Paper("0c", "Later", "x", "2024-06-01", 2024, doi="10.1/x"),
        Paper("0d", "Old", "x", year=1999, authors=("Ann",)),
    ]
    assert "\n".join(export.to_reading_list(papers)).split("\n") == [
        "# Reading list",
        "",
        "## 2024",
        "",
        "- [ ] [Later](<https://doi.org/10.1/x>). 2024-06-01. doi:10.1/x.",
        "- [ ] [Sleepy \\[Owls] \\*now\\*](<https://e.example/a%20b%3Ec>). A0 Bird, A1 Bird, A2 Bird, A3 Bird, A4 Bird, et al. 2024-05-06. arXiv:2401.00001. doi:10.1234/a\\_b.",
        "",
        "## 1999",
        "",
        "- [ ] Old. Ann. 1999.",
        "",
        "## Without a year",
        "",
        "- [ ] Bees.",
    ]


def test_an_address_that_is_none_is_no_link():
    assert "javascript" not in "".join(export.to_reading_list([Paper("p", "Owls", "x", url="javascript:alert(1)")]))


ANSWER = {
    "text": "Owls *sleep* [1].",
    "citations": [{"number": 1, "paper": {"id": "0a", "title": "Owls", "year": 2024, "date": None, "url": None}, "quote": "Owls sleep.", "start": 0, "end": 11}],
}  # fmt: skip


def test_an_answer_with_its_references():
    text, stated = export.read_citations(json.dumps(ANSWER))
    citations = [export.to_citation(one, OWLS) for _, one in stated]
    assert list(export.to_references(text, citations))[:3] == [
        "Owls \\*sleep\\* [1].",
        "\n## References\n",
        f"1. {export.reference(OWLS)}",
    ]
    (gone,) = (export.to_citation(one, None) for _, one in stated)
    assert list(export.to_references(text, [gone]))[2:] == ["1. Owls. 2024.", "   > Owls sleep."]
    assert list(export.to_references("The shelf does not say.", [])) == ["The shelf does not say."]


@pytest.mark.parametrize(
    "text", ["", "[]", "no JSON", '{"text": "x"}', json.dumps({**ANSWER, "citations": [{"number": 1}]}), "[" * 100_000]
)
def test_what_is_no_answer(text):
    with pytest.raises(UsageError, match="no answer of Attest"):
        export.read_citations(text)
