"""What can be done with a run, beside making one: its report anew, other tools' data sets, a judge's card, feedback."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from eval.compare import compare
from eval.judges import agreement
from eval.judges.judge import Grade
from eval.report import Report, terminal
from eval.run import read_manifest, read_records
from eval.summary import summarize, timings
from eval.writing import write

Command = Callable[[Sequence[str]], int]


class _Named:
    """A judge by name and identity, as a manifest knows it."""

    kept = False

    def __init__(self, name: str, identity: str) -> None:
        self.name, self.identity = name, identity

    def grade(self, claim: str, source: str) -> Grade:
        raise NotImplementedError("it is not asked anything")


def report(argv: Sequence[str]) -> int:
    """Make the report of a run anew, and beside another run."""
    parser = argparse.ArgumentParser(prog="attest eval report", description=report.__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--against", type=Path, metavar="RUN", help="run folder to compare with")
    given = parser.parse_args(argv)
    records, made = read_records(given.run), read_manifest(given.run)
    found = Report(
        made, records, summarize(records), timings(records), agreement.find(_Named(**made["made_with"]["judge"])),
        compare(records, read_records(given.against)) if given.against else None,
    )  # fmt: skip
    print(terminal(found))
    write(found, given.run)
    return 0


COMMANDS: dict[str, Command] = {"report": report}
USAGE = ", ".join(COMMANDS)


def main(argv: Sequence[str]) -> int:
    """Run the command that the first word names."""
    return COMMANDS[argv[0]](argv[1:])
