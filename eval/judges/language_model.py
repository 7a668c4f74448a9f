"""A language model as judge: asked twice, in both orders, because models favour what stands first."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from eval.hashing import hash_files, hash_values
from eval.judges.judge import Grade
from rag.answer import prompts
from rag.answer.execution import Blocking, blocking
from rag.answer.language_model import LanguageModel, Message, complete
from rag.answer.models import open_model
from rag.config import settings
from rag.errors import WriterError

_WORD = re.compile(r"[^\W_]+")
UNREADABLE = "its reply is no grade"


class LanguageModelJudge:
    """Any language model of the product. `kept` is false: of an endpoint only a name is known, not what answers to it."""

    def __init__(self, model: LanguageModel, patience: float, identity: str = "") -> None:
        self._model, self._patience = model, patience
        self._prompt = prompts.load("judge")
        self.name = model.name
        self.kept = bool(identity)
        self.identity = hash_values(identity or model.name, self._prompt.hash)

    @classmethod
    def named(cls, name: str) -> LanguageModelJudge:
        """`openai:MODEL` or `hf:PATH`; a model in a folder is known by its files.

        Raises:
            UsageError: it names no language model.
        """
        config = settings()
        kind, _, rest = name.partition(":")
        folder = Path(rest)
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if kind == "hf" and folder.is_dir() else []
        return cls(open_model(name, config), config.llm_timeout, hash_files(files) if files else "")

    def grade(self, claim: str, source: str) -> Grade:
        """Half for, half against when the two orders disagree; none when either reply is not one of the two words."""
        first = self._ask(f"Source: {source}", f"Claim: {claim}", "YES or NO")
        second = self._ask(f"Claim: {claim}", f"Source: {source}", "NO or YES")
        if first is None or second is None:
            return Grade.none(UNREADABLE, (first, second))
        score = (first + second) / 2
        return Grade(score, score == 1, "" if first == second else "its grade turned with the order", (first, second))

    def _ask(self, first: str, second: str, options: str) -> bool | None:
        fence = f"=== {hash_values(first, second)} ==="  # the same for the same words, and not to be guessed by them
        prompt = self._prompt.render(fence=fence, first=first, second=second, options=options)
        try:
            pieces = blocking(complete(self._model, [Message("user", prompt)], Blocking(), self._patience))
            return read_grade("".join(piece for piece in pieces if isinstance(piece, str)))
        except WriterError:
            return None


def read_grade(reply: str) -> bool | None:
    """The grade a reply gives, or None: it must begin or end with the word, and the other one must not occur.

    A word is a whole word: there is no "yes" in "yesterday", and no grade in "yes and no".
    """
    said = [word.casefold() for word in _WORD.findall(reply)]
    grades = {word for word in said if word in ("yes", "no")}
    if len(grades) != 1 or not grades & {said[0], said[-1]}:
        return None
    return "yes" in grades


def flip_rate(orders: Sequence[Sequence[bool]]) -> float:
    """Share of the claims whose grade turned with the order. `orders`: the grades with "yes" named first, then "no"."""
    return sum(first != second for first, second in orders) / len(orders) if orders else math.nan


def position_bias(orders: Sequence[Sequence[bool]]) -> float:
    """How much oftener the grade named first was given than the one named last, for turning with the order, in [-1, 1].

    0 is a judge that does not care where a grade stands.
    """
    turned = [first - second for first, second in orders]
    return sum(turned) / len(turned) if turned else math.nan
