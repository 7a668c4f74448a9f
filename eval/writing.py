"""What a run folder holds once its questions are answered."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from eval.report import Report, markdown
from eval.run import write_whole


def write(report: Report, folder: Path) -> None:
    """`summary.json`, `report.md` and `report.html`; without what draws the last, a word about it."""
    summary = {name: figure.to_row() for name, figure in report.figures.items()}
    write_whole(folder / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    write_whole(folder / "report.md", markdown(report))
    try:
        from eval.page import html
    except ImportError as error:
        print(f"attest eval: no report.html, {error}\n  pip install 'attest[eval]'", file=sys.stderr)
        return
    write_whole(folder / "report.html", html(report))
