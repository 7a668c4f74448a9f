"""What is held against a claim that otherwise repeats a sentence, told in words."""

import re

import numpy as np
import pytest
from fakes import CRANE, MARMOT, PAPERS, checker, embedder
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.sentences import split_sentences
from rag.types import Verdict
from rag.verify.alignment import align, cut, repeated
from rag.verify.arithmetic import Figures, missing
from rag.verify.features import weighed_stems
from rag.verify.objections import gate, objections
from rag.verify.opposites import negations, poles
from rag.verify.reading import WEIGHTS

HERON = (
    "Heron sorts integers in linear time. Heron beats Quicksort by 12 points on all three data sets. Training takes 17"
    " hours on a single machine. It does not need labels. Some annotators overestimated its speed on small inputs."
)
SAID = st.lists(st.sampled_from([*HERON.replace(".", "").split(), "not", "Owls", "9", "than", "only", "every", "—"]))


def read(text):
    ((_, tokens),) = embedder().embed_tokens([text])
    return cut(text, embedder().token_offsets(text), tokens)


def against(claim, source=HERON):
    """The objections by kind, with whatever share the claim repeats."""
    prepared = checker().prepare(source)
    reading = checker().read(claim, prepared)
    sentences = [sentence.words for sentence in prepared.sentences]
    weights = dict(weighed_stems(claim, embedder()))
    pairs = [align(read(claim), sentences[row], weights) for row in reading.order[:3]]
    absent = missing(Figures.of(claim), [sentence.figures for sentence in prepared.sentences])
    return {made.kind: made for made in objections(pairs, sentences, absent)}


@pytest.mark.parametrize(
    ("claim", "kind", "reason"),
    [
        ("Heron sorts integers in quadratic time.", "turned", "“quadratic” where the source says “linear”"),
        ("Heron sorts integers in time that is not linear.", "turned", "“linear” is denied either"),
        ("Annotators underestimated its speed on small inputs.", "prefix", "“overestimated”"),
        ("It needs labels.", "affirmed", "“not” stands in the source"),
        ("Heron does not sort integers in linear time.", "denied", "“not” stands in the claim"),
        ("Quicksort beats Heron by 12 points.", "sides", "the other way round"),
        ("Heron was beaten by Quicksort by 12 points.", "sides", "the other way round"),
        ("Heron sorts time in linear integers.", "exchanged", "“(time|integers)” stands where"),
        ("Heron beats Bubblesort by 12 points on all three data sets.", "renamed", "“Bubblesort” where"),
        ("Heron sorts giraffes in linear time.", "replaced", "“giraffes” where the source says “integers”"),
        ("All annotators overestimated its speed on small inputs.", "every", "“all”"),
        ("Heron sorts only integers in linear time.", "only", "“only”"),
        ("Training takes 23 hours on a single machine.", "figure", "the number 23 does not occur"),
        ("Heron beats Quicksort by 12 points on all five data sets.", "count", "“five” is not .* it has three"),
        ("Training takes 12 hours on a single machine.", "owner", "gives 17 for this"),
        ("Training takes two thirds of the hours on a single machine.", "share", "two thirds"),
    ],
)
def test_each_difference_is_named(claim, kind, reason):
    found = against(claim)
    assert kind in found, found
    assert found[kind].strength > 0
    assert re.search(reason, found[kind].reason), found[kind].reason


@pytest.mark.parametrize(
    "claim",
    [
        "In linear time Heron sorts integers.",
        "By 12 points Heron beats Quicksort on all three data sets.",
        "Quicksort is beaten by Heron by 12 points.",
        "Training on a single machine takes 17 hours.",
        "Labels are not needed.",
    ],
)
def test_what_is_true_in_other_order_meets_nothing_heavy(claim):
    heavy = {kind: made for kind, made in against(claim).items() if WEIGHTS[kind] * made.strength > 3}
    assert not heavy


@given(SAID.map(" ".join))
@settings(max_examples=60)
def test_a_text_beside_itself_meets_no_objection(text):
    own = read(text)
    assert objections([align(own, own, {})], [own], []) == []


@given(SAID.map(" ".join), SAID.map(" ".join), st.text(max_size=40))
@settings(max_examples=60)
def test_an_objection_is_known_and_has_a_strength_and_a_reason(claim, sentence, other):
    own, texts = read(claim), [read(sentence), read(other)]
    absent = missing(Figures.of(claim), [Figures.of(sentence), Figures.of(other)])
    made = objections([align(own, text, {}) for text in texts], texts, absent)
    assert {item.kind for item in made} <= set(WEIGHTS)
    assert len({item.kind for item in made}) == len(made)
    assert all(0 < item.strength <= 1 and item.reason for item in made)


@given(st.text(max_size=60) | SAID.map(" ".join))
def test_words_stand_where_they_say_and_have_a_vector(text):
    own = read(text)
    assert len(own.words) == len(own.stems) == len(own.clauses) == len(own.vectors)
    assert [own.said(row).casefold().replace("’", "'") for row in range(len(own))] == list(own.words)
    assert list(own.clauses) == sorted(own.clauses)
    norms = np.linalg.norm(own.vectors, axis=1)
    assert ((norms < 1.001) & ((norms > 0.999) | (norms == 0))).all()


def test_a_not_turns_what_it_denies_and_nothing_else():
    def signs(text):
        own = read(text)
        return {own.words[pole.row]: pole.sign for pole in poles(own)}

    assert signs("It is faster")["faster"] == 1
    assert signs("It is not faster")["faster"] == -1
    assert signs("It is not only faster")["faster"] == 1
    assert signs("It does not stop, and it is faster")["faster"] == 1
    assert negations(read("It isn’t slow")) == [1]


def test_differences_count_only_where_a_claim_repeats_the_sentence():
    assert gate(0.4) == 0 < gate(0.65) < gate(0.9) == 1
    weights = {"sort": 2.0, "heron": 5.0, "17": 3.0}
    assert repeated(weights, frozenset({"heron"})) == 5 / 7
    assert repeated({}, frozenset({"heron"})) == 0
    free = checker().read("Its users never have to annotate a thing.", checker().prepare(HERON))
    assert free.gate == 0
    assert free.against == ()


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("Heron was beaten by Quicksort by 12 points on all three data sets.", "the other way round"),
        ("Heron beats Quicksort by 12 points on all five data sets.", "number five"),
        ("Heron sorts integers in quadratic time.", "“quadratic”"),
        ("Training takes 12 hours on a single machine.", "number 12 does not occur"),
    ],
)
def test_the_reader_is_told_what_differs(claim, reason):
    found = checker().check(claim, HERON)
    assert found.verdict is not Verdict.SUPPORTED
    assert reason in found.reason


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.title.split()[0])
def test_a_source_meets_none_of_its_own_sentences(paper):
    prepared = checker().prepare(paper.abstract)
    for start, end in split_sentences(paper.abstract):
        reading = checker().read(paper.abstract[start:end], prepared)
        assert reading.against == ()
        assert reading.gate == 1


def test_an_objection_lowers_the_score_and_never_below_what_another_paper_gets():
    true = checker().check("Heron beats Quicksort by 12 points on three sets.", HERON).score
    turned = checker().check("Heron was beaten by Quicksort by 12 points on three sets.", HERON).score
    foreign = max(
        checker().check(CRANE.abstract[s:e], MARMOT.abstract).score for s, e in split_sentences(CRANE.abstract)
    )
    assert true > turned > foreign
