"""A question, its conditions and its conversation as users give them, made values of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rag.errors import UsageError
from rag.index.shelf import Shelf
from rag.retrieve.context import Turn, understand
from rag.retrieve.evidence import gather
from rag.retrieve.retriever import Retriever
from rag.types import Answer, Filters

LONGEST_QUESTION = 4_000
# Earlier turns, oldest first: answers, questions, or {"question": ..., "papers": [ids]}.
History = Sequence[Answer | str | Mapping[str, Any]]


def cleaned(question: str) -> str:
    """The question on one line, without control characters.

    Raises:
        UsageError: it is empty or too long.
    """
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", question).split())
    if not line:
        raise UsageError("the question is empty", hint='ask something: attest ask "which papers ...?"')
    if len(line) > LONGEST_QUESTION:
        raise UsageError(
            f"the question has {len(line):,} characters; the longest that is answered has {LONGEST_QUESTION:,}",
            hint="ask for one thing at a time",
        )
    return line


def to_filters(filters: Mapping[str, Any] | None) -> Filters:
    """`{"year": {"gte": 2023}, "organization": "microsoft"}` as conditions."""
    conditions: list[tuple[str, str, Any]] = []
    for field, wanted in (filters or {}).items():
        pairs = wanted.items() if isinstance(wanted, Mapping) else [("eq", wanted)]
        conditions += [(field, operator, value) for operator, value in pairs]
    return Filters(tuple(conditions))


def to_turns(history: History, shelf: Shelf) -> list[Turn]:
    """Each turn's question with the papers of its answer, which is worked out again for a bare question.

    Raises:
        UsageError: a turn has no question.
    """
    turns: list[Turn] = []
    for turn in history:
        turns.append(_to_turn(turn, shelf, turns))
    return turns


def _to_turn(turn: Answer | str | Mapping[str, Any], shelf: Shelf, earlier: Sequence[Turn]) -> Turn:
    if isinstance(turn, Answer):
        return Turn(turn.question, tuple(paper.id for paper, _ in turn.papers))
    if isinstance(turn, str):
        found = gather(understand(cleaned(turn), shelf, earlier), Retriever(shelf))[1].kept
        return Turn(turn, tuple(item.paper.id for item in found))
    if "question" not in turn:
        raise UsageError(
            "a turn of the history has no question",
            hint='history: answers, questions, or {"question": ..., "papers": [ids]}',
        )
    question = str(turn["question"])
    return Turn(question, tuple(turn["papers"])) if "papers" in turn else _to_turn(question, shelf, earlier)
