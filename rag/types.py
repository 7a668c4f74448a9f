"""The nouns of Attest. All frozen; stages take one and return a new one."""

from __future__ import annotations

import hashlib
import html
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

Status = Literal["answered", "abstained"]


class Verdict(StrEnum):
    """What the checker says of a claim against the words it cites."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNSUPPORTED = "unsupported"
    UNCHECKED = "unchecked"


class Shape(StrEnum):
    """What form of answer a question asks for."""

    LIST = "list"
    FACT = "fact"
    COMPARE = "compare"
    COUNT = "count"
    YES_NO = "yes-no"
    HOW = "how"

    @property
    def tells_one_thing(self) -> bool:
        """Whether the answer is what one paper says, not which papers there are."""
        return self in (Shape.FACT, Shape.YES_NO, Shape.HOW)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a record was read: a file or address, and the line (1-based) it starts at."""

    file: str
    position: int


@dataclass(frozen=True, slots=True)
class Organization:
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper. `date` is ISO or None; `year_inferred` says that the page gave no year.

    `provenance` names the fields that another source than the first gave, each with that source.
    """

    id: str
    title: str
    abstract: str
    date: str | None = None
    year: int | None = None
    year_inferred: bool = False
    author_count: int | None = None
    authors: tuple[str, ...] = ()
    organization: Organization | None = None
    comment_count: int | None = None
    url: str | None = None
    arxiv_id: str | None = None
    doi: str | None = None
    sources: tuple[Source, ...] = ()
    provenance: tuple[tuple[str, Source], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "provenance": {field: asdict(source) for field, source in self.provenance}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Paper:
        """The inverse of `to_dict`."""
        organization = data.get("organization")
        return cls(
            **{
                **data,
                "authors": tuple(data.get("authors") or ()),
                "organization": Organization(**organization) if organization else None,
                "sources": tuple(Source(**source) for source in data.get("sources") or ()),
                "provenance": tuple(
                    (field, Source(**source)) for field, source in (data.get("provenance") or {}).items()
                ),
            }
        )


def normalize_title(title: str) -> str:
    """The title as identity sees it: Unicode-folded, case-folded words without punctuation or LaTeX."""
    folded = unicodedata.normalize("NFKC", title).casefold()
    return " ".join(re.findall(r"\w+", re.sub(r"\\[a-z]+|[${}\\]", " ", folded)))


def paper_id(title: str) -> str:
    """A stable id: 16 hexadecimal digits of the SHA-256 of the normalised title."""
    return hashlib.sha256(normalize_title(title).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read, with what is needed to find and mend it."""

    file: str
    line: int
    reason: str
    record: str = ""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Counts of one ingest. `read` = new + updated + unchanged + merged.

    `rejected` are the first records that could not be read; `omitted` counts those after them, which only the shelf's
    `rejected.jsonl` names.
    """

    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    rejected: tuple[Rejected, ...] = ()
    omitted: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


# For each record that arrives, the id to store it under and what the shelf has of its paper; who says so; the papers to be
# stored, those with new words and those with new metadata alone; and who says these anew when the shelf has changed.
Resolved = list[tuple[str, Paper | None]]
Resolve = Callable[[Sequence[Paper]], Resolved]
Changes = tuple[Sequence[Paper], Sequence[Paper]]
Again = Callable[[Resolve], Changes]


@dataclass(frozen=True, slots=True)
class Passage:
    """Half-open character offsets into the stored abstract of a paper."""

    paper_id: str
    start: int
    end: int

    @property
    def id(self) -> str:
        return f"{self.paper_id}:{self.start}-{self.end}"


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on a paper's metadata, all of which must hold: (field, operator, value)."""

    conditions: tuple[tuple[str, str, Any], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def and_also(self, other: Filters) -> Filters:
        return Filters(tuple(dict.fromkeys(self.conditions + other.conditions)))


@dataclass(frozen=True, slots=True)
class Order:
    """Sort papers by a metadata field; `limit` keeps that many."""

    field: str
    descending: bool
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A name that stands in a question, and the ids of the papers so called (several when names collide)."""

    name: str
    papers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A question as understood: what to search for, what to filter by, what form to answer in.

    `topic` is the text to search with, empty when the question is about metadata alone. `names`
    are the papers the question names, in order. `carried` are ids of papers of earlier turns that the
    question is about ("which of those ..."), `excluded` those it wants others than ("who else ..."). `field` is the
    metadata field asked of the papers named ("when was it published?"). `missing` says in words what the question asks for
    that abstracts do not hold; `notes` are remarks for the reader. `quoted` are words in quotation marks, `without`
    what papers of a list must not be about ("... but not for vision"), `strangers` names set beside that of a paper
    and unknown to the shelf. `perhaps` are papers of the last answer that a question without a name may be about, and
    `margin` how much worse than the shelf's best they may meet its words.
    """

    question: str
    topic: str
    shape: Shape = Shape.LIST
    filters: Filters = Filters()
    order: Order | None = None
    names: tuple[Named, ...] = ()
    carried: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    field: str | None = None
    missing: str | None = None
    quoted: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    margin: float = 0.0
    notes: tuple[str, ...] = ()


class Role(StrEnum):
    """The part a sentence plays in its abstract."""

    PROBLEM = "problem"
    METHOD = "method"
    DATA = "data"
    RESULT = "result"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a stored abstract as ingest read it: half-open offsets, the part it plays, how many words it has and
    whether a figure, and its stems in order."""

    start: int
    end: int
    role: Role
    words: int
    figure: bool
    stems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence of a stored abstract: half-open offsets, how well it fits the question, the part it plays, and the
    estimated probability that of its paper's sentences this one answers."""

    start: int
    end: int
    score: float = 0.0
    role: Role = Role.METHOD
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """How a paper's words meet a question's (`rag.retrieve.match`); every figure in [0, 1] but `strangers`.

    `words` and `sentence` are means over the question's words, by rarity, of how well each is met in the paper
    and in its best single sentence; `least` and `least_sentence` the same for the third that is met worst;
    `verbatim` and `verbatim_sentence` the share that stands there by its stem; `unknown` the share that the shelf
    does not have. `no_figure`: a figure is asked for and the best sentence has none. `thing`: how well the thing asked
    for is met, `thing_figure` the same in one sentence, with a figure where one is asked for. `strangers`: names in
    the question that the paper does not have (at most 2). `named`: the question names papers.
    """

    words: float = 0.0
    sentence: float = 0.0
    least: float = 0.0
    least_sentence: float = 0.0
    verbatim: float = 0.0
    verbatim_sentence: float = 0.0
    unknown: float = 0.0
    no_figure: float = 0.0
    thing: float = 1.0
    thing_figure: float = 1.0
    strangers: float = 0.0
    named: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A retrieved paper and its sentences, best first.

    `score` is the fused score (`rag.retrieve.retriever`); `cosine` that of its nearest passage, `lexical` its BM25;
    `coverage` is the share of the question's information (idf mass) that the paper's words hold, `kinship` its mean cosine with the three best papers. Once its sentences were
    looked at: `similarity` is the late interaction (max-sim) with the whole paper, and `match` how the words meet.
    """

    paper: Paper
    score: float
    cosine: float
    lexical: float
    coverage: float
    similarity: float = 0.0
    spans: tuple[Span, ...] = ()
    match: Match = Match()
    kinship: float = 0.0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Sentences of two papers that report opposite findings on the same thing."""

    one: Paper
    says: Span
    other: Paper
    denies: Span


@dataclass(frozen=True, slots=True)
class Citation:
    """The words of a paper that a claim rests on: `paper.abstract[start:end] == quote`."""

    number: int
    paper: Paper
    quote: str
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        paper = {key: getattr(self.paper, key) for key in ("id", "title", "year", "date", "url")}
        return {"number": self.number, "paper": paper, "quote": self.quote, "start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class Support:
    """One citation of a claim, in three layers: its paper is on the shelf, its quote stands verbatim at its offsets, and
    the quote alone supports the claim (verdict, probability, reason)."""

    number: int
    exists: bool
    located: bool
    verdict: Verdict = Verdict.UNCHECKED
    score: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of the answer: `answer.text[start:end] == text`. Its verdict is that of all it cites together."""

    text: str
    start: int
    end: int
    citations: tuple[int, ...] = ()
    verdict: Verdict = Verdict.UNCHECKED
    score: float = 0.0
    reason: str = ""
    support: tuple[Support, ...] = ()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Claim:
        """A claim from what `to_dict` gave; one that was written before citations were told apart has no `support`."""
        support = tuple(Support(**{**one, "verdict": Verdict(one["verdict"])}) for one in data.get("support", ()))
        plain = {**data, "citations": tuple(data["citations"]), "verdict": Verdict(data["verdict"]), "support": support}
        return cls(**plain)

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "verdict": str(self.verdict),
            "citations": list(self.citations),
            "score": round(self.score, 4),
            "support": [
                {**asdict(one), "verdict": str(one.verdict), "score": round(one.score, 4)} for one in self.support
            ],
        }


@dataclass(frozen=True, slots=True)
class Check:
    """The verdict on one claim against one source: `source[start:end] == quote`; score in [0, 1]."""

    verdict: Verdict
    score: float
    quote: str
    start: int
    end: int
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": str(self.verdict), "score": round(self.score, 4)}


@dataclass(frozen=True, slots=True)
class Draft:
    """What a writer hands over: text, its claims, and the citations they refer to."""

    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    writer: str
    model: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    prompt_hash: str | None = None
    flags: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer, or an honest abstention.

    `flags` counts what was found in a language model's text: `unknown_markers`, `uncited` sentences, `removed` ones
    (strict), and `repaired` when the answer is the model's second. `filters` are the conditions that were searched
    under, those of the question's own words among them; `nearest` are papers that were retrieved and not used, with
    their scores. None of these is part of the JSON.
    """

    question: str
    status: Status
    text: str
    reason: str | None = None
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    papers: tuple[tuple[Paper, float], ...] = ()
    writer: str = "extractive"
    model: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    prompt_hash: str | None = None
    flags: dict[str, int] = field(default_factory=dict)
    filters: Filters = Filters()
    nearest: tuple[tuple[Paper, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, in the order of DESIGN's contract."""
        return {
            "question": self.question,
            "status": self.status,
            "reason": self.reason,
            "text": self.text,
            "claims": [claim.to_dict() for claim in self.claims],
            "citations": [citation.to_dict() for citation in self.citations],
            "papers": [{"id": p.id, "title": p.title, "score": round(score, 4)} for p, score in self.papers],
            "writer": self.writer,
            "model": self.model,
            "usage": self.usage,
            "timings_ms": {stage: round(ms, 1) for stage, ms in self.timings_ms.items()},
            "prompt_hash": self.prompt_hash,
        }

    def to_json(self, indent: int | None = None) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def _repr_html_(self) -> str:
        """The answer in a notebook: its text, the quotes it rests on with their offsets, and a verdict on every claim. All of it
        is escaped; nothing is loaded and nothing runs."""
        text = html.escape(self.text).replace("\n", "<br>")
        quotes = "".join(
            f"<li value='{one.number}'><b>{html.escape(one.paper.title)}</b>{f' ({one.paper.year})' if one.paper.year else ''}, "
            f"characters {one.start}-{one.end}: <q>{html.escape(one.quote)}</q></li>"
            for one in self.citations
        )
        verdicts = "".join(
            f"<li>{html.escape(claim.verdict)}: {html.escape(claim.text)}{f' ({html.escape(claim.reason)})' if claim.reason else ''}</li>"
            for claim in self.claims
        )
        parts = [f"<p>{text}</p>", f"<ol>{quotes}</ol>" if quotes else "", f"<ul>{verdicts}</ul>" if verdicts else ""]
        return f"<div>{''.join(parts)}</div>"


@dataclass(frozen=True, slots=True)
class Event:
    """A stage begun, a piece of the draft's text, a citation its markers refer to, or the checked answer.

    The final answer replaces all text before it, which was not checked and may have been given up.
    """

    kind: Literal["status", "token", "citation", "final"]
    text: str = ""
    citation: Citation | None = None
    answer: Answer | None = None
