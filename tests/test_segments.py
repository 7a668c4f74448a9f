"""Words and vectors in segments: whatever came in which order, a view is that of the papers as they are now."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.index import segment_store
from rag.index.columns import NAMES as COLUMNS
from rag.index.database import SqliteDatabase
from rag.index.ledger import Ledger
from rag.index.lexical import terms
from rag.index.postings import NAMES as WORDS
from rag.index.segment_store import SegmentStore
from rag.index.segments import K1, B, Segments
from rag.index.stored import EncodedPaper, EncodedPassage
from rag.index.tokens import DIMENSION, PaperTokens
from rag.types import Paper, Passage, Role, Sentence

WIDTH = 4
VOCABULARY = ("linear", "attention", "bird", "hand", "fast", "finches")


def encoded(paper: Paper) -> EncodedPaper:
    """A paper with a vector and a word-piece vector for each of its words, which tell where they came from."""
    held = paper.abstract.split()
    passages = []
    for at in range(0, len(held), 3):
        own = held[at : at + 3]
        pieces = np.array([hash_of(word) for word in own], np.uint32)
        small = np.repeat(pieces.astype(np.int8)[:, None], DIMENSION, axis=1)
        vector = np.full(WIDTH, hash_of(" ".join(own)), np.float32)
        tokens = PaperTokens(small, np.zeros(len(own), np.int16), pieces)
        passages.append(EncodedPassage(Passage(paper.id, at, at + len(own)), vector, tokens))
    sentences = [Sentence(0, len(paper.abstract), Role.PROBLEM, len(held), False, tuple(terms(paper.abstract)))]
    return EncodedPaper(sentences, passages)


def hash_of(text: str) -> int:
    return sum((at + 1) * ord(letter) for at, letter in enumerate(text)) % 101


def put(ledger: Ledger, papers: Sequence[Paper]) -> None:
    ledger.put([(paper, encoded(paper)) for paper in papers])


def ledger_of(folder, papers: Sequence[Paper] = ()) -> Ledger:
    ledger = Ledger(SqliteDatabase(folder / "ledger.sqlite"), {"model": "made by hand"})
    if papers:
        put(ledger, papers)
    return ledger


def view(folder, ledger: Ledger) -> Segments:
    store = SegmentStore(folder / "segments", WIDTH)
    store.open(ledger.identity)
    return store.follow(ledger)


def numbered(texts: Sequence[Sequence[str]]) -> list[Paper]:
    return [Paper(f"paper-{number}", "", " ".join(text)) for number, text in enumerate(texts)]


def brute_force(query: Sequence[str], papers: Sequence[Paper]) -> dict[str, float]:
    """BM25 as the formula stands, one paper at a time."""
    held = {paper.id: terms(f"{paper.title}. {paper.title}. {paper.abstract}") for paper in papers}
    mean = sum(map(len, held.values())) / len(held)
    scores = dict.fromkeys(held, 0.0)
    for key, own in held.items():
        for term in query:
            df = sum(term in other for other in held.values())
            if df and term in own:
                idf = math.log1p((len(papers) - df + 0.5) / (df + 0.5))
                tf = own.count(term)
                scores[key] += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * len(own) / mean))
    return scores


def agrees(segments: Segments, papers: Sequence[Paper], query: Sequence[str]) -> None:
    """Everything a view tells, held against the papers themselves."""
    ids = [paper.id for paper in papers]
    rows = segments.rows_of(ids)
    assert len(segments) == len(papers)
    assert (rows >= 0).all()
    assert segments.ids_of(rows) == ids
    scores = segments.scores(query)
    assert np.allclose(scores[rows], list(brute_force(query, papers).values()), atol=1e-4)
    assert np.count_nonzero(scores) == np.count_nonzero(scores[rows])
    have = {
        term: [term in terms(f"{paper.title} {paper.abstract}") for paper in papers] for term in [*query, "unknown"]
    }
    for term, expected in have.items():
        assert segments.df(term) == sum(expected)
        assert segments.holds(rows, term).tolist() == expected
    everything = (
        [all(have[term][at] for term in query) for at in range(len(papers))] if query else [False] * len(papers)
    )
    assert sorted(segments.having(query)) == sorted(rows[everything])
    vocabulary = {term for paper in papers for term in terms(f"{paper.title} {paper.abstract}")}
    for first in "fab":
        found = segments.terms_like(first, 4, 6)
        assert found == {term for term in vocabulary if term[0] == first and 4 <= len(term) <= 6}
    vectors, counts = segments.passages(rows)
    own = [passage for paper in papers for passage in encoded(paper).passages]
    assert counts.tolist() == [len(encoded(paper).passages) for paper in papers]
    assert np.array_equal(vectors.reshape(-1, WIDTH), np.array([one.vector for one in own]).reshape(-1, WIDTH))
    nearest = segments.ids_of(segments.nearest(np.ones(WIDTH, np.float32), segments.passage_count()))
    assert sorted(nearest) == sorted(passage.passage.paper_id for passage in own)
    best = {paper.id: max((one.vector[0] for one in encoded(paper).passages), default=0) for paper in papers}
    assert not nearest or best[nearest[0]] == max(best.values())
    for paper, tokens in zip(papers, segments.tokens(rows), strict=True):
        pieces = [piece for passage in encoded(paper).passages for piece in passage.tokens.ids]
        assert tokens.ids.tolist() == pieces
        assert tokens.vectors[:, 0].tolist() == pieces


TEXT = st.lists(st.sampled_from(VOCABULARY), max_size=8)


@given(
    st.lists(st.dictionaries(st.integers(0, 9), TEXT, min_size=1, max_size=5), min_size=1, max_size=6),
    st.lists(st.sampled_from(VOCABULARY), max_size=3, unique=True),
    st.integers(1, 5),
    st.integers(2, 30),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_papers_added_and_changed_in_any_order(tmp_path_factory, batches, query, portion, most, reopened):
    folder = tmp_path_factory.mktemp("segments")
    ledger = ledger_of(folder)
    store = SegmentStore(folder / "segments", WIDTH)
    assert not store.open(ledger.identity)
    now: dict[int, Paper] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_store, "PORTION", portion)
        patch.setattr(segment_store, "MOST", most)
        for batch in batches:
            papers = {number: Paper(f"paper-{number}", "", " ".join(text)) for number, text in batch.items()}
            before, known = store.view(), list(now.values())
            put(ledger, list(papers.values()))
            now |= papers
            if reopened:
                store = SegmentStore(folder / "segments", WIDTH)
                store.open(ledger.identity)
            agrees(store.follow(ledger), list(now.values()), terms(" ".join(query)))
            if known:  # who searches meanwhile sees what was there
                agrees(before, known, terms(" ".join(query)))
    ledger.close()


def test_following_costs_what_changed(tmp_path, monkeypatch):
    ledger = ledger_of(tmp_path, numbered([["linear", "bird"]] * 400))
    view(tmp_path, ledger)
    written = []
    own = SegmentStore._write
    monkeypatch.setattr(SegmentStore, "_write", lambda self, papers: written.append(len(papers)) or own(self, papers))
    monkeypatch.setattr(SegmentStore, "_merge", lambda *_: pytest.fail("the large segment was written anew"))
    put(ledger, [Paper("new", "A new one", "fast finches"), Paper("paper-7", "", "changed")])
    segments = view(tmp_path, ledger)
    assert written == [2]
    assert len(segments) == 401
    assert segments.df(*terms("finches")) == 1
    view(tmp_path, ledger)
    assert written == [2]


def test_many_small_additions_leave_few_segments(tmp_path):
    ledger = ledger_of(tmp_path)
    store = SegmentStore(tmp_path / "segments", WIDTH)
    store.open(ledger.identity)
    for number in range(70):
        put(ledger, [Paper(f"paper-{number}", "", "linear attention")])
        segments = store.follow(ledger)
    assert len(segments) == 70
    assert len([path for path in (tmp_path / "segments").iterdir() if path.is_dir()]) <= 7


def test_a_folder_of_another_ledger_is_not_believed(tmp_path):
    (tmp_path / "other").mkdir()
    view(tmp_path, ledger_of(tmp_path, numbered([["bird"], ["hand"]])))
    other = ledger_of(tmp_path / "other", numbered([["bird"], ["finches"]]))
    assert view(tmp_path, other).df(*terms("finches")) == 1


@pytest.mark.parametrize("name", [*COLUMNS, *WORDS, "ids", "by_id", "segments.json"])
@pytest.mark.parametrize("damage", ["lost", "short", "long"])
def test_files_that_do_not_fit_are_made_anew(tmp_path, name, damage):
    papers = numbered([["linear", "bird"], ["bird", "hand"], ["fast"]])
    ledger = ledger_of(tmp_path, papers)
    view(tmp_path, ledger)
    path = next((tmp_path / "segments").rglob(name))
    data = path.read_bytes()
    match damage:
        case "lost":
            path.unlink()
        case "short":
            path.write_bytes(data[: len(data) // 2])
        case "long":
            path.write_bytes(data + data)
    store = SegmentStore(tmp_path / "segments", WIDTH)
    assert not store.open(ledger.identity)
    agrees(store.follow(ledger), papers, terms("bird hand"))


def test_an_empty_shelf_has_a_view(tmp_path):
    segments = view(tmp_path, ledger_of(tmp_path))
    assert len(segments) == 0
    assert segments.scores(["word"]).shape == (0,)
    assert segments.rows_of(["paper"]).tolist() == [-1]
    assert segments.having(["word"]).tolist() == []
    assert segments.terms_like("w", 1, 9) == set()


def test_a_paper_without_words(tmp_path):
    agrees(view(tmp_path, ledger_of(tmp_path, numbered([[], ["bird"]]))), numbered([[], ["bird"]]), ["bird"])


def test_british_and_american_spelling_are_one_term(tmp_path):
    papers = numbered([["optimise"], ["optimize"], ["bird"]])
    segments = view(tmp_path, ledger_of(tmp_path, papers))
    scores = segments.scores(terms("optimising"))[segments.rows_of([paper.id for paper in papers])]
    assert scores[0] == scores[1] > scores[2] == 0


def test_words_of_other_scripts_are_found_by_their_first_letter(tmp_path):
    papers = [Paper("1", "", "线性注意力"), Paper("2", "", "zebra ζεβρα")]
    segments = view(tmp_path, ledger_of(tmp_path, papers))
    assert segments.terms_like("线", 1, 9) == set(terms("线性注意力"))
    assert segments.terms_like("z", 1, 9) == set(terms("zebra"))
