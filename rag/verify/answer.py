"""A draft to verdicts: every claim against exactly the words it cites."""

from __future__ import annotations

from dataclasses import replace

from rag.types import Check, Citation, Claim, Draft, Support, Verdict
from rag.verify.backends import SupportChecker

# What decides of several: where one could not be checked, nothing is known but that another supports.
ORDER = (Verdict.SUPPORTED, Verdict.UNCHECKED, Verdict.CONTRADICTED, Verdict.UNSUPPORTED)
_SETTLED = (Verdict.SUPPORTED, Verdict.UNCHECKED)


def verify(draft: Draft, checker: SupportChecker) -> tuple[Claim, ...]:
    """The draft's claims with verdicts, and how each of their citations bears them out.

    A claim with several citations is checked against each and, when none bears it out alone, against
    their quotes together. A citation that does not exist, or whose offsets do not give its quote,
    counts as no citation.
    """
    cited = {citation.number: citation for citation in draft.citations}
    located = {number: citation.quote for number, citation in cited.items() if is_located(citation)}
    quotes = [[located[number] for number in claim.citations if number in located] for claim in draft.claims]
    told = list(zip(draft.claims, quotes, strict=True))
    alone = _checked([(claim.text, quote) for claim, own in told for quote in own], checker)
    together = _checked(
        [
            (claim.text, " ".join(own))
            for claim, own in told
            if len(own) > 1 and not any(alone[claim.text, quote].verdict in _SETTLED for quote in own)
        ],
        checker,
    )

    def support(claim: Claim, number: int) -> Support:
        if number not in located:
            why = "its quote does not stand there" if number in cited else "what it cites is not on the shelf"
            return Support(number, number in cited, False, Verdict.UNSUPPORTED, reason=why)
        check = alone[claim.text, located[number]]
        return Support(number, True, True, check.verdict, check.score, check.reason)

    return tuple(
        _verified(
            replace(claim, support=tuple(support(claim, number) for number in claim.citations)),
            [alone[claim.text, quote] for quote in own],
            together.get((claim.text, " ".join(own))),
        )
        for claim, own in told
    )


def is_located(citation: Citation) -> bool:
    """Whether the quote stands verbatim at its offsets in the stored abstract."""
    return bool(citation.quote) and citation.paper.abstract[citation.start : citation.end] == citation.quote


def _checked(pairs: list[tuple[str, str]], checker: SupportChecker) -> dict[tuple[str, str], Check]:
    return dict(zip(pairs, checker.check_all(pairs), strict=True))


def _verified(claim: Claim, checks: list[Check], together: Check | None) -> Claim:
    if not checks:
        reason = claim.support[0].reason if claim.support else "the sentence cites nothing"
        return replace(claim, verdict=Verdict.UNSUPPORTED, score=0.0, reason=reason)
    best = min(
        [*checks, together] if together else checks, key=lambda check: (ORDER.index(check.verdict), -check.score)
    )
    return replace(claim, verdict=best.verdict, score=best.score, reason=best.reason)
