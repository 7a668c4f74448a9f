"""Vectors in memory-mapped files: those of the ledger, by the row of the paper."""

import gc

import numpy as np
import pytest
from fakes import CRANE, MARMOT, PAPERS, ZEBRA, paper
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Settings
from rag.index.columns import NAMES, Columns
from rag.index.shelf import Shelf
from rag.index.tokens import DIMENSION

# A paper without an abstract is one passage; this title has no word that is kept.
BARE = paper("Of the", "")
LONG = paper("Long Nights", " ".join(f"In night {at} the owl of hollow {at} caught {at + 3} mice." for at in range(60)))
HELD = (*PAPERS, BARE, LONG)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with Shelf(tmp_path_factory.mktemp("columns") / "shelf", Settings(), create=True) as shelf:
        shelf.put(HELD)
        shelf.refresh()
        yield shelf


def as_in_ledger(shelf, row):
    """What the ledger keeps of the paper in this row, column by column."""
    return [b"".join(column) for column in zip(*list(shelf.ledger.all_encoded())[row], strict=True)]


@given(st.lists(st.integers(0, len(HELD) - 1), max_size=9))
def test_rows_are_as_in_the_ledger_whichever_are_asked_for(shelf, rows):
    vectors, counts = shelf.columns.passages(rows)
    at = 0
    for row, count, tokens in zip(rows, counts, shelf.columns.tokens(rows), strict=True):
        assert [vectors[at : at + count].tobytes(), *(part.tobytes() for part in (tokens.vectors, tokens.sentences, tokens.ids))] == as_in_ledger(shelf, row)  # fmt: skip
        at += count
    assert at == len(vectors)


def test_rows_are_those_of_the_word_index(shelf):
    assert len(shelf.columns) == len(shelf.lexical.ids) == len(HELD)
    for one in (CRANE, LONG):
        row = shelf.lexical.row_of[one.id]
        vectors, (count,) = shelf.columns.passages([row])
        (key, cosine), *_ = shelf.nearest(vectors[0], 1)
        assert key == one.id
        assert cosine == pytest.approx(1, abs=1e-3)
        assert shelf.columns.tokens([row])[0].vectors.shape[1] == DIMENSION
        assert count == (1 if one is CRANE else len(vectors))
    assert len(shelf.columns.passages([shelf.lexical.row_of[LONG.id]])[0]) > 3


def test_a_paper_without_kept_words_has_a_vector_and_no_tokens(shelf):
    row = shelf.lexical.row_of[BARE.id]
    assert len(shelf.columns.passages([row])[0]) == 1
    assert len(shelf.columns.tokens([row])[0].ids) == 0


def test_a_changed_paper_is_seen_after_the_refresh_and_old_maps_stay_whole(tmp_path):
    with Shelf(tmp_path / "shelf", Settings(), create=True) as shelf:
        shelf.put(PAPERS)
        shelf.refresh()
        before, row = shelf.columns, shelf.lexical.row_of[ZEBRA.id]
        old = before.passages([row])[0].copy()
        shelf.put([paper(ZEBRA.title, MARMOT.abstract), LONG])
        shelf.refresh()
        assert np.array_equal(before.passages([row])[0], old)
        assert shelf.lexical.row_of[ZEBRA.id] == row
        assert not np.array_equal(shelf.columns.passages([row])[0][:1], old[:1])
        assert len(shelf.columns) == len(before) + 1


def test_an_empty_shelf_and_papers_without_passages_can_be_kept(tmp_path):
    Columns.write(tmp_path / "none", [])
    assert len(Columns(tmp_path / "none", 384)) == 0
    Columns.write(tmp_path / "bare", [[], []])
    bare = Columns(tmp_path / "bare", 384)
    assert len(bare) == 2
    assert bare.passages([1, 0])[0].shape == (0, 384)
    assert [len(own.ids) for own in bare.tokens([0, 1])] == [0, 0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", ["lost", "short", "long"])
def test_files_that_do_not_fit_are_refused(shelf, tmp_path, name, damage):
    Columns.write(tmp_path, shelf.ledger.all_encoded())
    data = (tmp_path / name).read_bytes()
    match damage:
        case "lost":
            (tmp_path / name).unlink()
        case "short":
            (tmp_path / name).write_bytes(data[: len(data) // 2])
        case "long":
            (tmp_path / name).write_bytes(data + data)
    with pytest.raises((OSError, ValueError)):
        Columns(tmp_path, shelf.embedder.dimension)
    gc.collect()
