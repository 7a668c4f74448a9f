"""What a run folder holds once its questions are answered."""

from __future__ import annotations

import json
from pathlib import Path

from eval.report import Report, markdown
from eval.run import write_whole


def write(report: Report, folder: Path) -> None:
    """`summary.json`, `report.md` and `report.html`."""
    summary = {name: figure.to_row() for name, figure in report.figures.items()}
    write_whole(folder / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    write_whole(folder / "report.md", markdown(report))
