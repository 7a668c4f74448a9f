"""Claim sets with human labels through a judge: how far it can be believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
        score = None if check.verdict is Verdict.UNCHECKED else round(check.score, 6)
        supported = check.verdict is Verdict.SUPPORTED
        detail |= {"score": score, "verdict": str(check.verdict), "reason": check.reason}
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


@dataclass(frozen=True, slots=True)
class SetFigure:
    """A figure of a whole claim set: the rows it is of (records' details), and the function that makes it of them."""

    rows: Rows
    function: Callable[[Rows], float]


def set_figures(name: str, rows: Rows) -> dict[str, SetFigure]:
    """Figures that exist for a whole claim set only.

    AUROC, balanced accuracy and Cohen's kappa at the one threshold, calibration error, how often "supported" is right and
    how many of the supported are found; where claims say their verdict, how often "contradicted" is right; and where they
    say their kind, the AUROC of the claims of each kind that are not supported against all that are. Claims that the judge
    could not grade are not to be among the rows.
    """
    supported = [row for row in rows if _is_supported(row)]
    turned = [row for row in rows if row.get("verdict") == Verdict.CONTRADICTED and "gold" in row]
    figures = {
        "auroc": SetFigure(rows, _auroc),
        "balanced_accuracy": SetFigure(rows, lambda some: metrics.balanced_accuracy(_labels(some), _predicted(some))),
        "kappa": SetFigure(rows, lambda some: metrics.kappa(_labels(some), _predicted(some))),
        "calibration_error": SetFigure(rows, lambda some: metrics.calibration_error(_labels(some), _scores(some))),
        "supported_precision": SetFigure(supported, lambda some: _share(_labels(some))),
        "supported_recall": SetFigure(
            [row for row in rows if row["label"]], lambda some: _share(list(map(_is_supported, some)))
        ),
        "contradicted_precision": SetFigure(
            turned, lambda some: _share([row["gold"] == row["verdict"] for row in some])
        ),
    }
    for kind in sorted({row["kind"] for row in rows if not row["label"] and "kind" in row}):
        figures[f"auroc_{kind}"] = SetFigure([row for row in rows if row["label"] or row["kind"] == kind], _auroc)
    return {f"{name}/{figure}": made for figure, made in figures.items() if made.rows}


def _auroc(rows: Rows) -> float:
    return metrics.auroc(_labels(rows), _scores(rows))


def _scores(rows: Rows) -> list[float]:
    return [row["score"] for row in rows]


def _labels(rows: Rows) -> list[int]:
    return [row["label"] for row in rows]


def _predicted(rows: Rows) -> list[bool]:
    return [row["supported"] if "supported" in row else row["score"] >= THRESHOLD for row in rows]


def _is_supported(row: Mapping[str, Any]) -> bool:
    return bool(row["supported"]) if "supported" in row else row["verdict"] == Verdict.SUPPORTED


def _share(held: Sequence[bool | int]) -> float:
    return sum(map(bool, held)) / len(held) if held else float("nan")
