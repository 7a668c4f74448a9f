"""Metrics against hand-computed values, brute force and their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics import (
    auroc,
    balanced_accuracy,
    calibration_error,
    estimate,
    jaccard,
    ndcg,
    paired_p,
    precision_recall_f1,
    recall_at,
    reciprocal_rank,
)

KEYS = st.sampled_from("abcdefgh")
RANKING = st.lists(KEYS, unique=True)
GRADES = st.dictionaries(KEYS, st.integers(-1, 3))
VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(RANKING, GRADES, st.integers(1, 10))
def test_ranking_metrics_stay_within_bounds(ranking, grades, k):
    for value in (ndcg(ranking, grades, k), recall_at(ranking, grades, k), reciprocal_rank(ranking, grades, k)):
        assert 0 <= value <= 1 + 1e-12
    assert recall_at(ranking, grades, k) <= recall_at(ranking, grades, k + 1)


@given(GRADES.filter(lambda grades: max(grades.values(), default=0) > 0), st.integers(1, 10), st.randoms())
def test_the_ideal_ranking_is_one_in_any_order_of_ties(grades, k, random):
    keys = list(grades)
    random.shuffle(keys)
    ideal = sorted(keys, key=lambda key: -grades[key])
    assert ndcg(ideal, grades, k) == pytest.approx(1)
    assert reciprocal_rank(ideal, grades, k) == 1
    assert recall_at(ideal, grades, len(ideal)) == 1


@pytest.mark.parametrize(
    ("ranking", "grades", "k", "expected"),
    [
        ("abc", {"a": 3, "b": 2, "c": 1}, 10, (1, 1, 1)),
        ("cba", {"a": 3, "b": 2, "c": 1}, 10, ((1 + 2 / math.log2(3) + 1.5) / (3 + 2 / math.log2(3) + 0.5), 1, 1)),
        ("xa", {"a": 1}, 10, (1 / math.log2(3), 1, 0.5)),
        ("xa", {"a": 1}, 1, (0, 0, 0)),
        ("ax", {"a": 1, "b": 1}, 10, (1 / (1 + 1 / math.log2(3)), 0.5, 1)),
        ("ax", {"a": 0, "x": -1}, 10, (0, 0, 0)),
        ("", {"a": 1}, 10, (0, 0, 0)),
        ("a", {}, 10, (0, 0, 0)),
    ],
)
def test_ranking_metrics_by_hand(ranking, grades, k, expected):
    found = ndcg(ranking, grades, k), recall_at(ranking, grades, k), reciprocal_rank(ranking, grades, k)
    assert found == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.5, 0.5000001, 1.0])), max_size=25))
def test_auroc_is_the_share_of_pairs_in_order(rows):
    labels, scores = [label for label, _ in rows], [score for _, score in rows]
    pairs = [(p > n) + (p == n) / 2 for a, p in rows for b, n in rows if a == 1 and b == 0]
    found = auroc(labels, scores)
    assert math.isnan(found) if not pairs else found == pytest.approx(sum(pairs) / len(pairs))


@given(VALUES)
def test_estimate_is_repeatable_and_holds_the_mean(values):
    found = estimate(values)
    assert found == estimate(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(sum(values) / len(values))
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_estimate_of_many_values_is_that_of_the_normal_distribution():
    values = np.random.default_rng(3).normal(0.5, 0.1, 400)
    found = estimate(list(values))
    margin = 1.96 * values.std() / 20
    assert (found.low, found.high) == pytest.approx((values.mean() - margin, values.mean() + margin), abs=0.001)
    assert str(estimate([1.0])) == "1.000 [1.000, 1.000] n=1"
    nothing = estimate([])
    assert nothing.n == 0
    assert math.isnan(nothing.mean)


@given(VALUES)
def test_equal_runs_do_not_differ(values):
    assert paired_p(values, values) == 1


@given(VALUES, VALUES)
def test_p_is_a_probability_and_has_no_sides(ours, theirs):
    size = min(len(ours), len(theirs))
    p = paired_p(ours[:size], theirs[:size])
    assert 0 < p <= 1
    assert p == paired_p(theirs[:size], ours[:size])


def test_p_by_hand():
    assert paired_p([1.0] * 40, [0.0] * 40) < 0.001
    assert paired_p([1.0, 1.0], [0.0, 0.0]) == pytest.approx(0.5, abs=0.05)  # 2 of 4 sign patterns
    assert paired_p([1.0, 0.0], [0.0, 1.0]) == 1


@pytest.mark.parametrize(
    ("found", "gold", "expected"),
    [
        ("ab", "ab", (1, 1, 1)),
        ("ab", "bc", (0.5, 0.5, 0.5)),
        ("abcd", "a", (0.25, 1, 0.4)),
        ("aab", "a", (0.5, 1, 2 / 3)),
        ("a", "b", (0, 0, 0)),
        ("", "a", (0, 0, 0)),  # refused, though there was something to find
        ("a", "", (0, 0, 0)),
        ("", "", (1, 1, 1)),  # refused, and rightly
    ],
)
def test_precision_recall_f1(found, gold, expected):
    assert precision_recall_f1(found, gold) == pytest.approx(expected)


def test_balanced_accuracy_and_calibration():
    assert balanced_accuracy([1, 1, 1, 0], [True, True, False, False]) == pytest.approx((2 / 3 + 1) / 2)
    assert math.isnan(balanced_accuracy([1, 1], [True, False]))
    assert calibration_error([1, 0], [1.0, 0.0]) == 0
    assert calibration_error([0, 0, 1, 1], [0.75, 0.75, 0.75, 0.75]) == pytest.approx(0.25)
    assert calibration_error([1, 0], [0.0, 1.0]) == 1


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("ab", "ab", 1), ("ab", "bc", 1 / 3), ("abcd", "a", 0.25), ("aab", "ab", 1), ("a", "b", 0), ("a", "", 0), ("", "", 1)],
)  # fmt: skip
def test_jaccard_by_hand(one, other, expected):
    assert jaccard(one, other) == pytest.approx(expected)


@given(st.sets(KEYS), st.sets(KEYS))
def test_jaccard_has_no_sides_and_is_one_for_equal_sets_only(one, other):
    assert 0 <= jaccard(one, other) == jaccard(other, one) <= 1
    assert (jaccard(one, other) == 1) is (one == other)
