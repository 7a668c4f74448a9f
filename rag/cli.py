"""The `attest` program. Exit codes: 0 done, 1 failed, 2 usage, 3 nothing found or abstained, 4 shelf."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rag import __version__, render
from rag.address import to_address, without_password
from rag.errors import AttestError, IngestError, UsageError
from rag.types import Evidence, IngestReport, Rejected, Verdict
from ui import options

if TYPE_CHECKING:
    from rag.ingest.pipeline import Progress

NOTHING = 3
_SHELF = "folder of the shelf, or its database, postgresql://... (default: ATTEST_SHELF, or ./shelf)"
_LLM = "language model that writes: openai:MODEL (an OpenAI-compatible endpoint) or hf:PATH (a transformers model)"
_STRICT = "remove sentences of the language model that their papers do not support"
_BIB = "BibTeX file that citations refer to (default: those the draft names, or all beside it); may be repeated"
_FAIL_ON = "exit 1 when a sentence is unsupported (or contradicted), contradicted or unchecked; commas part several"
_EXPORTS = {
    "jsonl": "one JSON object a line, everything that is known (default)",
    "bibtex": "BibTeX, from metadata only",
    "csv": "a table for a spreadsheet",
    "ris": "RIS, for reference managers",
    "markdown": "a reading list",
}
_ANSWER = "one answer instead (JSON of attest ask --json, or -): its text with its references, or in a format above its papers"
_PATHS = """files (gzip and zip too), folders, globs, - for standard input, or a service and a query: arxiv:"cat:cs.CL AND
abs:attention", openalex:WORDS, s2:WORDS, hf:daily/2025-12-12, hf:search/WORDS; starter: are the papers that come along"""
_FORMATS = "a format, where it is not recognised: daily-papers, jsonl, bibtex, ris, csv, arxiv-atom, arxiv-snapshot, openalex, semantic-scholar, huggingface or text"
_RAY = "encode on a Ray cluster: auto or HOST:PORT (default: one of this machine's cores, ended afterwards)"
_FIRST = 'First: attest ingest starter:   Then: attest ask "papers on linear attention"'
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
    parser = _parser()
    if not own:
        parser.print_help(sys.stderr)
        return UsageError.exit_code
    arguments = parser.parse_args(own)
    arguments.rest = given[len(own) :]
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()  # here a full disk can still be told
        return code
    except AttestError as error:
        print(f"attest: {error}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nattest: stopped; what was stored so far is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `attest export | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a folder that this user may not look into, a disk that fails
        try:
            sys.stdout.flush()
        except OSError:  # what it did not take must not be tried again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"attest: {error}\n  may you read and write there, and is there room?", file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong and the command that helps, and no more: the whole usage hides it."""
        self.exit(UsageError.exit_code, f"{self.prog}: {message}\n  see what it takes: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="attest",
        description="Ask a shelf of paper abstracts; get cited, checked answers.",
        epilog=_FIRST,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"attest {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help: str, *, shelf: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        if shelf:
            added.add_argument("--shelf", type=to_address, metavar="SHELF", help=_SHELF)
        return added

    ingest = command("ingest", _ingest, "read papers from files or services into the shelf")
    ingest.add_argument("paths", nargs="+", metavar="SOURCE", help=_PATHS)
    ingest.add_argument("--limit", type=int, metavar="N", help="papers at most of each service (default 100)")
    ingest.add_argument("--format", default="auto", metavar="FORMAT", help=_FORMATS)
    ingest.add_argument("--page-year", type=int, help="year of saved pages whose dates have none")
    ingest.add_argument("--ray", nargs="?", const="local", metavar="ADDRESS", help=_RAY)
    watch = command("watch", _watch, "keep searches, and tell what is new since the last run")
    watch.add_argument("action", choices=("add", "list", "run", "remove"), help="run: exit 3 when nothing is new")
    watch.add_argument("sources", nargs="*", metavar="SOURCE", help="a service and a query, a file or a folder")
    watch.add_argument("--limit", type=int, metavar="N", help="papers at most of each service (default 100)")
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
    export = command("export", _export, "the papers of the shelf, or of one answer, on standard output")
    kind = export.add_mutually_exclusive_group()
    for name, meaning in _EXPORTS.items():
        kind.add_argument(f"--{name}", dest="kind", action="store_const", const=name, help=meaning)
    export.add_argument("--answer", type=Path, metavar="FILE", help=_ANSWER)
    doctor = command("doctor", _doctor, "what is installed and set, and what is missing")
    doctor.add_argument("--verify", action="store_true", help="hold every index against the ledger, and mend it")
    backup = command("backup", _backup, "copy the shelf into one file")
    backup.add_argument("file", type=Path, metavar="FILE.zip")
    restore = command("restore", _restore, "make a shelf of a backup")
    restore.add_argument("file", type=Path, metavar="FILE.zip")
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


def _shelf(arguments: argparse.Namespace) -> str | Path:
    from rag.config import settings

    return arguments.shelf or settings().shelf


def _ingest(arguments: argparse.Namespace) -> int:
    from rag.assistant import Assistant
    from rag.ingest.formats import KNOWN

    _check_limit(arguments)
    with Assistant.open(_shelf(arguments)) as assistant, _bar() as progress:
        report = assistant.ingest(
            arguments.paths,
            format=arguments.format,
            page_year=arguments.page_year,
            limit=arguments.limit,
            progress=progress,
            ray=arguments.ray,
        )
    _tell_rejected(report.rejected)
    if report.omitted:
        print(f"... and {report.omitted:,} more", file=sys.stderr)
    print(summary(report, assistant.folder))
    if not report.read:
        raise IngestError(
            "nothing could be read",
            hint=f"what is understood: {KNOWN}; without a file at hand: attest ingest starter:",
        )
    return 0


def _check_limit(arguments: argparse.Namespace) -> None:
    if arguments.limit is not None and arguments.limit < 1:
        raise UsageError(f"--limit must be at least 1, not {arguments.limit}", hint="leave it out for 100")


def _tell_rejected(rejected: Iterable[Rejected]) -> None:
    for item in rejected:
        print(f"{item.file}{f':{item.line}' if item.line else ''}: {render.plain(item.reason)}", file=sys.stderr)


def summary(report: IngestReport, folder: Path) -> str:
    """The counts of an ingest on one line."""
    rejected = f"{len(report.rejected) + report.omitted} rejected" + (
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


def _watch(arguments: argparse.Namespace) -> int:
    from datetime import date

    from rag import watch
    from rag.assistant import Assistant
    from rag.config import settings
    from rag.index.place import Place

    shelf = _shelf(arguments)
    _check_limit(arguments)
    if bool(arguments.sources) != (arguments.action in ("add", "remove")):
        raise UsageError(
            "add and remove take sources, list and run none", hint="attest watch add SOURCE; attest watch run"
        )
    if arguments.action == "run":
        with Assistant.open(shelf) as assistant:
            found = watch.run(assistant, date.today())
        _tell_rejected(found.rejected)
        print(f"{len(found.papers)} new: {found.digest}" if found.digest else "nothing new since the last run")
        return 0 if found.papers else 1 if found.rejected else NOTHING
    if arguments.action == "add":
        watched = watch.add(shelf, arguments.sources, arguments.limit, settings())
    elif arguments.action == "remove":
        watched = watch.remove(shelf, arguments.sources, settings())
    else:
        watched = watch.read(Place.of(shelf, settings()).folder)
    for one in watched.searches:
        print(f"{render.plain(one.source)}  (last run: {one.last or 'never'})")
    if not watched.searches:
        print("nothing is watched; add a search: attest watch add SOURCE")
    return 0


def _search(arguments: argparse.Namespace) -> int:
    from rag.assistant import Assistant

    if arguments.k < 1:
        raise UsageError(f"-k must be at least 1, not {arguments.k}", hint="leave it out for 10")
    with Assistant.open(_shelf(arguments)) as assistant:
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
    with Assistant.open(_shelf(arguments), llm=arguments.llm, strict=arguments.strict) as assistant:
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
        arguments.draft, _shelf(arguments), bib=arguments.bib, format=arguments.format, fail_on=arguments.fail_on,
        cited_only=arguments.cited_only, width=_width(),
    )  # fmt: skip


def _serve(arguments: argparse.Namespace) -> int:
    from rag.assistant import Assistant

    if arguments.add_user:
        options.ask_for_user(arguments)
        return 0
    from app import serve

    with Assistant.open(_shelf(arguments), llm=arguments.llm, strict=arguments.strict) as assistant:
        assistant.shelf  # noqa: B018  a missing shelf is said now, not at the first question
        serve(assistant, options.to_options(arguments))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from rag import export
    from rag.config import settings
    from rag.index.shelf import open_ledger

    with open_ledger(_shelf(arguments), settings()) as ledger:
        if arguments.answer is None:
            _write(export.WRITERS[arguments.kind or "jsonl"](paper for _, paper in ledger.all_papers()), arguments.kind)
            return 0
        text, stated = export.read_citations(_text_of(arguments.answer))
        known = ledger.papers([key for key, _ in stated])
    citations = [export.to_citation(one, known.get(key)) for key, one in stated]
    if gone := [one.paper.title for one in citations if one.paper.id not in known]:
        print(f"attest: not on this shelf, so told as the answer has them: {'; '.join(gone)}", file=sys.stderr)
    papers = {one.paper.id: one.paper for one in citations}
    if arguments.kind in (None, "markdown"):
        _write(export.to_references(text, citations), "markdown")
    else:
        _write(export.WRITERS[arguments.kind](papers.values()), arguments.kind)
    return 0


def _write(parts: Iterable[str], kind: str | None) -> None:
    """Each part on lines of its own; entries of BibTeX and RIS are parted by an empty line, and CSV brings its line ends."""
    between = {"csv": "", "bibtex": "\n\n", "ris": "\n\n"}.get(kind or "", "\n")
    for at, part in enumerate(parts):
        sys.stdout.write(f"{between if at else ''}{part}")
    sys.stdout.write("" if kind == "csv" else "\n")


def _text_of(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{path} cannot be read: {why}", hint='make it: attest ask "..." --json > answer.json'
        ) from error


def _doctor(arguments: argparse.Namespace) -> int:
    from rag import doctor
    from rag.config import settings

    given = {"shelf": arguments.shelf} if arguments.shelf else {}
    lines, fine = doctor.report(settings().model_copy(update=given), given)
    print("\n".join(lines))
    return 0 if fine and (not arguments.verify or _verified(arguments)) else 1


def _verified(arguments: argparse.Namespace) -> bool:
    from rag.config import settings
    from rag.index import upkeep

    health = upkeep.verify(_shelf(arguments), settings())
    for fault in health.faults:
        print(f"fault       {fault}; restore a backup (attest restore), or ingest the sources into a new shelf")
    for stale in health.stale:
        print(f"mended      {stale}; made anew from the ledger")
    if not (health.faults or health.stale):
        print(f"verified    {health.papers} papers, {health.passages} passages: ledger and indexes agree")
    return not health.faults


def _backup(arguments: argparse.Namespace) -> int:
    from rag.config import settings
    from rag.index import upkeep

    papers = upkeep.backup(_shelf(arguments), arguments.file, settings())
    print(f"{papers} papers kept in {arguments.file}")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from rag.config import settings
    from rag.index import upkeep

    papers = upkeep.restore(arguments.file, _shelf(arguments), settings())
    print(f"{papers} papers restored to {without_password(_shelf(arguments))}")
    return 0


def _eval(arguments: argparse.Namespace) -> int:
    from eval.__main__ import main as evaluate

    return evaluate(arguments.rest)


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
