"""A language model's text, as it comes, to statements that cite words: markers resolved, each sentence a claim."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answer.draft import DraftBuilder
from rag.index.lexical import terms
from rag.ingest.sentences import split_sentences
from rag.types import Draft, Event, Evidence, Paper

_LIST = r"\d{1,9}(?:\s*(?:[,;–-]|and|&)\s*(?:\^|#)?\d{1,9})*"
# [1], [1, 2], [1-3], 【1】, [^1], [passage 2], 【1†source】
MARKER = re.compile(
    rf"[\[【［]\s*(?:\^|#|(?i:passages?|papers?|sources?|ref\.?)\s*)?({_LIST})\s*(?:†[^\]】］]{{0,30}})?[\]】］]"
)
_BEFORE_STOP = re.compile(rf"(?<!\s)\s*(?:{MARKER.pattern}\s*)+(?=[.,;!?])")
# What may still become a marker when more text comes.
_BEGUN = re.compile(r"(?<!\s)\s*[\[【［][^\[\]【】［］\n]{0,60}$")
# A word after a full stop: until it is whole, it may begin a sentence or go on with this one.
_NEXT_WORD = re.compile(r"""(?<=[.!?])(["'“”‘’()\[\]]*)\s*\S*$""")
# A line goes on in the next one when that begins in lower case.
_LINE = re.compile(r"(?:[^\n]|\n(?=[ \t]*[a-z]))+")
_BULLET, _INDENT = re.compile(r"[ \t]*(?:(?:[-*+•]|\d{1,3}[.)])[ \t]+)?"), re.compile(r"[ \t]*")
# Letters that must follow before a sentence is taken to have ended: "met A. B. Smith".
_AHEAD = 4
# A sentence without a marker is given the one whose words it uses: this share of its terms, and so many at least.
SHARE, SHARED = 0.6, 3


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence: what stands before it, its words without markers, the words it cites, and markers of no passage."""

    lead: str
    text: str
    cited: tuple[tuple[Paper, int, int], ...] = ()
    unknown: tuple[int, ...] = ()

    def place(self, builder: DraftBuilder) -> None:
        numbers = tuple(dict.fromkeys(builder.cite(*words) for words in self.cited))
        builder.say(self.lead)
        builder.claim(self.text, numbers)
        builder.say("".join(f" [{number}]" for number in numbers))
        builder.say("".join(f" [{number}: no such passage]" for number in self.unknown))


def assemble(statements: Sequence[Statement], notes: Sequence[str] = ()) -> Draft:
    """A draft of these statements, citations numbered in order of first use, with remarks at its end."""
    builder = DraftBuilder()
    for at, statement in enumerate(statements):
        (statement if at else replace(statement, lead=statement.lead.lstrip())).place(builder)
    for note in notes:
        builder.say(f"\n\n{note}")
    return builder.build("llm")


class Citing:
    """Takes a model's text piece by piece; gives what can be shown of it, and at last its statements.

    Text is shown as it comes, markers when their sentence has ended, as the numbers that the draft gives them.
    """

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        """`evidence`: passages 1, 2, ... as the model was shown them."""
        self._evidence = evidence
        self._builder = DraftBuilder()
        self._statements: list[Statement] = []
        self._rest = ""
        self._shown = ""  # what of the unfinished sentence was shown, with its lead
        self._cited = 0

    @property
    def statements(self) -> tuple[Statement, ...]:
        return tuple(self._statements)

    def feed(self, text: str) -> Iterator[Event]:
        """Text that has come, as events."""
        self._rest += text
        begun = _BEGUN.search(self._rest)
        ready = self._rest[: begun.start()] if begun else self._rest
        spans = _sentences(ready, within=bool(self._statements))
        while len(spans) > 1 and len(ready) - spans[1][0] >= _AHEAD:
            yield from self._finish(*spans[0])
            at = spans[0][1]
            spans = [(start - at, end - at) for start, end in spans[1:]]
            ready = ready[at:]
        if spans:
            yield from self._show(ready, *spans[0])

    def end(self) -> Iterator[Event]:
        """The last sentences; nothing more will come."""
        for start, end in _offset(_sentences(self._rest, within=bool(self._statements))):
            yield from self._finish(start, end)

    def _show(self, ready: str, start: int, end: int) -> Iterator[Event]:
        said = _NEXT_WORD.sub(r"\1", _bare(ready[start:end]))
        # Not yet: "1" may be the beginning of "1. ", and a comma or space may fall away.
        if re.search(r"[^\W\d_]", said):
            yield from self._add(ready[:start] + said.rstrip(",; "))

    def _finish(self, start: int, end: int) -> Iterator[Event]:
        statement = _statement(self._rest[:start], self._rest[start:end], self._evidence)
        if not self._statements:
            statement = replace(statement, lead=statement.lead.lstrip())
        self._statements.append(statement)
        before = self._builder.length
        statement.place(self._builder)
        for citation in self._builder.citations[self._cited :]:
            yield Event("citation", citation=citation)
        self._cited = len(self._builder.citations)
        yield from self._add(self._builder.text[before:])
        self._rest, self._shown = self._rest[end:], ""

    def _add(self, text: str) -> Iterator[Event]:
        text = text if self._statements else text.lstrip()
        if new := text[len(self._shown) :]:
            self._shown = text
            yield Event("token", new)


def _statement(lead: str, sentence: str, evidence: Sequence[Evidence]) -> Statement:
    said = _bare(sentence)
    numbers = list(dict.fromkeys(number for found in MARKER.finditer(sentence) for number in _numbers(found[1])))
    known = [number for number in numbers if 0 < number <= len(evidence)]
    cited = tuple((evidence[number - 1].paper, *_nearest(said, evidence[number - 1].paper)) for number in known)
    unknown = tuple(number for number in numbers if number not in known)
    return Statement(lead, said, cited or (() if numbers else _aligned(said, evidence)), unknown)


def _bare(sentence: str) -> str:
    """The sentence without markers and the gaps they leave."""
    said = " ".join(MARKER.sub("", _BEFORE_STOP.sub("", sentence)).split())
    return re.sub(r"[,;]+([.!?])", r"\1", said)


def _offset(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Each span counted from the end of the one before."""
    for (_, before), (start, end) in itertools.pairwise([(0, 0), *spans]):
        yield start - before, end - before


def _sentences(text: str, *, within: bool) -> list[tuple[int, int]]:
    """Sentences, line by line and without bullets, each with the markers that follow its full stop.

    Args:
        within: the text goes on in the line of a sentence before it.
    """
    bare = MARKER.sub(lambda marker: " " * len(marker[0]), text)
    spans: list[tuple[int, int]] = []
    for line in _LINE.finditer(text):
        bullet = (_INDENT if within and line.start() == 0 else _BULLET).match(text, line.start(), line.end())
        begin, stop = bullet.end() if bullet else line.start(), line.start() + len(line[0].rstrip())
        found = [
            (start, end)
            for start, end in split_sentences(bare[begin:stop])
            if re.search(r"\w", bare[begin + start : begin + end])
        ]
        if found:
            starts = [begin, *(begin + start for start, _ in found[1:]), stop]
            spans += [(at, at + len(text[at:end].rstrip())) for at, end in itertools.pairwise(starts)]
        elif spans and begin < stop and not bare[begin:stop].strip():  # markers on a line of their own
            spans[-1] = (spans[-1][0], stop)
    return spans


def _numbers(listed: str) -> list[int]:
    """`1`, `1, 2` and `1-3` as numbers."""
    found: list[int] = []
    for part in re.split(r"[,;&]|and", listed):
        ends = [int(number) for number in re.findall(r"\d+", part)]
        first, last = min(ends), max(ends)
        found += range(first, min(last, first + 20) + 1)
    return found


def _nearest(claim: str, paper: Paper) -> tuple[int, int]:
    """The sentence of the paper that shares most words with the claim."""
    wanted, text = set(terms(claim)), paper.abstract
    return max(split_sentences(text), key=lambda span: len(wanted & set(terms(text[slice(*span)]))), default=(0, 0))


def _aligned(claim: str, evidence: Sequence[Evidence]) -> tuple[tuple[Paper, int, int], ...]:
    """The words that a sentence without a marker rests on, when it uses enough of them to tell."""
    wanted, best, most = set(terms(claim)), None, 0
    for item in evidence:
        span = _nearest(claim, item.paper)
        shared = len(wanted & set(terms(item.paper.abstract[slice(*span)])))
        if shared > most:
            best, most = (item.paper, *span), shared
    return (best,) if best and most >= max(SHARED, SHARE * len(wanted)) else ()
