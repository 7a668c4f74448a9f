"""Do the cited words support the statements? Grounding metrics of one answer, and the guards shown beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.judges.judge import Grade
from eval.matching import copy_rate, is_verbatim, quotations
from rag.answer.citing import MARKER
from rag.index.lexical import words
from rag.ingest.sentences import split_sentences
from rag.types import Answer
from rag.verify.answer import is_located
from rag.verify.arithmetic import missing_numbers
from rag.verify.quantities import numbers

REFUSED = "refused"
# Reasons hold no counts, so that like ones are counted together.
UNSCORED = "unscored: the judge gave no grade"
_FORGED = re.compile(r"\[(\d+): no such passage\]")
# Wider than this, "[1-400]" is no list of sources.
_WIDEST = 20


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer without its markers, and the numbers these name, whether or not there is such a source."""

    text: str
    cited: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributed:
    """An answer to be judged: its text, its statements, the words behind each number, and whole sources.

    `quotes`: number to the words cited; a number that is not there is a marker of nothing. `sources`: the whole texts
    that the answer was made from.
    """

    text: str
    statements: tuple[Statement, ...]
    quotes: Mapping[int, str]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures by name, why others have none, and what was said of each statement."""

    metrics: dict[str, float]
    skipped: dict[str, str]
    verdicts: tuple[dict[str, Any], ...] = ()


def of_answer(answer: Answer) -> Attributed:
    """An answer of the product: what its citations quote, and the abstracts behind them."""
    ends = [claim.end for claim in answer.claims]
    forged: dict[int, list[int]] = {}
    for found in _FORGED.finditer(answer.text):
        before = sum(end <= found.start() for end in ends)
        forged.setdefault(max(before - 1, 0), []).append(int(found[1]))
    statements = tuple(
        Statement(claim.text, (*claim.citations, *forged.get(at, ()))) for at, claim in enumerate(answer.claims)
    )
    quotes = {citation.number: citation.quote for citation in answer.citations if is_located(citation)}
    sources = dict.fromkeys(citation.paper.abstract for citation in answer.citations)
    return Attributed(answer.text, statements, quotes, tuple(sources))


def of_text(text: str, passages: Sequence[str]) -> Attributed:
    """A text of any origin whose markers number these passages from 1 on, whatever their form: [1], [1, 2], [1-3], 【1】."""
    return Attributed(text, tuple(_statements(text)), dict(enumerate(passages, 1)), tuple(passages))


def _statements(text: str) -> list[Statement]:
    """Sentences with the markers in them and right after their full stop; what ends in a colon only announces them."""
    found: list[Statement] = []
    for line in text.splitlines():
        bare = MARKER.sub(lambda marker: " " * len(marker[0]), line)
        spans = [(start, end) for start, end in split_sentences(bare) if words(bare[start:end])]
        stops = [start for start, _ in spans[1:]] + [len(line)]
        for (start, end), stop in zip(spans, stops, strict=True):
            cited = [number for marker in MARKER.finditer(line, start, stop) for number in marked(marker[1])]
            if cited or not bare[start:end].rstrip().endswith(":"):
                found.append(Statement(" ".join(bare[start:end].split()), tuple(dict.fromkeys(cited))))
    return found


def marked(listed: str) -> list[int]:
    """The numbers of "1, 3-5". They are numbers, not places: 0 names no source, and none is counted from the end."""
    found: list[int] = []
    for part in re.split(r"[,;&]|and", listed):
        ends = [int(number) for number in re.findall(r"\d+", part)]
        if ends:
            found += range(min(ends), min(max(ends), min(ends) + _WIDEST) + 1)
    return found


def score(answer: Attributed, judge: Callable[[str, str], Grade]) -> Scores:
    """The grounding metrics of an answer that makes statements.

    - `faithfulness`: share of the statements that one of the whole sources supports (Es et al., "RAGAS", 2024); over all
      statements, never over the grades that came back.
    - `citation_recall`: share of the statements that the words they cite support together; `citation_precision`: share
      of the citations that are needed, of a supported statement, or support it alone; a marker of no source counts as
      wrong; `citation_f1`: their harmonic mean (Gao et al., "Enabling large language models to generate text with
      citations", 2023).
    - `citation_validity`: share of the markers that name a source; `uncited_rate`: share of the statements that cite
      nothing.
    - `numbers_held`: share of the statements with figures whose figures the cited words bear out; `quotes_held`: share of
      the quotations that stand word for word in a source.
    - guards: `copy_rate` (of the answer's words, copied from a source in runs of five) and `answer_words`. Who copies the
      best passage is cited perfectly, so no citation metric is told without them.

    A statement that the judge could not grade leaves the metrics that need it without a figure, and says so.
    """
    graded = [_graded(statement, answer, judge) for statement in answer.statements]
    metrics, skipped = _judged(graded)
    markers = [number for statement in answer.statements for number in statement.cited]
    _share(metrics, skipped, "citation_validity", [number in answer.quotes for number in markers], "no markers")
    _share(metrics, skipped, "uncited_rate", [not item.cited for item in answer.statements], "no statements")
    figures = [held for item in answer.statements if (held := _numbers_held(item, answer)) is not None]
    _share(metrics, skipped, "numbers_held", figures, "no figures")
    quotes = [is_verbatim(quote, answer.sources) for quote in quotations(MARKER.sub(" ", answer.text))]
    _share(metrics, skipped, "quotes_held", quotes, "no quotations")
    said = " ".join(item.text for item in answer.statements)
    metrics |= {"copy_rate": copy_rate(said, answer.sources), "answer_words": float(len(answer.text.split()))}
    verdicts: tuple[dict[str, Any], ...] = tuple(
        {
            "text": item.statement.text,
            "cited": list(item.statement.cited),
            "supported": item.together.supported,
            "score": None if item.together.score is None else round(item.together.score, 4),
            "why": item.together.why,
            "faithful": item.whole.supported,
            "orders": list(item.together.orders),
        }
        for item in graded
    )
    return Scores(metrics, skipped, verdicts)


@dataclass(frozen=True, slots=True)
class _Graded:
    statement: Statement
    together: Grade
    whole: Grade
    right: int | None  # citations that are needed or suffice; None where that could not be told


def _graded(statement: Statement, answer: Attributed, judge: Callable[[str, str], Grade]) -> _Graded:
    cited = [number for number in statement.cited if number in answer.quotes]
    if not cited:
        together = Grade(0.0, False, "it cites nothing" if not statement.cited else "what it cites does not exist")
    else:
        together = _best(statement.text, [answer.quotes[number] for number in cited], judge)
    whole = together if together.supported else _any(statement.text, answer.sources, judge)
    return _Graded(statement, together, whole, _right(statement, cited, together, answer, judge))


def _best(claim: str, quotes: Sequence[str], judge: Callable[[str, str], Grade]) -> Grade:
    """Of the cited words together; where one of several bears the claim out alone, that."""
    together = judge(claim, " ".join(quotes))
    if together.supported or len(quotes) == 1:
        return together
    alone = _any(claim, quotes, judge)
    return alone if alone.supported else together


def _any(claim: str, sources: Sequence[str], judge: Callable[[str, str], Grade]) -> Grade:
    """The best grade; no grade where none supports and one could not be graded."""
    grades = []
    for source in sources:
        grades.append(judge(claim, source))
        if grades[-1].supported:
            return grades[-1]
    if not grades:
        return Grade(0.0, False, "there is no source")
    ungraded = next((grade for grade in grades if grade.supported is None), None)
    return ungraded or max(grades, key=lambda grade: grade.score or 0.0)


def _right(
    statement: Statement, cited: Sequence[int], together: Grade, answer: Attributed, judge: Callable[[str, str], Grade]
) -> int | None:
    """How many of a statement's citations are right: it is supported, and each bears it out alone or is needed."""
    if together.supported is None:
        return None if statement.cited else 0
    if not together.supported:
        return 0
    if len(cited) == 1:
        return 1
    right = 0
    for number in cited:
        alone = judge(statement.text, answer.quotes[number])
        if alone.supported is None:
            return None
        if not alone.supported:
            rest = judge(statement.text, " ".join(answer.quotes[other] for other in cited if other != number))
            if rest.supported is None:
                return None
            if rest.supported:
                continue
        right += 1
    return right


def _judged(graded: Sequence[_Graded]) -> tuple[dict[str, float], dict[str, str]]:
    metrics: dict[str, float] = {}
    skipped: dict[str, str] = {}
    _share(metrics, skipped, "faithfulness", [item.whole.supported for item in graded], "no statements")
    _share(metrics, skipped, "citation_recall", [item.together.supported for item in graded], "no statements")
    rights, given = [item.right for item in graded], sum(len(item.statement.cited) for item in graded)
    if not graded:
        skipped["citation_precision"] = "no statements"
    elif None in rights:
        skipped["citation_precision"] = UNSCORED
    else:
        metrics["citation_precision"] = sum(right or 0 for right in rights) / given if given else 0.0
    both = [metrics.get(name) for name in ("citation_recall", "citation_precision")]
    if None in both:
        skipped["citation_f1"] = next(
            skipped[name] for name in ("citation_recall", "citation_precision") if name in skipped
        )
    else:
        recall, precision = (value or 0.0 for value in both)
        metrics["citation_f1"] = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return metrics, skipped


def _numbers_held(statement: Statement, answer: Attributed) -> bool | None:
    """None where the statement has no figures."""
    if not numbers(statement.text):
        return None
    quotes = " ".join(answer.quotes[number] for number in statement.cited if number in answer.quotes)
    return not missing_numbers(statement.text, [quotes])


def _share(
    metrics: dict[str, float], skipped: dict[str, str], name: str, held: Sequence[bool | None], none: str
) -> None:
    if not held:
        skipped[name] = none
    elif None in held:
        skipped[name] = UNSCORED
    else:
        metrics[name] = sum(map(bool, held)) / len(held)


NEEDS_STATEMENTS = (
    "faithfulness", "citation_recall", "citation_precision", "citation_f1", "citation_validity", "uncited_rate", "numbers_held",
    "quotes_held", "copy_rate", "answer_words",
)  # fmt: skip


def refused() -> Scores:
    """Of an answer that is none: it is no more faithful than unfaithful."""
    return Scores({}, dict.fromkeys(NEEDS_STATEMENTS, REFUSED))
