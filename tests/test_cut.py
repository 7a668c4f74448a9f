"""How many papers are kept, and whether any answers: against brute force and by hand."""

import dataclasses

import pytest
from fakes import MARMOT
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.cut import FIELD, answers, expected_best, keep, likelihood, probability, relevance, relevance_features
from rag.types import Evidence, Match, Span

ODDS = st.lists(st.floats(0, 1), min_size=1, max_size=12)
SHARE = st.floats(0, 1)


def item(number, score=1.0, cosine=0.5, lexical=1.0, coverage=0.5, similarity=0.5, span=0.5, kinship=0.5, **match):
    paper = dataclasses.replace(MARMOT, id=str(number))
    spans = (Span(0, 9, span),)
    return Evidence(paper, score, cosine, lexical, coverage, similarity, spans, Match(**match), kinship)


def pools(smallest=1):
    values = st.tuples(st.floats(-1, 3), SHARE, st.floats(0, 20), SHARE, SHARE, st.floats(0, 2), SHARE)
    return st.lists(values, min_size=smallest, max_size=9).map(
        lambda rows: [item(number, *row) for number, row in enumerate(rows)]
    )


def expected_f1(chosen, odds):
    return 2 * sum(odds[at] for at in chosen) / (len(chosen) + sum(odds))


@given(ODDS)
def test_what_is_kept_is_the_likeliest_and_has_the_greatest_expected_f1(odds):
    kept = expected_best(odds)
    ordered = sorted(range(len(odds)), key=lambda at: -odds[at])
    assert kept == ordered[: len(kept)]
    assert kept
    best = max(expected_f1(ordered[:count], odds) for count in range(1, len(odds) + 1))
    assert expected_f1(kept, odds) == pytest.approx(best)


@given(st.lists(SHARE, min_size=1, max_size=7))
def test_no_other_choice_of_any_papers_expects_more(odds):
    sets = [[at for at in range(len(odds)) if mask >> at & 1] for mask in range(1, 2 ** len(odds))]
    assert expected_f1(expected_best(odds), odds) == pytest.approx(max(expected_f1(one, odds) for one in sets))


@pytest.mark.parametrize(
    ("odds", "kept"),
    [
        ([], []),
        ([0.0], [0]),
        ([0.0, 0.0], [0]),  # nothing is likely: still the first
        ([1.0, 1.0, 1.0], [0, 1, 2]),
        ([0.2, 0.9, 0.1], [1]),
        ([0.9, 0.1, 0.8], [0, 2]),
        ([0.3, 0.3, 0.3], [0, 1, 2]),  # all alike: all or, in vain, one
        ([0.5, 0.9, 0.5], [1, 0, 2]),
    ],
)
def test_how_many_are_kept_by_hand(odds, kept):
    assert expected_best(odds) == kept


@given(ODDS)
def test_a_certain_paper_is_always_kept(odds):
    assert len(odds) in expected_best([*odds, 1.0])


@pytest.mark.parametrize(
    ("features", "weights", "bias", "expected"),
    [
        ({}, {}, 0.0, 0.5),
        ({"a": 1.0}, {"a": 2.0}, -2.0, 0.5),
        ({"a": 1.0, "b": 9.0}, {"a": 1.0}, 0.0, 0.7310586),  # what has no weight does not count
        ({"a": -1.0}, {"a": 1.0}, 0.0, 0.2689414),
    ],
)
def test_probability_by_hand(features, weights, bias, expected):
    assert probability(features, weights, bias) == pytest.approx(expected)


@given(pools())
def test_a_paper_is_measured_against_its_pool(pool):
    for one in pool:
        found = relevance_features(one, pool)
        assert 0 <= found["lexical"] <= 1
        assert max(found[name] for name in found if name.endswith("_gap")) <= 0
        assert 0 <= relevance(one, pool) <= 1
    for name in ("span_gap", "cosine_gap", "score_gap", "similarity_gap"):
        assert max(relevance_features(one, pool)[name] for one in pool) == 0
    assert sum(relevance_features(one, pool)["standing"] for one in pool) == pytest.approx(0, abs=1e-6)


@given(pools())
def test_a_list_keeps_the_likeliest_of_its_pool_in_order(pool):
    kept, odds = keep(pool), {one.paper.id: relevance(one, pool) for one in pool}
    shares = [odds[one.paper.id] for one in kept]
    assert kept
    assert shares == sorted(shares, reverse=True)
    assert min(shares) >= max((odds[one.paper.id] for one in pool if one not in kept), default=0)


def test_a_pool_that_falls_off_is_cut_there():
    pool = [item(number, 1.8, 0.7, 9.0, 1.0, 0.8, 0.9, 0.8) for number in range(3)]
    pool += [item(number, 0.3, 0.1, 0.0, 0.0, 0.2, 0.1, 0.1) for number in range(3, 9)]
    assert [one.paper.id for one in keep(pool[::-1])] == ["2", "1", "0"]
    assert keep([]) == []


def test_a_paper_without_sentences_is_measured_too():
    bare = dataclasses.replace(item(1), spans=())
    assert relevance(bare, [bare]) < relevance(item(1), [item(1)])


@pytest.mark.parametrize("named", [0.0, 1.0])
@given(pools(), st.data())
def test_a_paper_that_is_nearer_is_likelier_to_answer(named, pool, data):
    one = dataclasses.replace(data.draw(st.sampled_from(pool)), match=Match(named=named))
    nearer = dataclasses.replace(one, cosine=one.cosine + 0.1, similarity=one.similarity + 0.1)
    assert 0 <= likelihood(one, pool) < likelihood(nearer, pool) <= 1
    assert answers(nearer, pool) or not answers(one, pool)


def test_what_answers_is_near_and_what_does_not_is_far():
    near, far = item(1, 2.0, 0.7, 9.0, 1.0, 0.8), item(2, 0.4, 0.1, 0.0, 0.0, 0.2)
    assert answers(near, [near, far])
    assert not answers(far, [far])


def test_a_named_paper_is_asked_for_the_words_and_the_figure():
    met = item(1, 1.0, 0.3, 1.0, 0.3, 0.4, named=1.0, words=0.9, sentence=0.9)
    missed = item(1, 1.0, 0.3, 1.0, 0.3, 0.4, named=1.0, words=0.1, sentence=0.1, no_figure=1.0, thing_figure=0.1)
    assert likelihood(met, [met]) > likelihood(missed, [missed])
    # A question that names no paper is not told by these.
    alone = [dataclasses.replace(one, match=dataclasses.replace(one.match, named=0.0)) for one in (met, missed)]
    assert likelihood(alone[0], [alone[0]]) == likelihood(alone[1], [alone[1]])


def test_a_lead_over_the_field_speaks_for_the_best():
    best = item(0, 1.5)
    crowd = [item(number, 1.4) for number in range(1, FIELD.stop)]
    assert likelihood(best, [best]) > likelihood(best, [best, *crowd])
    # The second may be as good: a question may have two answers.
    assert likelihood(best, [best]) == likelihood(best, [best, crowd[0]])
