"""Questions as they are understood, over a small shelf of invented papers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.config import Settings
from rag.index.shelf import Shelf
from rag.retrieve.context import MARGIN, Turn, understand
from rag.retrieve.evidence import gather
from rag.retrieve.query import content_words, understand_alone
from rag.retrieve.retriever import Retriever
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
        ("is cooking slow?", Shape.YES_NO),
        ("does Heron sort integers?", Shape.YES_NO),
        ("did CraneNet win, and why?", Shape.YES_NO),
        ("are there papers on birds?", Shape.LIST),
        ("how does Heron sort integers?", Shape.HOW),
        ("why do meals simmer?", Shape.HOW),
        ("Heron: how does it sort?", Shape.HOW),
        ("how fast is Heron?", Shape.FACT),
        ("how long do meals simmer?", Shape.FACT),
        ("what is Heron, and how does it sort?", Shape.FACT),
        ("Heron vs Foobarium", Shape.COMPARE),
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


# --- follow-ups that neither name a paper nor point at one


def follow(shelf, question, *earlier):
    """The likeliest reading of a question asked after an answer of these papers, and the papers it is answered from."""
    turn = Turn("what was asked before?", tuple(paper.id for paper in earlier))
    readings = understand(question, shelf, [turn])
    kept = gather(readings, Retriever(shelf))[1].kept
    return readings[0], [item.paper.id for item in kept]


@pytest.mark.parametrize(
    ("question", "earlier", "meant"),
    [
        ("how much memory is saved?", [HERON], HERON),
        ("how long do meals simmer?", [CRANE], CRANE),
        ("how long do meals simmer?", [HERON], CRANE),  # another meets its words better
        ("does slow cooking need less time?", [HERON], CRANE),  # even where the last one has something to say of it
        ("how are integers sorted in linear time?", [CRANE], HERON),
        ("is linear time reached?", [CRANE, HERON], HERON),  # of several the one that is meant
        ("what does the one on meals plan?", [HERON, CRANE, STORK], CRANE),
        ("what does the one about sorting save?", [CRANE, HERON], HERON),
        ("the cooking one: how long does it take?", [HERON, CRANE], CRANE),
        ("what does the other paper on meals do?", [HERON], CRANE),
    ],
)
def test_which_paper_an_unnamed_question_goes_on_about(shelf, question, earlier, meant):
    assert follow(shelf, question, *earlier)[1] == [meant.id]


def test_such_a_question_may_be_about_the_last_answer_within_a_margin(shelf):
    reading, _ = follow(shelf, "how much memory is saved?", HERON)
    assert (reading.perhaps, reading.margin) == ((HERON.id,), MARGIN)
    assert not alone(shelf, "how much memory is saved?").perhaps
    assert not follow(shelf, "how much memory does CraneNet save?", HERON)[0].perhaps  # it names its paper
    assert not follow(shelf, "which papers from 2021 save memory?", HERON)[0].perhaps  # and this its conditions
    assert not follow(shelf, "how much memory is saved?")[0].perhaps  # of an answer without papers


def test_the_other_one_is_none_of_the_last_answer(shelf):
    reading, _ = follow(shelf, "what does the other paper on meals do?", HERON)
    assert (reading.excluded, reading.perhaps) == ((HERON.id,), ())


@pytest.mark.parametrize("question", ["leave out the cooking one. what remains?", "leave out the cooking one"])
def test_what_is_left_out_of_the_last_answer(shelf, question):
    reading, kept = follow(shelf, question, HERON, CRANE, STORK)
    assert (reading.carried, reading.without, reading.topic) == ((HERON.id, CRANE.id, STORK.id), ("cooking",), "")
    assert set(kept) == {HERON.id, STORK.id}


# --- words in quotation marks, what is left out, names the shelf does not have


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ('which papers say "linear time"?', ("linear time",)),
        ("“simmer for hours” and «nests»", ("simmer for hours", "nests")),
        ('what does "of the" mean?', ()),
        ("what is Heron's \"time", ()),
        ("sorting", ()),
    ],
)
def test_words_in_quotation_marks(shelf, question, quoted):
    assert alone(shelf, question).quoted == quoted


def test_what_is_left_out_is_no_topic(shelf):
    query = alone(shelf, "papers on meals from 2024, but not for birds")
    assert (content_words(query.topic), query.without) == (["meals"], ("birds",))
    assert query.filters.conditions == (("year", "eq", 2024),)


@pytest.mark.parametrize(
    ("question", "strangers"),
    [
        ("Heron vs Foobarium", ("Foobarium",)),
        ("Foobarium versus Heron: which is faster?", ("Foobarium",)),
        ("compare sorting with Foobarium", ("Foobarium",)),
        ("compare Heron to QuuxNet", ("QuuxNet",)),
        ("Heron vs CraneNet", ()),
        ("Heron vs Compiler", ()),  # a word of the shelf
        ("Heron vs foobarium", ()),  # not written as a name
        ("what do Heron and Foobarium do?", ()),  # nothing is compared
        ("Foobarium vs Quuxling", ()),
    ],
)
def test_names_beside_that_of_a_paper_which_the_shelf_does_not_have(shelf, question, strangers):
    assert alone(shelf, question).strangers == strangers


def test_content_words_leave_the_scaffold_out():
    assert content_words("Which papers do you have about linear attention?") == ["linear", "attention"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_understood_somehow(shelf, text):
    query = alone(shelf, text)
    assert query.topic or query.filters or query.order or not text.strip()
