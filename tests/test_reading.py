"""How an abstract reads when it is stored, and that the shelf gives back exactly that."""

import re

import pytest
from fakes import CRANE, MARMOT, PAPERS, paper
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Settings
from rag.index.ledger import EVERYTHING
from rag.index.lexical import terms
from rag.index.reading import read_abstract
from rag.index.shelf import Shelf
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.types import Role

BROKEN = paper("Debris", r"Accuracy falls by 75.1\% at 11.9times. We then train on $n$ pairs. Code is available at https://x.org .")  # fmt: skip
BARE = paper("Nothing But a Title", "")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with Shelf(tmp_path_factory.mktemp("reading") / "shelf", Settings(), create=True) as shelf:
        shelf.put([*PAPERS, BROKEN, BARE])
        shelf.refresh()
        yield shelf


def test_sentences_have_their_parts_figures_words_and_stems():
    first, second, third, *_ = read_abstract(MARMOT.abstract)
    assert (first.role, second.role, third.role) == (Role.PROBLEM, Role.METHOD, Role.RESULT)
    assert (first.figure, second.figure, third.figure) == (False, True, True)
    assert MARMOT.abstract[third.start : third.end] == "Marmot increases recall by 4.5 points over BM25."
    assert third.words == 8
    assert third.stems == ("marmot", "increas", "recal", "4.5", "point", "bm25")


def test_debris_is_read_as_a_person_would():
    falls, train, code = read_abstract(BROKEN.abstract)
    assert {"75.1", "11.9"} <= set(falls.stems)
    assert BROKEN.abstract[train.start : train.end].startswith("We then")
    assert code.role is Role.RESOURCE
    assert read_abstract("") == []


@given(st.text(max_size=200))
def test_offsets_are_those_of_the_sentences_and_no_word_is_lost(text):
    found = read_abstract(text)
    assert [(one.start, one.end) for one in found] == split_sentences(text)
    for one in found:
        said = readable(text[one.start : one.end])
        assert list(one.stems) == terms(said)
        assert one.figure == bool(re.search(r"\d", said))


def test_the_ledger_gives_back_what_was_read(shelf):
    held = shelf.ledger.sentences([one.id for one in (BROKEN, CRANE, BARE)])
    assert list(held) == [BROKEN.id, CRANE.id, BARE.id]
    for one in (BROKEN, CRANE, BARE):
        assert list(held[one.id]) == read_abstract(one.abstract)


def test_a_changed_abstract_reads_anew(tmp_path):
    with Shelf(tmp_path / "shelf", Settings(), create=True) as shelf:
        shelf.put([MARMOT])
        shelf.put([paper(MARMOT.title, CRANE.abstract)])
        shelf.refresh()
        assert list(shelf.ledger.sentences([MARMOT.id])[MARMOT.id]) == read_abstract(CRANE.abstract)
        assert shelf.segments.df(*terms("recall")) == 0


def test_the_word_index_counts_the_stems_that_were_kept(shelf):
    stored = shelf.ledger.changed((EVERYTHING, 0), 100)
    assert len(stored) == len((*PAPERS, BROKEN, BARE))
    for own in stored:
        one = next(other for other in (*PAPERS, BROKEN, BARE) if other.id == own.id)
        assert (own.title, own.stems) == (one.title, terms(one.abstract))
