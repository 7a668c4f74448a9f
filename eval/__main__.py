"""`attest eval` and `python -m eval`: run suites, write a run folder, compare, gate."""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from eval import metrics
from eval.cases import DATASETS, read_lines
from eval.suites import SUITES, Options, Record, set_figures
from rag import __version__
from rag.errors import AttestError, UsageError

PACKAGES = ("chromadb", "numpy", "onnxruntime", "tokenizers")
# Figures that say how fast or long, not how good: never part of what must be the same from run to run.
UNSTABLE = "latency_ms"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suites named; exit 1 when a `--min` is missed."""
    arguments = _parser().parse_args(argv)
    try:
        minima = dict(_minimum(item) for item in arguments.min)
        if arguments.out:
            _make(arguments.out)
        records = _run(arguments)
        summary = summarize(records)
        print(table(summary))
        if arguments.out:
            _write(arguments.out, records, summary, arguments.suites)
        if arguments.against:
            print(compare(records, arguments.against))
    except AttestError as error:
        print(f"attest eval: {error}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    measured = {name: summary[name]["mean"] if name in summary else math.nan for name in minima}
    missed = [
        f"{name} is {measured[name]:.3f}, {least} is asked"
        for name, least in minima.items()
        if not measured[name] >= least
    ]
    for line in missed:
        print(f"attest eval: {line}", file=sys.stderr)
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="attest eval", description="Score answers, retrieval and grounding offline.")
    parser.add_argument(
        "suites", nargs="*", default=["answers"], metavar="SUITE", help=f"{', '.join(SUITES)} (default: answers)"
    )
    parser.add_argument("--data", type=Path, help="folder of BEIR collections (retrieval) or claim sets (grounding)")
    parser.add_argument(
        "--questions", type=Path, default=DATASETS / "questions.jsonl", help="JSONL file of questions (answers)"
    )
    parser.add_argument("--shelf", type=Path, help="shelf to ask (default: one made of the starter papers)")
    parser.add_argument("--limit", type=int, help="at most so many questions of each set")
    parser.add_argument("--out", type=Path, help="run folder to write")
    parser.add_argument("--against", type=Path, help="run folder to compare with")
    parser.add_argument(
        "--min",
        action="append",
        default=[],
        metavar="METRIC=VALUE",
        help="exit 1 when a mean is below; may be repeated",
    )
    return parser


def _minimum(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise UsageError(f"--min {text}: METRIC=VALUE is needed") from None


def _run(arguments: argparse.Namespace) -> list[Record]:
    options = Options(arguments.data, arguments.shelf, arguments.questions, arguments.limit)
    unknown = [name for name in arguments.suites if name not in SUITES]
    if unknown:
        raise UsageError(f"unknown suite {', '.join(unknown)}", hint=f"suites: {', '.join(SUITES)}")
    records: list[Record] = []
    for name in arguments.suites:
        records += _with_bar(name, SUITES[name](options))
    return records


def _with_bar(name: str, records: Iterable[Record]) -> Iterable[Record]:
    if not sys.stderr.isatty():
        return records
    from tqdm import tqdm

    bar: Iterable[Record] = tqdm(records, desc=name, unit="", leave=False)
    return bar


def summarize(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Metric name to mean, interval and n; figures of whole sets have no interval."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.metrics.items():
            values.setdefault(name, []).append(value)
    summary = {name: asdict(metrics.estimate(found)) for name, found in values.items()}
    for name, value in set_figures(list(records)).items():
        summary[name] = {"mean": value, "low": math.nan, "high": math.nan, "n": len(records)}
    return dict(sorted(summary.items()))


def table(summary: dict[str, dict[str, float]]) -> str:
    """The summary as a Markdown table."""
    rows = ["| metric | mean | 95 % interval | n |", "|---|---|---|---|"]
    for name, figure in summary.items():
        interval = "" if math.isnan(figure["low"]) else f"{figure['low']:.3f} to {figure['high']:.3f}"
        rows.append(f"| {name} | {figure['mean']:.3f} | {interval} | {figure['n']:.0f} |")
    return "\n".join(rows)


def _make(folder: Path) -> None:
    """The run folder, made before the run: a wrong path must not cost its results."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}") from error


def _write(
    folder: Path, records: Sequence[Record], summary: dict[str, dict[str, float]], suites: Sequence[str]
) -> None:
    """`records.jsonl`, `summary.json` (the same bytes for the same results), `manifest.json` and `report.md`."""
    (folder / "records.jsonl").write_text(
        "".join(json.dumps(asdict(record), ensure_ascii=False) + "\n" for record in records), encoding="utf-8"
    )
    stable = {
        name: {key: None if math.isnan(value) else round(value, 6) for key, value in figure.items()}
        for name, figure in summary.items()
        if UNSTABLE not in name
    }
    (folder / "summary.json").write_text(json.dumps(stable, indent=1) + "\n", encoding="utf-8")
    manifest = {
        "attest": __version__,
        "suites": list(suites),
        "seed": metrics.SEED,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(f"# Evaluation: {', '.join(suites)}\n\n{table(summary)}\n", encoding="utf-8")


def compare(records: Sequence[Record], against: Path) -> str:
    """Means of two runs on the questions they share, with the p-value of the difference and what flipped."""
    theirs = {(row["suite"], row["id"]): row["metrics"] for row in read_lines(against / "records.jsonl")}
    pairs: dict[str, list[tuple[str, float, float]]] = {}
    for record in records:
        for name, value in record.metrics.items():
            other = theirs.get((record.suite, record.id), {}).get(name)
            if other is not None and UNSTABLE not in name:
                pairs.setdefault(name, []).append((record.id, value, other))
    lines = ["", "| metric | this | against | p | changed |", "|---|---|---|---|---|"]
    for name, rows in sorted(pairs.items()):
        ours, other = [row[1] for row in rows], [row[2] for row in rows]
        flipped = [row[0] for row in rows if row[1] != row[2]]
        p = metrics.paired_p(ours, other)
        lines.append(
            f"| {name} | {sum(ours) / len(ours):.3f} | {sum(other) / len(other):.3f} | {p:.3f} | {', '.join(flipped[:12])} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
