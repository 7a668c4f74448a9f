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
    return cut(text, embedder().token_offsets([text])[0], tokens)


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


@pytest.mark.parametrize(
    ("claim", "source", "kind", "reason"),
    [
        ("A run takes 41 seconds, against 9 minutes for Owl.", "A run takes 9 minutes, against 41 seconds for Owl.", "transposed", "“41” stands where"),
        ("Most of it is for fear; joy is seen as well.", "Most of it is for joy; fear is seen as well.", "transposed", "the other way round"),
        ("Long notes are as useful as books.", "Books are more useful than long notes.", "level", "“.*as useful as” where"),
        ("Reading aloud works better than silent reading.", "Reading aloud works as well as silent reading.", "level", "better than"),
        ("Agents move users every second.", "Agents move users every minute.", "renamed", "“second” where the source says “minute”"),
        ("It is the first workshop on owls.", "It is the second workshop on owls.", "renamed", "“first” where"),
        ("Patients had normal glucose tolerance.", "Patients had abnormal glucose tolerance.", "prefix", "“abnormal”"),
        ("There is no way of sharing models.", "Users can share models.", "denied", "“no” stands in the claim"),
        ("None of the owls is faster than Heron.", "The owls are faster than Heron.", "sides", "the other way round"),
    ],
)  # fmt: skip
def test_small_edits_of_one_sentence_are_named(claim, source, kind, reason):
    found = against(claim, source)
    assert kind in found, found
    assert re.search(reason, found[kind].reason), found[kind].reason


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("A layer that is not activated is called a void.", "The unactivated layers are called voids."),
        ("Without tuning, Mamba keeps 38% of the gains.", "Before tuning, Mamba keeps 38% of the gains."),
        ("Not only heads but also circuits carry over.", "Heads and circuits carry over."),
        ("They win on the majority of sets, though not on all.", "They win on most sets."),
        ("No more than 30 layers are used.", "At most 30 layers are used."),
        ("It is debated whether foods should be labelled.", "It is debated whether or not foods should be labelled."),
        ("The kingdom includes Wales, Scotland and England.", "The kingdom includes England, Scotland and Wales."),
        ("Perplexity is lower than that of strong baselines.", "It surpassed strong baselines, with lower perplexity."),
        ("Graph networks are outperformed on several tasks.", "The model outperforms graph networks on several tasks."),
        ("Compared with Owl, inference is 80 times as fast.", "Inference is 80 times faster than Owl."),
        ("None of the baselines does better than Heron.", "Heron does better than the baselines."),
        ("4. Turn the lamp on and read.", "Turn the lamp on and read."),
        ("The deal cost $44 billion.", "The deal cost $44bn."),
    ],
)
def test_the_same_in_other_words_meets_nothing_heavy(claim, source):
    reading = checker().read(claim, checker().prepare(source))
    assert not reading.objections[1], reading.objections
    assert reading.gate * sum(WEIGHTS[made.kind] * made.strength for made in reading.against) <= 3, reading.against


def test_a_share_of_what_is_no_share_bears_nothing_out():
    source = [Figures.of("The enzyme broke down 50% of the film in ten hours, against 31% for the wild type.")]
    assert [made.written for made in missing(Figures.of("The enzyme broke down 90% of the film."), source)] == ["90"]
    assert not missing(Figures.of("Half of the film, and 69% of that of the wild type, was left."), source)


def test_a_list_counts_things_but_measures_nothing():
    source = [Figures.of("We train Marmot, a retrieval model, on notes.")]
    assert [made.written for made in missing(Figures.of("Training takes 3 hours on notes."), source)] == ["3"]


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
