"""Papers of Semantic Scholar in the API's spelling and the data sets'."""

import json

import pytest
from fakes import read_source, where

from rag.ingest import semantic_scholar

PAPER = {
    "paperId": "abc",
    "externalIds": {"DOI": "10.1234/Owl", "ArXiv": "2401.00001", "CorpusId": 7, "MAG": None},
    "url": "https://e.example/abc",
    "title": "Sleepy Owls",
    "abstract": "Owls sleep.",
    "year": 2024,
    "publicationDate": "2024-01-02",
    "authors": [{"authorId": "1", "name": "Ann Bird"}, {"authorId": None, "name": "Bo Lee"}],
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PAPER),
        json.dumps({"total": 1, "offset": 0, "data": [PAPER]}),
        json.dumps([PAPER, None]),
        json.dumps({key.casefold(): value for key, value in PAPER.items()}),
    ],
)
def test_fields(text):
    assert semantic_scholar.looks_like(text)
    (paper,), rejected = read_source(semantic_scholar, text)
    assert rejected == []
    assert (paper.title, paper.abstract, paper.authors) == ("Sleepy Owls", "Owls sleep.", ("Ann Bird", "Bo Lee"))
    assert (paper.date, paper.year, paper.doi, paper.arxiv_id) == ("2024-01-02", 2024, "10.1234/owl", "2401.00001")
    assert paper.url == "https://e.example/abc"


def test_what_is_missing_and_what_is_rejected():
    rows = [
        {**PAPER, "abstract": None, "publicationDate": None, "externalIds": None},
        {**PAPER, "title": None},
        {"paperId": 1, "title": 5},
    ]
    (paper,), rejected = read_source(semantic_scholar, "\n".join(map(json.dumps, rows)))
    assert (paper.abstract, paper.date, paper.year, paper.doi) == ("", None, 2024, None)
    assert where(rejected) == [(2, "no title"), (3, "title must be text, not int")]
