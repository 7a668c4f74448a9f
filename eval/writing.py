"""What a run tells once its questions are answered: in its folder, and on the terminal."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from eval.report import Report, markdown, terminal
from eval.run import write_whole
from eval.suites.health import ranked_values


def write(report: Report, folder: Path) -> None:
    """`summary.json`, `report.md`, `report.html` and of the health suite `health.jsonl`, worst papers first; without what draws the last, a word about it."""
    summary = {name: figure.to_row() for name, figure in report.figures.items()}
    write_whole(folder / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    write_whole(folder / "report.md", markdown(report))
    if values := ranked_values((record.id, record.detail) for record in report.records if record.suite == "health"):
        rows = (json.dumps(asdict(value), ensure_ascii=False) + "\n" for value in values)
        write_whole(folder / "health.jsonl", "".join(rows))
    try:
        from eval.page import html
    except ImportError as error:
        print(f"attest eval: no report.html, {error}\n  pip install 'attest[eval]'", file=sys.stderr)
        return
    write_whole(folder / "report.html", html(report))


def show(report: Report) -> None:
    """Print the figures; a reader that has gone (`| head`) changes nothing about the run."""
    try:
        print(terminal(report), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
