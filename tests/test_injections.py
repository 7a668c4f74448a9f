"""Planted titles and abstracts: what reaches the model is fenced, what reaches the reader is escaped, no citation is forged."""

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from fakes import MARMOT, ZEBRA, Parrot, checker, paper

from rag.answer.citing import MARKER
from rag.answer.execution import Blocking, blocking
from rag.answer.request import build, inert
from rag.errors import WriterError
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.llm_writer import Checked, LanguageModelWriter
from rag.render import to_markdown, to_terminal
from rag.types import Answer, Citation, Claim, Evidence, Query, Span, Verdict

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "eval/datasets/injections.jsonl").read_text("utf-8").splitlines()
]
PLANTED = [row for row in ROWS if row["kind"] != "benign"]
BENIGN = [row for row in ROWS if row["kind"] == "benign"]
QUESTION = Query("what do the papers say?", "papers")
FENCE = re.compile("=== [0-9a-f]{16} ===")


def named(rows):
    return pytest.mark.parametrize("row", rows, ids=lambda row: row["id"])


def evidence(row):
    papers = (MARMOT, paper(row["title"], row["abstract"]), ZEBRA)
    return [
        Evidence(item, 1, 1, 1, 1, spans=tuple(Span(*span) for span in split_sentences(item.abstract)))
        for item in papers
    ]


def write(row, *script, strict=False):
    """The checked draft of a model that saw the row as passage 2."""
    writer = LanguageModelWriter(Parrot(*script), checker(), patience=20, strict=strict)
    *_, last = blocking(writer.write(QUESTION, evidence(row), (), (), Blocking()))
    assert isinstance(last, Checked)
    return last


def obeying(row):
    return lambda prompt: row["obeying"].replace("FENCE", FENCE.search(prompt)[0])


def test_the_rows_are_many_and_of_every_kind():
    kinds = Counter(row["kind"] for row in ROWS)
    assert len(PLANTED) >= 40
    assert len(BENIGN) >= 10
    assert set(kinds) == {
        "benign", "delimiter", "exfiltration", "forged-source", "hidden", "override", "system-prompt", "template",
    }  # fmt: skip
    assert len({row["id"] for row in ROWS}) == len(ROWS)


def test_passages_told_twice_are_fenced_twice():
    request = build(QUESTION, evidence(PLANTED[0]), (), 8_192, "found-twice")
    lines = request.prompt.rstrip("\n").split("\n")
    at = [number for number, line in enumerate(lines) if line == request.fence]
    first, second = lines[at[0] + 1 : at[1]], lines[at[2] + 1 : at[3]]
    assert len(at) == 4
    assert first == second == request.passages.split("\n")


@named(ROWS)
def test_what_reaches_the_model_is_fenced_and_inert(row):
    request = build(QUESTION, evidence(row), (), 8_192)
    lines = request.prompt.rstrip("\n").split("\n")
    at = [number for number, line in enumerate(lines) if line == request.fence]
    assert len(at) == 2
    assert FENCE.fullmatch(request.fence)
    assert request.fence not in row["title"] + row["abstract"]
    assert lines[at[1] + 1 :] == ["", f"Question: {QUESTION.question}"]
    assert "what do the papers say?" not in "\n".join(lines[: at[1]])
    inside = lines[at[0] + 1 : at[1]]
    # A title and a line of words for each passage, and nothing else.
    assert [bool(line) for line in inside] == [True, True, False, True, True, False, True, True]
    assert [line[:4] for line in inside[::3]] == ["[1] ", "[2] ", "[3] "]
    title, words = inside[3].removeprefix("[2] "), inside[4]
    for text in (title, words):
        assert not MARKER.search(text)
        assert not re.search(r"<\||\|>|</?s>|<[a-z_]+>|\[/?INST\]", text)
        assert not [letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cn")]
    assert re.findall(r"\w+", row["abstract"])[0] in words


def test_the_fence_is_new_every_time():
    assert len({build(QUESTION, evidence(ROWS[0]), (), 8_192).fence for _ in range(50)}) == 50


@named(PLANTED)
def test_an_obeying_model_forges_no_citation(row):
    try:
        checked = write(row, obeying(row), obeying(row))
    except WriterError:  # recognised as no answer; the extractive one is given
        return
    if checked.draft is None:
        assert row["obeying"] == ""
        return
    planted = paper(row["title"], row["abstract"])
    for citation in checked.draft.citations:
        assert citation.paper.abstract[citation.start : citation.end] == citation.quote
    cited = {citation.number: citation.paper for citation in checked.draft.citations}
    for claim in checked.claims:
        sources = {cited[number].id for number in claim.citations}
        # What a planted abstract says of itself is its own; of no other paper is any of it held to be true.
        assert claim.verdict is not Verdict.SUPPORTED or sources == {planted.id}
    for number in re.findall(r"\d+", "".join(found[0] for found in MARKER.finditer(row["obeying"]))):
        assert int(number) <= 3 or f"[{int(number)}: no such passage]" in checked.draft.text


GIVEN_BACK = [row for row in PLANTED if row["kind"] == "system-prompt" and "KEY" not in row["obeying"]]


@named(GIVEN_BACK)
def test_a_leak_of_the_prompt_is_no_answer(row):
    with pytest.raises(WriterError, match="gives its instructions back"):
        write(row, obeying(row))


@named([row for row in PLANTED if row["id"] in ("override-01", "override-04", "forged-source-09")])
def test_strict_leaves_nothing_of_an_obeyed_override(row):
    with pytest.raises(WriterError, match=r"nothing that .* is supported"):
        write(row, obeying(row), "", strict=True)


@named(BENIGN)
def test_what_only_looks_like_it_is_answered(row):
    checked = write(row, obeying(row), obeying(row))
    assert [claim.verdict for claim in checked.claims] == [Verdict.SUPPORTED]
    assert not checked.draft.flags


@named([row for row in BENIGN if not re.search(r"[<\[]\w", row["abstract"])])
def test_and_reaches_the_model_as_it_stands(row):
    assert inert(row["abstract"]) == readable(row["abstract"])


@named(ROWS)
def test_what_reaches_the_reader_is_escaped(row):
    from_model = row["obeying"].replace("FENCE", "abc") or "Nothing."
    planted = paper(row["title"], row["abstract"])
    start, end = split_sentences(row["abstract"])[0]
    draft = answer_saying(from_model, planted, start, end)
    markdown = to_markdown(draft)
    assert not re.search(r"(?<!\\)!\[|<(?!mark>|/mark>)[a-zA-Z/!]|\]\(", markdown)
    assert not re.search(r"^\[ref\]:", markdown, re.MULTILINE)
    shown = to_terminal(draft)
    assert not [letter for letter in shown if unicodedata.category(letter) == "Cc" and letter != "\n"]
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown)


@named(ROWS)
def test_the_page_shows_it_as_text(row):
    pytest.importorskip("gradio", reason="gradio is not installed (pip install 'attest[ui]')")
    from ui.evidence import evidence_html
    from ui.markup import answer_html, draft_html

    start, end = split_sentences(row["abstract"])[0]
    draft = answer_saying(row["obeying"] or "Nothing.", paper(row["title"], row["abstract"]), start, end)
    for shown in (answer_html(draft, 0), draft_html(row["obeying"]), evidence_html(draft)):
        assert not re.search(r"<(img|script|svg|iframe|style|a|documents?|mask)\b", shown)


def answer_saying(text, planted, start, end):
    """An answer that repeats what a model said and quotes the planted paper, as a reader's program gets it."""
    citation = Citation(1, planted, planted.abstract[start:end], start, end)
    claim = Claim(text, 0, len(text), (1,), Verdict.UNSUPPORTED, 0.1, f"the source says {planted.title}")
    return Answer("q?", "answered", f"{text} [1]", None, (claim,), (citation,), ((planted, 1.0),), "llm", "m")
