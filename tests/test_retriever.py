"""Search over a small shelf: what each leg adds, exact words, filters, and lists by metadata."""

import dataclasses

import numpy as np
import pytest
from fakes import CRANE, MARMOT, STORK, ZEBRA, paper
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Settings
from rag.index.shelf import Shelf
from rag.retrieve.evidence import gather
from rag.retrieve.query import understand_alone
from rag.retrieve.retriever import LEGS, Retriever, _best
from rag.types import Filters, Order, Query

# Level with the second newest, the second most authors and the fewest comments.
HERON = paper("Heron Nests", "Herons nest in colonies. Each colony has 40 nests.", year=2024, date="2024-02-01")
STORK = dataclasses.replace(STORK, date="2025-01-01", year=2025, author_count=9, comment_count=7)
CRANE = dataclasses.replace(CRANE, author_count=4, comment_count=1)
MARMOT = dataclasses.replace(MARMOT, author_count=4, comment_count=1)
PAPERS = (MARMOT, CRANE, ZEBRA, STORK, HERON)
TITLES = {one.id: one.title.split()[0].strip(":") for one in PAPERS}
QUESTION = "a private recall of meals that simmer for hours"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with Shelf(tmp_path_factory.mktemp("retriever") / "shelf", Settings(), create=True) as shelf:
        shelf.put(PAPERS)
        shelf.refresh()
        yield shelf


@pytest.fixture(scope="module")
def retriever(shelf):
    return Retriever(shelf)


def called(found):
    return [TITLES[item.paper.id] for item in found]


def scores(retriever, text, limit=len(PAPERS)):
    return {item.paper.id: item.score for item in retriever.search(Query(text, text), limit)}


@pytest.mark.parametrize(
    ("question", "best"),
    [("recipes for dinner", "CraneNet"), ("insects that sting horses", "Zebra"), ("looking things up in jottings", "Marmot"), ("a machine that writes down what birds sing", "The")],
)  # fmt: skip
def test_what_is_meant_comes_first(retriever, question, best):
    found = retriever.search(Query(question, question), len(PAPERS))
    assert called(found)[0] == best
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


def test_chroma_and_looking_at_all_passages_find_the_same(shelf, retriever, monkeypatch):
    exact = scores(retriever, QUESTION)
    monkeypatch.setattr("rag.retrieve.retriever.ALL_PASSAGES", 0)
    asked = []
    nearest = shelf.nearest
    monkeypatch.setattr(shelf, "nearest", lambda *arguments: asked.append(arguments) or nearest(*arguments))
    assert scores(Retriever(shelf), QUESTION) == exact
    assert asked


def test_the_legs_have_names(shelf, retriever):
    assert sorted(LEGS) == ["dense", "feedback", "late", "lexical", "phrase"]
    assert scores(Retriever(shelf, without=["nonsense"]), QUESTION) == scores(retriever, QUESTION)


@pytest.mark.parametrize("leg", sorted(LEGS))
def test_each_leg_adds_to_the_scores_and_can_be_left_out(shelf, retriever, leg):
    whole, without = scores(retriever, QUESTION), scores(Retriever(shelf, without=[leg]), QUESTION)
    assert without
    assert any(without[key] < whole[key] - 1e-3 for key in without)


def test_without_words_no_word_counts_and_without_meaning_only_words_do(shelf):
    dense = Retriever(shelf, without=LEGS - {"dense"}).search(Query("nests", "nests"), 9)
    assert {item.lexical for item in dense} == {0}
    words = Retriever(shelf, without=LEGS - {"lexical"})
    assert called(words.search(Query("colonies", "colonies"), 9)) == ["Heron"]
    assert words.search(Query("volcano", "volcano"), 9) == []
    assert Retriever(shelf, without=LEGS).search(Query("nests", "nests"), 9) == []


@given(st.integers(0, 6))
def test_a_limit_cuts_the_same_order(retriever, limit):
    assert list(scores(retriever, QUESTION, limit)) == list(scores(retriever, QUESTION))[:limit]


@pytest.mark.parametrize(
    ("phrase", "papers"),
    [
        ("simmer for hours", ["CraneNet"]),
        ("Simmer FOR hours.", ["CraneNet"]),
        ("retrieval from few", ["Marmot"]),  # in the title
        ("zebra-stripes", ["Zebra"]),
        ("4.5 points", ["Marmot"]),
        ("hours simmer", []),  # in a row
        ("simmer hours", []),
        ("immer for hour", []),  # whole words
        ("simmered for hours", []),  # as written
        ("hours it was", ["CraneNet"]),
        ("private stripes", []),
        ("volcano", []),
    ],
)
def test_papers_that_say_exactly_this(retriever, phrase, papers):
    assert [TITLES[key] for key in retriever.saying(phrase)] == papers


@pytest.mark.parametrize(
    ("question", "papers", "noted"),
    [
        ('which papers say "biting flies"?', {"Zebra"}, 0),
        ("which papers on meals and nests say “in colonies”?", {"Heron"}, 0),
        ('papers on zebra stripes that say "no such words"', {"Zebra"}, 1),
    ],
)
def test_words_in_quotation_marks_limit_the_answer_where_a_paper_has_them(shelf, retriever, question, papers, noted):
    _, found = gather([understand_alone(question, shelf)], retriever)
    assert {TITLES[item.paper.id] for item in found.kept} == papers
    assert sum("exact words" in note for note in found.notes) == noted


def test_quoted_words_of_different_papers_stand_in_none(shelf, retriever):
    _, found = gather([understand_alone('which papers say "biting flies" and "sheet music"?', shelf)], retriever)
    assert (found.kept, bool(found.reason)) == ((), True)


@pytest.mark.parametrize(
    ("order", "papers"),
    [
        (Order("date", True, 1), ["The"]),
        (Order("date", True, 2), ["The", {"CraneNet", "Heron"}]),  # both are of that day
        (Order("date", False, 1), ["Marmot"]),
        (Order("author_count", True, 1), ["The"]),
        (Order("author_count", True, 2), ["The", {"Marmot", "CraneNet"}]),
        (Order("author_count", False, 1), [{"Marmot", "CraneNet"}]),
        (Order("comment_count", True, None), ["The", {"Marmot", "CraneNet"}]),
    ],
)
def test_what_is_level_with_the_last_is_not_left_out(retriever, order, papers):
    found = called(retriever.search(Query("q", "", order=order), order.limit or 9))
    for wanted in papers:
        own = {wanted} if isinstance(wanted, str) else wanted
        assert set(found[: len(own)]) == own
        found = found[len(own) :]
    assert found == []


@pytest.mark.parametrize(
    ("question", "papers"),
    [
        ("which paper has the fewest authors?", {"Marmot", "CraneNet"}),
        ("the two newest papers", {"The", "CraneNet", "Heron"}),
        ("what is the newest paper?", {"The"}),
        ("papers from 2024", {"CraneNet", "Heron"}),
        ("the oldest paper since 2024", {"CraneNet", "Heron"}),
        ("papers with more than five authors", {"The"}),
        ("papers from 2024 but not about nests", {"CraneNet"}),
    ],
)
def test_metadata_questions_are_answered_by_records(shelf, retriever, question, papers):
    query, found = gather([understand_alone(question, shelf)], retriever)
    assert query.topic == ""
    assert {TITLES[item.paper.id] for item in found.kept} == papers


@pytest.mark.parametrize(
    ("conditions", "papers"),
    [
        ([("year", "gte", 2024)], {"CraneNet", "The", "Heron"}),
        ([("year", "lt", 2023)], {"Zebra"}),
        ([("author_count", "eq", 4)], {"Marmot", "CraneNet"}),
        ([("year", "eq", 1999)], set()),
    ],
)
def test_only_what_passes_the_filters_is_found(retriever, conditions, papers):
    query = Query("painted horses", "painted horses", filters=Filters(tuple(conditions)))
    assert set(called(retriever.search(query, 9))) == papers


def test_papers_carried_from_an_earlier_answer_are_the_only_ones(retriever):
    query = Query("painted horses", "painted horses", carried=(CRANE.id, HERON.id))
    assert set(called(retriever.search(query, 9))) == {"CraneNet", "Heron"}


@pytest.mark.parametrize(
    ("wanted", "share"), [(["zebra"], 1), (["zebra", "volcano"], None), (["volcano"], 0), ([], 0), (["meal"], 0)]
)
def test_coverage_is_a_share_of_information(retriever, wanted, share):
    (found,) = retriever._coverage(wanted, [ZEBRA.id])
    assert 0 < found < 0.5 if share is None else found == share  # the rarer word weighs more


def test_gain_counts_only_what_is_new(retriever):
    topic = "zebra stripes and meals"
    assert retriever.gain(topic, ZEBRA.id, []) > retriever.gain(topic, CRANE.id, []) > 0
    assert retriever.gain(topic, ZEBRA.id, [ZEBRA.id]) == 0
    assert retriever.gain(topic, CRANE.id, [ZEBRA.id]) == retriever.gain(topic, CRANE.id, [])
    assert retriever.gain("the of", ZEBRA.id, []) == 0


def test_kin_are_alike(retriever):
    kinship = {item.paper.id: item.kinship for item in retriever.search(Query("birds that nest", "birds that nest"), 9)}
    assert all(-1 <= value <= 1 + 1e-6 for value in kinship.values())
    assert kinship[HERON.id] > kinship[MARMOT.id]


def test_an_empty_shelf_finds_nothing(tmp_path):
    with Shelf(tmp_path / "shelf", Settings(), create=True) as shelf:
        assert Retriever(shelf).search(Query("birds", "birds"), 5) == []
        assert Retriever(shelf).saying("birds") == []


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0]), max_size=30), st.integers(1, 12))
def test_the_best_rows_are_those_of_a_full_sort(values, count):
    scores = np.array(values, dtype=np.float32)
    order = np.argsort(-scores, kind="stable")[:count]
    assert _best(scores, count) == [row for row in order.tolist() if scores[row] > 0]


@pytest.mark.parametrize("matched", [False, True])
def test_sentences_do_not_depend_on_what_was_searched_before(shelf, matched):
    query, other = Query(QUESTION, QUESTION), Query("painted horses", "painted horses")
    used, fresh = Retriever(shelf), Retriever(shelf)

    def same(left, right):
        assert [item.paper for item in left] == [item.paper for item in right]
        for one, another in zip(left, right, strict=True):
            assert [span.start for span in one.spans] == [span.start for span in another.spans]
            scores = [span.score for span in another.spans]  # another batch may round the last digit otherwise
            assert [span.score for span in one.spans] == pytest.approx(scores, abs=1e-5)

    found = used.search(query, 3)
    expected = fresh.with_spans(query, found, matched=matched)
    same(used.with_spans(query, found, matched=matched), expected)
    used.search(other, 5)
    same(used.with_spans(query, found, matched=matched), expected)
    same(used.with_spans(query, found[1:2], matched=matched), expected[1:2])
