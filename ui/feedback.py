"""What readers say of answers and citations, one JSON object a line in the shelf's folder."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from rag.errors import UsageError
from ui.conversations import Conversation, now

KINDS = ("good", "wrong paper", "not supported", "missing paper")
LONGEST_NOTE = 1_000


class Feedback:
    """`<shelf>/feedback.jsonl`: enough of each case to ask the question again.

    A line has `at`, `kind` (of `KINDS`), `question`, `history` (the questions before it), `filters`, `status`, `text`,
    `papers` (ids the answer used), `writer`, `model`, and, of a citation, `citation` (number), `paper` (id), `quote`
    and `claims` (what was said of it); `note` is the reader's own: for a missing paper its title.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "feedback.jsonl"
        self._writing = threading.Lock()

    def add(self, conversation: Conversation, turn: int, kind: str, number: int | None = None, note: str = "") -> None:
        """Store what was said of a turn's answer, or of one citation in it.

        Raises:
            UsageError: there is no such answer, citation or kind.
        """
        record = _record(conversation, turn, kind, number, note)
        with self._writing, self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def _record(conversation: Conversation, turn: int, kind: str, number: int | None, note: str) -> dict[str, Any]:
    answer = conversation.turns[turn].answer if 0 <= turn < len(conversation.turns) else None
    if answer is None or kind not in KINDS:
        raise UsageError("there is no such answer to say that of", hint=f"kinds: {', '.join(KINDS)}")
    record = {
        "at": now(),
        "kind": kind,
        "question": answer.question,
        "history": [one.question for one in conversation.turns[:turn]],
        "filters": conversation.turns[turn].filters,
        "status": answer.status,
        "text": answer.text,
        "papers": [paper.id for paper, _ in answer.papers],
        "writer": answer.writer,
        "model": answer.model,
        "note": " ".join(note.split())[:LONGEST_NOTE],
    }
    if number is None:
        return record
    cited = next((one for one in answer.citations if one.number == number), None)
    if cited is None:
        raise UsageError(f"the answer has no citation {number}")
    claims = [claim.text for claim in answer.claims if number in claim.citations]
    return {**record, "citation": number, "paper": cited.paper.id, "quote": cited.quote, "claims": claims}
