"""The support checker as judge: the one behind every answer."""

from __future__ import annotations

from eval.hashing import hash_code, hash_file, hash_named, hash_values
from eval.judges.judge import Grade
from rag.answer import prompts
from rag.config import settings
from rag.types import Check, Verdict
from rag.verify.backends import SupportChecker, open_backend, open_checker
from rag.verify.network import WEIGHTS

NAME = "checker"


def identity() -> str:
    """Of the checker as it stands: weights, code and settings."""
    config = settings()
    made_with = [config.embedding_model, config.embedding_precision, hash_named(config.checker)]
    if config.checker == "llm":
        made_with += [hash_named(config.llm or ""), *(prompts.load(name).hash for name in ("judge", "judge_again"))]
    return hash_values(hash_file(WEIGHTS), hash_code("rag/verify", "rag/index", "rag/ingest"), made_with)


class CheckerJudge:
    """Grades as `rag.check` does, with the checker of the settings; one that is not our own has a name of its own."""

    kept = False  # quick enough, and the words it quotes are wanted too

    def __init__(self, checker: SupportChecker | None = None) -> None:
        backend = open_backend(settings())
        self._checker = checker or open_checker(settings(), backend=backend)
        self.name = f"{NAME} with {backend.name}" if backend else NAME
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
