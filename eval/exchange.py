"""Runs as the data sets that other tools read, and such data sets as questions to score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from eval import attribution
from eval.attribution import of_text
from eval.cases import read_lines
from eval.judges.judge import Judge
from eval.matching import is_refusal, said, token_f1
from eval.record import Record, Task
from rag.errors import UsageError

# Format to its columns: question, answer, passages, reference answer, reference passages.
COLUMNS: dict[str, tuple[str, str, str, str, str]] = {
    "ragas": ("user_input", "response", "retrieved_contexts", "reference", "reference_contexts"),
    "deepeval": ("input", "actual_output", "retrieval_context", "expected_output", "context"),
}
# What the columns of the first were called before.
_OLD = {"question": "user_input", "answer": "response", "contexts": "retrieved_contexts", "ground_truth": "reference"}


def export(records: Sequence[Record], format: str) -> Iterator[dict[str, Any]]:
    """A row for each question that was asked, refused ones too.

    Passages are the quotes in the order of their numbers, so `[2]` in an answer is the second of them. The reference is the
    expected words, or where there are none the gold evidence.

    Raises:
        UsageError: the format is unknown.
    """
    if format not in COLUMNS:
        raise UsageError(f"unknown format {format}", hint=f"formats: {', '.join(COLUMNS)}")
    question, answer, passages, reference, references = COLUMNS[format]
    for record in records:
        detail = record.detail
        if "text" not in detail:
            continue
        gold = [item["quote"] for item in detail.get("evidence", ())]
        yield {
            question: detail["question"],
            answer: detail["text"],
            passages: [citation["quote"] for citation in detail.get("citations", ())],
            reference: "; ".join(detail.get("expected", ())) or " ".join(gold),
            references: gold,
        }


def imported(path: Path, judge: Judge, limit: int | None = None) -> Iterator[list[Task]]:
    """A data set in one of the formats as a suite that scores the answers in it; nothing is asked.

    Raises:
        UsageError: it cannot be read, or has the columns of no format.
    """
    rows = [_plain(row, path) for row in read_lines(path)][:limit]
    yield [
        Task(path.stem, str(number), row, partial(_score, path.stem, str(number), row, judge))
        for number, row in enumerate(rows, 1)
    ]


def _plain(row: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A row under the names of the first format."""
    row = {_OLD.get(name, name): value for name, value in row.items()}
    for question, answer, passages, reference, _ in COLUMNS.values():
        if question in row and answer in row:
            found = {"question": str(row[question]), "text": str(row[answer] or "")}
            return found | {
                "passages": [str(text) for text in row.get(passages) or ()],
                "reference": str(row.get(reference) or ""),
            }
    wanted = "; ".join(", ".join(names[:4]) for names in COLUMNS.values())
    raise UsageError(f"{path} has the columns of no known data set", hint=f"columns: {wanted}")


def _score(suite: str, key: str, row: Mapping[str, Any], judge: Judge) -> Record:
    """As the `answers` suite does where it can: what other tools call an answer may be a refusal in words."""
    text, passages = row["text"], row["passages"]
    refused = is_refusal(text)
    grounding = attribution.refused() if refused else attribution.score(of_text(text, passages), judge.grade)
    scored = {"refused": float(refused), **grounding.metrics}
    if row["reference"]:
        scored["answer_match"] = float(not refused and said(row["reference"], text))
        scored["answer_f1"] = scored["correctness"] = 0.0 if refused else token_f1(row["reference"], text)
    detail = {
        "kind": suite,
        "question": row["question"],
        "expected": [row["reference"]] if row["reference"] else [],
        "gold": [],
        "found": [],
        "status": "abstained" if refused else "answered",
        "text": text,
        "writer": "another program's",
        "citations": [
            {"number": number, "quote": passage, "start": 0, "end": len(passage), "paper": {"id": f"passage {number}"}}
            for number, passage in enumerate(passages, 1)
        ],
        "sources": {f"passage {number}": passage for number, passage in enumerate(passages, 1)},
        "titles": {f"passage {number}": f"[{number}]" for number in range(1, len(passages) + 1)},
        "verdicts": list(grounding.verdicts),
    }
    return Record(suite, key, scored, grounding.skipped, detail)
