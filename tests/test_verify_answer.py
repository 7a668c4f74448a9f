"""A draft to verdicts: only citations that exist and stand where they say count."""

from dataclasses import replace

import pytest
from fakes import CRANE, MARMOT, checker
from hypothesis import given
from hypothesis import strategies as st

from rag.types import Citation, Claim, Draft, Verdict
from rag.verify.answer import is_located, verify

RECALL = "Marmot increases recall by 4.5 points over BM25."
HOURS = "Training takes 17 hours on a single machine."


def cited(number, quote, paper=MARMOT):
    start = paper.abstract.index(quote)
    return Citation(number, paper, quote, start, start + len(quote))


def verdict(text, citations, numbers):
    """The claim after `verify`, which must not change anything else about it and tells of each citation apart."""
    claim = Claim(text, 3, 3 + len(text), tuple(numbers))
    (found,) = verify(Draft(f"xx {text}", (claim,), tuple(citations), "test"), checker())
    assert replace(found, verdict=claim.verdict, score=claim.score, reason=claim.reason, support=()) == claim
    assert [one.number for one in found.support] == list(numbers)
    return found


def test_a_sentence_and_its_words():
    found = verdict(RECALL, [cited(1, RECALL)], [1])
    assert (found.verdict, found.score) == (Verdict.SUPPORTED, 1.0)


@pytest.mark.parametrize(
    ("citations", "numbers", "reason"),
    [
        ([cited(1, RECALL)], [], "cites nothing"),
        ([], [1], "not on the shelf"),
        ([cited(1, RECALL)], [2], "not on the shelf"),
        ([cited(1, RECALL)], [0, -1, 99], "not on the shelf"),
        ([replace(cited(1, RECALL), start=0, end=len(RECALL))], [1], "does not stand there"),
        ([replace(cited(1, RECALL), end=10**9)], [1], "does not stand there"),
        ([replace(cited(1, RECALL), quote="Marmot increases recall by 9.5 points.")], [1], "does not stand there"),
        ([replace(cited(1, RECALL), paper=CRANE)], [1], "does not stand there"),
        ([Citation(1, MARMOT, "", 0, 0)], [1], "does not stand there"),
        ([cited(1, HOURS)], [1], "4.5"),
    ],
    ids=[
        "none",
        "no list",
        "forged",
        "out of range",
        "moved",
        "too long",
        "reworded",
        "other paper",
        "empty",
        "beside",
    ],
)
def test_what_is_not_borne_out_is_unsupported_with_a_reason(citations, numbers, reason):
    found = verdict(RECALL, citations, numbers)
    assert found.verdict is Verdict.UNSUPPORTED
    assert reason in found.reason
    assert found.score <= 0.3


def test_a_forged_citation_does_not_spoil_a_good_one():
    moved = replace(cited(2, HOURS), start=0)
    found = verdict(RECALL, [cited(1, RECALL), moved], [7, 2, 1])
    assert found.verdict is Verdict.SUPPORTED
    layers = [(one.exists, one.located, one.verdict) for one in found.support]
    assert layers == [
        (False, False, Verdict.UNSUPPORTED), (True, False, Verdict.UNSUPPORTED), (True, True, Verdict.SUPPORTED),
    ]  # fmt: skip


def test_several_citations_support_what_neither_does_alone():
    both = "Marmot increases recall by 4.5 points over BM25, and training takes 17 hours on a single machine."
    quotes = [cited(1, RECALL), cited(2, HOURS)]
    for number in (1, 2):
        alone = verdict(both, quotes, [number])
        assert alone.verdict is Verdict.UNSUPPORTED
        assert "does not occur" in alone.reason
    found = verdict(both, quotes, [1, 2])
    assert found.verdict is Verdict.SUPPORTED
    assert {one.verdict for one in found.support} == {Verdict.UNSUPPORTED}


def test_a_contradiction_outranks_an_unrelated_quote():
    turned = RECALL.replace("increases", "decreases")
    quotes = [cited(1, RECALL), cited(2, CRANE.abstract[:43], CRANE)]
    assert verdict(turned, quotes, [2, 1]).verdict is Verdict.CONTRADICTED


@given(st.integers(-5, 300), st.integers(-5, 300), st.text(max_size=5) | st.none())
def test_located_means_verbatim_at_its_place(start, end, quote):
    text = MARMOT.abstract
    citation = Citation(1, MARMOT, text[start:end] if quote is None else quote, start, end)
    assert is_located(citation) == (citation.quote != "" and text[start:end] == citation.quote)
