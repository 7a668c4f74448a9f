"""The support checker as judge: the one behind every answer."""

from __future__ import annotations

from eval.hashing import hash_code, hash_file, hash_values
from eval.judges.judge import Grade
from rag.config import settings
from rag.types import Check, Verdict
from rag.verify.checker import Checker
from rag.verify.network import WEIGHTS

NAME = "checker"


def identity() -> str:
    """Of the checker as it stands: weights, code and settings."""
    config = settings()
    made_with = (config.embedding_model, config.embedding_precision)
    return hash_values(hash_file(WEIGHTS), hash_code("rag/verify", "rag/index", "rag/ingest"), made_with)


class CheckerJudge:
    """Grades as `rag.check` does."""

    name = NAME
    kept = False  # quick enough, and the words it quotes are wanted too

    def __init__(self, checker: Checker | None = None) -> None:
        self._checker = checker or Checker.from_settings(settings())
        self.identity = identity()

    def check(self, claim: str, source: str) -> Check:
        """The whole verdict."""
        return self._checker.check(claim, source)

    def grade(self, claim: str, source: str) -> Grade:
        """As `Judge.grade`; there is no grade where there is nothing to check."""
        check = self.check(claim, source)
        if check.verdict is Verdict.UNCHECKED:
            return Grade.none(check.reason)
        return Grade(check.score, check.verdict is Verdict.SUPPORTED, check.reason)
