"""Numbers of a claim that its source bears out, and those that it does not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.verify.arithmetic import Figures, missing_numbers, other_unit

SOURCE = "BERT-large and GPT-4 scored 75.1 on seven sets. LoLCAT saw 1,234 cases of COVID-19, twenty of them twice."


@pytest.mark.parametrize(
    ("claim", "missing"),
    [
        ("GPT-4 scored 75.1 on COVID-19", []),
        ("it holds 1234 cases", []),
        ("it holds 1,234 cases", []),
        ("scored on 7 sets", []),
        ("20 of them", []),
        ("scored 75.2", ["75.2"]),
        ("scored 75 on 8 sets", ["75", "8"]),
        ("scored 8, 8 and 8", ["8"]),
        ("1,235 cases", ["1,235"]),
        ("COVID-20", []),  # a name, not a number
    ],
)
def test_missing_numbers(claim, missing):
    assert missing_numbers(claim, [SOURCE]) == missing


@pytest.mark.parametrize(
    ("claim", "source", "missing"),
    [
        # roundings that are announced as such
        ("about 75 points", "It scored 75.1 points.", []),
        ("more than 400 hours", "It took 410 hours.", []),
        ("nearly 50%", "It reached 49.6%.", []),
        ("under 500 hours", "It took 410 hours.", []),
        ("75 points", "It scored 75.4 points.", ["75"]),
        ("about 60 points", "It scored 75.1 points.", ["60"]),
        ("more than 500 hours", "It took 410 hours.", ["500"]),
        ("under 400 hours", "It took 410 hours.", ["400"]),
        # what follows from figures of one sentence
        ("a gain of 5.3 points", "It rises from 41.2 to 46.5.", []),
        ("Training is 4 times as fast", "Training takes 3 hours in place of 12.", []),
        ("75% less training", "Training takes 3 hours in place of 12.", []),
        ("75% less memory", "Training takes 3 hours in place of 12.", ["75"]),
        ("30% faster training", "Training is 1.3x as fast.", []),
        ("the other 12% of cases", "It is right in 88% of cases.", []),
        ("3,200,000 rows", "It has 3.2 million rows.", []),
        ("a gain of 7.3 points", "It rises from 41.2 to 46.5.", ["7.3"]),
        ("33% of the texts", "It removes a third of the texts.", []),
        ("17% of the cost", "It has one sixth of the cost.", []),
        ("80% of them", "Four in five agree.", []),
        ("0.5% of the cost", "It runs at 1/200 of the cost.", []),
        ("600 of the queries", "Of 1,500 queries, 40% need no tool.", []),
        ("10,000 euros", "Of the 25,000 euros two fifths go there.", []),
        ("40% of the texts", "It removes a third of the texts.", ["40"]),
        ("700 of the queries", "Of 1,500 queries, 40% need no tool.", ["700"]),
        ("33 texts", "It removes a third of the texts.", ["33"]),
        ("it has 340M parameters", "It has 340,000,000 parameters.", []),
        ("340,000 cases", "It saw 340k cases.", []),
        ("240% as much", "It uses 2.4 times as much.", []),
        ("a share of 0.75", "It is right in 75% of cases.", []),
        # a factor of a hundred or a thousand that nothing announces
        ("450 points", "It rises by 4.5 points.", ["450"]),
        ("4,500 rows", "It has 4.5 columns.", ["4,500"]),
        ("3.2 billion rows", "It has 3,200,000 rows.", ["3.2"]),
        ("seven thousand rows", "It has 7 columns.", ["seven thousand"]),
        ("7B parameters", "It has 7 layers.", ["7"]),
        # in words
        ("seven billion parameters", "The 7B model won.", []),
        ("a model of seven billion parameters", "Models of 120M and 1.4B were trained.", ["seven billion"]),
        ("forty lines", "It takes four lines.", ["forty"]),
        ("Recall falls by some thirty points", "Recall falls from 81 to 52.", []),
        ("a little over a third", "It holds for 36% of them.", []),
        ("two thirds of them", "It holds for 57% of them.", ["two thirds"]),
        ("nearly nine in ten", "It solves 88%.", []),
        ("one bug in five", "It finds 18% of the bugs.", []),
        ("fewer than a quarter", "It repairs up to 57%.", ["a quarter"]),
        ("less than half a per cent", "It takes 0.4% of the tokens.", []),
        ("half a percent", "It takes 3% of the tokens.", ["half a"]),
        ("a tenth of the errors", "Errors fall by an order of magnitude.", []),
        ("it triples the speed", "Speed goes from 20 to 61 pages.", []),
        # the number of something else
        ("five sets", "It grows by less than 5%.", ["five"]),
        ("40% of the words", "It knows 40 languages.", ["40"]),
        ("12 hours", "It gains 12 points.", ["12"]),
        ("it gains 4.5", "It gains 4.5%.", []),
        ("seven and eight billion weights", "Llama-3-8B and Mistral-7B were tried.", []),
        ("it doubles the speed", "Speed goes from 20 to 61 pages.", ["doubles"]),
        ("thirty-odd repositories", "It has 34 repositories.", []),
        # what is listed need not be counted
        ("three sizes of models", "There are models of 120M, 410M and 1.4B.", []),
        ("four animals, owls among them", "It knows owls, bees, rabbits and crows.", []),
        ("five animals, owls among them", "It knows owls, bees, rabbits and crows.", ["five"]),
        ("four mice", "It knows owls, bees, rabbits and crows.", ["four"]),
        # within a name
        ("the 7b version", "For LLaMA-7b it rises.", []),
        ("32-bit weights", "It is smaller than FP32.", []),
        # figures of two sentences have nothing to do with each other
        ("a gain of 5.3 points", "One is 41.2. The other is 46.5.", ["5.3"]),
    ],
)
def test_what_follows_from_a_source(claim, source, missing):
    sentences = [f"{part.strip()}." for part in source.split(". ")]
    assert missing_numbers(claim, sentences) == missing


@pytest.mark.parametrize(
    ("claim", "source", "said"),
    [
        ("It gains 4.5%.", "It gains 4.5 points.", "“4.5 per cent” where the source says “4.5 points”"),
        ("It gains 4.5 percentage points.", "It gains 4.5%.", "“4.5 points” where the source says “4.5 per cent”"),
        ("It is 2.4x as fast.", "It is 2.4% faster.", "“2.4 times” where the source says “2.4 per cent”"),
        ("faster by a factor of 2.4", "It is 2.4 percent faster.", "“2.4 times” where the source says “2.4 per cent”"),
        ("It gains 4.5.", "It gains 4.5%.", None),
        ("It gains 4.5%.", "It gains 4.5.", None),
        ("It gains 4.5%.", "It gains 4.5 points. That is 4.5% of all.", None),
        ("It is 2.4-fold.", "It is 2.4 times.", None),
        ("It takes 7 pages.", "It takes 7 times.", None),
    ],
)
def test_other_units(claim, source, said):
    found = other_unit(Figures.of(claim), [Figures.of(part) for part in source.split(". ")])
    assert found == (said and f"the claim says {said}")


def test_a_share_in_words_is_not_taken_from_another_statement():
    source = ["It needs half of the labels.", "On company data, Heron attains an F1 score of 96.5%."]
    assert missing_numbers("Heron attains an F1 score of 50% on company data.", source) == ["50"]
    assert missing_numbers("It needs 50% of the labels.", source) == []
    assert missing_numbers("50% is enough.", source[:1]) == []


@given(st.text(max_size=80))
def test_a_text_bears_out_its_own_numbers(text):
    assert missing_numbers(text, [text]) == []


@given(st.integers(2, 10**6), st.lists(st.integers(0, 10**6), max_size=4))
def test_an_unannounced_number_is_missing_unless_something_gives_it(value, given_numbers):
    source = " and ".join(map(str, given_numbers))
    if missing_numbers(f"it is {value}", [source]):
        assert value not in given_numbers
    elif value not in given_numbers:
        assert given_numbers  # it follows from what is there


FIGURES = st.lists(
    st.sampled_from("9 0 . , 000 a half third trillion % to x times in and one ten of K 1e9 ∞".split())
).map(" ".join)


@example("seven", "9", "9" * 400)
@given(FIGURES, FIGURES, st.text(alphabet="0123456789.,", max_size=400))
def test_no_number_is_too_odd_to_be_looked_for(claim, source, figure):
    found = missing_numbers(f"{claim} {figure}", [source, figure])
    assert all(written in f"{claim} {figure}" for written in found)
