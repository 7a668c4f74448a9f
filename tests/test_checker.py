"""The one checker: claims against a source, with the real encoder."""

import json
import re
from itertools import permutations
from pathlib import Path

import pytest
from fakes import CRANE, MARMOT, PAPERS, checker, embedder
from hypothesis import given, settings
from hypothesis import strategies as st

import rag
from eval.metrics import auroc
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.types import Verdict
from rag.verify.checker import LONGEST_SOURCE, THRESHOLD, Checker

GROUNDING = Path(__file__).resolve().parents[2] / "shared" / "bench" / "grounding"
DEBRIS = [
    r"75.1\%", "11.9times", r"$\alpha$", r"Oleft(n^{1.5}dright)", r"\textbf{fast}", "``near''", "sim3", r"x_{17}",
    "naïve", "the—slow", "GPT‑4", "owl’s", "e.g.", "(i.e. 3)", "模型", "$O(n \\log n)$", "\\cite{a}",
]  # fmt: skip
WORDS = ["owls", "sort", "never", "increase", "recall", "by", "4.5", "points", "BM25", "not", "a", "less", "Marmot"]
SENTENCE = st.lists(st.sampled_from(WORDS + DEBRIS), min_size=4, max_size=12).map(lambda w: f"We {' '.join(w)} here.")
ABSTRACT = st.tuples(st.lists(SENTENCE, min_size=1, max_size=5), st.sampled_from([" ", "\n", "  ", ""])).map(
    lambda parts: parts[1].join(parts[0])
)


def holds(check, source):
    assert source[check.start : check.end] == check.quote
    assert 0 <= check.score <= 1
    return check


@given(ABSTRACT)
def test_what_the_source_says_word_for_word_is_supported(abstract):
    for start, end in split_sentences(abstract):
        for said in (abstract[start:end], readable(abstract[start:end])):
            found = holds(checker().check(said, abstract), abstract)
            assert (found.verdict, found.score) == (Verdict.SUPPORTED, 1.0), said
            assert readable(said).split() == readable(found.quote).split() or said in found.quote


@pytest.mark.parametrize(("said", "other"), list(permutations(PAPERS, 2)), ids=lambda paper: paper.title.split()[0])
def test_an_unrelated_abstract_supports_nothing(said, other):
    source = checker().prepare(other.abstract)
    for start, end in split_sentences(said.abstract):
        found = holds(checker().check_prepared(said.abstract[start:end], [source])[0], other.abstract)
        assert found.verdict is Verdict.UNSUPPORTED
        assert found.reason


@given(st.text(max_size=80) | SENTENCE, st.text(max_size=200) | ABSTRACT)
@settings(max_examples=60)
def test_offsets_give_the_quote_whatever_the_text(claim, source):
    found = holds(checker().check(claim, source), source)
    assert bool(found.quote) == (found.verdict is not Verdict.UNCHECKED)


def test_a_source_longer_than_is_read():
    source = f"{'Owls sleep. ' * (LONGEST_SOURCE // 12)}Marmots whistle at noon every day."
    assert holds(checker().check("Owls always sleep here.", source), source).end <= LONGEST_SOURCE
    assert checker().check("Marmots whistle at noon every day.", source).verdict is Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    ("claim", "verdict", "reason"),
    [
        # numbers
        ("Marmot increases recall by 9.5 points over BM25.", "unsupported", "the number 9.5 does not occur"),
        ("Training takes 18 hours on a single machine.", "unsupported", "18 .*; the nearest sentence has 17"),
        ("We train Marmot on 3,201 hand-written notes.", "unsupported", "3,201"),
        # directions
        ("Marmot decreases recall by 4.5 points over BM25.", "contradicted", "“decreases” where .* “increases”"),
        ("Marmot lowers recall by 4.5 points over BM25.", "contradicted", "“lowers” where .* “increases”"),
        # a "not" put in, or left out
        ("Marmot does not increase recall by 4.5 points over BM25.", "contradicted", "“not” stands in the claim"),
        ("Marmot never increases recall by 4.5 points over BM25.", "contradicted", "“never” stands in the claim"),
        ("Marmot doesn't increase recall by 4.5 points over BM25.", "contradicted", "“doesn't” stands in the claim"),
        ("Marmot doesn’t increase recall by 4.5 points over BM25.", "contradicted", "“doesn't” stands in the claim"),
        ("The model needs labelled data.", "contradicted", "“not” stands in the source"),
        # names
        ("Marmot increases recall by 4.5 points over ColBERT.", "unsupported", "does not mention ColBERT"),
        ("GPT-5 increases recall by 4.5 points over BM25.", "unsupported", "does not mention GPT-5"),
        ("GPT‑5 increases recall by 4.5 points over BM25.", "unsupported", "does not mention GPT-5"),
        # true, in other words
        ("Recall rises by 4.5 points with Marmot, compared with BM25.", "supported", "^$"),
        ("Training the model requires 17 hours on a single machine.", "supported", "^$"),
        ("Marmot was trained on 3200 hand-written notes.", "supported", "^$"),
        # nothing to check
        ("", "unchecked", "nothing to check"),
        (" ... — !", "unchecked", "nothing to check"),
    ],
)
def test_verdict_and_reason(claim, verdict, reason):
    found = holds(checker().check(claim, MARMOT.abstract), MARMOT.abstract)
    assert found.verdict == verdict, found
    assert (found.score >= THRESHOLD) == (verdict == "supported")
    assert re.search(reason, found.reason), found.reason


@pytest.mark.parametrize("source", ["", " \n\t "])
@pytest.mark.parametrize("claim", ["", "Marmots whistle at noon."])
def test_an_empty_source_leaves_a_claim_unchecked(claim, source):
    found = checker().check(claim, source)
    assert (found.verdict, found.score, found.quote, found.start, found.end) == (Verdict.UNCHECKED, 0.0, "", 0, 0)
    assert "no source" in found.reason


@given(st.sampled_from([4.5, 17]), st.integers(1, 10**6).filter(lambda n: n not in (17, 25)))
@settings(max_examples=25)
def test_another_number_is_never_supported(own, other):
    claim = next(
        MARMOT.abstract[s:e] for s, e in split_sentences(MARMOT.abstract) if f" {own:g} " in MARMOT.abstract[s:e]
    )
    found = checker().check(claim.replace(f"{own:g}", str(other)), MARMOT.abstract)
    if other != 3200:
        assert found.verdict is Verdict.UNSUPPORTED
        assert str(other) in found.reason


def test_the_same_words_get_the_same_verdict():
    claim = "Diners liked what it cooked better than a human's menus."
    first = checker().check(claim, CRANE.abstract)
    assert first == checker().check(claim, CRANE.abstract)
    prepared = checker().prepare(CRANE.abstract)
    assert checker().check_prepared(claim, [prepared, checker().prepare(MARMOT.abstract), prepared])[::2] == [first] * 2
    assert checker().check_prepared(claim, []) == []
    assert first == Checker.from_settings(rag.Settings()).check(claim, CRANE.abstract)


def test_check_needs_no_shelf(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = rag.check("Its menus were preferred by guests in 71% of dinners.", source=CRANE.abstract)
    assert isinstance(found, rag.Check)
    assert found.verdict is rag.Verdict.SUPPORTED
    assert found.quote.startswith("Guests preferred")
    assert list(tmp_path.iterdir()) == []
    assert found == rag.check(
        "Its menus were preferred by guests in 71% of dinners.", CRANE.abstract, settings=rag.Settings()
    )


@pytest.mark.parametrize(("name", "least"), [("hagrid", 0.80), ("begin", 0.88)])
def test_people_agree(name, least):
    """The first 75 rows of each label (hagrid begins with 150 of one)."""
    path = GROUNDING / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"no human labels at {path}")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    chosen = [row for label in (0, 1) for row in [row for row in rows if row["label"] == label][:75]]
    scores = [checker().check(row["claim"], row["source"]).score for row in chosen]
    assert auroc([row["label"] for row in chosen], scores) >= least


def test_the_encoder_is_the_real_one():
    assert embedder().name.startswith("all-MiniLM-L6-v2")
