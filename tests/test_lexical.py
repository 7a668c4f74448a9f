import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.lexical import K1, B, LexicalIndex, terms, words
from rag.types import Paper

TEXTS = ["linear attention is fast", "attention attention attention", "a bird in the hand", "", "linear birds"]
PAPERS = [Paper(str(number), "", text) for number, text in enumerate(TEXTS)]


def build(papers):
    return LexicalIndex.build((paper.id, paper.title, terms(paper.abstract)) for paper in papers)


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
    assert np.allclose(build(papers).scores(query), brute_force(query, papers), atol=1e-4)


def test_saved_and_loaded_is_the_same(tmp_path):
    index = build(PAPERS)
    index.save(tmp_path / "lexical.npz")
    again = LexicalIndex.load(tmp_path / "lexical.npz")
    assert list(again.ids) == list(index.ids)
    assert np.array_equal(again.scores(terms("linear attention")), index.scores(terms("linear attention")))
    assert (again.df("linear"), again.df("nothing")) == (2, 0)


def test_an_empty_shelf_has_an_index(tmp_path):
    index = build([])
    index.save(tmp_path / "lexical.npz")
    assert LexicalIndex.load(tmp_path / "lexical.npz").scores(["word"]).shape == (0,)


def test_holds_agrees_with_the_text():
    index, rows = build(PAPERS), [4, 0, 2, 3, 1, 0]
    for term in terms("linear attention bird hand fast unknown"):
        assert index.holds(rows, term).tolist() == [term in terms(TEXTS[row]) for row in rows]
        assert index.holds([], term).tolist() == []


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


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("optimise", "optimize"), ("optimisation", "optimization"), ("generalising", "generalizing"), ("tokenisers", "tokenizers"),
        ("analyse", "analyze"), ("colours", "colors"), ("behavioural", "behavioral"), ("labelled", "labeled"), ("modelling", "modeling"),
        ("travellers", "travelers"), ("centre", "center"), ("metres", "meters"), ("catalogue", "catalog"), ("dialogues", "dialogs"),
    ],
)  # fmt: skip
def test_british_and_american_spelling_are_one_term(british, american):
    assert terms(british) == terms(american)
    index = build([Paper("1", "", f"we {british} here"), Paper("2", "", f"we {american} here"), Paper("3", "", "x")])  # fmt: skip
    scores = index.scores(terms(american))
    assert scores[0] == scores[1] > scores[2] == 0
    assert index.df(*terms(british)) == 2


@pytest.mark.parametrize(("one", "other"), [("four", "for"), ("wise", "wize"), ("hour", "hor"), ("our", "or"), ("call", "cal"), ("rise", "rize"), ("tour", "tor")])  # fmt: skip
def test_short_words_are_not_respelled(one, other):
    assert terms(one) != terms(other) or terms(one) == []


WORDS = st.sampled_from(["linear", "attention", "bird", "hand", "fast", "finches"])


@given(st.lists(st.lists(WORDS, max_size=6), max_size=8), st.lists(WORDS, max_size=3, unique=True))
def test_rows_are_those_of_the_papers_with_every_term(texts, query):
    wanted = terms(" ".join(query))
    index = build([Paper(str(number), "", " ".join(text)) for number, text in enumerate(texts)])
    held = [row for row, text in enumerate(texts) if set(query) <= set(text)] if query else []
    assert index.rows(wanted).tolist() == held
    assert index.rows([*wanted, "unknown"]).tolist() == []


@given(
    st.lists(st.lists(WORDS, max_size=6), max_size=4), st.sampled_from("abfhlx"), st.integers(0, 7), st.integers(0, 12)
)
def test_terms_like_have_the_first_letter_and_the_length(texts, first, shortest, longest):
    index = build([Paper(str(number), "", " ".join(text)) for number, text in enumerate(texts)])
    vocabulary = {term for text in texts for term in terms(" ".join(text))}
    expected = {term for term in vocabulary if term.startswith(first) and shortest <= len(term) <= longest}
    found = index.terms_like(first, shortest, longest)
    assert set(found) == expected
    assert len(found) == len(expected)
