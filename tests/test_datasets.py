"""The starter shelf and its questions: our own words, and gold that holds together."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from rag.types import paper_id

ROOT = Path(__file__).parent.parent
DATASETS = ROOT / "eval" / "datasets"


def rows(name):
    return [json.loads(line) for line in (DATASETS / name).read_text(encoding="utf-8").splitlines()]


PAPERS = {row["id"]: row for row in rows("papers.jsonl")}
QUESTIONS = rows("questions.jsonl")


def test_papers_are_digests_of_a_fair_length():
    assert len(PAPERS) >= 120
    for key, row in PAPERS.items():
        assert key == paper_id(row["title"])
        assert 80 <= len(row["abstract"].split()) <= 150, row["title"]
        assert not re.search(r"\\|times\b(?<=\dtimes)", row["abstract"]), row["title"]


def test_questions_are_many_and_of_every_kind():
    kinds = Counter(row["kind"] for row in QUESTIONS)
    assert sum(kinds.values()) >= 100
    assert set(kinds) == {"list", "fact", "compare", "metadata", "follow-up", "unanswerable"}
    assert len({row["id"] for row in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row["id"])
def test_gold_holds_together(row):
    assert set(row["papers"]) <= set(PAPERS)
    assert bool(row["papers"]) == (row["kind"] != "unanswerable")
    for item in row["evidence"]:
        assert item["paper"] in row["papers"]
        assert item["quote"] in PAPERS[item["paper"]]["abstract"]
    if row["kind"] == "fact":
        assert all(any(answer in item["quote"] for item in row["evidence"]) for answer in row["answers"])


def test_no_line_repeats_a_seed_page():
    check = ROOT.parent / "shared" / "checks" / "copied_text.py"
    if not check.is_file():
        pytest.skip("the seed pages are not beside this checkout")
    done = subprocess.run([sys.executable, check, ROOT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
