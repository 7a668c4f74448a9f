"""Whose figure it is, by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_scope import pair

from rag.verify.pairing import mispaired

MAMBA = "Before tuning, Mamba attains just 38% and Mamba-2 82% of the gains of comparable models."
OWL = "Owl and Heron reach 31% and 44% on Barnbench, and take 3 and 5 hours."
SETS = "Ostrel reaches 77.5% accuracy on Finnish and 84.2% on Estonian."
GAINS = "Scores rise by 12.4 points for Swahili but by 1.1 points for English."


@pytest.mark.parametrize(
    ("claim", "source", "reason"),
    [
        ("Mamba keeps 82% of the gains, Mamba-2 38%.", MAMBA, "the source gives 38 for Mamba, and 82 for Mamba-2"),
        ("Before tuning, Mamba-2 attains 38%.", MAMBA, "gives 82 for Mamba-2, and 38 for Mamba"),
        ("Owl reaches 44% on Barnbench.", OWL, "gives 31 for Owl, and 44 for Heron"),
        ("Heron takes 3 hours and Owl 5.", OWL, "gives 5 for Heron"),
        ("Ostrel reaches 84.2% on Finnish.", SETS, "gives 77.5 for Finnish, and 84.2 for Estonian"),
        ("The gain is 12.4 points for English.", GAINS, "gives 1.1 for English, and 12.4 for Swahili"),
        # as the source has it, or of nothing that it gives another figure
        ("Mamba-2 keeps 82% of the gains, Mamba 38%.", MAMBA, None),
        ("Heron reaches 44% on Barnbench.", OWL, None),
        ("Heron takes 5 hours and Owl 3.", OWL, None),
        ("On Estonian Ostrel reaches 84.2%.", SETS, None),
        ("With Heron, Barnbench is at 44%.", OWL, None),
        ("Transformers keep 82%.", MAMBA, None),
        ("Mamba keeps 90%.", MAMBA, None),
    ],
)
def test_a_figure_of_another_name_is_told(claim, source, reason):
    found = mispaired([pair(claim, source)])
    assert reason in found.reason if reason else found is None, found


@given(st.lists(st.sampled_from([*f"{MAMBA} {OWL} {SETS}".split(), "and", "on", ","])).map(" ".join))
def test_a_text_gives_its_own_figures_to_its_own_names(text):
    assert mispaired([pair(text, text)]) is None
