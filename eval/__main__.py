"""`attest eval` and `python -m eval`: run suites, write a run folder, compare, gate; and what can be done with a run."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from eval import commands, manifest
from eval.cases import DATASETS
from eval.judges.named import open_judge
from eval.progress import progress_bar
from eval.record import Record, Task
from eval.report import Report
from eval.run import RunFolder, read_records, run
from eval.suites import SUITES
from eval.suites.answers import user_questions
from eval.suites.options import Options
from eval.summary import Figure
from eval.writing import show, write
from rag.address import to_address
from rag.errors import AttestError, UsageError

Suite = Callable[[Options], Iterator[list[Task]]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suites named, or one of the commands; exit 1 when a bound is missed or a question could not be scored."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        if given[:1] and given[0] in commands.COMMANDS:
            return commands.main(given)
        return _evaluate(_parser().parse_args(given))
    except AttestError as error:
        print(f"attest eval: {error}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"attest eval: {error}\n  the same command goes on from here once there is room", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nattest eval: stopped; the same command goes on from here when --out was given", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attest eval",
        description="Score answers, retrieval and grounding offline.",
        epilog=commands.usage(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    names = ", ".join(SUITES)
    add("suites", nargs="*", default=["answers"], metavar="SUITE",
        help=f"{names}, or a JSONL file of your own questions (default: answers)")  # fmt: skip
    add("--data", type=Path, help="folder of BEIR collections (retrieval) or claim sets (grounding)")
    add(
        "--questions", type=Path, default=DATASETS / "questions.jsonl", help="JSONL file of questions (answers, health)"
    )
    add("--shelf", type=to_address, metavar="SHELF", help="shelf to ask (default: one made of the starter papers)")
    add("--llm", metavar="NAME", help="language model that writes: openai:MODEL or hf:PATH")
    add("--judge", metavar="NAME", default="checker",
        help="who says what supports what: checker, nli:FOLDER_OR_HUB_NAME, openai:MODEL or hf:PATH (default: checker)")  # fmt: skip
    add("--limit", type=_count, help="at most so many questions of each set")
    add("--jobs", type=_count, default=1, help="questions at once (default: 1)")
    add("--out", type=Path, help="run folder to write; one that is there is gone on with")
    add("--anew", action="store_true", help="write over what is in --out")
    add("--against", type=Path, metavar="RUN", help="run folder to compare with")
    bound = "METRIC=VALUE"
    add("--min", action="append", default=[], metavar=bound, help="exit 1 when a figure is below; may be repeated")
    add("--max", action="append", default=[], metavar=bound, help="exit 1 when a figure is above; may be repeated")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _evaluate(arguments: argparse.Namespace) -> int:
    if arguments.anew and not arguments.out:
        raise UsageError("--anew is of a run folder", hint="give --out RUN too")
    bounds = [_bound(option, text) for option in ("min", "max") for text in getattr(arguments, option)]
    suites = {name: _suite(name) for name in arguments.suites}
    others = read_records(arguments.against) if arguments.against else None
    options = Options(
        arguments.data,
        arguments.shelf,
        arguments.questions,
        arguments.limit,
        open_judge(arguments.judge),
        arguments.llm,
    )
    made = manifest.make(list(suites), options)
    records: list[Record] = []
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(RunFolder(arguments.out, made, anew=arguments.anew)) if arguments.out else None
        if folder and folder.done:
            print(f"attest eval: {len(folder.done)} questions are done already in {arguments.out}", file=sys.stderr)
        for name, suite in suites.items():
            with progress_bar(name) as progress:
                records += run(suite(options), folder, arguments.jobs, progress)
        report = Report.of(made, records, others)
        if arguments.out:
            write(report, arguments.out)
        show(report)
    return _gate(report, bounds)


def _suite(name: str) -> Suite:
    if name in SUITES:
        return SUITES[name]
    if name.endswith(".jsonl"):
        return partial(user_questions, Path(name))
    raise UsageError(f"unknown suite {name}", hint=f"suites: {', '.join(SUITES)}, or a JSONL file of questions")


Bound = tuple[str, str, float]


def _bound(option: str, text: str) -> Bound:
    name, _, value = text.partition("=")
    try:
        return option, name, float(value)
    except ValueError:
        raise UsageError(f"--{option} {text}: METRIC=VALUE is needed") from None


def _gate(report: Report, bounds: Sequence[Bound]) -> int:
    """Say what fell short."""
    missed = [line for bound in bounds if (line := _missed(report.figures, *bound))]
    if report.failed:
        first = report.failed[0]
        missed.append(f"{len(report.failed)} questions could not be scored; {first.id}: {first.failed}")
    for line in missed:
        print(f"attest eval: {line}", file=sys.stderr)
    return 1 if missed else 0


def _missed(figures: Mapping[str, Figure], option: str, name: str, bound: float) -> str:
    if name not in figures:
        near = ", ".join(figures) or "none"
        return f"{name} is no figure of this run, {bound} is asked; figures: {near}"
    figure = figures[name]
    if math.isnan(figure.mean):
        return f"{name} is nan, {bound} is asked"
    held = figure.mean >= bound if option == "min" else figure.mean <= bound
    return (
        "" if held else f"{name} is {figure.mean:.3f}, {'at least' if option == 'min' else 'at most'} {bound} is asked"
    )


if __name__ == "__main__":
    sys.exit(main())
