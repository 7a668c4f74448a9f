import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.lexical import K1, B, LexicalIndex, terms, words
from rag.types import Paper

TEXTS = ["linear attention is fast", "attention attention attention", "a bird in the hand", "", "linear birds"]
PAPERS = [Paper(str(number), "", text) for number, text in enumerate(TEXTS)]


def brute_force(query, papers):
    """BM25 as the formula stands, one paper at a time."""
    held = [terms(f"{paper.title}. {paper.title}. {paper.abstract}") for paper in papers]
    mean = sum(map(len, held)) / len(held)
    scores = []
    for own in held:
        score = 0.0
        for term in query:
            df = sum(term in other for other in held)
            if df and term in own:
                idf = math.log1p((len(papers) - df + 0.5) / (df + 0.5))
                tf = own.count(term)
                score += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * len(own) / mean))
        scores.append(score)
    return scores


@given(
    st.lists(
        st.lists(st.sampled_from(["linear", "attention", "bird", "hand", "fast"]), max_size=8), min_size=1, max_size=8
    ),
    st.data(),
)
def test_scores_are_those_of_the_formula(texts, data):
    papers = [Paper(str(number), "", " ".join(text)) for number, text in enumerate(texts)]
    query = terms(
        " ".join(data.draw(st.lists(st.sampled_from(["linear", "attention", "bird", "unknown"]), max_size=4)))
    )
    assert np.allclose(LexicalIndex.build(papers).scores(query), brute_force(query, papers), atol=1e-4)


def test_saved_and_loaded_is_the_same(tmp_path):
    index = LexicalIndex.build(PAPERS)
    index.save(tmp_path / "lexical.npz")
    again = LexicalIndex.load(tmp_path / "lexical.npz")
    assert list(again.ids) == list(index.ids)
    assert np.array_equal(again.scores(terms("linear attention")), index.scores(terms("linear attention")))
    assert (again.df("linear"), again.df("nothing")) == (2, 0)


def test_an_empty_shelf_has_an_index(tmp_path):
    index = LexicalIndex.build([])
    index.save(tmp_path / "lexical.npz")
    assert LexicalIndex.load(tmp_path / "lexical.npz").scores(["word"]).shape == (0,)


def test_holds_agrees_with_the_text():
    index = LexicalIndex.build(PAPERS)
    for row, paper in enumerate(PAPERS):
        for term in terms("linear attention bird hand fast"):
            assert index.holds(row, term) == (term in terms(paper.abstract))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Linear-attention models", ["linear", "attention", "models"]),
        ("75.1\\% at 11.9times", ["75.1", "at", "11.9×"]),
        ("naïve café", ["naive", "cafe"]),
        ("don't", ["don't"]),
        ("线性注意力", ["线性注意力"]),
    ],
)
def test_words(text, expected):
    found = words(text)
    assert [word.rstrip("×") for word in found] == [word.rstrip("×") for word in expected]
