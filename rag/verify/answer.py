"""A draft to verdicts: every claim against exactly the words it cites."""

from __future__ import annotations

from dataclasses import replace

from rag.types import Check, Citation, Claim, Draft, Verdict
from rag.verify.checker import Checker

_ORDER = (Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.UNSUPPORTED, Verdict.UNCHECKED)


def verify(draft: Draft, checker: Checker) -> tuple[Claim, ...]:
    """The draft's claims with verdicts.

    A claim with several citations is checked against each and, when none bears it out alone, against
    their quotes together. A citation that does not exist, or whose offsets do not give its quote,
    counts as no citation.
    """
    located = {citation.number: citation for citation in draft.citations if is_located(citation)}
    return tuple(
        _verified(claim, [located[number] for number in claim.citations if number in located], checker)
        for claim in draft.claims
    )


def is_located(citation: Citation) -> bool:
    """Whether the quote stands verbatim at its offsets in the stored abstract."""
    return bool(citation.quote) and citation.paper.abstract[citation.start : citation.end] == citation.quote


def _verified(claim: Claim, citations: list[Citation], checker: Checker) -> Claim:
    if not citations:
        reason = "the sentence cites nothing" if not claim.citations else "what it cites is not on the shelf"
        return replace(claim, verdict=Verdict.UNSUPPORTED, score=0.0, reason=reason)
    checks = [checker.check(claim.text, citation.quote) for citation in citations]
    if len(citations) > 1 and not any(check.verdict is Verdict.SUPPORTED for check in checks):
        checks.append(checker.check(claim.text, " ".join(citation.quote for citation in citations)))
    best = min(checks, key=lambda check: (_ORDER.index(check.verdict), -check.score))
    return _with(claim, best)


def _with(claim: Claim, check: Check) -> Claim:
    return replace(claim, verdict=check.verdict, score=check.score, reason=check.reason)
