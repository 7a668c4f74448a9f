"""Papers that disagree, and papers that only look like it: all invented."""

import pytest
from fakes import open_shelf, paper
from hypothesis import given
from hypothesis import strategies as st

from rag.types import Evidence, Role, Span, Verdict
from rag.verify.disagreement import disagreements, opposite

DROPOUT = "Dropout improves the accuracy of small language models."
RIVALS = "Recurrent networks outperform transformers on short queries."
CODE = "Training on code leads to higher recall on tables."

OPPOSITE = [
    # turned by one word
    (DROPOUT, "Dropout degrades the accuracy of small language models."),
    (DROPOUT, "The authors find that dropout significantly degrades the accuracy of small language models by 3.2%."),
    (DROPOUT, "Contrary to common belief, dropout degrades the accuracy of small language models."),
    (CODE, "Training on code leads to lower recall on tables."),
    ("Training on code makes reasoning over tables better.", "Training on code makes reasoning over tables worse."),
    ("Instruction tuning is sufficient for safe dialogue.", "Instruction tuning is insufficient for safe dialogue."),
    # denied
    (DROPOUT, "We show that dropout does not improve the accuracy of small language models."),
    (DROPOUT, "Dropout doesn’t improve the accuracy of language models."),
    ("Pruning reduces the latency of decoding.", "Pruning fails to reduce the latency of decoding."),
    # another winner
    (RIVALS, "Transformers outperform recurrent networks on short queries."),
    (RIVALS, "On short queries, transformers outperform recurrent networks by 3 points."),
    ("BM25 finds more rare names than dense retrieval.", "Dense retrieval finds more rare names than BM25."),
    (
        "Models with sparse attention are faster than models with dense attention.",
        "Models with dense attention are faster than models with sparse attention.",
    ),
]
NOT_OPPOSITE = [
    # of something else
    ("Pruning improves accuracy on long inputs.", "Quantization degrades accuracy on long inputs."),
    (RIVALS, "Convolutional networks outperform transformers on short queries."),
    (RIVALS, "Transformers outperform convolutional networks on short queries."),
    ("Heron finds more rare names than BM25.", "Heron finds fewer rare names than CraneNet."),
    ("Dropout lowers the loss of language models.", "Dropout raises the accuracy of language models."),
    # under other conditions
    ("Dropout improves the accuracy of small models.", "Dropout degrades the accuracy of large models."),
    (RIVALS, "Transformers outperform recurrent networks on long documents."),
    ("Accuracy improves with labels on small shelves.", "Accuracy improves without labels on small shelves."),
    ("Training on smaller shelves improves accuracy.", "Training on larger shelves improves accuracy."),
    ("Training with increased noise helps recall.", "Training with reduced noise helps recall."),
    (CODE.replace("tables", "larger models"), CODE.replace("tables", "smaller models")),
    ("Models are more stable before pruning.", "Models are more stable after pruning."),
    # twice turned: the same finding
    ("Higher learning rates improve accuracy here.", "Lower learning rates degrade accuracy here."),
    (DROPOUT, "Removing dropout degrades the accuracy of small language models."),
    (RIVALS, "Transformers underperform recurrent networks on short queries."),
    (RIVALS, "Transformers are outperformed by recurrent networks on short queries."),
    (
        "Larger models are more stable than smaller models in training.",
        "Smaller models are less stable than larger models in training.",
    ),
    # not denied, hedged, asked, or told of others
    (DROPOUT, "Dropout not only improves the accuracy of small language models."),
    (DROPOUT, "Dropout does not always improve the accuracy of small language models."),
    (DROPOUT, "Dropout may degrade the accuracy of small language models."),
    (DROPOUT, "It is widely believed that dropout degrades the accuracy of small language models."),
    (DROPOUT, "We do not find that dropout degrades the accuracy of small language models."),
    (DROPOUT, "Prior work reports that dropout degrades the accuracy of small language models."),
    (DROPOUT, "Does dropout degrade the accuracy of small language models?"),
    # what only its own paper knows
    ("Our method improves the accuracy of small models.", "Our method degrades the accuracy of small models."),
    ("The model increases recall over the baseline.", "The model decreases recall over the baseline."),
    ("It improves the accuracy of small models.", "It degrades the accuracy of small models."),
    # too little to tell
    ("Dropout helps.", "Dropout does not help."),
    ("", DROPOUT),
]


@pytest.mark.parametrize(("one", "other"), OPPOSITE)
def test_opposite_findings(one, other):
    assert opposite(one, other)
    assert opposite(other, one)


@pytest.mark.parametrize(("one", "other"), NOT_OPPOSITE)
def test_what_only_looks_like_it(one, other):
    assert not opposite(one, other)
    assert not opposite(other, one)


WORDS = "dropout pruning improves degrades does not more fewer outperforms than is larger accuracy models by of".split()


@given(st.lists(st.sampled_from(WORDS)).map(" ".join) | st.text(max_size=80))
def test_nothing_is_the_opposite_of_itself(text):
    assert not opposite(text, text)


def evidence(title, abstract, role=Role.RESULT):
    return Evidence(paper(title, abstract), 1.0, 1.0, 1.0, 1.0, spans=(Span(0, len(abstract), role=role),))


def test_a_paper_does_not_disagree_with_itself_nor_by_what_it_starts_from():
    one, other = evidence("Otters", DROPOUT), evidence("Newts", OPPOSITE[0][1])
    (found,) = disagreements([one, other])
    assert (found.one, found.other) == (one.paper, other.paper)
    assert not disagreements([one, evidence("Otters", OPPOSITE[0][1])])
    assert not disagreements([one, evidence("Newts", OPPOSITE[0][1], Role.PROBLEM)])


def test_an_answer_tells_of_a_disagreement_in_the_words_of_both(tmp_path):
    papers = [
        paper("Otters: Ordering Pebbles", f"We study how pebbles are ordered by otters. {RIVALS} Code is released."),
        paper(
            "Newts: Pebbles Again",
            "We order the pebbles of otters once more. However, transformers outperform recurrent networks on short queries.",
            year=2023,
        ),
        paper(
            "Herons: Wading", "Herons wade in shallow water. Recurrent networks predict their steps on short notice."
        ),
    ]
    with open_shelf(tmp_path, papers) as assistant:
        answer = assistant.ask("which papers compare recurrent networks with transformers on short queries?")
    said = answer.text.partition("\n\nThese two papers report opposite findings:\n")[2]
    for sentence in (RIVALS, "transformers outperform recurrent networks on short queries."):
        (citation,) = [one for one in answer.citations if one.quote == sentence]
        assert f"“{sentence}” [{citation.number}]" in said
        assert citation.paper.abstract[citation.start : citation.end] == sentence
    assert {claim.verdict for claim in answer.claims} == {Verdict.SUPPORTED}
    assert "Newts: Pebbles Again (2023)" in said
