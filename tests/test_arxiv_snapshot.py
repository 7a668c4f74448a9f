"""The metadata snapshot of arXiv, line by line."""

import json

import pytest
from fakes import read_source, where

from rag.ingest import arxiv_snapshot

ROW = {
    "id": "0704.0001",
    "submitter": "A. Bird",
    "authors": "A. Bal\\'azs, B. Lee (Owl Lab), and C. Fox",
    "title": "Sleep of\n  Schr\\\"odinger's owls at $O(n)$",
    "comments": "9 pages",
    "doi": "10.1234/OWL",
    "categories": "cs.CL",
    "abstract": "  Owls sleep\nby day.\n",
    "versions": [{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}, {"version": "v2", "created": "x"}],
    "update_date": "2008-11-26",
    "authors_parsed": [["Bal\\'azs", "A.", ""], ["Lee", "Bo", "Jr."]],
}


def test_fields():
    assert arxiv_snapshot.looks_like(json.dumps(ROW))
    (paper,), rejected = read_source(arxiv_snapshot, json.dumps(ROW) + "\n")
    assert rejected == []
    assert paper.title == "Sleep of Schrödinger's owls at $O(n)$"
    assert (paper.abstract, paper.authors) == ("Owls sleep by day.", ("A. Balázs", "Bo Lee Jr."))
    assert (paper.date, paper.arxiv_id, paper.doi) == ("2007-04-02", "0704.0001", "10.1234/owl")
    assert paper.url == "https://arxiv.org/abs/0704.0001"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"authors_parsed": None}, {"authors": ("A. Balázs", "B. Lee", "C. Fox")}),
        ({"versions": []}, {"date": "2008-11-26", "year": 2008}),
        ({"versions": [{"created": "no date"}]}, {"date": "2008-11-26"}),
        ({"versions": None, "update_date": None}, {"date": None, "year": None}),
        ({"doi": None}, {"doi": None}),
        ({"id": "solv-int/9701001"}, {"arxiv_id": "solv-int/9701001"}),
    ],
)
def test_what_may_be_missing(change, wanted):
    (paper,), _ = read_source(arxiv_snapshot, json.dumps({**ROW, **change}))
    assert {key: getattr(paper, key) for key in wanted} == wanted


def test_broken_lines_cost_themselves_only():
    rows = [
        json.dumps(ROW),
        json.dumps({**ROW, "id": None}),
        '{"id": "0704',
        json.dumps({**ROW, "abstract": " "}),
        json.dumps(ROW),
    ]
    papers, rejected = read_source(arxiv_snapshot, "\n".join(rows))
    assert len(papers) == 2
    assert [(line, reason[:11]) for line, reason in where(rejected)] == [
        (2, "no id"),
        (3, "not JSON: U"),
        (4, "no abstract"),
    ]
