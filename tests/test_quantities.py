"""Numbers are found in digits and in words, with what they may stand for."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.repair import readable
from rag.verify.quantities import numbers, quantities


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("COVID-19 and GPT-4", []),
        ("COVID‑19 and GPT‑4", []),  # as language models write them
        ("x2, F1 and v1.2.3", []),
        ("1,234", [1234]),
        ("1234 or 1,234.0", [1234]),
        ("75.1%, 75,1", [75.1]),
        ("seven", [7]),
        ("twenty-seven", [27]),
        ("twice, double", [2]),
        ("10-20 of -5", [5, 10, 20]),
        ("10–20", [10, 20]),
        ("Heaven and bone", []),
        ("", []),
    ],
)
def test_numbers(text, held):
    assert sorted(numbers(readable(text))) == held


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3.2 million", [("3.2", [3.2e6], "")]),
        ("7B and 13B", [("7", [7e9], ""), ("13", [13e9], "")]),
        ("5 m deep", [("5", [5, 5e6], "")]),  # metres or millions
        ("3.2 to 4 million", [("3.2", [3.2, 3.2e6], ""), ("4", [4e6], "")]),
        ("3 to 4%", [("3", [3], "per cent"), ("4", [4], "per cent")]),
        ("one hundred and twenty-five", [("one hundred and twenty-five", [125], "")]),
        ("two hundred and five thousand", [("two hundred and five thousand", [205_000], "")]),
        ("three and a half thousand", [("three and a half thousand", [3500], "")]),
        ("five thousand billion", [("five thousand billion", [5e12], "")]),
        ("half a million", [("half a million", [5e5], "")]),
        ("half a per cent", [("half a", [0.5], "per cent")]),
        ("two and three", [("two", [2], ""), ("three", [3], "")]),
        ("a dozen, a pair", [("a dozen", [12], ""), ("pair", [2], "")]),
        ("thirty per cent", [("thirty", [30], "per cent")]),
        ("six percentage points", [("six", [6], "points")]),
        (
            "a factor of three, ten-fold, twice",
            [("three", [3], "times"), ("ten", [10], "times"), ("twice", [2], "times")],
        ),
        ("an order of magnitude", [("order of magnitude", [10], "times")]),
        ("eightfold, hundredfold", [("eightfold", [8], "times"), ("hundredfold", [100], "times")]),
        ("halved", [("halved", [50], "per cent")]),
        ("two thirds", [("two thirds", [66.666667], "per cent")]),
        ("a quarter faster", [("a quarter", [25], "per cent")]),
        ("nine cases in ten.", [("nine cases in ten", [90], "per cent")]),
        ("3 out of 4", [("3 out of 4", [75], "per cent")]),
        ("1/200", [("1/200", [0.5], "per cent")]),
        # no shares
        ("a third model", []),
        ("the second half", []),
        ("half-precision", []),
        ("two cases in ten languages", [("two", [2], ""), ("ten", [10], "")]),
        ("one of them", []),
        ("zero-shot tensors", []),
    ],
)
def test_what_a_number_may_stand_for(text, found):
    assert [(made.written, sorted(made.values), made.unit) for made in quantities(text)] == found


@given(
    st.lists(
        st.sampled_from("a half third two twenty hundred thousand and in of 3 7.5 % x per cent , - . ten times".split())
    ).map(" ".join)
)
def test_a_number_stands_where_it_says(text):
    made = quantities(text)
    assert all(text[one.start : one.end] == one.written and one.values for one in made)
    assert [one.start for one in made] == sorted(one.start for one in made)
    assert all(one.end <= other.start for one, other in itertools.pairwise(made))
