"""Passages: cover, size, ids, alignment with sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Settings
from rag.index.embed import MAX_TOKENS, Embedder
from rag.ingest.chunk import SPECIAL_TOKENS, cut, embedding_text
from rag.ingest.sentences import split_sentences
from rag.types import Paper, Passage

ROOM = 24


def words(text: str) -> int:
    return len(text.split())


def paper(abstract: str, title: str = "Sleepy Owls") -> Paper:
    return Paper("id", title, abstract)


SENTENCE = (
    st.integers(1, 60)
    .flatmap(
        lambda size: st.lists(
            st.sampled_from(["owls", "3.5", "e.g.", "bees,", "x" * 40, r"75\%", "(so)"]), min_size=size, max_size=size
        )
    )
    .map(lambda found: "We " + " ".join(found) + ".")
)
ABSTRACT = st.lists(SENTENCE | st.text(max_size=40), max_size=12).flatmap(
    lambda parts: st.sampled_from([" ", "\n", "  "]).map(lambda gap: gap.join(parts))
)


def checked(abstract: str, title: str, tokens: int) -> list[Passage]:
    record = paper(abstract, title)
    found = cut(record, words, tokens)
    assert found
    assert len({passage.id for passage in found}) == len(found)
    assert found == sorted(found, key=lambda passage: passage.start)
    position = 0
    for passage in found:
        assert position <= passage.start <= passage.end <= len(abstract)
        assert not abstract[position : passage.start].strip()
        assert passage.end > passage.start or not abstract.strip()
        position = passage.end
    assert not abstract[position:].strip()
    return found


@given(ABSTRACT, st.sampled_from(["", "T", "Sleepy Owls of the North", "owl " * 11]), st.integers(ROOM, 90))
def test_cover_and_size(abstract: str, title: str, tokens: int):
    for passage in checked(abstract, title, tokens):
        assert words(embedding_text(paper(abstract, title), passage)) + SPECIAL_TOKENS - 1 <= tokens


@given(ABSTRACT, st.integers(ROOM, 90))
def test_sentences_stay_whole_unless_too_long_by_themselves(abstract: str, tokens: int):
    room = tokens - SPECIAL_TOKENS - words("Sleepy Owls")
    starts = {start for start, _ in split_sentences(abstract)}
    long = [(start, end) for start, end in split_sentences(abstract) if words(abstract[start:end]) > room]
    for passage in checked(abstract, "Sleepy Owls", tokens)[1:]:
        assert passage.start in starts or any(start < passage.start < end for start, end in long)


def test_passages_are_about_equally_long():
    abstract = " ".join(f"Owl number {n} hoots at five bees." for n in range(20))  # 140 words
    sizes = [words(abstract[p.start : p.end]) for p in cut(paper(abstract), words, 65)]
    assert sizes == [49, 49, 42]


@pytest.mark.parametrize("abstract", ["", "  \n"])
def test_no_abstract_gives_one_passage_that_stands_for_the_title(abstract: str):
    record = paper(abstract)
    assert cut(record, words, 50) == [Passage("id", 0, 0)]
    assert embedding_text(record, Passage("id", 0, 0)) == "Sleepy Owls"


@pytest.mark.parametrize("abstract", ["\u200b\u200b", "\ufeff", "\xad."])
def test_an_abstract_the_tokenizer_sees_nothing_of(abstract: str):
    assert cut(paper(abstract), lambda text: 0, 50) == [Passage("id", 0, len(abstract))]


def test_a_word_without_spaces_is_cut_between_characters():
    abstract = "x" * 1000
    found = cut(paper(abstract), len, 200)
    assert "".join(abstract[p.start : p.end] for p in found) == abstract
    assert all(p.end - p.start <= 200 for p in found)


@pytest.mark.parametrize(
    ("title", "front"),
    [
        ("Sleepy Owls", "Sleepy Owls. "),
        ("Do Owls Sleep?", "Do Owls Sleep? "),
        (r"Owls at 5\%", "Owls at 5%. "),
        ("w " * 99, "w " * 31 + "w. "),
    ],
)
def test_embedding_text(title: str, front: str):
    record = paper("First one. Gain of 3.1times here.", title)
    assert embedding_text(record, Passage("id", 11, 33)) == f"{front}Gain of 3.1× here."


@pytest.mark.parametrize(
    "title",
    ["Sleepy Owls", "Electroencephalographically " * 28, "owl " * 70],
    ids=["short", "rare words", "many words"],
)
def test_the_encoder_sees_passages_to_the_last_word(title: str):
    embedder = Embedder.from_settings(Settings())
    record = paper(
        "The otorhinolaryngologist 17.25 times disagreed with ultracrepidarian owls, e.g. on x_{17}. " * 60,
        title.strip(),
    )

    def tokens(text: str) -> int:
        return len(embedder.token_ids(text))

    found = cut(record, tokens, MAX_TOKENS)
    assert all(tokens(embedding_text(record, passage)) + 2 <= MAX_TOKENS for passage in found)
    assert len(found) < 200
