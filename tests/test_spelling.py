"""Slips of the keyboard over a small shelf: what is mended, to what, and what is left alone."""

import pytest
from fakes import PAPERS, embedder, paper
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from rag.config import Settings
from rag.index.lexical import terms, words
from rag.index.shelf import Shelf
from rag.retrieve.query import understand_alone
from rag.retrieve.spelling import respelled, similar_names

QUOKKA = paper(
    "QuokkaNet: Sunflower Photosynthesis",
    "QuokkaNet measures the photosynthesis of sunflowers. We colour leaves with a spectrograph. QuokkaNet runs outdoors.",
)
HELD = {word for item in (*PAPERS, QUOKKA) for word in words(f"{item.title} {item.abstract}")}
LONG = sorted(word for word in HELD if len(word) >= 6 and word.isalpha())


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with Shelf(tmp_path_factory.mktemp("spelling") / "shelf", Settings(), create=True) as shelf:
        shelf.put([*PAPERS, QUOKKA])
        shelf.refresh()
        yield shelf


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("horsefiles", "horseflies"),  # swapped
        ("recieps", "recipes"),
        ("ccompiler", "compiler"),  # doubled
        ("simmmer", "simmer"),
        ("musicans", "musicians"),  # left out
        ("spectograph", "spectrograph"),
        ("preffered", "preferred"),  # in a long word, two
        ("phothosyntesis", "photosynthesis"),
        ("coluor", "colour"),
        ("pirvate", "private"),
    ],
)
def test_a_slip_becomes_the_word_of_the_shelf_with_a_note(shelf, slip, meant):
    mended, notes = respelled(f"what is said of {slip} there?", shelf)
    assert mended == f"what is said of {meant} there?"
    assert notes == (f"Read “{slip}” as “{meant}”.",)


@pytest.mark.parametrize(
    ("slip", "meant"), [("papres", "papers"), ("compairson", "comparison"), ("septembr", "september"), ("publised", "published")]
)  # fmt: skip
def test_a_slip_in_a_word_that_asks_is_mended_though_no_abstract_has_it(shelf, slip, meant):
    assert meant not in HELD
    assert respelled(f"{slip}?", shelf) == (f"{meant}?", (f"Read “{slip}” as “{meant}”.",))


@pytest.mark.parametrize(
    "question",
    [
        "is there a slowdown, a speedup or a breakdown?",  # made of words
        "do houseflies, other than horseflies, see stripes?",  # and these though one letter parts them
        "which transformers hallucinate about volcanoes?",  # the encoder knows them
        "printed medals, primate inference and summer houses",  # and these, though painted meals simmer on the shelf
        "photosynthesis of sunflowers, labelled outdoors",  # the shelf has them
        "labeled colors",  # in the other spelling
        "bloorptastic zzyzzyvaq",  # near nothing
        "nots and brids",  # too short to tell
        "what do papers without authors say?",
        "日本の天気はどうですか",
        "",
    ],
)
def test_what_is_no_slip_is_left_alone(shelf, question):
    assert respelled(question, shelf) == (question, ())


@pytest.mark.parametrize("name", ["QuokaNet", "CranNet", "musiCans", "Recipes2Go", "RECIEPS"])
def test_names_are_not_touched(shelf, name):
    assert respelled(f"what does {name} do?", shelf) == (f"what does {name} do?", ())


def test_each_slip_has_its_note_and_a_capital_stays_one(shelf):
    mended, notes = respelled("Musicans cook recieps; musicans eat.", shelf)
    assert mended == "Musicians cook recipes; musicians eat."
    assert len(notes) == 3
    assert all(note.startswith("Read “") for note in notes)


@given(st.text(max_size=80) | st.lists(st.sampled_from([*LONG, "of", "slowdown"])).map(" ".join))
def test_what_the_shelf_says_is_never_mended_and_what_is_mended_is_of_the_shelf(shelf, text):
    mended, notes = respelled(text, shelf)
    changed = [(old, new) for old, new in zip(text.split(), mended.split(), strict=True) if old != new]
    assert len(notes) >= len(changed)
    assert not {word for old, _ in changed for word in words(old)} & HELD


@given(st.sampled_from(LONG), st.integers(0, 30), st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
def test_a_mended_word_is_near_and_was_unknown(shelf, word, place, letter):
    """One letter of a word of the shelf replaced: it may stay, or become a word that the slip is near to."""
    slip = word[: place % len(word)] + letter + word[place % len(word) + 1 :]
    mended, notes = respelled(slip, shelf)
    assert bool(notes) == (mended != slip)
    if notes:
        assert OSA.distance(slip, mended) <= (2 if len(slip) >= 9 else 1)
        assert not embedder().is_word(slip)
        assert not any(shelf.segments.df(term) for term in terms(slip))


@pytest.mark.parametrize(
    ("word", "keys"),
    [
        ("QuokaNet", ["quokkanet"]),
        ("CranNet", ["cranenet"]),
        ("CrameNet", ["cranenet"]),
        ("Crane-Nets", ["cranenet"]),
        ("Marmut", ["marmot"]),
        ("quokanet", ["quokkanet"]),
        ("marmut", []),  # written small, it is too short to tell
        ("Mrmt", []),
        ("DraneNet", []),  # first letters are seldom wrong
        ("StorkNet", []),
        ("animals", []),  # a word of the shelf
        ("papers", []),
        ("", []),
    ],
)
def test_similar_names(shelf, word, keys):
    assert similar_names(word, shelf) == keys


def test_a_question_is_understood_as_mended_and_says_so(shelf):
    query = understand_alone("which papers are about horsefiles?", shelf)
    assert (query.question, query.topic) == ("which papers are about horseflies?",) * 2
    assert query.notes == ("Read “horsefiles” as “horseflies”.",)
    named = understand_alone("what does QuokaNet measure?", shelf)
    assert [(name.name, name.papers) for name in named.names] == [("QuokaNet", (QUOKKA.id,))]
