"""Questions as they are understood, over a small shelf of invented papers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.config import Settings
from rag.index.shelf import Shelf
from rag.retrieve.conditions import read_conditions
from rag.retrieve.context import Turn, understand
from rag.retrieve.query import content_words, understand_alone
from rag.types import Organization, Paper, Shape, paper_id

HERON, CRANE, STORK = (
    Paper(paper_id(title), title, abstract, **more)
    for title, abstract, more in (
        (
            "Heron: Fast Sorting",
            "Heron sorts integers in linear time. Our Heron needs 12% less memory than QuickSort2.",
            {"year": 2021, "date": "2021-05-04"},
        ),
        (
            "CraneNet: Slow Cooking",
            "CraneNet plans meals with a Hierarchical Meal Planner (HMP) that simmer for hours.",
            {"year": 2024, "author_count": 3},
        ),
        (
            "The Stork Compiler",
            "A compiler for birds. The Stork Compiler (TSC) emits nests.",
            {"organization": Organization("acme", "Acme Labs")},
        ),
    )
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with Shelf(tmp_path_factory.mktemp("query") / "shelf", Settings(), create=True) as shelf:
        shelf.put([HERON, CRANE, STORK])
        shelf.refresh()
        yield shelf


def alone(shelf, question):
    return understand_alone(question, shelf)


@pytest.mark.parametrize(
    ("question", "shape"),
    [
        ("which papers sort integers?", Shape.LIST),
        ("anything on nests", Shape.LIST),
        ("who sorts integers in linear time?", Shape.LIST),
        ("birds and compilers", Shape.LIST),
        ("Show me work on meals", Shape.LIST),
        ("how much memory does Heron need?", Shape.FACT),
        ("CraneNet accuracy", Shape.FACT),
        ("Heron vs CraneNet", Shape.COMPARE),
        ("how does Heron differ from CraneNet in speed?", Shape.COMPARE),
        ("compare sorting and cooking", Shape.COMPARE),
        ("how many papers are about birds?", Shape.COUNT),
        ("what did Heron report in 2021?", Shape.FACT),
    ],
)
def test_shape(shelf, question, shape):
    assert alone(shelf, question).shape is shape


@pytest.mark.parametrize(
    ("question", "papers"),
    [
        ("what does heron save?", [HERON]),
        ("Crane Net", [CRANE]),
        ("what is HMP", [CRANE]),
        ("does TSC emit nests?", [STORK]),
        ("the stork compiler", [STORK]),
        ("CraneNet's meals and Heron", [CRANE, HERON]),
        ("sorting meals", []),
    ],
)
def test_names(shelf, question, papers):
    assert [paper for name in alone(shelf, question).names for paper in name.papers] == [paper.id for paper in papers]


@pytest.mark.parametrize(
    ("question", "conditions"),
    [
        ("papers from 2021", [("year", "eq", 2021)]),
        ("papers since 2021", [("year", "gte", 2021)]),
        ("anything after 2021?", [("year", "gt", 2021)]),
        ("papers before 2021", [("year", "lt", 2021)]),
        ("papers between 2019 and 2021", [("year", "gte", 2019), ("year", "lte", 2021)]),
        ("papers from 2019-2021", [("year", "gte", 2019), ("year", "lte", 2021)]),
        ("2023 or later", [("year", "gte", 2023)]),
        ("2023 papers", [("year", "eq", 2023)]),
        ("papers from May 2021", [("date", "gte", "2021-05-01"), ("date", "lte", "2021-05-31")]),
        ("what was published in october 2024", [("date", "gte", "2024-10-01"), ("date", "lte", "2024-10-31")]),
        ("papers between March and May 2022", [("date", "gte", "2022-03-01"), ("date", "lte", "2022-05-31")]),
        ("single-author papers", [("author_count", "eq", 1)]),
        ("papers with more than ten authors", [("author_count", "gt", 10)]),
        ("papers with 5 to 7 authors", [("author_count", "gte", 5), ("author_count", "lte", 7)]),
        ("papers by Acme Labs", [("organization", "eq", "acme labs")]),
        ("anything from acme?", [("organization", "eq", "acme labs")]),
        ("papers with three or more comments", [("comment_count", "gte", 3)]),
        ("a result on 2048 tokens", []),
    ],
)
def test_conditions(question, conditions):
    assert list(read_conditions(question, ["acme acme labs"]).filters.conditions) == conditions


@pytest.mark.parametrize(
    ("question", "field", "descending", "limit"),
    [
        ("what is the newest paper?", "date", True, 1),
        ("the three oldest papers", "date", False, 3),
        ("which paper has the most authors", "author_count", True, 1),
        ("top 5 most discussed papers", "comment_count", True, 5),
    ],
)
def test_order(question, field, descending, limit):
    order = read_conditions(question, []).order
    assert (order.field, order.descending, order.limit) == (field, descending, limit)


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("who wrote Heron?", "the names of authors"),
        ("at which conference was Heron presented?", "where papers were published"),
        ("how many upvotes has Heron?", "upvotes"),
        ("how many upright votes were cast?", None),
    ],
)
def test_what_pages_do_not_hold(shelf, question, missing):
    assert alone(shelf, question).missing == (missing and f"saved pages do not hold {missing}")


@pytest.mark.parametrize(
    ("earlier", "question", "expected"),
    [
        (HERON, "how much memory does it need?", ("names", HERON)),
        (HERON, "and what about its speed?", ("names", HERON)),
        (HERON, "how does that compare to CraneNet?", ("compare", HERON, CRANE)),
        (HERON, "who else sorts integers?", ("excluded", HERON)),
        (HERON, "which of those are from 2021?", ("carried", HERON)),
        (HERON, "how many papers are from 2024?", ("alone",)),
        (HERON, "which papers are about nests?", ("alone",)),
    ],
)
def test_follow_ups(shelf, earlier, question, expected):
    turn = Turn(f"what does {earlier.title.split(':')[0]} do?", (earlier.id,))
    reading = understand(question, shelf, [turn])[0]
    named = [paper for name in reading.names for paper in name.papers]
    match expected:
        case ("names", paper):
            assert named == [paper.id]
            assert paper.title.split(":")[0] in reading.topic
        case ("compare", *papers):
            assert reading.shape is Shape.COMPARE
            assert named == [paper.id for paper in papers]
        case ("excluded", paper):
            assert reading.excluded == (paper.id,)
        case ("carried", paper):
            assert reading.carried == (paper.id,)
            assert reading.filters.conditions == (("year", "eq", 2021),)
        case _:
            assert reading == alone(shelf, question)


def test_content_words_leave_the_scaffold_out():
    assert content_words("Which papers do you have about linear attention?") == ["linear", "attention"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_understood_somehow(shelf, text):
    query = alone(shelf, text)
    assert query.topic or query.filters or query.order or not text.strip()
