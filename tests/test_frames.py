"""Sources and claims made of frames: slots filled alike, labels that follow from the sides, parts kept apart."""

import random
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from fakes import CRANE, MARMOT
from hypothesis import given
from hypothesis import strategies as st

from eval.checker.data import Label, Part, part_of_source
from eval.checker.fillers import CHOSEN, invented
from eval.checker.frames import Frame, framed, merged, read_frames, tell
from rag.config import settings
from rag.index.embed import Embedder

SEEDS = st.integers(0, 2**32)
BEATS = Frame(
    "beats", "direction",
    a=tuple(f"{{M1}} beats {{M2}} by {{P1}}% and not {{P2}}%, as said in way {way}." for way in range(8)),
    b=tuple(f"{{M2}} beats {{M1}} by {{P2}}% and not {{P1}}%, as said in way {way}." for way in range(8)),
    weaker=("{M1} is ahead.",) * 2,
    beyond=("{M1} beats {M3} on {D1} too.",) * 4,
)  # fmt: skip
OTHER = Frame("other", "number", *(tuple(f"{{I1}} {side} {way}" for way in range(8)) for side in "ab"), ("x",), ("y",))


def test_the_frames_are_well_formed():
    frames = read_frames()
    assert len({frame.id for frame in frames}) == len(frames) > 300
    for frame in frames:
        wordings = [*frame.a, *frame.b, *frame.weaker, *frame.beyond]
        assert min(len(frame.a), len(frame.b)) >= 7, frame.id
        assert min(len(frame.weaker), len(frame.beyond)) >= 2, frame.id
        assert len(set(wordings)) == len(wordings), frame.id
        for wording in wordings:
            left = re.sub(r"\{[MDPIR" + "".join(CHOSEN) + r"][1-4]\}", "", wording)
            assert not re.search(r"[{}]", left), wording


@given(SEEDS)
def test_labels_follow_from_the_side_that_is_told(seed):
    source, claims = tell([BEATS], OTHER, [], random.Random(seed))
    winner, loser = re.match(r"(.+) beats (.+) by ", source).groups()
    assert winner != loser
    large, small = map(float, re.search(r"by ([\d.]+)% and not ([\d.]+)%", source).groups())
    is_a = large > small
    for text, label, kind in claims:
        assert not re.search(r"[{}]", text)
        if said := re.match(r"(.+) beats (.+) by ", text):
            assert {said[1], said[2]} == {winner, loser}
            assert label is (Label.SUPPORTED if said[1] == winner else Label.CONTRADICTED)
            assert text != source
        elif kind == "weaker":
            assert is_a
            assert text == f"{winner} is ahead."
        else:
            assert label is Label.UNSUPPORTED


@given(st.sampled_from(list(Label)[:3]), st.sampled_from(list(Label)[:3]))
def test_of_two_claims_in_one_sentence_the_worse_counts(first, second):
    text, label, _ = merged(("It is so.", first, "x"), ("It was so.", second, "y"))
    assert text == "It is so, and it was so."
    assert label is min(first, second, key=[Label.CONTRADICTED, Label.UNSUPPORTED, Label.SUPPORTED].index)


@given(SEEDS, st.sampled_from("MD"))
def test_invented_names_are_names(seed, kind):
    name = invented(kind, random.Random(seed))
    assert name.strip() == name
    assert name[:1].isupper()


def test_frames_of_one_source_are_of_one_part_and_a_seed_says_all():
    embedder = Embedder.from_settings(settings())
    frames = [replace(BEATS, id=f"frame-{row}") for row in range(24)]
    assert {part_of_source(frame.id) for frame in frames} == {Part.TRAINING, Part.DEVELOPMENT}
    abstracts = [CRANE.abstract, MARMOT.abstract]
    first = list(framed(frames, abstracts, embedder, 20, seed=1))
    assert {group.part for group in first} == {Part.TRAINING, Part.DEVELOPMENT}
    assert first == list(framed(frames, abstracts, embedder, 20, seed=1))
    assert first != list(framed(frames, abstracts, embedder, 20, seed=2))


@pytest.mark.parametrize("kind", "PIR")
def test_figures_fall(kind):
    told = tuple(f"{way} {{{kind}1}} {{{kind}2}} {{{kind}3}}" for way in range(8))
    for seed in range(30):
        source, _ = tell([Frame("f", "number", told, told, ("x",), ("y",))], BEATS, [], random.Random(seed))
        figures = [float(number.replace(",", "")) for number in source.split()[1:]]
        assert all(high > low for high, low in pairwise(figures))
