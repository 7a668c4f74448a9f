"""Rules for small dishonest edits: "not" and directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.verify.edits import turned

SOURCE = "BERT-large and GPT-4 scored 75.1 on seven sets. LoLCAT saw 1,234 cases of COVID-19, twenty of them twice."


@pytest.mark.parametrize(
    ("claim", "sentence", "said"),
    [
        ("Loss falls by 3 points", "Loss rises by 3 points", "“falls” where the source says “rises”"),
        ("The new method is slower on long texts", "The new method is faster on long texts", "“slower”"),
        ("Training is unstable", "Training is stable", "“unstable”"),
        ("Heron outperforms quicksort", "Heron underperforms quicksort", "“outperforms”"),
        ("It always sorts integers", "It never sorts integers", "“always”"),
        ("Heron does not need any labels", "Heron does need any labels", "“not” stands in the claim"),
        ("Heron isn’t fast on texts", "Heron is fast on texts", "“isn't” stands in the claim"),
        ("Heron sorts integers", "Heron sorts no integers", "“no” stands in the source"),
        ("Accuracy improves without labels", "Accuracy improves with labels", "“without” stands in the claim"),
        # the same thing said
        (
            "They find that deaf kittens never did, hearing ones soon recovered",
            "Hearing kittens soon recovered, whereas deaf ones never did",
            None,
        ),
        ("Speed rises and loss falls", "Loss falls and speed rises", None),
        ("Loss falls where speed rises", "Loss falls", None),
        ("Not one paper fails here", "One paper here", None),  # twice turned
        ("Owls are faster than bees on short texts", "But it is slower than owls on short texts", None),
        ("Memory grows by at most 5 per cent", "Memory grows by less than 5 per cent", None),
        ("Bees are faster than owls on short texts", "Bees are slower than owls on short texts", "“faster” where"),
        # of something else
        ("Owls sleep less in winter", "Bees sort more pollen", None),
        ("Owls do not sleep", "Bees sort pollen by colour", None),
        ("Owls sleep", "Owls sleep in barns that are not heated by their keepers through long winters", None),
        ("", "Owls sleep", None),
        ("Owls sleep", "", None),
    ],
)
def test_turned(claim, sentence, said):
    found = turned(claim, ["Bees sort pollen by colour.", sentence])
    assert (found is None) if said is None else (found and said in found)
    assert turned(claim, []) is None


@given(st.text(max_size=60) | st.lists(st.sampled_from([*SOURCE.split(), "not", "rises", "1.5e3"])).map(" ".join))
def test_a_text_that_repeats_itself_raises_no_objection(text):
    assert turned(text, [text]) is None
