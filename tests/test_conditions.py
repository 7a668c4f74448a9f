"""Conditions and orders in many wordings, and the words that are left for the topic."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.conditions import CHATTER, NUMBERS, read_conditions
from rag.retrieve.scaffold import content_words

ORGANIZATIONS = ["acme acme labs", "nestlab the nest lab", "solo "]


def read(question):
    return read_conditions(question, ORGANIZATIONS, datetime.date(2025, 7, 12))


def conditions(question):
    return list(read(question).filters.conditions)


def order(question):
    found = read(question).order
    return found and (found.field, found.descending, found.limit)


@pytest.mark.parametrize(
    ("expected", "questions"),
    [
        ([("eq", 1)], ["single-author papers", "solo-authored papers", "papers written alone", "papers by one person", "papers by a single author",
                       "papers with just one author", "papers that have a sole author", "papers with only 1 author", "papers with an author count of 1"]),
        ([("eq", 2)], ["papers with two authors", "two-author papers", "papers by exactly 2 people", "author duos", "papers written by pairs of authors",
                       "papers by precisely two researchers", "papers with 2 co-authors", "papers with = 2 authors"]),
        ([("eq", 3)], ["papers by trios of authors", "papers that list three authors", "papers signed by 3 scientists", "number of authors: 3",
                       "papers with bylines of three", "author count is 3"]),
        ([("gt", 10)], ["papers with more than ten authors", "papers with over 10 authors", "big author lists (>10)", "papers by above ten people",
                        "papers with > 10 authors"]),
        ([("gte", 5)], ["papers with at least five authors", "papers with 5 or more authors", "papers with 5+ authors", "papers by teams of five or more",
                        "papers with a minimum of 5 authors", "papers with no fewer than five authors", "papers with ≥5 authors",
                        "papers with five and up authors"]),
        ([("lt", 4)], ["papers with fewer than 4 authors", "papers with less than four authors", "papers with under four authors", "papers with <4 authors"]),
        ([("lte", 3)], ["papers with at most three authors", "papers with up to 3 authors", "papers with no more than three authors",
                        "papers with 3 or fewer authors", "papers with ≤ 3 authors", "papers with max 3 authors", "papers with not more than three authors"]),
        ([("gte", 5), ("lte", 7)], ["papers with 5 to 7 authors", "papers with between five and seven authors", "papers with 5-7 authors",
                                    "papers with 5–7 authors", "papers by five to seven people"]),
    ],
)  # fmt: skip
def test_author_counts(expected, questions):
    wanted = [("author_count", *one) for one in expected]
    assert {question: conditions(question) for question in questions} == dict.fromkeys(questions, wanted)


@given(st.integers(2, 99), st.sampled_from(["more than", "at least", "fewer than", "at most", "exactly"]))
def test_figures_and_number_words_say_the_same(count, compared):
    (found,) = conditions(f"papers with {compared} {count} authors")
    assert found[2] == count
    for word in (word for word, value in NUMBERS.items() if value == count):
        assert conditions(f"papers with {compared} {word} authors") == [found]


@pytest.mark.parametrize(
    "question",
    [
        "papers with authors", "how many authors has Heron?", "who are the authors?", "papers on duos of robots", "papers on pairs of words",
        "papers on author identification", "papers on two-stage training", "papers on 3 birds", "papers on more than ten languages",
        "papers that comment on birds", "comments on sorting", "",
    ],
)  # fmt: skip
def test_what_counts_no_authors_or_comments(question):
    found = read(question)
    assert (list(found.filters.conditions), found.order, found.rest) == ([], None, question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("papers with three or more comments", ("gte", 3)),
        ("papers with 3 or more comments?", ("gte", 3)),
        ("papers that got at least two comments", ("gte", 2)),
        ("papers which received more than three comments", ("gt", 3)),
        ("papers with over 3 comments", ("gt", 3)),
        ("papers with exactly one comment", ("eq", 1)),
        ("papers with 2 comments", ("eq", 2)),
        ("papers with no comments", ("eq", 0)),
        ("papers that drew comments", ("gte", 1)),
        ("papers with any comments", ("gte", 1)),
    ],
)
def test_comments(question, expected):
    assert conditions(question) == [("comment_count", *expected)]


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("papers from Acme Labs", "acme labs"),
        ("papers by ACME", "acme labs"),
        ("anything from acme?", "acme labs"),
        ("acme's papers", "acme labs"),
        ("Acme Labs work on birds", "acme labs"),
        ("papers affiliated with acme", "acme labs"),
        ("papers that come from the Acme Labs", "acme labs"),
        ("papers at nestlab", "the nest lab"),
        ("papers under the nest lab", "the nest lab"),
        ("organisation: acme, as recorded by acme", "acme labs"),
        ("acmes of taste", None),
        ("acme and skin", None),
        ("papers from acmeville", None),
        ("papers from Elsewhere", None),
    ],
)
def test_organisations_are_those_of_the_shelf(question, name):
    assert conditions(question) == ([("organization", "eq", name)] if name else [])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("undated papers", ("date", "known", False)),
        ("papers without a date", ("date", "known", False)),
        ("papers that have no publication date", ("date", "known", False)),
        ("papers lacking a known date", ("date", "known", False)),
        ("papers with no organisation", ("organization", "known", False)),
        ("papers without an organization", ("organization", "known", False)),
        ("papers with an organization on record", ("organization", "known", True)),
        ("papers with a known organisation", ("organization", "known", True)),
    ],
)
def test_what_is_recorded_at_all(question, expected):
    assert conditions(question) == [expected]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("the newest paper", ("date", True, 1)),
        ("the latest papers on birds", ("date", True, 5)),
        ("three newest papers", ("date", True, 3)),
        ("the newest three papers", ("date", True, 3)),
        ("most recent 2 papers on birds", ("date", True, 2)),
        ("the single oldest paper", ("date", False, 1)),
        ("the earliest paper on birds", ("date", False, 1)),
        ("top five newest papers", ("date", True, 5)),
        ("the three oldest papers", ("date", False, 3)),
        ("top 5 most discussed papers", ("comment_count", True, 5)),
        ("the paper with the most authors", ("author_count", True, 1)),
        ("which paper has the longest author list?", ("author_count", True, 1)),
        ("papers with the largest teams", ("author_count", True, 1)),
        ("which paper has the smallest number of authors?", ("author_count", False, 1)),
        ("the paper with the highest number of comments", ("comment_count", True, 1)),
        ("the four most commented papers", ("comment_count", True, 4)),
        ("papers sorted by date", ("date", True, None)),
        ("papers by author count", ("author_count", True, None)),
        ("top 3 by number of comments", ("comment_count", True, 3)),
        ("papers ordered by number of authors, fewest first", ("author_count", False, None)),
        ("rank the papers by team size, ascending", ("author_count", False, None)),
        ("papers on birds, newest first", ("date", True, None)),
        ("papers on birds, oldest first", ("date", False, None)),
        ("papers on birds chronologically", ("date", False, None)),
        ("which of the two came out first?", ("date", False, None)),
        ("latest optimisation results", None),
        ("largest language model", None),
        ("papers on sorting", None),
        ("what comes first, the nest or the bird?", None),
    ],
)
def test_orders(question, expected):
    assert order(question) == expected


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("papers on birds by teams of ten or more", ["birds"]),
        ("papers on birds by Acme Labs with two authors since 2021, newest first", ["birds"]),
        ("the three most discussed papers on birds", ["birds"]),
        ("birds sorted by number of authors", ["birds"]),
        ("the oldest paper, and how old is it?", []),
        ("which paper has the most authors, and how many are there?", []),
        ("hey guys, pls dig out the first long ones", []),  # chatter is no topic
        ("are there any manuscripts in the library, far or near?", ["near"]),
    ],
)
def test_what_is_left_is_the_topic(question, rest):
    assert [word for word in content_words(read(question).rest) if word not in CHATTER] == rest


def test_all_that_is_said_holds_at_once():
    assert conditions("papers from 2021 by Acme Labs with two authors and with 3 comments") == [
        ("year", "eq", 2021),
        ("author_count", "eq", 2),
        ("comment_count", "eq", 3),
        ("organization", "eq", "acme labs"),
    ]


def test_last_year_is_told_from_the_day_given():
    assert read_conditions("papers from last year", [], datetime.date(2000, 1, 1)).filters.conditions == (
        ("year", "eq", 1999),
    )
    assert conditions("papers from last year") == [("year", "eq", 2024)]


@given(st.lists(st.sampled_from(["sort", "by", "newest", "first", "two", "authors", "most", ">", "no", "comments", "top", "in", "2021"])))  # fmt: skip
def test_any_words_are_read(words):
    found = read(" ".join(words))
    assert not set(found.rest.split()) - set(words)
    if found.order:
        assert found.order.field in ("date", "author_count", "comment_count")
