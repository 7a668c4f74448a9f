"""How the words of a question meet those of papers: late interaction against brute force, and word by word."""

import dataclasses
import itertools

import numpy as np
import pytest
from fakes import CRANE, MARMOT, PAPERS, STORK, ZEBRA, paper
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Settings
from rag.index.shelf import Shelf
from rag.index.tokens import SCALE, PaperTokens
from rag.ingest.sentences import split_sentences
from rag.retrieve.interaction import EncodedQuestion, interact, neighbours
from rag.retrieve.retriever import Retriever
from rag.types import Named, Query

# One without a word worth keeping, one whose words stand in another order than in its double.
STOPS = paper("Of the", "It is what it is, and so on.")
PLAIN = paper("Fried Onion Rings", "Crisp golden rings.")
TURNED = paper("Rings Onion Fried", "Rings golden crisp.")
HELD = (*PAPERS, STOPS, PLAIN, TURNED)
QUESTIONS = ("do zebra stripes confuse biting flies?", "recall of retrieval over private notes", "who plans meals?", "fried onion rings", "the of", "zzyzzyva 4.5")  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with Shelf(tmp_path_factory.mktemp("interaction") / "shelf", Settings(), create=True) as shelf:
        shelf.put(HELD)
        shelf.refresh()
        yield shelf


@pytest.fixture(scope="module")
def tokens(shelf):
    return shelf.segments.tokens(shelf.segments.rows_of([one.id for one in HELD]))


@pytest.fixture(scope="module")
def read(shelf):
    encoded = {text: EncodedQuestion.read(text, shelf) for text in QUESTIONS}
    return lambda text: encoded.get(text) or EncodedQuestion.read(text, shelf)


def brute_force(question, own):
    """Max-sim with the whole paper and with its best sentence, one pair of word pieces at a time."""
    share = question.weights / question.weights.sum()

    def max_sim(rows):
        best = (max(float(piece @ own.vectors[row]) * SCALE for row in rows) for piece in question.pieces)
        return sum(weight * min(1.0, max(0.0, cosine)) for weight, cosine in zip(share, best, strict=True))

    numbers = own.sentences.tolist()
    if not numbers:
        return 0.0, 0.0
    each = [[row for row, number in enumerate(numbers) if number == wanted] for wanted in sorted(set(numbers))]
    return max_sim(range(len(numbers))), max(map(max_sim, each))


def told(found):
    return found.similarity, found.sentence, found.phrases


@pytest.mark.parametrize("text", QUESTIONS)
def test_similarity_is_that_of_brute_force_over_all_cosines(read, tokens, text):
    question = read(text)
    for own, found in zip(tokens, interact(question, tokens), strict=True):
        assert (found.similarity, found.sentence) == pytest.approx(brute_force(question, own), abs=1e-4)


@given(st.sampled_from(QUESTIONS) | st.text(max_size=60))
def test_shares_stay_within_bounds(read, tokens, text):
    for found in interact(read(text), tokens):
        assert -1e-6 <= found.sentence <= found.similarity + 1e-6 <= 1 + 2e-6
        assert 0 <= found.phrases <= 1 + 1e-9
        assert len(found.sentences) == len(found.cosines)


@given(st.sampled_from(QUESTIONS), st.lists(st.integers(0, len(HELD) - 1), max_size=12))
def test_a_paper_is_met_alike_whichever_stand_beside_it(read, tokens, text, places):
    together = interact(read(text), [tokens[place] for place in places])
    for place, found in zip(places, together, strict=True):
        (alone,) = interact(read(text), [tokens[place]])
        assert told(found) == pytest.approx(told(alone), abs=1e-5)
        assert found.sentences.tolist() == alone.sentences.tolist()


def test_a_paper_without_kept_words_meets_nothing(read, tokens):
    question = read(QUESTIONS[0])
    none = PaperTokens(np.empty((0, tokens[0].vectors.shape[1]), np.int8), np.empty(0, np.int16), np.empty(0, np.uint32))  # fmt: skip
    first, empty, last = interact(question, [tokens[0], none, tokens[1]])
    assert told(empty) == (0, 0, 0)
    assert empty.cosines.shape == (0, len(question.pieces))
    assert told(first) != told(last) != told(empty)
    assert told(interact(question, [none])[0]) == (0, 0, 0)
    assert list(interact(question, [])) == []


def test_each_sentence_has_its_best_cosines_and_the_title_is_one(read, tokens):
    found = interact(read("confuse biting flies"), tokens)[HELD.index(ZEBRA)]
    assert found.sentences.tolist() == [-1, *range(len(split_sentences(ZEBRA.abstract)))]
    best = (found.cosines @ read("confuse biting flies").weights).argmax()
    assert found.sentences[best] == 0  # "Zebra stripes confuse biting flies."


@pytest.mark.parametrize("one", [MARMOT, CRANE, ZEBRA, STORK, PLAIN], ids=lambda one: one.title[:6])
def test_all_neighbours_of_a_text_are_neighbours_in_it(read, tokens, one):
    found = list(interact(read(f"{one.title}. {one.abstract}"), tokens))
    assert found[HELD.index(one)].phrases == pytest.approx(1)
    assert max(found[at].phrases for at, other in enumerate(HELD) if other is not one) < 0.9
    assert max(found, key=lambda met: met.similarity) is found[HELD.index(one)]


def test_the_same_words_in_another_order_are_no_phrase(read, tokens):
    plain, turned = interact(read("fried onion rings"), [tokens[HELD.index(PLAIN)], tokens[HELD.index(TURNED)]])
    assert (plain.phrases, turned.phrases) == (pytest.approx(1), 0)


def test_neighbours_do_not_reach_from_one_paper_into_the_next(read, tokens):
    """`fried` ends one paper and `onion` begins the next."""
    question = read("fried onion")
    ids = question.pairs[0]
    first, second = (int(ids >> np.uint64(32)), int(ids & np.uint64(0xFFFFFFFF)))
    row = tokens[0].vectors[:1]
    parts = [PaperTokens(row, np.zeros(1, np.int16), np.array([key], np.uint32)) for key in (first, second)]
    both = PaperTokens(np.repeat(row, 2, axis=0), np.zeros(2, np.int16), np.array([first, second], np.uint32))
    assert [found.phrases for found in interact(question, [*parts, both])] == [0, 0, 1]


@given(st.lists(st.integers(0, 2**31 - 1), max_size=9))
def test_neighbours_are_told_apart(ids):
    found = neighbours(np.array(ids, np.uint32)).tolist()
    pairs = list(itertools.pairwise(ids))
    assert len(found) == len(pairs)
    assert len(set(found)) == len(set(pairs))


def test_a_question_knows_its_telling_words(read):
    question = read("which papers say that Marmot's zebra-striped flies bite?")
    assert [word.text for word in question.words] == ["Marmot", "zebra", "striped", "flies", "bite"]
    assert all(word.rows and word.weight > 0 for word in question.words)
    assert len({row for word in question.words for row in word.rows}) == sum(len(word.rows) for word in question.words)
    assert np.linalg.norm(question.vector) == pytest.approx(1, abs=1e-3)
    assert len(question.pieces) == len(question.weights)
    assert len(question.pairs) == len(question.pair_weights)
    assert len(read("").pairs) == len(read("the of").words) == 0


# --- word by word


def matched(shelf, text, one, **more):
    query, retriever = Query(text, text, **more), Retriever(shelf)
    found = retriever.with_spans(query, retriever.search(query, len(HELD)))
    return next(item.match for item in found if item.paper.id == one.id)


def test_words_that_stand_in_the_paper_are_met_with_one(shelf):
    found = matched(shelf, "zebra stripes confuse biting flies", ZEBRA)
    assert [found.words, found.sentence, found.least, found.verbatim, found.verbatim_sentence] == pytest.approx([1] * 5)
    other = matched(shelf, "zebra stripes confuse biting flies", CRANE)
    assert 0 <= other.least <= other.words < 0.7
    assert other.verbatim == 0


def test_words_of_two_sentences_are_met_by_the_paper_and_not_by_one_sentence(shelf):
    found = matched(shelf, "painted horses, field animals and stripes", ZEBRA)
    assert found.verbatim == pytest.approx(1)
    assert found.verbatim_sentence < 0.9
    assert found.sentence < found.words


@pytest.mark.parametrize(
    ("question", "no_figure"),
    [
        ("how many animals were painted?", 0),
        ("how many horseflies were attracted to the painted horses?", 1),  # no figure in that sentence
        ("were the horses painted?", 0),  # none is asked for
    ],
)
def test_a_figure_is_missed_where_one_is_asked_for(shelf, question, no_figure):
    assert matched(shelf, question, ZEBRA).no_figure == no_figure


def test_words_unknown_to_the_shelf_and_strange_names_are_told(shelf):
    assert matched(shelf, "zebra stripes", ZEBRA).unknown == 0
    assert 0 < matched(shelf, "zebra volcanoes", ZEBRA).unknown < 1
    assert matched(shelf, "volcanoes", ZEBRA).unknown == pytest.approx(1)
    assert matched(shelf, "do zebra stripes beat GPT9?", ZEBRA).strangers == 1
    assert matched(shelf, "do zebra stripes beat Zebra flies?", ZEBRA).strangers == 0


def test_the_name_of_a_paper_is_no_word_to_be_met(shelf):
    names = (Named("Marmot", (MARMOT.id,)),)
    with_name, without = matched(shelf, "Marmot volcanoes", MARMOT, names=names), matched(shelf, "volcanoes", MARMOT)
    assert with_name.words == pytest.approx(without.words, abs=0.15)
    assert matched(shelf, "Marmot volcanoes", MARMOT).words > with_name.words + 0.15
    assert (with_name.named, without.named) == (1, 0)
    only = matched(shelf, "Marmot", MARMOT, names=names)  # a name alone is met as a word
    assert only == dataclasses.replace(only, words=1.0, named=1.0)


def test_the_thing_asked_for_wants_a_sentence_with_a_figure(shelf):
    held = matched(shelf, "how many notes was it trained on?", MARMOT)
    assert (held.thing, held.thing_figure) == (pytest.approx(1), pytest.approx(1))
    missed = matched(shelf, "how many labelled data does it need?", MARMOT)
    assert missed.thing_figure < missed.thing == pytest.approx(1)  # it is there, in a sentence without a figure
