"""A back end of the support checker on its own as judge: an NLI model, without any reading of ours beside it."""

from __future__ import annotations

from eval.hashing import hash_named, hash_values
from eval.judges.judge import Grade
from rag.verify.checker import THRESHOLD
from rag.verify.opinion import Backend


class BackendJudge:
    """The score is the probability that the source supports the claim."""

    def __init__(self, backend: Backend, made_of: str) -> None:
        """
        Args:
            made_of: the setting that names the back end; grades of a model in a folder are kept from run to run.
        """
        self._backend = backend
        self.name = backend.name
        known = hash_named(made_of)
        self.identity, self.kept = hash_values(known), known != made_of

    def grade(self, claim: str, source: str) -> Grade:
        """As `Judge.grade`."""
        (opinion,) = self._backend.ask([(claim, source)])
        if opinion.supported is None:
            return Grade.none(opinion.why)
        return Grade(opinion.supported, opinion.supported >= THRESHOLD)
