"""What a suite leaves of each question, and the work that makes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

DIGITS = 6


@dataclass(frozen=True, slots=True)
class Record:
    """One question's figures.

    `metrics` by name; `skipped` says of a metric that has no figure here why not; `detail` is what is needed to look
    into it; `timings` are milliseconds, kept apart from all else because they differ from run to run; `failed` says why
    the question could not be scored at all. `key` is the hash of the question's content.
    """

    suite: str
    id: str
    metrics: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    key: str = ""
    failed: str = ""

    def to_row(self) -> dict[str, Any]:
        """The record as plain values, without its timings: the same for the same question and program."""
        row = asdict(self)
        del row["timings"]
        row["metrics"] = {name: round(float(value), DIGITS) for name, value in self.metrics.items()}
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any], timings: Mapping[str, float] | None = None) -> Record:
        """The inverse of `to_row`."""
        known = {
            name: row[name] for name in ("suite", "id", "metrics", "skipped", "detail", "key", "failed") if name in row
        }
        return cls(**known, timings=dict(timings or {}))


@dataclass(frozen=True, slots=True)
class Task:
    """A question that waits to be scored. `content` is all that makes it this question: its words, history and gold."""

    suite: str
    id: str
    content: Any
    score: Callable[[], Record]

    @property
    def key(self) -> str:
        """16 hexadecimal digits of the SHA-256 of suite and content: the id, which is only a name, has no part in it."""
        text = json.dumps([self.suite, self.content], ensure_ascii=False, sort_keys=True, default=_plain)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Frozen values as plain ones."""
    return asdict(value)
