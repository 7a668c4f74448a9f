"""Claims that are wider than their source, or tell one side of a contrast of the other."""

import pytest
from fakes import checker, embedder

from rag.types import Verdict
from rag.verify.alignment import align, cut
from rag.verify.scope import elsewhere, scope_objections

OWLS = (
    "Most errors come from questions about dates. Owls find all mice in only 22% of the barns, while bees find them in"
    " 31%. Heat helps owls but does not help bees. Some keepers slept."
)


def pair(claim, sentence):
    def read(text):
        ((_, tokens),) = embedder().embed_tokens([text])
        return cut(text, embedder().token_offsets([text])[0], tokens)

    return align(read(claim), read(sentence), {})


@pytest.mark.parametrize(
    ("claim", "kind", "said"),
    [
        ("All errors come from questions about dates.", "amount", "“All” where the source says “Most”"),
        ("Every keeper slept.", "amount", "“Every” where the source says “Some”"),
        ("Most keepers slept.", "amount", "“Most” where the source says “Some”"),
        ("Bees find all mice in 22% of the barns.", "clause", "gives 31 for this, and 22 for something else"),
        # as much or less
        ("Most errors come from questions about dates.", None, ""),
        ("Many errors come from questions about dates.", None, ""),
        ("Owls find all mice in 22% of the barns.", None, ""),
        ("In 31% of the barns bees find all mice.", None, ""),
        ("Owls find mice in 22% of the barns, while bees do in 31%.", None, ""),
    ],
)
def test_more_than_the_source_says(claim, kind, said):
    sentences = sorted(
        OWLS.split(". "), key=lambda text: -len(set(text.casefold().split()) & set(claim.casefold().split()))
    )
    found = {made.kind: made for made in scope_objections([pair(claim, text) for text in sentences[:3]])}
    assert set(found) - {"every"} == ({kind} if kind else set())  # which is raised for any "all" that a sentence lacks
    if kind:
        assert 0 < found[kind].strength <= 1
        assert said in found[kind].reason


def test_a_not_on_the_other_side_of_a_contrast_is_of_something_else():
    sentence = "Heat helps owls but does not help bees"
    row = sentence.split().index("not")
    assert elsewhere(pair("Heat helps owls.", sentence), row)
    assert not elsewhere(pair("Heat helps bees.", sentence), row)
    assert not elsewhere(pair("Heat helps owls.", "Heat does not help owls"), 2)


@pytest.mark.parametrize(
    ("claim", "supported"),
    [
        ("Heat helps owls.", True),
        ("All errors come from questions about dates.", False),
        ("Bees find all mice in 22% of the barns.", False),
    ],
)
def test_it_decides_what_repeats_the_source(claim, supported):
    assert (checker().check(claim, OWLS).verdict is Verdict.SUPPORTED) is supported
