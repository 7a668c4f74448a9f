"""Prompt files: every variable accounted for, values taken literally."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.prompts import Prompt, load
from rag.errors import PromptError

PROMPT = Prompt("test", "Costs $$5.\n$fence\n${passages}\n$fence\n{not} $question")
VALUES = {"fence": "F", "passages": "P", "question": "Q"}


def test_values_take_their_places():
    assert PROMPT.render(**VALUES) == "Costs $5.\nF\nP\nF\n{not} Q"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fence": "F", "passages": "P"}, r"missing \['question'\], unexpected \[\]"),
        ({**VALUES, "extra": "E"}, r"missing \[\], unexpected \['extra'\]"),
        ({}, r"missing \['fence', 'passages', 'question'\]"),
        ({"fence": "F", "passages": "P", "Question": "Q"}, r"missing \['question'\], unexpected \['Question'\]"),
    ],
)
def test_variables_that_do_not_fit(given, said):
    with pytest.raises(PromptError, match=said) as caught:
        PROMPT.render(**given)
    assert "prompts/test.md" in str(caught.value)
    assert caught.value.hint


@given(st.text() | st.sampled_from(["$question", "${fence}", "$$", "$", "{x}", "{0}", "%s", r"\frac{a}{$b$}", r"\1"]))
def test_values_are_literal(value):
    assert PROMPT.render(fence="", passages=value, question="").split("\n", 2)[2] == f"{value}\n\n{{not}} "


def test_the_prompt_of_the_writer():
    prompt = load("answer")
    assert prompt.render(**VALUES).count("F\nP\nF") == 1
    assert "NOT ON THE SHELF" in prompt.template


def test_the_hash_tells_wordings_apart():
    assert load("answer").hash == load("answer").hash
    assert Prompt("a", "x").hash == Prompt("b", "x").hash != Prompt("a", "y").hash


def test_a_missing_prompt_is_said_plainly():
    with pytest.raises(PromptError, match="no prompt 'nowhere'"):
        load("nowhere")
