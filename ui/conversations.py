"""Conversations kept on the server, in the shelf's folder: each person sees, reopens and deletes only their own."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.types import Answer, Citation, Claim, Filters, Paper

UNFINISHED = "This question was not answered to the end."
MOST_LISTED = 100


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with the conditions set beside it, and its answer, or why there is none."""

    question: str
    at: str
    filters: dict[str, Any] = field(default_factory=dict)
    answer: Answer | None = None
    error: str = UNFINISHED


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    turns: tuple[Turn, ...] = ()

    @property
    def title(self) -> str:
        return self.turns[0].question if self.turns else "New conversation"

    @property
    def answers(self) -> list[Answer]:
        """What a follow-up may refer to, oldest first."""
        return [turn.answer for turn in self.turns if turn.answer]

    def until(self, turn: int) -> Conversation:
        """The conversation before a turn."""
        return replace(self, turns=self.turns[: max(turn, 0)])

    def and_then(self, turn: Turn) -> Conversation:
        return replace(self, turns=(*self.turns, turn))


def owner_key(kind: str, name: str) -> str:
    """The folder name of a person's conversations: a digest, so that a listing gives no browser's secret away."""
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()[:32]


class Conversations:
    """The store: `<shelf>/conversations/<owner>/<id>.json`, readable by the server's user alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "conversations"

    def new(self) -> Conversation:
        return Conversation(secrets.token_hex(8))

    def read(self, owner: str, key: str) -> Conversation | None:
        """The conversation of this owner under this id; None when there is none, or it cannot be read.

        Raises:
            ValueError: no conversation can have this owner or id.
        """
        path = self._path(owner, key)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            papers = {item["id"]: Paper.from_dict(item) for item in data["papers"]}
            return Conversation(key, tuple(_turn(row, papers) for row in data["turns"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, owner: str, conversation: Conversation) -> None:
        """Store it whole; a reader sees the old or the new one, never half of it."""
        path = self._path(owner, conversation.id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        papers: dict[str, Paper] = {}
        turns = [_record(turn, papers) for turn in conversation.turns]
        kept = {"turns": turns, "papers": [paper.to_dict() for paper in papers.values()]}
        part = path.with_suffix(f".{secrets.token_hex(4)}.part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
        part.replace(path)

    def exists(self, owner: str, key: str) -> bool:
        return self._path(owner, key).is_file()

    def listed(self, owner: str) -> list[Conversation]:
        """The owner's conversations, the last one first."""
        paths = sorted(self._paths(owner), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        found = (self.read(owner, path.stem) for path in paths[:MOST_LISTED])
        return [one for one in found if one and one.turns]

    def delete(self, owner: str, key: str) -> None:
        self._path(owner, key).unlink(missing_ok=True)

    def delete_all(self, owner: str) -> None:
        shutil.rmtree(self._path(owner, "0" * 16).parent, ignore_errors=True)

    def _paths(self, owner: str) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            yield from self._path(owner, "0" * 16).parent.glob("*.json")

    def _path(self, owner: str, key: str) -> Path:
        # Both come from outside; neither may name another folder.
        if not re.fullmatch(r"[0-9a-f]{32}", owner) or not re.fullmatch(r"[0-9a-f]{16}", key):
            raise ValueError(f"no such conversation: {key!r}")
        return self._folder / owner / f"{key}.json"


def _record(turn: Turn, papers: dict[str, Paper]) -> dict[str, Any]:
    """A turn as plain values; papers, which recur, are put into `papers`."""
    row: dict[str, Any] = {"question": turn.question, "at": turn.at, "filters": turn.filters, "error": turn.error}
    if turn.answer is None:
        return row
    answer = turn.answer
    used = [*(item.paper for item in answer.citations), *(paper for paper, _ in (*answer.papers, *answer.nearest))]
    papers.update({paper.id: paper for paper in used})
    kept = {name.name: getattr(answer, name.name) for name in dataclasses.fields(answer)}
    kept["claims"] = [claim.to_dict() for claim in answer.claims]
    kept["citations"] = [[item.number, item.paper.id, item.quote, item.start, item.end] for item in answer.citations]
    for name in ("papers", "nearest"):
        kept[name] = [[paper.id, score] for paper, score in getattr(answer, name)]
    kept["filters"] = answer.filters.conditions
    return {**row, "answer": kept}


def _turn(row: dict[str, Any], papers: dict[str, Paper]) -> Turn:
    kept = row.pop("answer", None)
    return Turn(**row, answer=_answer(kept, papers) if kept else None)


def _answer(kept: dict[str, Any], papers: dict[str, Paper]) -> Answer:
    def scored(rows: Sequence[tuple[str, float]]) -> tuple[tuple[Paper, float], ...]:
        return tuple((papers[key], score) for key, score in rows)

    claims = tuple(map(Claim.from_dict, kept["claims"]))
    citations = tuple(Citation(number, papers[key], *rest) for number, key, *rest in kept["citations"])
    conditions = tuple(
        (name, operator, tuple(value) if isinstance(value, list) else value)
        for name, operator, value in kept["filters"]
    )
    return Answer(
        **{
            **kept,
            "claims": claims,
            "citations": citations,
            "papers": scored(kept["papers"]),
            "nearest": scored(kept["nearest"]),
            "filters": Filters(conditions),
        }
    )
