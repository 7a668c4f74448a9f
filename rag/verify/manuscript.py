"""A text of the user's own, sentence by sentence, against the papers of the shelf."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.ingest.sentences import split_sentences
from rag.retrieve.retriever import Retriever
from rag.types import Check, Paper, Query, Verdict
from rag.verify.checker import Checker
from rag.verify.features import Prepared

# Papers each sentence is held against.
CANDIDATES = 4
_MARKERS = re.compile(r"\s*(?:\[[@^]?[\w:;, @.–-]{1,60}\](?!\()|\\cite[a-z]*(?:\[[^\[\]]*\])*\{[^{}]*\})")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_ITEM = re.compile(r"\s*(?:>\s*)*(?:[-*+]|\d{1,3}[.)])\s+")
_QUOTED = re.compile(r"\s*(?:>\s*)*")
_NOT_PROSE = re.compile(r"^\s*(?:#{1,6}\s|```|\||---|!\[|<)")
_ORDER = {Verdict.SUPPORTED: 3, Verdict.CONTRADICTED: 2, Verdict.UNSUPPORTED: 1, Verdict.UNCHECKED: 0}


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence of the text (`text[start:end]`), the paper that bears it out best, and the verdict.

    `check.start` and `check.end` are offsets into that paper's abstract.
    """

    sentence: str
    start: int
    end: int
    paper: Paper | None
    check: Check

    def to_dict(self) -> dict[str, Any]:
        paper = {"id": self.paper.id, "title": self.paper.title} if self.paper else None
        return {"sentence": self.sentence, "start": self.start, "end": self.end, "paper": paper, **self.check.to_dict()}


def check_text(text: str, retriever: Retriever, checker: Checker) -> Iterator[Finding]:
    """Findings for each sentence of prose, in order; headings, code, tables and images are passed over."""
    prepared: dict[str, Prepared] = {}
    for start, end in _prose(text):
        said = re.sub(r"\n\s*>", "\n", text[start:end])
        sentence = " ".join(_MARKERS.sub("", _LINK.sub(r"\1", said)).split())
        found = retriever.search(Query(sentence, sentence), CANDIDATES) if re.search(r"\w", sentence) else []
        best: tuple[Paper, Check] | None = None
        for item in found:
            if item.paper.id not in prepared:
                prepared[item.paper.id] = checker.prepare(item.paper.abstract)
            check = checker.check_prepared(sentence, prepared[item.paper.id])
            # Where no paper bears the sentence out, the one that search puts first is the one it is about.
            if best is None or (check.verdict is not Verdict.UNSUPPORTED and _rank(check) > _rank(best[1])):
                best = (item.paper, check)
        if best:
            yield Finding(sentence, start, end, *best)


def _rank(check: Check) -> tuple[int, float]:
    return _ORDER[check.verdict], check.score


def _prose(text: str) -> Iterator[tuple[int, int]]:
    """Sentences of the paragraphs: lines that follow one another, a list item beginning a paragraph of its own."""
    fenced, at, begin = False, 0, None
    whole = _MARKERS.sub(lambda marker: marker[0].replace(".", ","), text)  # "[@doe, p. 3]" ends no sentence
    for line in [*text.splitlines(keepends=True), "\n"]:
        stripped = line.strip()
        fence = stripped.startswith(("```", "~~~"))
        item = _ITEM.match(line)
        prose = bool(stripped.strip("> ")) and not (fence or fenced or _NOT_PROSE.match(stripped))
        if begin is not None and re.fullmatch("=+", stripped):  # what it underlines is a heading
            begin, prose = None, False
        if begin is not None and (item or not prose):
            for start, end in split_sentences(whole[begin:at]):
                if len(re.findall(r"\w+", text[begin + start : begin + end])) > 2:
                    yield begin + start, begin + end
            begin = None
        if prose and begin is None and (lead := item or _QUOTED.match(line)):
            begin = at + lead.end()
        fenced ^= fence
        at += len(line)
