"""A language model as judge: the one that may stand behind answers, asked twice, in both orders."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eval.hashing import hash_named, hash_values
from eval.judges.judge import Grade
from rag.answer.language_model import LanguageModel
from rag.answer.models import open_model
from rag.config import settings
from rag.verify import llm_judge


class LanguageModelJudge:
    """Any language model of the product. `kept` is false of an endpoint: only a name is known, not what answers to it."""

    def __init__(self, model: LanguageModel, patience: float, identity: str = "") -> None:
        self._judge = llm_judge.LanguageModelJudge(model, patience)
        self.name = model.name
        self.kept = bool(identity)
        self.identity = hash_values(identity or model.name, self._judge.prompt_hash)

    @classmethod
    def named(cls, name: str) -> LanguageModelJudge:
        """`openai:MODEL` or `hf:PATH`; a model in a folder is known by its files.

        Raises:
            UsageError: it names no language model.
        """
        config, made_of = settings(), hash_named(name)
        return cls(open_model(name, config), config.llm_timeout, made_of if made_of != name else "")

    def grade(self, claim: str, source: str) -> Grade:
        """Half for, half against when the two orders disagree; none when the reply to either cannot be read."""
        (first,) = self._judge.ask([(claim, source)])
        (second,) = self._judge.ask([(claim, source)], turned=True)
        orders = tuple(None if said.supported is None else said.supported == 1 for said in (first, second))
        if first.supported is None or second.supported is None:
            return Grade.none(first.why or second.why, orders)
        score = (first.supported + second.supported) / 2
        return Grade(score, score == 1, "" if orders[0] == orders[1] else "its grade turned with the order", orders)


def flip_rate(orders: Sequence[Sequence[bool]]) -> float:
    """Share of the claims whose grade turned with the order. `orders`: the grades with "yes" named first, then "no"."""
    return sum(first != second for first, second in orders) / len(orders) if orders else math.nan


def position_bias(orders: Sequence[Sequence[bool]]) -> float:
    """How much oftener the grade named first was given than the one named last, for turning with the order, in [-1, 1].

    0 is a judge that does not care where a grade stands.
    """
    turned = [first - second for first, second in orders]
    return sum(turned) / len(turned) if turned else math.nan
