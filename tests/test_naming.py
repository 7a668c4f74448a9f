"""Names of a claim that its source lacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.verify.naming import missing_names

SOURCE = (
    "BERT-large and GPT-4 scored 75.1 on seven sets. LoLCAT saw 1,234 cases of COVID-19 in Spain. Large language models of"
    " Europe were not asked."
)


@pytest.mark.parametrize(
    ("claim", "missing"),
    [
        ("BERT large, GPT4, gpt-4 and bert-LARGE", []),
        ("LoLCATs and Lolcat saw it", []),
        ("GPT-5 did", ["GPT-5"]),
        ("OPT-6.7b and LoRA, then LoRA again", ["OPT-6.7b", "LoRA"]),
        ("Paris is large", []),  # at the beginning every word has a capital
        ("It was seen in Paris", ["Paris"]),
        ("Asked were models in Bengali, then Hindi", ["Bengali", "Hindi"]),
        ("It speaks of European and Spanish models", ["Spanish"]),
        ("It Was Seen In Paris", []),  # a title
        ("LLMs were not asked", []),  # the first letters of words that stand there
        ("CNNs were not asked", ["CNNs"]),
        ("SARS-CoV-2 was seen", []),  # the same by another name
        ("COVID-20 came", ["COVID-20"]),
        ("", []),
    ],
)
def test_missing_names(claim, missing):
    assert missing_names(claim, SOURCE) == missing


@given(st.text(max_size=60) | st.lists(st.sampled_from([*SOURCE.split(), "USA", "K"])).map(" ".join))
def test_a_text_has_its_own_names(text):
    assert missing_names(text, text) == []
