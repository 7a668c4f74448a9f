"""The `attest` program. Exit codes: 0 done, 1 failed, 2 usage, 3 nothing found or abstained, 4 shelf."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag import __version__, render
from rag.errors import AttestError, IngestError, UsageError
from rag.types import Evidence, IngestReport, Verdict
from ui import options

if TYPE_CHECKING:
    from rag.ingest.pipeline import Progress

NOTHING = 3
_LLM = "language model that writes: openai:MODEL (an OpenAI-compatible endpoint) or hf:PATH (a transformers model)"
_STRICT = "remove sentences of the language model that their papers do not support"
_BIB = "BibTeX file that citations refer to (default: those the draft names, or all beside it); may be repeated"
_FAIL_ON = "exit 1 when a sentence is unsupported (or contradicted), contradicted or unchecked; commas part several"
_JSON = """\
--json prints a list with one object a sentence: `sentence` (as checked, without citations), its place in the draft
(`start` and `end`, half-open, in characters; `line`), `verdict`, `score`, `reason`, the `paper` (id, title) and its
`quote` (abstract[quote_start:quote_end]), whether it is `cited` or the shelf's own suggestion, the `citations` (each
with its `marker`, the `reference` it means, and its own paper, verdict and quote), and a `suggestion`: another paper
that supports the sentence when those it cites do not."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    # argparse would take an option right after `eval` for one of its own.
    own = given[:1] if given[:1] == ["eval"] else given
    arguments = _parser().parse_args(own)
    arguments.rest = given[len(own) :]
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        return int(arguments.run(arguments))
    except AttestError as error:
        print(f"attest: {error}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nattest: stopped; what was stored so far is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `attest export | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attest", description="Ask a shelf of paper abstracts; get cited, checked answers."
    )
    parser.add_argument("--version", action="version", version=f"attest {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help: str, *, shelf: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        if shelf:
            added.add_argument("--shelf", type=Path, help="folder of the shelf (default: ATTEST_SHELF, or ./shelf)")
        return added

    ingest = command("ingest", _ingest, "read saved pages and JSON lines into the shelf")
    ingest.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, globs, or - for standard input")
    ingest.add_argument("--format", default="auto", help="auto, daily-papers or jsonl")
    ingest.add_argument("--page-year", type=int, help="year of saved pages whose dates have none")
    search = command("search", _search, "ranked papers with the matching sentence")
    search.add_argument("words")
    search.add_argument("-k", type=int, default=10, help="how many papers (default 10)")
    search.add_argument("--json", action="store_true")
    ask = command("ask", _ask, "a cited, checked answer")
    ask.add_argument("question")
    ask.add_argument("--json", action="store_true", help="print the answer as JSON and nothing else")
    ask.add_argument("--llm", metavar="NAME", help=_LLM)
    ask.add_argument("--strict", action="store_true", default=None, help=_STRICT)
    for added in (search, ask):
        added.add_argument("--year", type=_years, help="2023, 2023: (since), :2021 (until) or 2020:2022")
    ask.add_argument("--no-stream", action="store_true", help="print nothing before the whole answer")
    check = command("check", _check, "check each sentence of a text against the papers of the shelf")
    check.add_argument("draft", metavar="DRAFT", help="a Markdown, text or LaTeX (.tex) file, or - for standard input")
    check.add_argument("--bib", type=Path, metavar="FILE", action="append", default=[], help=_BIB)
    check.add_argument("--format", choices=("terminal", "markdown", "json"), default="terminal")
    check.add_argument("--json", dest="format", action="store_const", const="json", help="as --format json")
    check.add_argument("--fail-on", type=_verdicts, metavar="VERDICT", action="extend", default=[], help=_FAIL_ON)
    check.epilog = _JSON
    check.add_argument("--cited-only", action="store_true", help="leave out sentences that cite nothing")
    serve = command("serve", _serve, "chat in the browser")
    options.add_options(serve)
    serve.add_argument("--llm", metavar="NAME", help=_LLM)
    serve.add_argument("--strict", action="store_true", default=None, help=_STRICT)
    export = command("export", _export, "the papers of the shelf on standard output")
    kind = export.add_mutually_exclusive_group()
    for name in ("jsonl", "bibtex", "csv"):
        kind.add_argument(f"--{name}", dest="kind", action="store_const", const=name)
    command("doctor", _doctor, "what is installed, which model and shelf are used, what is missing")
    command("eval", _eval, "score answers, retrieval and grounding offline", shelf=False)
    return parser


def _years(text: str) -> dict[str, int]:
    found = re.fullmatch(r"(\d{4})?(:)?(\d{4})?", text)
    if not found or not (found[1] or found[3]) or (found[3] and not found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no year or range; try 2023, 2023:, :2021 or 2020:2022")
    if not found[2]:
        return {"eq": int(found[1])}
    if found[1] and found[3] and found[1] > found[3]:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins")
    return {operator: int(year) for operator, year in (("gte", found[1]), ("lte", found[3])) if year}


def _verdicts(text: str) -> list[Verdict]:
    """The verdicts of `--fail-on`. What is contradicted is not supported either."""
    named = [part.strip() for part in text.split(",")]
    if not named or set(named) - {Verdict.UNSUPPORTED, Verdict.CONTRADICTED, Verdict.UNCHECKED}:
        raise argparse.ArgumentTypeError(f"{text!r} is none of unsupported, contradicted, unchecked")
    return [Verdict(name) for name in named] + [Verdict.CONTRADICTED] * (Verdict.UNSUPPORTED in named)


def _folder(arguments: argparse.Namespace) -> Path:
    from rag.config import settings

    return Path(arguments.shelf or settings().shelf)


def _ingest(arguments: argparse.Namespace) -> int:
    from rag.assistant import Assistant

    with Assistant.open(_folder(arguments)) as assistant, _bar() as progress:
        report = assistant.ingest(
            arguments.paths, format=arguments.format, page_year=arguments.page_year, progress=progress
        )
    for item in report.rejected:
        print(f"{item.file}{f':{item.line}' if item.line else ''}: {render.plain(item.reason)}", file=sys.stderr)
    print(summary(report, _folder(arguments)))
    if not report.read:
        raise IngestError(
            "nothing could be read",
            hint="saved Daily Papers pages (text) and JSON lines with title and abstract are understood",
        )
    return 0


def summary(report: IngestReport, folder: Path) -> str:
    """The counts of an ingest on one line."""
    rejected = f"{len(report.rejected)} rejected" + (
        f" (kept in {folder / 'rejected.jsonl'})" if report.rejected else ""
    )
    return f"{report.read} read: {report.new} new, {report.updated} updated, {report.unchanged} unchanged, {report.merged} merged, {rejected}"


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="B", unit_scale=True, desc="ingest", leave=False) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total or None
            bar.set_postfix_str(f"{progress.papers} papers", refresh=False)
            bar.update(progress.done - bar.n)

        yield show


def _search(arguments: argparse.Namespace) -> int:
    from rag.assistant import Assistant

    if arguments.k < 1:
        raise UsageError(f"-k must be at least 1, not {arguments.k}")
    with Assistant.open(_folder(arguments)) as assistant:
        found: list[Evidence] = assistant.search(
            arguments.words, arguments.k, {"year": arguments.year} if arguments.year else None
        )
    if arguments.json:
        print(render.search_to_json(found))
    else:
        print(render.search_to_terminal(found, _width()) if found else "nothing on the shelf matches")
    return 0 if found else NOTHING


def _ask(arguments: argparse.Namespace) -> int:
    from rag.assistant import Assistant
    from rag.terminal import show

    filters = {"year": arguments.year} if arguments.year else None
    with Assistant.open(_folder(arguments), llm=arguments.llm, strict=arguments.strict) as assistant:
        if sys.stdout.isatty() and not (arguments.json or arguments.no_stream):
            answer = show(assistant.stream(arguments.question, filters=filters), sys.stdout, _width())
        else:
            answer = assistant.ask(arguments.question, filters=filters)
            print(
                answer.to_json(indent=2)
                if arguments.json
                else render.to_terminal(answer, color=sys.stdout.isatty(), width=_width())
            )
    return 0 if answer.status == "answered" else NOTHING


def _check(arguments: argparse.Namespace) -> int:
    from rag.checking import check_draft

    return check_draft(
        arguments.draft, _folder(arguments), bib=arguments.bib, format=arguments.format, fail_on=arguments.fail_on,
        cited_only=arguments.cited_only, width=_width(),
    )  # fmt: skip


def _serve(arguments: argparse.Namespace) -> int:
    from rag.assistant import Assistant

    if arguments.add_user:
        options.ask_for_user(arguments)
        return 0
    from app import serve

    with Assistant.open(_folder(arguments), llm=arguments.llm, strict=arguments.strict) as assistant:
        assistant.shelf  # noqa: B018  a missing shelf is said now, not at the first question
        serve(assistant, options.to_options(arguments))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from rag.config import settings
    from rag.index.shelf import open_ledger

    with open_ledger(_folder(arguments), settings()) as ledger:
        papers = (paper for _, paper in ledger.all_papers())
        if arguments.kind == "bibtex":
            print(render.to_bibtex(papers))
        elif arguments.kind == "csv":
            print(render.to_csv(papers), end="")
        else:
            for line in render.to_jsonl(papers):
                print(line)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from rag import doctor
    from rag.config import settings

    lines, fine = doctor.report(settings().model_copy(update={"shelf": _folder(arguments)}))
    print("\n".join(lines))
    return 0 if fine else 1


def _eval(arguments: argparse.Namespace) -> int:
    from eval.__main__ import main as evaluate

    return evaluate(arguments.rest)


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
