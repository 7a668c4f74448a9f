"""A text of the user's own, sentence by sentence: against the papers it cites, or the best ones of the shelf."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rag.ingest.repair import readable
from rag.retrieve.retriever import Retriever
from rag.types import Check, Paper, Query, Verdict
from rag.verify import latex
from rag.verify.answer import ORDER
from rag.verify.backends import SupportChecker
from rag.verify.library import Library
from rag.verify.markers import Key
from rag.verify.prose import Sentence, sentences
from rag.verify.references import Reference, References, read_list

# Papers a sentence that cites none is held against.
CANDIDATES = 4
# Papers of a draft recur; what the checker made of them is kept for so many.
KEPT = 64


@dataclass(frozen=True, slots=True)
class Cited:
    """One work a sentence cites, as `marker`: what the list or .bib says of it, its paper and that paper's verdict.

    Without a paper on the shelf, `missing` says what is missing.
    """

    marker: str
    reference: str
    paper: Paper | None = None
    check: Check | None = None
    missing: str = ""

    def to_dict(self) -> dict[str, Any]:
        said = _check_to_dict(self.check) if self.check else {"verdict": str(Verdict.UNCHECKED), "reason": self.missing}
        return {"marker": self.marker, "reference": self.reference, "paper": _paper_to_dict(self.paper), **said}


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence of the draft (`text[start:end]`, on line `line`), the paper that bears it out best, and the verdict.

    `sentence` is what was checked, without citations and markup, and `written` the same with them. `citations` are
    what it cites, none where the draft does not tell; then `paper` is the shelf's own suggestion. `suggestion` is a
    paper that supports the sentence when those it cites do not. `check.start` and `check.end` are offsets into the
    abstract of `paper`.
    """

    sentence: str
    start: int
    end: int
    paper: Paper | None
    check: Check
    line: int = 1
    written: str = ""
    citations: tuple[Cited, ...] = ()
    suggestion: tuple[Paper, Check] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values; `start` and `end` are the sentence's, `quote_start` and `quote_end` the abstract's."""
        other = self.suggestion
        return {
            "sentence": self.sentence,
            "start": self.start,
            "end": self.end,
            "line": self.line,
            "paper": _paper_to_dict(self.paper),
            **_check_to_dict(self.check),
            "cited": bool(self.citations),
            "citations": [cited.to_dict() for cited in self.citations],
            "suggestion": {"paper": _paper_to_dict(other[0]), **_check_to_dict(other[1])} if other else None,
        }


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A draft as read: its sentences, and the works its citations may mean."""

    sentences: tuple[Sentence, ...]
    references: References


def read(text: str, bibliography: Iterable[Reference] = (), *, tex: bool | None = None) -> Manuscript:
    """Sentences and references of a draft.

    Args:
        text: Markdown, plain text or LaTeX.
        bibliography: entries of .bib files; the draft's own reference list comes before them.
        tex: whether it is LaTeX; judged by its commands when None.
    """
    listed, parts = read_list(text)
    references = References((*listed, *bibliography))
    is_tex = latex.looks_like(text) if tex is None else tex
    found = sentences(text, tex=is_tex, known=lambda key: bool(references.of(key)), without=parts)
    return Manuscript(tuple(found), references)


def check_manuscript(
    manuscript: Manuscript, library: Library, retriever: Retriever, checker: SupportChecker
) -> Iterator[Finding]:
    """A finding for each sentence, in order.

    A sentence that cites papers of the shelf is checked against each of them and, when none bears it out alone,
    against all together; one that cites only others is unchecked; one that cites nothing, or nothing the draft tells
    of, is checked against the papers that search finds.
    """
    judge = _Judge(manuscript.references, library, retriever, checker)
    return (judge.finding(sentence) for sentence in manuscript.sentences)


class _Judge:
    def __init__(self, references: References, library: Library, retriever: Retriever, checker: SupportChecker) -> None:
        self._references, self._retriever, self._checker = references, retriever, checker
        self._paper = lru_cache(maxsize=None)(library.paper)
        self._prepared = lru_cache(maxsize=KEPT)(checker.prepare)

    def finding(self, sentence: Sentence) -> Finding:
        cited = [item for key in sentence.keys for item in self._cited(key)]
        papers = {item.paper.id: item.paper for item in cited if item.paper}
        held = self._checked(sentence.claim, list(papers.values()))
        checks = {paper.id: check for paper, check in held}
        made = Finding(
            sentence.claim, sentence.start, sentence.end, None, _unchecked(""), sentence.line, sentence.written,
            tuple(replace(item, check=checks[item.paper.id]) if item.paper else item for item in cited),
        )  # fmt: skip
        if not cited:
            return self._suggested(made)
        if papers:
            paper, check = self._best(sentence.claim, held)
        else:
            paper, check = None, _unchecked("; ".join(dict.fromkeys(item.missing for item in cited)))
        if check.verdict is Verdict.SUPPORTED:
            return replace(made, paper=paper, check=check)
        failed = papers and check.verdict is Verdict.UNCHECKED  # what could not be checked just now is not asked again
        other = None if failed else self._other(sentence.claim, set(papers))
        return replace(made, paper=paper, check=_told(check, made.citations, other), suggestion=other)

    def _cited(self, key: Key) -> list[Cited]:
        """What a key means; nothing, when the draft holds no list that could tell."""
        references = self._references.of(key)
        if not references:
            origin = self._references.origin(key)
            return [Cited(key.shown, "", missing=f"{origin} has no {key.shown}")] if origin else []
        return [
            Cited(key.shown, reference.text, paper)
            if (paper := self._paper(reference))
            else Cited(key.shown, reference.text, missing=f"{key.shown} is not on the shelf: {_short(reference.text)}")
            for reference in references
        ]

    def _checked(self, claim: str, papers: Sequence[Paper]) -> list[tuple[Paper, Check]]:
        checks = self._checker.check_prepared(claim, [self._prepared(paper.abstract) for paper in papers])
        return list(zip(papers, checks, strict=True))

    def _best(self, claim: str, held: Sequence[tuple[Paper, Check]]) -> tuple[Paper, Check]:
        """The best verdict of one paper or, when none alone supports the claim, of all together."""
        best = min(held, key=lambda pair: _rank(pair[1]))
        if len(held) < 2 or best[1].verdict in (Verdict.SUPPORTED, Verdict.UNCHECKED):
            return best
        papers = [paper for paper, _ in held]
        joint = self._checker.check(claim, "\n\n".join(paper.abstract for paper in papers))
        if joint.verdict is not Verdict.SUPPORTED:
            return best
        return _placed(joint, papers)

    def _found(self, claim: str) -> list[Paper]:
        return [item.paper for item in self._retriever.search(Query(claim, claim), CANDIDATES)]

    def _suggested(self, made: Finding) -> Finding:
        """The verdict of the best papers that search finds; where none bears the sentence out, of the first."""
        held = self._checked(made.sentence, self._found(made.sentence))
        if not held:
            return replace(made, check=_unchecked("no paper of the shelf comes near"))
        telling = [pair for pair in held if pair[1].verdict is not Verdict.UNSUPPORTED]
        paper, check = min([*telling, held[0]], key=lambda pair: _rank(pair[1]))
        return replace(made, paper=paper, check=check)

    def _other(self, claim: str, but: set[str]) -> tuple[Paper, Check] | None:
        """The paper of the shelf, other than these, that supports a claim best."""
        held = self._checked(claim, [paper for paper in self._found(claim) if paper.id not in but])
        said = [pair for pair in held if pair[1].verdict is Verdict.SUPPORTED]
        return min(said, key=lambda pair: _rank(pair[1]), default=None)


def _rank(check: Check) -> tuple[int, float]:
    return ORDER.index(check.verdict), -check.score


def _unchecked(reason: str) -> Check:
    return Check(Verdict.UNCHECKED, 0.0, "", 0, 0, reason)


def _placed(joint: Check, papers: Sequence[Paper]) -> tuple[Paper, Check]:
    """A check against joined abstracts, its quote placed in the paper in which most of it stands."""
    at, best = 0, (papers[0], 0, 0)
    for paper in papers:
        start, end = max(joint.start - at, 0), min(joint.end - at, len(paper.abstract))
        if end - start > best[2] - best[1]:
            best = (paper, start, end)
        at += len(paper.abstract) + 2
    paper, start, end = best
    reason = "the papers it cites say this together"
    return paper, replace(joint, quote=paper.abstract[start:end], start=start, end=end, reason=reason)


def _told(check: Check, citations: Sequence[Cited], other: tuple[Paper, Check] | None) -> Check:
    """The check with all that a reader must know of: cited papers that are missing, and one that does say it."""
    held = [cited for cited in citations if cited.paper]
    missing = dict.fromkeys(cited.missing for cited in citations if not cited.paper) if held else {}
    parts = [check.reason, *missing]
    if other:
        title = f"“{readable(other[0].title)}”"
        markers = " and ".join(dict.fromkeys(cited.marker for cited in held))
        says = (
            f"{markers} {'do' if len(held) > 1 else 'does'} not say this; {title} does" if held else f"{title} says it"
        )
        parts.insert(0 if held else 1, says)
    return replace(check, reason="; ".join(part for part in parts if part))


def _short(text: str) -> str:
    return text.rstrip(".") if len(text) <= 120 else f"{text[:119].rstrip()}…"


def _paper_to_dict(paper: Paper | None) -> dict[str, str] | None:
    return {"id": paper.id, "title": paper.title} if paper else None


def _check_to_dict(check: Check) -> dict[str, Any]:
    said = check.to_dict()
    return {
        "verdict": said["verdict"],
        "score": said["score"],
        "quote": check.quote,
        "quote_start": check.start,
        "quote_end": check.end,
        "reason": check.reason,
    }
