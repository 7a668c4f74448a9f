"""Claim sets with human labels through a judge: how far it can be believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from eval import metrics
from eval.attribution import UNSCORED
from eval.cases import LabelledClaim, own_claims, read_claims
from eval.judges.checker import CheckerJudge
from eval.judges.judge import Judge
from eval.record import Record, Task
from eval.suites.options import Options
from rag.types import Verdict
from rag.verify.checker import THRESHOLD

Rows = Sequence[Mapping[str, Any]]


def grounding(options: Options) -> Iterator[list[Task]]:
    """The claim sets of a folder, or our own claims where none is given."""
    sets = read_claims(options.data) if options.data else {"claims": own_claims()}
    judge = options.judged
    for name, claims in sets.items():
        yield [
            Task("grounding", f"{name}/{item.id}", (name, item), partial(_score_claim, name, item, judge))
            for item in claims[: options.limit]
        ]


def _score_claim(name: str, item: LabelledClaim, judge: Judge) -> Record:
    began = time.perf_counter()
    detail: dict[str, Any] = {"label": item.label, "claim": item.claim, "set": name}
    if isinstance(judge, CheckerJudge):
        check = judge.check(item.claim, item.source)
        score, supported = check.score, check.verdict is Verdict.SUPPORTED
        detail |= {"score": round(score, 6), "verdict": str(check.verdict), "reason": check.reason}
    else:
        grade = judge.grade(item.claim, item.source)
        score, supported = grade.score, bool(grade.supported)
        detail |= {"score": score, "supported": grade.supported, "reason": grade.why, "orders": list(grade.orders)}
    if item.verdict:
        detail |= {"gold": item.verdict, "kind": item.kind}
    timings = {f"{name}/latency_ms": 1000 * (time.perf_counter() - began)}
    if score is None:
        skipped = {f"{name}/accuracy": UNSCORED}
        return Record("grounding", f"{name}/{item.id}", {}, skipped, detail, timings)
    right = {f"{name}/accuracy": float(supported == bool(item.label))}
    return Record("grounding", f"{name}/{item.id}", right, {}, detail, timings)


def set_figures(name: str, rows: Rows) -> dict[str, Callable[[Rows], float]]:
    """Figures that exist for a whole claim set only, each a function of the rows (the records' details) it is taken of.

    AUROC, balanced accuracy and Cohen's kappa at the one threshold, calibration error, how often "supported" is right and
    how many of the supported are found; where claims say their verdict, how often "contradicted" is right; and where they
    say their kind, the AUROC of the claims of each kind that are not supported against all that are. Claims that the judge
    could not grade are left out.
    """
    figures: dict[str, Callable[[Rows], float]] = {
        "auroc": lambda some: metrics.auroc(_labels(some), [row["score"] for row in some]),
        "balanced_accuracy": lambda some: metrics.balanced_accuracy(_labels(some), _predicted(some)),
        "kappa": lambda some: metrics.kappa(_labels(some), _predicted(some)),
        "calibration_error": lambda some: metrics.calibration_error(_labels(some), [row["score"] for row in some]),
        "supported_precision": lambda some: _share([row["label"] for row in some if _is_supported(row)]),
        "supported_recall": lambda some: _share([_is_supported(row) for row in some if row["label"]]),
        "contradicted_precision": lambda some: _share(
            [row["gold"] == row["verdict"] for row in some if row.get("verdict") == Verdict.CONTRADICTED and "gold" in row]
        ),
    }
    for kind in sorted({row["kind"] for row in rows if not row["label"] and "kind" in row}):
        figures[f"auroc_{kind}"] = partial(_auroc_of_kind, kind)
    return {f"{name}/{figure}": function for figure, function in figures.items()}


def _auroc_of_kind(kind: str, rows: Rows) -> float:
    own = [row for row in rows if row["label"] or row["kind"] == kind]
    return metrics.auroc(_labels(own), [row["score"] for row in own])


def _labels(rows: Rows) -> list[int]:
    return [row["label"] for row in rows]


def _predicted(rows: Rows) -> list[bool]:
    return [row["supported"] if "supported" in row else row["score"] >= THRESHOLD for row in rows]


def _is_supported(row: Mapping[str, Any]) -> bool:
    return bool(row["supported"]) if "supported" in row else row["verdict"] == Verdict.SUPPORTED


def _share(held: Sequence[bool | int]) -> float:
    return sum(map(bool, held)) / len(held) if held else float("nan")
