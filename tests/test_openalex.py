"""Works of OpenAlex: the abstract put together again, identifiers of all places, and hostile indexes."""

import json

import pytest
from fakes import read_source, where
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import openalex

WORK = {
    "id": "https://openalex.org/W1",
    "doi": "https://doi.org/10.1234/OWL",
    "title": "Sleepy <i>Owls</i>",
    "publication_year": 2024,
    "publication_date": "2024-01-02",
    "authorships": [
        {"author": {"display_name": "Ann Bird"}, "raw_author_name": "Bird, A."},
        {"author": None, "raw_author_name": "Bo Lee"},
    ],
    "primary_location": {"landing_page_url": "https://e.example/owls"},
    "locations": [{"landing_page_url": None}, {"landing_page_url": "http://arxiv.org/abs/2401.00001"}],
    "abstract_inverted_index": {"Owls": [0, 3], "sleep.": [1], "Do": [2], "hoot?": [7]},
}


def test_fields():
    (paper,), rejected = read_source(openalex, json.dumps({"meta": {"count": 1}, "results": [WORK], "group_by": []}))
    assert rejected == []
    assert (paper.title, paper.abstract) == ("Sleepy Owls", "Owls sleep. Do Owls hoot?")
    assert (paper.authors, paper.author_count) == (("Ann Bird", "Bo Lee"), 2)
    assert (paper.date, paper.year) == ("2024-01-02", 2024)
    assert (paper.doi, paper.arxiv_id, paper.url) == ("10.1234/owl", "2401.00001", "https://e.example/owls")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"abstract_inverted_index": None}, {"abstract": ""}),
        ({"is_authors_truncated": True}, {"author_count": None, "authors": ("Ann Bird", "Bo Lee")}),
        ({"doi": "https://doi.org/10.48550/arxiv.2402.00002"}, {"doi": None, "arxiv_id": "2402.00002"}),
        ({"doi": None, "locations": None, "primary_location": None}, {"doi": None, "url": "https://openalex.org/W1"}),
        ({"title": None, "display_name": "Owls"}, {"title": "Owls"}),
        ({"publication_date": None}, {"date": None, "year": 2024}),
        ({"authorships": None}, {"authors": (), "author_count": None}),
    ],
)
def test_what_may_be_missing(change, wanted):
    (paper,), _ = read_source(openalex, json.dumps({**WORK, **change}))
    assert {key: getattr(paper, key) for key in wanted} == wanted


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"title": None}, "no title"),
        ({"title": ["x"]}, "title must be text, not list"),
        ({"abstract_inverted_index": [1]}, "abstract_inverted_index must be an object, not list"),
        ({"abstract_inverted_index": {"x": 1}}, "the places of 'x' must be whole numbers"),
        ({"abstract_inverted_index": {"x": [0.5]}}, "must be whole numbers"),
        ({"abstract_inverted_index": {"owl " * 10: list(range(3_000))}}, "the longest that is read is 100,000"),
    ],
)
def test_what_is_rejected(change, says):
    papers, rejected = read_source(openalex, json.dumps(WORK) + "\n" + json.dumps({**WORK, **change}))
    assert len(papers) == 1
    ((line, reason),) = where(rejected)
    assert line == 2
    assert says in reason


def test_a_place_beyond_all_bounds_costs_no_memory():
    assert openalex.abstract_of({"a": [10**12], "b": [-5, 3]}) == "b b a"


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1)))
def test_the_words_come_back_in_order(words):
    index = {}
    for place, word in enumerate(words):
        index.setdefault(word, []).append(place)
    assert openalex.abstract_of(index) == " ".join(words)


def test_looks_like():
    assert openalex.looks_like(json.dumps(WORK))
    assert openalex.looks_like(json.dumps({"meta": {}, "results": [WORK]}, indent=2))
    assert not openalex.looks_like('{"title": "A", "abstract": "B"}')
    assert not openalex.looks_like("about https://openalex.org/W1")
