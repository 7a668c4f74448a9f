"""What a language model is sent: the question made standalone, and passages as inert data behind an unguessable fence."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer import prompts
from rag.answer.language_model import MAX_TOKENS
from rag.answer.prompts import Prompt
from rag.config import Layout
from rag.ingest.repair import readable
from rag.types import Evidence, Paper, Query

# Sentences of each paper that the model sees, best first in the search, told in their order: of a few papers, of many.
SENTENCES, SENTENCES_OF_MANY, MANY = 6, 3, 8
# Characters a token has at least, on average: a cautious figure, for no tokenizer is at hand.
CHARACTERS_A_TOKEN = 3.0
# Earlier questions, newest first, may take this many tokens.
HISTORY_TOKENS = 200

# Brackets with a number would be markers once the model repeats them: a passage could cite another for its own words.
_MARKER = re.compile(r"[\[【［]((?:[^\[\]【】［］\d]{0,12}\d[^\[\]【】［］]{0,40}))[\]】］]")
# Tokens by which chat templates tell who speaks, and anything of their looks.
_TAG = re.compile(r"<(\s*[/|]?\s*[A-Za-z_][^<>\n]{0,60}|\|[^<>\n]{0,60})>")
_TURN = re.compile(r"\[(/?[A-Z_]{3,20})\]")
# A letter "invisible" to people is not invisible to a model: format, control and private characters.
_HIDDEN = ("Cc", "Cf", "Co", "Cs", "Cn")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@dataclass(frozen=True, slots=True)
class Request:
    """A rendered prompt, and the papers it shows as passages 1, 2, ..."""

    prompt: str
    prompt_hash: str
    fence: str
    passages: str
    shown: tuple[Evidence, ...]


def build(
    query: Query, evidence: Sequence[Evidence], earlier: Sequence[str], window: int, layout: Layout = "found"
) -> Request:
    """The request for an answer to `query`.

    Args:
        evidence: nearest first; as many are shown as fit.
        earlier: questions of the conversation, oldest first.
        window: tokens that prompt and answer may have together.
        layout: in which order passages are shown, and whether twice.
    """
    order, twice = layout.removesuffix("-twice"), layout.endswith("-twice")
    prompt = prompts.load("answer")
    if twice:
        prompt = Prompt("answer", prompt.template + prompts.load("again").template)
    fence = f"=== {secrets.token_hex(8)} ==="
    question = _standalone(query, evidence, earlier)
    bare = prompt.render(fence=fence, passages="", question=question)
    room = room_for(window, bare)
    sentences = SENTENCES if len(evidence) <= MANY else SENTENCES_OF_MANY
    shown = _ordered(_fitting(evidence, sentences, room / (1 + twice)), order)
    passages = "\n\n".join(_passage(number, item, sentences) for number, item in enumerate(shown, 1))
    rendered = prompt.render(fence=fence, passages=passages, question=question)
    hashed = prompt.hash if layout == "found" else f"{prompt.hash}+{layout}"
    return Request(rendered, hashed, fence, passages, tuple(shown))


def room_for(window: int, bare: str) -> float:
    """Characters that go into a prompt beside those of `bare`, where prompt and answer may have `window` tokens."""
    return CHARACTERS_A_TOKEN * (window - min(MAX_TOKENS, window // 3)) - len(bare)


def _fitting(evidence: Sequence[Evidence], sentences: int, room: float) -> list[Evidence]:
    """As many as have room, one at least."""
    fitting: list[Evidence] = []
    for number, item in enumerate(evidence, 1):
        room -= len(_passage(number, item, sentences)) + 2
        if room < 0 and fitting:
            break
        fitting.append(item)
    return fitting


def _ordered(shown: list[Evidence], order: str) -> list[Evidence]:
    if order == "found":
        return shown
    best_first = sorted(shown, key=lambda item: item.score, reverse=True)
    return best_first if order == "best-first" else best_first[::-1]


def inert(text: str) -> str:
    """Text of a paper on one line, with nothing in it that this program or a chat template would act on.

    Markers become `(1)`, control tokens `‹|im_start|›`, hidden characters go.
    """
    spaced = _SELECTORS.sub("", re.sub(r"\s", " ", text))
    visible = "".join(letter for letter in spaced if unicodedata.category(letter) not in _HIDDEN)
    line = " ".join(readable(visible).split())
    line = _TURN.sub(r"(\1)", _MARKER.sub(r"(\1)", line))
    return _TAG.sub(r"‹\1›", line)


def _passage(number: int, item: Evidence, sentences: int) -> str:
    paper = item.paper
    spans = sorted(item.spans[:sentences], key=lambda span: span.start)
    year = f" ({paper.year})" if paper.year else ""
    said = " ".join(paper.abstract[span.start : span.end] for span in spans)
    return f"[{number}] {inert(paper.title)}{year}\n{inert(said)}"


def _standalone(query: Query, evidence: Sequence[Evidence], earlier: Sequence[str]) -> str:
    """The question, with what it takes from the conversation said in words."""
    lines = []
    if told := _recent(earlier):
        lines.append("Earlier questions: " + " | ".join(told))
    lines.append(f"Question: {_line(query.question)}")
    by_id = {item.paper.id: item.paper for item in evidence}
    # A name without words stands for a paper that a pronoun refers to.
    meant = [paper for name in query.names if not name.name for paper in name.papers] or query.carried
    if about := [by_id[paper] for paper in meant if paper in by_id]:
        lines.append(f"It asks about: {_titles(about)}")
    if query.excluded:
        lines.append("It asks for papers other than those of the answer before.")
    return "\n".join(lines)


def _recent(earlier: Sequence[str]) -> list[str]:
    told: list[str] = []
    room = HISTORY_TOKENS * CHARACTERS_A_TOKEN
    for question in reversed(earlier):
        room -= len(question)
        if room < 0:
            break
        told.insert(0, _line(question))
    return told


def _titles(papers: Sequence[Paper]) -> str:
    return "; ".join(inert(paper.title) for paper in papers)


def _line(text: str) -> str:
    return " ".join(readable(text).split())
