"""Sentences as exact offsets."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.ingest.sentences import split_sentences


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


PIECES = st.sampled_from(
    [
        "We hoot. ",
        "text.To make ",
        "e.g. owls ",
        "et al. (2020) ",
        "3.5 ",
        "Why? ",
        "No! ",
        "\n",
        " ",
        "A. ",
        "L. Present",
        "https://a.b/C.D ",
        "...",
        '." ',
        "?) ",
        "\x1c",
        "\u2003",
        ".",
        "Ünd. Älle ",
    ]
)


@given(st.text() | st.lists(PIECES | st.text(max_size=5)).map("".join))
@example("")
@example(" \n\t ")
@example("...")
@example(". . .")
@example(" a.\u2028B")
def test_spans_are_ordered_and_cover_everything_but_white_space(text: str):
    spans = split_sentences(text)
    position = 0
    for start, end in spans:
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize(
    "whole",
    [
        "Owls, e.g. Barn owls, hoot.",
        "Owls (i.e. Strigiformes) hoot.",
        "As Owl et al. Showed, they hoot.",
        "Owls vs. Otters is cf. Sec. 3 and Fig. 2 and Eq. 4.",
        "The gain is 3.14 points in v2.0 and 1. 5.",
        "The poet John F. Kennedy met A. B. Smith there.",
        "Written by J. R. R. Owl.",
        "See https://example.org/Owl.Html for details.",
        "Code is at github.com/Owl.Repo and more.",
        "Owl Inc. Sells owls to Dr. Bee.",
        "In the U.S. Owls hoot w.r.t. Bees.",
        "It hoots ... and then stops.",
        "lower case. goes on.",
        "Is this it? yes, it is.",
        "Calls torch.nn.Module twice.",
    ],
)
def test_one_sentence(whole: str):
    kept = [whole]
    if whole.startswith("The gain"):
        kept = ["The gain is 3.14 points in v2.0 and 1.", "5."]  # a bare "1." before a digit cannot be told from an end
    assert sentences(whole) == kept


@pytest.mark.parametrize(
    "parts",
    [
        ["Owls hoot.", "Bees buzz."],
        ["Do owls hoot?", "Yes!", "They do."],
        ['He said "hoot."', "She left."],
        ["It works (mostly.)", "Then it stops."],
        ["It costs 3.5.", "We pay 4.5 in 2024.", "10 owls agree."],
        ["It has sequence length L.", "Present owls are longer."],
        ["We use GPT-4.", "iBOT is worse."],
        ["The rate is 5%.", "α-owls differ.".replace("α", "Α")],
        ["It is fast.", '"Quoted" start.'],
        ["It is fast.", "(Bracketed start.)"],
        ["It is fast.", "\\textbf{Bold} start."],
        ["Code is public.", "https://example.org/owl"],
        ["Wait...", "What?!", "Go on."],
    ],
)
@pytest.mark.parametrize("gap", [" ", "  ", "\n", " \r\n\t"])
def test_several_sentences(parts: list[str], gap: str):
    assert sentences(gap.join(parts)) == parts


@pytest.mark.parametrize(
    "parts",
    [
        ["Owls read the text.", "To do so, they blink."],
        ["Is it so?", "Yes, it is so."],
        ["We made this.", "A, B and C follow."],
    ],
)
def test_glued_sentences(parts: list[str]):
    assert sentences("".join(parts)) == parts


@pytest.mark.parametrize(
    "text",
    [
        "." * 50_000 + "a",
        "!?" * 25_000 + "x",
        "a." * 25_000,
        ". " * 25_000 + "b",
        "A. " * 20_000,
        '."' * 25_000 + "a",
        "(" * 50_000,
        "text.T" * 10_000,
    ],
)
def test_odd_texts_take_no_time(text: str):
    start = time.perf_counter()
    split_sentences(text)
    assert time.perf_counter() - start < 2
