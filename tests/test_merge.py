"""Two records of one paper to one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.match import aliases
from rag.ingest.merge import merge_papers, update_paper
from rag.types import Organization, Paper, Source

BARE = Paper("id", "Sleepy Owls", "Owls sleep. They hoot.")
FULL = replace(
    BARE, date="2023-05-24", year=2023, author_count=2, authors=("Ada", "Bo"), organization=Organization("pond", "Pond"),
    comment_count=2, url="https://example.org", arxiv_id="2305.1", doi="10.1/x",
)  # fmt: skip
STATED, STATED_YEAR, NONE = ("2024-03-15", 2024, False), (None, 2024, False), (None, None, False)
INFERRED, INFERRED_YEAR = ("2025-03-15", 2025, True), (None, 2025, True)


def dated(found: tuple[str | None, int | None, bool]) -> Paper:
    return replace(BARE, date=found[0], year=found[1], year_inferred=found[2])


def when(paper: Paper) -> tuple[str | None, int | None, bool]:
    return paper.date, paper.year, paper.year_inferred


def test_union_of_metadata():
    assert merge_papers(BARE, FULL) == merge_papers(FULL, BARE) == FULL


def test_kept_wins_where_both_speak():
    other = replace(
        FULL,
        date="2020-01-01",
        year=2020,
        author_count=9,
        authors=("Cy",),
        organization=Organization("x", "X"),
        comment_count=0,
        url="u",
        arxiv_id="a",
        doi="d",
        title="OWLS",
    )
    assert merge_papers(FULL, other) == FULL
    assert merge_papers(other, FULL) == other


def test_no_comments_is_an_answer():
    assert merge_papers(replace(BARE, comment_count=0), FULL).comment_count == 0


@pytest.mark.parametrize(
    ("one", "two", "wanted"),
    [
        (STATED, INFERRED, STATED),
        (STATED, NONE, STATED),
        (INFERRED, NONE, INFERRED),
        (STATED_YEAR, NONE, STATED_YEAR),
        (STATED_YEAR, STATED, STATED),
        (STATED_YEAR, INFERRED, STATED_YEAR),  # the day belongs to another year: it is not mixed in
        (INFERRED_YEAR, INFERRED, INFERRED),
        (INFERRED_YEAR, STATED, STATED),
        ((None, 2025, False), INFERRED, ("2025-03-15", 2025, False)),  # the guess was right
        (NONE, NONE, NONE),
    ],
)
def test_dates_whichever_comes_first(one: tuple, two: tuple, wanted: tuple):
    assert when(merge_papers(dated(one), dated(two))) == wanted
    assert when(merge_papers(dated(two), dated(one))) == wanted


@pytest.mark.parametrize(
    ("kept", "other", "wanted"),
    [
        ("A b.", "A b. C d.", "A b. C d."),
        ("A b. C d.", "A b.", "A b. C d."),
        ("A b.", "X y z.", "A b."),
        ("", "X.", "X."),
        ("X.", "", "X."),
    ],
)
def test_abstract_that_goes_on_where_the_other_stops(kept: str, other: str, wanted: str):
    assert merge_papers(replace(BARE, abstract=kept), replace(BARE, abstract=other)).abstract == wanted


def test_sources_are_kept_in_order_once():
    a, b, c = (Source(name, 1) for name in "abc")
    assert merge_papers(replace(BARE, sources=(a, b)), replace(BARE, sources=(b, c, a))).sources == (a, b, c)


def test_aliases():
    assert aliases(BARE) == []
    assert aliases(replace(BARE, doi="https://doi.org/10.1/AbC", arxiv_id="arXiv:2401.00001v3")) == [
        "doi:10.1/abc",
        "arxiv:2401.00001",
    ]


PAPER = st.builds(
    Paper, st.just("id"), st.sampled_from(["A", "B"]), st.sampled_from(["A b.", "A b. C d.", "X y."]), comment_count=st.none() | st.integers(0, 3),
    author_count=st.none() | st.integers(1, 3), doi=st.none() | st.sampled_from("xy"), sources=st.lists(st.builds(Source, st.sampled_from("fg"), st.integers(1, 2)), unique=True).map(tuple),
)  # fmt: skip
DATED = st.tuples(PAPER, st.sampled_from([STATED, STATED_YEAR, NONE, INFERRED, INFERRED_YEAR])).map(
    lambda pair: replace(pair[0], date=pair[1][0], year=pair[1][1], year_inferred=pair[1][2])
)


@given(DATED, DATED)
def test_merging_again_changes_nothing(kept: Paper, other: Paper):
    merged = merge_papers(kept, other)
    assert merge_papers(merged, other) == merge_papers(merged, kept) == merge_papers(merged, merged) == merged
    assert (merged.id, merged.title) == (kept.id, kept.title)
    assert set(merged.sources) == {*kept.sources, *other.sources}
    for field in ("comment_count", "author_count", "doi", "year"):
        assert getattr(merged, field) in (getattr(kept, field), getattr(other, field))
        assert (getattr(merged, field) is None) == (getattr(kept, field) is getattr(other, field) is None)
    assert merged.date is None or merged.year == int(merged.date[:4])


def test_every_field_says_where_it_came_from():
    page, refs, again = Source("page.txt", 3), Source("refs.bib", 7), Source("new.jsonl", 1)
    known = merge_papers(
        replace(BARE, sources=(page,), year=2023),
        replace(BARE, sources=(refs,), year=2020, doi="10.1/x", authors=("Ada",)),
    )
    assert known.provenance == (("authors", refs), ("doi", refs))
    after = update_paper(known, replace(BARE, sources=(again,), year=2024, doi="10.1/x", url="u"))
    assert (after.year, dict(after.provenance)) == (2024, {"year": again, "authors": refs, "url": again, "doi": refs})
    assert Paper.from_dict(after.to_dict()) == after
    assert after.to_dict()["provenance"]["doi"] == {"file": "refs.bib", "position": 7}


def test_references_without_abstracts_add_to_a_paper_and_take_nothing():
    known = replace(FULL, sources=(Source("a", 1),), doi=None)
    after = update_paper(known, Paper("other", "{SLEEPY} owls", "", doi="10.1/x", sources=(Source("b", 1),)))
    assert (after.id, after.title, after.abstract, after.doi) == (known.id, known.title, known.abstract, "10.1/x")


@given(DATED, DATED, DATED)
def test_provenance_names_a_source_that_says_so(first: Paper, second: Paper, third: Paper):
    records = {
        Source("abc"[at], 1): replace(one, sources=(Source("abc"[at], 1),))
        for at, one in enumerate((first, second, third))
    }
    one, two, three = records.values()
    merged = update_paper(merge_papers(one, two), three)
    for name, source in merged.provenance:
        assert source != merged.sources[0]
        assert getattr(records[source], name) == getattr(merged, name)
