"""A run as a table: on the terminal and as `report.md`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.compare import Comparison, compare
from eval.compare import table as comparison_table
from eval.intervals import Estimate
from eval.judges.agreement import Card, find
from eval.record import Record
from eval.suites.health import ranked_values
from eval.summary import Figure, summarize, timings

CITATIONS = frozenset({"faithfulness", "citation_recall", "citation_precision", "citation_f1"})
# What a judge gives. No one of them is told without how far the judge agrees with people.
JUDGED = CITATIONS | {"noticed", "contained"}
GUARDS = ("correctness", "copy_rate", "answer_words")
# Papers of the health suite in the report.
REVIEWED = 20
NO_CARD = "no agreement card: attest eval card"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything there is to tell of a run."""

    manifest: Mapping[str, Any]
    records: Sequence[Record]
    figures: Mapping[str, Figure]
    timings: Mapping[str, Estimate]
    card: Card | None = None
    comparison: Comparison | None = None

    @classmethod
    def of(
        cls, manifest: Mapping[str, Any], records: Sequence[Record], against: Sequence[Record] | None = None
    ) -> Report:
        """The report of a run's records, beside those of another run where there is one."""
        judge = manifest["made_with"]["judge"]
        card = find(judge["name"], judge["identity"])
        comparison = None if against is None else compare(records, against)
        return cls(manifest, records, summarize(records), timings(records), card, comparison)

    @property
    def title(self) -> str:
        return f"Evaluation: {', '.join(self.manifest['suites'])}"

    @property
    def judge(self) -> str:
        """The judge with its agreement card."""
        return f"{self.manifest['made_with']['judge']['name']}: {self.card or NO_CARD}"

    @property
    def failed(self) -> list[Record]:
        return [record for record in self.records if record.failed]

    def agreement(self, name: str) -> str:
        """What stands beside a figure: the card of the judge that gave it, or nothing."""
        return str(self.card or NO_CARD) if name.rpartition("/")[2] in JUDGED else ""


def markdown(report: Report) -> str:
    """`report.md`: the same bytes for the same run, so times are not in it."""
    lines = [f"# {report.title}", "", _made_with(report), "", *_table(report)]
    if any(name.rpartition("/")[2] in CITATIONS for name in report.figures):
        guards = ", ".join(name for name in GUARDS if name in report.figures)
        lines += ["", f"Judge: {report.judge}. Read the citation figures beside {guards}: copying is cited perfectly."]
    if values := ranked_values((record.id, record.detail) for record in report.records if record.suite == "health"):
        lines += ["", "## Papers to review", "", "Worth least to these questions first; `health.jsonl` has all.", ""]
        lines += ["| paper | value | harms |", "|---|---|---|"]
        lines += [
            f"| {_cell(item.title)} | {item.value:+.5f} | {', '.join(item.harms[:6])} |" for item in values[:REVIEWED]
        ]
    if report.failed:
        lines += ["", "## Not scored", "", *(f"- {record.id}: {record.failed}" for record in report.failed)]
    if report.comparison:
        lines += ["", "## Against the other run", "", comparison_table(report.comparison)]
    return "\n".join(lines) + "\n"


def terminal(report: Report) -> str:
    """The figures and times in columns."""
    rows = [["metric", "mean", "95 % interval", "n", "left out", ""]]
    for name, figure in report.figures.items():
        note = f"judge: {report.agreement(name)}" if report.agreement(name) else ""
        rows.append([name, number(figure.mean), interval(figure), str(figure.n), skipped(figure), note])
    for name, took in report.timings.items():
        rows.append([name, f"{took.mean:.1f}", f"{took.low:.1f} to {took.high:.1f}", str(took.n), "", ""])
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    lines = []
    for name, mean, between, n, left_out, note in rows:
        first = f"{name:<{widths[0]}}  {mean:>{widths[1]}}  {between:<{widths[2]}}  {n:>{widths[3]}}"
        lines.append("  ".join(part for part in (first, left_out, note) if part).rstrip())
    text = "\n".join(lines)
    return f"{text}\n\n{comparison_table(report.comparison)}" if report.comparison else text


def _table(report: Report) -> list[str]:
    lines = ["| metric | mean | 95 % interval | n | left out | the judge beside people |", "|---|---|---|---|---|---|"]
    for name, figure in report.figures.items():
        cells = [name, number(figure.mean), interval(figure), str(figure.n), skipped(figure), report.agreement(name)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _made_with(report: Report) -> str:
    made = report.manifest["made_with"]
    commit = report.manifest.get("commit")
    where = (
        f"commit {commit[:12]}{' with changes' if report.manifest.get('dirty') else ''}" if commit else "no checkout"
    )
    return (
        f"Attest {made['attest']} ({where}), writer {made['writer']}, shelf {made['shelf']}, seed {made['seed']}, "
        f"{len(report.records)} questions. `manifest.json` has the rest."
    )


def _cell(text: str) -> str:
    """What a table cell may hold."""
    return text.replace("|", "\\|").replace("\n", " ")


def number(value: float) -> str:
    """Three decimals; a dash for what is not defined."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def interval(figure: Figure) -> str:
    """Of the figure, or nothing."""
    return "" if math.isnan(figure.low) else f"{figure.low:.3f} to {figure.high:.3f}"


def skipped(figure: Figure) -> str:
    """How many questions the figure is not of, and why."""
    return "; ".join(f"{count} {why}" for why, count in sorted(figure.skipped.items()))
