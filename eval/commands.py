"""What can be done with a run, beside making one: its report anew, other tools' data sets, a judge's card, feedback."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from eval import exchange, feedback, manifest
from eval.cases import read_lines
from eval.intervals import SEED
from eval.judges import agreement
from eval.judges.named import open_judge
from eval.progress import progress_bar
from eval.report import Report
from eval.run import RunFolder, read_manifest, read_records, run
from eval.suites.grounding import grounding
from eval.suites.options import Options
from eval.writing import show, write
from rag.errors import UsageError


def report(argv: Sequence[str]) -> int:
    """Make the report of a run anew, on its own or beside another run."""
    parser = _parser(report)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--against", type=Path, metavar="RUN", help="run folder to compare with")
    given = parser.parse_args(argv)
    records, made = read_records(given.run), read_manifest(given.run)
    found = Report.of(made, records, read_records(given.against) if given.against else None)
    write(found, given.run)
    show(found)
    return 0


def export(argv: Sequence[str]) -> int:
    """Print the questions and answers of a run as another tool's data set, one JSON object a line."""
    parser = _parser(export)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--format", default="ragas", help=f"{', '.join(exchange.COLUMNS)} (default: ragas)")
    given = parser.parse_args(argv)
    for row in exchange.export(read_records(given.run), given.format):
        print(json.dumps(row, ensure_ascii=False))
    return 0


def import_(argv: Sequence[str]) -> int:
    """Score the answers of another tool's data set (JSONL), as `export` writes it or with that tool's columns."""
    parser = _parser(import_)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    parser.add_argument("--judge", default="checker", metavar="NAME", help="as of attest eval (default: checker)")
    parser.add_argument("--limit", type=int, help="at most so many rows")
    given = parser.parse_args(argv)
    options = Options(data=given.file, judge=open_judge(given.judge))
    made = manifest.make([given.file.stem], options)
    with RunFolder(given.out, made) as folder, progress_bar(given.file.stem) as progress:
        records = list(run(exchange.imported(given.file, options.judged, given.limit), folder, 1, progress))
        found = Report.of(made, records)
        write(found, given.out)
        show(found)
    return 0


def card(argv: Sequence[str]) -> int:
    """Measure how far a judge agrees with people, and keep it as its agreement card."""
    parser = _parser(card)
    parser.add_argument("--data", type=Path, help="folder of claim sets beside our own claims")
    parser.add_argument("--judge", default="checker", metavar="NAME", help="as of attest eval (default: checker)")
    parser.add_argument("--limit", type=int, help="so many claims of each set, drawn by chance")
    parser.add_argument("--jobs", type=int, default=1, help="claims at once (default: 1)")
    given = parser.parse_args(argv)
    options = Options(judge=open_judge(given.judge))
    sets = chain(grounding(options), grounding(replace(options, data=given.data)) if given.data else ())
    # By chance: some sets hold all that is supported first.
    batches = (random.Random(SEED).sample(tasks, min(given.limit or len(tasks), len(tasks))) for tasks in sets)
    with progress_bar("card") as progress:
        made = agreement.make(options.judged, run(batches, None, given.jobs, progress))
    agreement.store(made)
    print(f"{made.judge}: {made}")
    return 0


def from_feedback(argv: Sequence[str]) -> int:
    """Turn what readers said of answers (feedback.jsonl in a shelf's folder) into a file of questions, a suite of its own."""
    parser = _parser(from_feedback)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="QUESTIONS", help="file of questions to write")
    parser.add_argument("--claims", type=Path, help="claim set to write of what was called not supported")
    given = parser.parse_args(argv)
    found = feedback.convert(read_lines(given.file, "kind", "question"))
    _write_lines(given.out, found.questions)
    said = [f"{len(found.questions)} questions in {given.out}"]
    if given.claims:
        _write_lines(given.claims, found.claims)
        said.append(f"{len(found.claims)} claims in {given.claims}")
    elif found.claims:
        said.append(f"{len(found.claims)} claims that were called not supported left out (--claims keeps them)")
    said += [f"{count} left out: {why}" for why, count in found.left_out.items()]
    print("; ".join(said))
    if not found.questions and not found.claims:
        raise UsageError(f"nothing in {given.file} can be tested with")
    return 0


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    try:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


COMMANDS = {
    "report": report,
    "export": export,
    "import": import_,
    "card": card,
    "feedback": from_feedback,
}


def usage() -> str:
    """The commands, a line each."""
    lines = [f"  attest eval {name:<9} {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join(["with a run, or another tool's data set (--help tells more):", *lines])


def _parser(command: Callable[..., int]) -> argparse.ArgumentParser:
    name = next(name for name, function in COMMANDS.items() if function is command)
    return argparse.ArgumentParser(prog=f"attest eval {name}", description=command.__doc__)


def main(argv: Sequence[str]) -> int:
    """Run the command that the first word names."""
    return COMMANDS[argv[0]](argv[1:])
