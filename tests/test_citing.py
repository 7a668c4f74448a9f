"""A model's text to statements and citations, whole and piece by piece."""

import re

import pytest
from fakes import CRANE, MARMOT, PAPERS, ZEBRA
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.citing import Citing, assemble
from rag.ingest.sentences import split_sentences
from rag.types import Evidence, Span

RECALL = "Marmot increases recall by 4.5 points over BM25."


def evidence(*papers):
    return [
        Evidence(item, 1, 1, 1, 1, spans=tuple(Span(*span) for span in split_sentences(item.abstract)))
        for item in papers
    ]


def cite(said, papers=PAPERS, size=10_000):
    """The draft of a text that came in pieces of so many letters, after checking what was shown meanwhile."""
    citing = Citing(evidence(*papers))
    events = [event for at in range(0, len(said), size) for event in citing.feed(said[at : at + size])]
    events += citing.end()
    draft = assemble(citing.statements)
    assert "".join(event.text for event in events) == draft.text
    cited = [event.citation for event in events if event.kind == "citation"]
    assert tuple(cited) == draft.citations
    for at, event in enumerate(events):  # a marker is shown only once its citation is known
        known = {earlier.citation.number for earlier in events[:at] if earlier.citation}
        assert {int(number) for number in re.findall(r" \[(\d{1,9})\]", event.text)} <= known
    return draft


def quoted(draft):
    """Claims with the quotes they cite, after checking that every offset is exact."""
    for citation in draft.citations:
        assert citation.quote
        assert citation.paper.abstract[citation.start : citation.end] == citation.quote
    assert [citation.number for citation in draft.citations] == list(range(1, len(draft.citations) + 1))
    for claim in draft.claims:
        assert draft.text[claim.start : claim.end] == claim.text
    by_number = {citation.number: citation.quote for citation in draft.citations}
    return [(claim.text, [by_number[number] for number in claim.citations]) for claim in draft.claims]


# Passages: 1 Marmot, 2 CraneNet, 3 Zebra, 4 Stork.
M, C, Z = RECALL, "CraneNet plans meals that simmer for hours.", "Zebra stripes confuse biting flies."
S = "The Stork compiler turns bird songs into sheet music."
TEXT_M, TEXT_C = "Marmot increases recall by 4.5 points.", "CraneNet plans meals."
TEXTS = [
    ("Marmot increases recall by 4.5 points [1].", [(TEXT_M, [M])]),
    ("Marmot increases recall by 4.5 points【1】.", [(TEXT_M, [M])]),
    ("Marmot increases recall by 4.5 points 【1†source】.", [(TEXT_M, [M])]),
    ("Marmot increases recall by 4.5 points［1］.", [(TEXT_M, [M])]),
    ("Marmot increases recall by 4.5 points [ 1 ].", [(TEXT_M, [M])]),
    ("Marmot increases recall by 4.5 points [^1].", [(TEXT_M, [M])]),
    ("Marmot increases recall by 4.5 points [Passage 1].", [(TEXT_M, [M])]),
    ("Marmot increases recall by 4.5 points [#1].", [(TEXT_M, [M])]),
    ("Marmot increases recall by 4.5 points [1]. CraneNet plans meals [2].", [(TEXT_M, [M]), (TEXT_C, [C])]),
    ("Marmot increases recall by 4.5 points. [1] CraneNet plans meals. [2]", [(TEXT_M, [M]), (TEXT_C, [C])]),
    ("Marmot increases recall by 4.5 points.[1] CraneNet plans meals.[2]", [(TEXT_M, [M]), (TEXT_C, [C])]),
    ("Marmot increases recall by 4.5 points.\n[1]\n\nCraneNet plans meals. 【2】", [(TEXT_M, [M]), (TEXT_C, [C])]),
    ("- Marmot increases recall by 4.5 points [1]\n- CraneNet plans meals [2]", [(TEXT_M[:-1], [M]), (TEXT_C[:-1], [C])]),
    ("1. Marmot increases recall by 4.5 points [1].\n2) CraneNet plans meals [2].", [(TEXT_M, [M]), (TEXT_C, [C])]),
    ("Recall, plans, confuse [1, 2, 3].", [("Recall, plans, confuse.", [M, C, Z])]),
    ("Recall, plans, confuse [1; 2 and 3].", [("Recall, plans, confuse.", [M, C, Z])]),
    ("Recall, plans, confuse [1-3].", [("Recall, plans, confuse.", [M, C, Z])]),
    ("Recall, plans, confuse [1–3].", [("Recall, plans, confuse.", [M, C, Z])]),
    ("Recall, plans, confuse [3-1].", [("Recall, plans, confuse.", [M, C, Z])]),
    ("Recall, plans, confuse, songs [1, 3-4].", [("Recall, plans, confuse, songs.", [M, Z, S])]),
    ("Recall and plans [1][2].", [("Recall and plans.", [M, C])]),
    ("Recall [1], plans [2].", [("Recall, plans.", [M, C])]),
    ("Recall of 4.5 points [1], [1].", [("Recall of 4.5 points.", [M])]),
    # A sentence without a marker gets the words it rests on when it uses enough of them.
    ("Marmot increases recall by 4.5 points.", [(TEXT_M, [M])]),
    ("Biting flies are confused by zebra stripes.", [("Biting flies are confused by zebra stripes.", [Z])]),
    ("Marmot can fly. CraneNet plans meals [2].", [("Marmot can fly.", []), (TEXT_C, [C])]),
    ("Marmot gains .5 points ![x] [1] .", [("Marmot gains .5 points ![x].", [M])]),
    ("Something [else] entirely.", [("Something [else] entirely.", [])]),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize(("said", "claims"), TEXTS)
def test_markers_become_citations(said, claims, size):
    assert quoted(cite(said, size=size)) == claims


@given(
    st.lists(st.sampled_from([*(said for said, _ in TEXTS), "- ", "\n", "\n\n", " ", "[", "]", "12. ", "A. B.", "【3"]), max_size=8),
    st.integers(1, 9),
)  # fmt: skip
def test_what_was_shown_is_the_draft_however_it_comes(parts, size):
    quoted(cite(" ".join(parts), size=size))
    quoted(cite("".join(parts), size=size))


@given(st.text(alphabet="aB1.[]【】,-– \n*!?(\"'", max_size=80), st.integers(1, 5))
def test_no_text_breaks_it(said, size):
    citing = Citing(evidence(MARMOT, CRANE))
    shown = [event for at in range(0, len(said), size) for event in citing.feed(said[at : at + size])]
    shown += citing.end()
    quoted(assemble(citing.statements))


@pytest.mark.parametrize("marker", ["[9]", "[0]", "[1, 9]", "【9】", "[999999999]", "[5-6]"])
def test_a_marker_of_no_passage_stays_visible(marker):
    draft = cite(f"Marmot increases recall by 4.5 points {marker}.", size=2)
    ((_, quotes),) = quoted(draft)
    assert quotes == ([RECALL] if "1," in marker else [])
    for number in [number for number in re.findall(r"\d+", marker) if number != "1"]:
        assert f"[{number}: no such passage]" in draft.text


def test_an_absurd_number_is_no_marker():
    draft = cite(f"Marmot increases recall [{'9' * 5000}].")
    assert "9" * 5000 in draft.text


def test_words_are_shown_as_they_come():
    citing = Citing(evidence(MARMOT, ZEBRA))
    assert "".join(event.text for event in citing.feed("Marmot increases recall")) == "Marmot increases recall"
    assert list(citing.feed(" [1")) == []
    assert [event.kind for event in citing.feed("]. Zebra stripes")] == ["citation", "token", "token"]


def test_notes_stand_at_the_end():
    citing = Citing(evidence(MARMOT))
    list(citing.feed(f"\n\n{RECALL}\n"))
    list(citing.end())
    assert assemble(citing.statements, ["(A note.)"]).text == f"{RECALL} [1]\n\n(A note.)"
