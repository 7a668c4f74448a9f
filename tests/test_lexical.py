import pytest

from rag.index.lexical import terms, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Linear-attention models", ["linear", "attention", "models"]),
        ("75.1\\% at 11.9times", ["75.1", "at", "11.9×"]),
        ("naïve café", ["naive", "cafe"]),
        ("don't", ["don't"]),
        ("线性注意力", ["线性注意力"]),
    ],
)
def test_words(text, expected):
    found = words(text)
    assert [word.rstrip("×") for word in found] == [word.rstrip("×") for word in expected]


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("optimise", "optimize"), ("optimisation", "optimization"), ("generalising", "generalizing"), ("tokenisers", "tokenizers"),
        ("analyse", "analyze"), ("colours", "colors"), ("behavioural", "behavioral"), ("labelled", "labeled"), ("modelling", "modeling"),
        ("travellers", "travelers"), ("centre", "center"), ("metres", "meters"), ("catalogue", "catalog"), ("dialogues", "dialogs"),
    ],
)  # fmt: skip
def test_british_and_american_spelling_are_one_term(british, american):
    assert terms(british) == terms(american)


@pytest.mark.parametrize(("one", "other"), [("four", "for"), ("wise", "wize"), ("hour", "hor"), ("our", "or"), ("call", "cal"), ("rise", "rize"), ("tour", "tor")])  # fmt: skip
def test_short_words_are_not_respelled(one, other):
    assert terms(one) != terms(other) or terms(one) == []
