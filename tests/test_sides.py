"""What a question sets side by side and what it leaves out."""

import pytest
from fakes import CRANE, MARMOT, STORK, ZEBRA, open_shelf, paper
from hypothesis import given
from hypothesis import strategies as st

from rag.index.lexical import words
from rag.retrieve.query import left_out
from rag.retrieve.retriever import Retriever
from rag.retrieve.scaffold import content_words
from rag.retrieve.sides import asked_sides, described_sides, is_left_out, partings
from rag.types import Query


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    with open_shelf(tmp_path_factory.mktemp("sides")) as assistant:
        yield Retriever(assistant.shelf)


@pytest.mark.parametrize(
    ("topic", "halves"),
    [
        ("zebra stripes vs bird songs", ("zebra stripes", "bird songs")),
        ("zebra stripes versus bird songs", ("zebra stripes", "bird songs")),
        ("zebra stripes, as opposed to bird songs", ("zebra stripes,", "bird songs")),
        ("compare zebra stripes and bird songs", ("zebra stripes", "bird songs")),
        ("compare zebra stripes to bird songs", ("zebra stripes", "bird songs")),
        ("the difference between zebra stripes and bird songs", ("zebra stripes", "bird songs")),
        ("contrasting zebra stripes; bird songs", ("zebra stripes", "bird songs")),
    ],
)
def test_a_comparison_parts_where_it_says_so(topic, halves):
    assert partings(topic)[0] == halves


def test_all_places_to_part_are_given_and_versus_goes_before_and():
    routes = "two routes to sheet music: bird songs or human singers"
    assert ("sheet music: bird songs", "human singers") in partings(routes)
    assert partings("painted horses; bird songs; meal recipes") == [
        ("painted horses", "bird songs; meal recipes"),
        ("painted horses; bird songs", "meal recipes"),
    ]
    assert partings("salt and pepper soup vs bread and butter pudding") == [
        ("salt and pepper soup", "bread and butter pudding")
    ]


@pytest.mark.parametrize("topic", ["", "vs", "marmots", "stripes and flies", "papers vs bird songs", "bird songs and the", "bird songs, sheet"])  # fmt: skip
def test_a_half_has_words_of_its_own_or_nothing_is_parted(topic):
    assert partings(topic) == []


@given(st.lists(st.sampled_from(["bird", "songs", "painted", "horses", "and", "vs", ",", "the", "compare", "between", "with"]), max_size=14))  # fmt: skip
def test_halves_are_parts_of_the_topic_in_order(parts):
    topic = " ".join(parts)
    for left, right in partings(topic):
        assert topic.endswith(right)
        assert left in topic[: len(topic) - len(right)]
        assert min(len(content_words(left)), len(content_words(right))) > 1


@pytest.mark.parametrize(
    ("question", "sides"),
    [("which is better?", 2), ("Marmot vs Heron", 2), ("Marmot vs. Heron versus Stork", 3), ("A VS B vs C vs D", 4), ("vsop and versuses", 2)],
)  # fmt: skip
def test_sides_asked_for(question, sides):
    assert asked_sides(question) == sides


@pytest.mark.parametrize(
    ("topic", "papers"),
    [
        ("zebra stripes vs bird songs", [ZEBRA, STORK]),
        ("bird songs vs zebra stripes", [STORK, ZEBRA]),
        ("compare meal planning from recipes with search over private notes", [CRANE, MARMOT]),
        # Of two ways to part it the second is met better: "with" stands within a side.
        ("horses with painted stripes or birds with sheet music", [ZEBRA, STORK]),
        ("which zebra stripes", []),
    ],
)
def test_each_half_brings_its_paper_in_the_order_asked(retriever, topic, papers):
    found = described_sides(Query(topic, topic), retriever)
    assert [item.paper.id for item in found] == [one.id for one in papers]


@pytest.mark.parametrize("topic", ["sheet music or meal recipes and zebra stripes", "zebra stripes and private notes and sheet music"])  # fmt: skip
def test_of_several_ways_to_part_the_one_is_taken_whose_halves_are_met_best(retriever, topic):
    def best(text):
        return retriever.search(Query(text, text), 1)[0].score

    ways = [best(left) + best(right) for left, right in partings(topic)]
    assert len(set(ways)) > 1
    assert sum(item.score for item in described_sides(Query(topic, topic), retriever)) == pytest.approx(max(ways))


def test_two_halves_about_one_paper_do_not_bring_it_twice(retriever):
    topic = "zebra stripes versus striped zebras"
    found = [item.paper.id for item in described_sides(Query(topic, topic), retriever)]
    assert len(found) == len(set(found))
    assert found[:1] in ([], [ZEBRA.id])


@pytest.mark.parametrize(
    ("phrases", "out"),
    [
        (("zebra",), True),
        (("zebras",), True),  # stems count, not spellings
        (("the zebra ones",), True),
        (("painting",), True),  # twice in the text
        (("horses",), False),  # once in the text
        (("biting cooks",), False),  # every word must be there
        (("bird songs", "stripes"), True),  # one phrase is enough
        (("the",), False),
        (("",), False),
        ((), False),
    ],
)
def test_a_paper_about_what_is_left_out(phrases, out):
    assert is_left_out(ZEBRA, phrases) is out


def test_an_aside_does_not_make_a_paper_one_about_it():
    aside = paper("Soup", "Soup is served hot. Unlike bread, it is drunk.")
    assert not is_left_out(aside, ("bread",))
    assert is_left_out(paper("Soup", f"{aside.abstract} Bread is eaten."), ("bread",))


@pytest.mark.parametrize(
    ("question", "rest", "out"),
    [
        ("which papers plan meals, but not for guests?", "which papers plan meals", ["guests"]),
        ("papers on birds, not cooking", "papers on birds", ["cooking"]),
        ("papers about birds except for compilers", "papers about birds", ["compilers"]),
        ("papers other than Heron", "papers", ["Heron"]),
        ("papers on sorting, excluding those about integers", "papers on sorting", ["integers"]),
        ("papers on meals. skip the bird ones", "papers on meals", ["bird"]),
        ("list cooking papers, nothing about birds please", "list cooking papers", ["birds"]),
        ("papers on meals but leave out those on birds, and no studies of bees", "papers on meals", ["birds", "bees"]),
        ("leave out the bird one. what remains?", "what remains", ["bird"]),
        ("no birds", "", ["birds"]),
    ],
)
def test_what_a_question_leaves_out_leaves_the_question(question, rest, out):
    said, phrases = left_out(question)
    assert (words(said), list(phrases)) == (words(rest), out)


@pytest.mark.parametrize(
    "question",
    ["does Heron not sort?", "papers that do not use labels", "is there no way to sort?", "papers on notes", "what is not sorted by Heron?", ""],
)  # fmt: skip
def test_a_no_in_what_is_asked_leaves_nothing_out(question):
    assert left_out(question) == (question, ())
