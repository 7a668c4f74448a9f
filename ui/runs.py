"""The newest evaluation run: its figures, and its report where it has one."""

from __future__ import annotations

import html as escapes
import json
from pathlib import Path
from typing import Any

import gradio as gr

from ui.chat import STORING, html
from ui.markup import literal

NONE = "No evaluation run was found. Make one: attest eval answers --out {folder}/answers"
LARGEST_REPORT = 20_000_000


class RunsTab:
    """The tab: what `attest eval --out DIR` wrote last into one of the folders of `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def build(self) -> None:
        with gr.Row():
            again = gr.Button("Reload", size="sm", min_width=100, scale=0)
        self.shown = html("", "runs")
        again.click(self.newest, None, self.shown, **STORING)

    def newest(self) -> str:
        """The newest run as HTML."""
        runs = [path.parent for path in self._folder.glob("**/summary.json")]
        if not runs:
            return f'<p class="quiet">{literal(NONE.format(folder=self._folder))}</p>'
        run = max(runs, key=lambda path: (path / "summary.json").stat().st_mtime)
        try:
            figures = json.loads((run / "summary.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return f'<p class="failed">{literal(f"{run} cannot be read: {error}")}</p>'
        return f"<h2>{literal(run.name)}</h2>{_report(run / 'report.html')}{_figures(figures)}"


def _report(path: Path) -> str:
    """The report in a frame of its own, which may run nothing and reach nothing."""
    if not path.is_file() or path.stat().st_size > LARGEST_REPORT:
        return ""
    inside = escapes.escape(path.read_text(encoding="utf-8", errors="replace"), quote=True)
    return f'<iframe class="report" sandbox="" title="Report of the run" srcdoc="{inside}"></iframe>'


def _figures(figures: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><th>{literal(name.replace('_', ' '))}</th><td>{_figure(one.get('mean'))}</td><td>{_interval(one)}</td>"
        f"<td>{one.get('n') or 0:,.0f}</td></tr>"
        for name, one in figures.items()
        if isinstance(one, dict)
    )
    head = "<tr><th>Figure</th><th>Mean</th><th>95 % interval</th><th>n</th></tr>"
    return f'<table class="figures"><caption class="sr">Figures of the run</caption>{head}{rows}</table>'


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "–"


def _interval(one: dict[str, Any]) -> str:
    return f"{_figure(one['low'])} to {_figure(one['high'])}" if one.get("low") is not None else ""
