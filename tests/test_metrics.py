"""Metrics against hand-computed values, brute force and their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.curves import area, precision_recall, reliability, risk_coverage
from eval.intervals import bootstrap, estimate, holm, paired_p
from eval.metrics import (
    auroc,
    average_precision,
    balanced_accuracy,
    by_score,
    calibration_error,
    jaccard,
    kappa,
    ndcg,
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


# --- the reference implementation

SCORED = st.dictionaries(st.sampled_from("abcdefghijklmno"), st.integers(0, 4).map(float), min_size=1)
JUDGED = st.dictionaries(st.sampled_from("abcdefghijklmno"), st.integers(0, 3), min_size=1)


@given(SCORED, JUDGED)
def test_ranking_metrics_are_those_of_trec_eval_ties_included(scored, relevance):
    pytrec_eval = pytest.importorskip("pytrec_eval")
    wanted = {"ndcg_cut.10", "recall.5", "recip_rank", "map"}
    reference = pytrec_eval.RelevanceEvaluator({"q": relevance}, wanted).evaluate({"q": scored})["q"]
    found = by_score(scored)
    assert ndcg(found, relevance) == pytest.approx(reference["ndcg_cut_10"])
    assert recall_at(found, relevance, 5) == pytest.approx(reference["recall_5"])
    assert reciprocal_rank(found, relevance, len(found)) == pytest.approx(reference["recip_rank"])
    assert average_precision(found, relevance) == pytest.approx(reference["map"])


def test_average_precision_by_hand():
    assert average_precision("xaxb", {"a": 1, "b": 2}) == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert average_precision("a", {"a": 1, "lost": 1}) == 0.5
    assert average_precision("", {"a": 1}) == average_precision("a", {}) == 0


def test_kappa_by_hand():
    assert kappa([1, 1, 0, 0], [True, True, False, False]) == 1
    assert kappa([1, 0, 1, 0], [True, True, False, False]) == 0
    assert kappa([1, 0], [False, True]) == -1
    # 20 both yes, 15 both no, 5 and 10 apart: the textbook's 0.4
    labels = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15
    assert kappa(labels, [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15) == pytest.approx(0.4)
    assert math.isnan(kappa([1, 1], [True, True]))


@given(st.lists(st.sampled_from([0.001, 0.02, 0.03, 0.2, 1.0]), min_size=1, max_size=9))
def test_holm_only_raises_and_keeps_the_order(p_values):
    found = holm(p_values)
    assert all(p <= other <= 1 for p, other in zip(p_values, found, strict=True))
    assert max(zip(p_values, found, strict=True))[1] == max(found)
    assert min(found) == pytest.approx(min(1, len(p_values) * min(p_values)))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_the_interval_of_a_set_figure_is_that_of_its_mean():
    values = np.random.default_rng(5).normal(0.5, 0.1, 300)
    found = bootstrap(lambda rows: float(values[rows].mean()), 300)
    assert found == bootstrap(lambda rows: float(values[rows].mean()), 300)
    assert (found.low, found.high) == pytest.approx(
        (estimate(list(values)).low, estimate(list(values)).high), abs=0.003
    )
    assert bootstrap(lambda rows: math.nan, 3).n == 3
    assert math.isnan(bootstrap(lambda rows: 1.0, 0).mean)


# --- curves


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1))
def test_curves_go_from_left_to_right_and_end_with_everything(rows):
    labels, scores = [label for label, _ in rows], [score for _, score in rows]
    for points in (precision_recall(labels, scores), risk_coverage([float(x) for x in labels], scores)):
        assert [x for x, _ in points] == sorted(x for x, _ in points)
        assert all(0 <= part <= 1 for point in points for part in point)
    assert precision_recall(labels, scores)[-1][1] == pytest.approx(sum(labels) / len(labels))
    assert risk_coverage(labels, scores)[-1] == pytest.approx((1, 1 - sum(labels) / len(labels)))
    assert sum(item.count for item in reliability(labels, scores)) == len(rows)


def test_curves_by_hand():
    assert precision_recall([1, 0, 1], [0.9, 0.5, 0.5]) == [(0.5, 1.0), (1.0, pytest.approx(2 / 3))]
    assert risk_coverage([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1]) == [(0.25, 0), (0.75, pytest.approx(1 / 3)), (1.0, 0.5)]
    assert area([(0.5, 1.0), (1.0, 0.5)]) == pytest.approx(0.75)
    (low, high) = reliability([0, 1, 1], [0.0, 0.95, 1.0])
    assert (low.score, low.share, low.count) == (0, 0, 1)
    assert (high.score, high.share, high.count) == (pytest.approx(0.975), 1, 2)
