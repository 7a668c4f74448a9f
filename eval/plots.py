"""The plots of a report, as SVG that stands in a page by itself: the same bytes for the same figures."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from eval.curves import area, precision_recall, reliability, risk_coverage
from eval.summary import Figure

# Okabe and Ito's colours, told apart by those who see few.
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#767676"
COLORS = (BLUE, ORANGE, GREEN, RED, "#cc79a7", "#56b4e9", "#000000")
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "attest",  # else every drawing has other ids
    "svg.fonttype": "none",  # text that can be searched, in the page's own font
    "text.parse_math": False,  # a "$" in the name of a set is a "$"
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b0b0b0",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "xtick.color": "#555555",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
WIDE, BARS, SQUARE = 8.6, 5.4, 4.4
BINS = 20


def bars(figures: Mapping[str, Figure], other: Mapping[str, float] | None = None) -> str:
    """Means between 0 and 1 with their intervals, and a ring where the other run stands."""
    shown = {name: figure for name, figure in figures.items() if 0 <= figure.mean <= 1}
    with _drawn(BARS, 0.7 + 0.26 * len(shown)) as (axes, svg):
        for at, (name, figure) in enumerate(shown.items()):
            axes.barh(at, figure.mean, height=0.62, color=BLUE, alpha=0.75)
            if not math.isnan(figure.low):
                axes.plot([figure.low, figure.high], [at, at], color="#222222", linewidth=1.6, solid_capstyle="butt")
            if other and name in other:
                axes.plot(other[name], at, "o", markerfacecolor="white", markeredgecolor=RED, markersize=6)
            axes.text(1.02, at, f"{figure.mean:.2f}  n {figure.n}", va="center", fontsize=9, color="#333333")
        axes.set_yticks(range(len(shown)), list(shown))
        axes.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6))
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
    return svg()


def abstention(answerable: Sequence[int], likelihood: Sequence[float]) -> str:
    """Precision and recall of answering only what can be answered, by how likely the shelf was held to answer."""
    points = precision_recall(answerable, likelihood)
    with _drawn(SQUARE, 3.4) as (axes, svg):
        axes.step([0, *(x for x, _ in points)], [points[0][1], *(y for _, y in points)], where="pre", color=BLUE)
        share = sum(answerable) / len(answerable)
        axes.axhline(share, color=GREY, linestyle=":", linewidth=1)
        axes.text(0.01, share, "answering everything", fontsize=8, color=GREY, va="bottom")
        lowest = min(y for _, y in points)
        axes.set(xlabel="answerable questions answered (recall)", ylabel="answered ones answerable (precision)",
                 xlim=(0, 1.01), ylim=(max(0, lowest - 0.15), 1.01))  # fmt: skip
        axes.set_title(f"average precision {area(points):.3f}", fontsize=10)
    return svg()


def risk(correct: Sequence[float], confidence: Sequence[float], now: tuple[float, float] | None) -> str:
    """What goes wrong when only the surest share is answered; a dot for where the program stands."""
    points = risk_coverage(correct, confidence)
    with _drawn(SQUARE, 3.4) as (axes, svg):
        axes.step([0, *(x for x, _ in points)], [points[0][1], *(y for _, y in points)], where="pre", color=BLUE)
        highest = max(y for _, y in points)
        if now:
            axes.plot(*now, "o", color=RED, markersize=7)
            axes.annotate(
                "as it answers", now, xytext=(-6, 8), textcoords="offset points", ha="right", fontsize=9, color=RED
            )
            highest = max(highest, now[1])
        axes.set(xlabel="questions answered (coverage)", ylabel="of these, wrong (risk)", xlim=(0, 1.01),
                 ylim=(0, max(0.1, 1.15 * highest)))  # fmt: skip
        axes.set_title(f"area under the curve {area(points):.3f}", fontsize=10)
    return svg()


def calibration(sets: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> str:
    """Reliability diagram: of claims with such a score, the share that people call supported."""
    with _drawn(SQUARE, 4.2) as (axes, svg):
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
        for (name, (labels, scores)), color in zip(sets.items(), _colors(), strict=False):
            bins = reliability(labels, scores)
            x, y = [item.score for item in bins], [item.share for item in bins]
            axes.plot(x, y, color=color, linewidth=1.4, label=name)
            sizes = [8 + 90 * item.count / max(len(labels), 1) for item in bins]
            axes.scatter(x, y, s=sizes, color=color, zorder=3)
        axes.set(xlabel="score", ylabel="supported, say people", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.legend(fontsize=8, loc="upper left")
    return svg()


def histogram(groups: Mapping[str, Sequence[float]], label: str) -> str:
    """Scores in [0, 1] of several groups over one another."""
    with _drawn(SQUARE, 3.2) as (axes, svg):
        edges = [at / BINS for at in range(BINS + 1)]
        for (name, values), color in zip(groups.items(), _colors(), strict=False):
            axes.hist(values, bins=edges, color=color, alpha=0.55, label=f"{name} ({len(values)})")
        axes.set(xlabel=label, ylabel="count", xlim=(0, 1))
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return svg()


def latency(milliseconds: Mapping[str, Sequence[float]]) -> str:
    """Every question a dot, by stage, with median and 95th percentile."""
    with _drawn(WIDE, 0.9 + 0.5 * len(milliseconds)) as (axes, svg):
        for at, values in enumerate(milliseconds.values()):
            held = sorted(max(value, 0.01) for value in values)
            spread = [at + 0.28 * (((37 * number) % 11) / 10 - 0.5) * 2 for number in range(len(held))]
            axes.plot(held, spread, ".", color=BLUE, alpha=0.35, markersize=4)
            middle, late = held[len(held) // 2], held[min(len(held) - 1, int(0.95 * len(held)))]
            axes.plot([middle] * 2, [at - 0.38, at + 0.38], color="#222222", linewidth=2)
            axes.plot([late] * 2, [at - 0.38, at + 0.38], color=RED, linewidth=2)
            axes.text(
                1.01,
                at,
                f"p50 {middle:.1f}, p95 {late:.1f} ms",
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=9,
            )
        axes.set_yticks(range(len(milliseconds)), list(milliseconds))
        axes.set(xscale="log", xlabel="milliseconds", ylim=(len(milliseconds) - 0.4, -0.6))
        axes.xaxis.set_major_formatter(lambda value, at: f"{value:g}")
        axes.grid(False, axis="y")
    return svg()


def growth(lines: Mapping[str, Mapping[float, float]], across: str, up: str) -> str:
    """Measures as something grows, both on logarithmic scales: a straight line at 45 degrees grows as fast as it does."""
    with _drawn(SQUARE, 3.4) as (axes, svg):
        for (name, points), color in zip(lines.items(), _colors(), strict=False):
            axes.plot(list(points), list(points.values()), "o-", color=color, label=name, markersize=4, linewidth=1.4)
        axes.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, at: f"{value:,.6g}")
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return svg()


def _colors() -> Sequence[str]:
    return COLORS * 3


@contextmanager
def _drawn(width: float, height: float) -> Iterator[tuple[Axes, Callable[[], str]]]:
    """Axes to draw on, and what gives the drawing once it is done (sizes in inches)."""
    with mpl.rc_context(_STYLE):
        canvas = Canvas(figsize=(width, height))
        axes = canvas.add_subplot()

        def svg() -> str:
            with mpl.rc_context(_STYLE):
                out = io.StringIO()
                canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
            text = out.getvalue()
            return text[text.index("<svg") :]

        yield axes, svg
