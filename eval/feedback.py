"""What readers said of answers in the chat page (`feedback.jsonl` of a shelf), as questions and claims to test with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.hashing import hash_values
from rag.types import paper_id

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Converted:
    """Rows of a file of questions and of a claim set, and how many lines say nothing to test with, by reason."""

    questions: Rows
    claims: Rows
    left_out: Mapping[str, int]


def convert(lines: Iterable[Mapping[str, Any]]) -> Converted:
    """All that was said of one question (with its history and filters) becomes one question.

    An answer called good makes its papers gold, and a refusal called good makes the question unanswerable; a wrong paper
    is one that must not be given again, and a missing one is gold. Of what was said twice, the last counts. What was called
    not supported becomes claims that their quotes do not support.
    """
    by_question: dict[str, list[Mapping[str, Any]]] = {}
    claims: Rows = []
    left_out: Counter[str] = Counter()
    for line in lines:
        by_question.setdefault(_key(line), []).append(line)
        if line["kind"] == "not supported":
            said = line.get("claims") or ()
            claims += [{"source": line["quote"], "claim": claim, "label": 0} for claim in said if line.get("quote")]
            if not said or not line.get("quote"):
                left_out["called not supported, without saying which statement"] += 1
    questions = []
    for key, said in by_question.items():
        row = _question(key, said)
        if row:
            questions.append(row)
        elif any(line["kind"] != "not supported" for line in said):
            left_out["nothing that a right answer would have is known"] += 1
    return Converted(questions, _unique(claims), dict(left_out))


def _key(line: Mapping[str, Any]) -> str:
    return hash_values(line["question"], line.get("history") or [], line.get("filters") or {})


def _question(key: str, said: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    gold: dict[str, None] = {}
    unwanted: dict[str, None] = {}
    refusal = False
    for line in said:
        papers = [line["paper"]] if line.get("paper") else list(line.get("papers") or ())
        if line["kind"] == "good":
            refusal = line.get("status") == "abstained"
            gold |= dict.fromkeys(papers)
            unwanted = {paper: None for paper in unwanted if paper not in papers}
        elif line["kind"] == "wrong paper":
            refusal = False
            unwanted |= dict.fromkeys(papers)
            gold = {paper: None for paper in gold if paper not in papers}
        elif line["kind"] == "missing paper" and line.get("note"):
            refusal = False
            gold[paper_id(line["note"])] = None
    if not (gold or unwanted or refusal):
        return None
    row = {
        "id": f"feedback-{key}",
        "kind": "unanswerable" if refusal else "list",
        "question": said[0]["question"],
        "history": list(said[0].get("history") or ()),
        "filters": said[0].get("filters") or {},
        "papers": [] if refusal else list(gold),
        "unwanted": [] if refusal else list(unwanted),
    }
    return {name: value for name, value in row.items() if value or name == "papers"}


def _unique(claims: Rows) -> Rows:
    return list({hash_values(row): row for row in claims}.values())
