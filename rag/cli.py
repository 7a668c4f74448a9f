"""The `attest` program. Exit codes: 0 done, 1 failed, 2 usage, 3 nothing found or abstained, 4 shelf."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from rag import __version__, commands
from rag.address import to_address
from rag.errors import AttestError, UsageError
from rag.types import Verdict
from ui import options

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
    added_to = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help: str, *, shelf: bool = True
    ) -> argparse.ArgumentParser:
        added = added_to.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        if shelf:
            added.add_argument("--shelf", type=to_address, metavar="SHELF", help=_SHELF)
        return added

    ingest = command("ingest", commands.ingest, "read papers from files or services into the shelf")
    ingest.add_argument("paths", nargs="+", metavar="SOURCE", help=_PATHS)
    ingest.add_argument("--limit", type=int, metavar="N", help="papers at most of each service (default 100)")
    ingest.add_argument("--format", default="auto", metavar="FORMAT", help=_FORMATS)
    ingest.add_argument("--page-year", type=int, help="year of saved pages whose dates have none")
    ingest.add_argument("--ray", nargs="?", const="local", metavar="ADDRESS", help=_RAY)
    watch = command("watch", commands.watch, "keep searches, and tell what is new since the last run")
    watch.add_argument("action", choices=("add", "list", "run", "remove"), help="run: exit 3 when nothing is new")
    watch.add_argument("sources", nargs="*", metavar="SOURCE", help="a service and a query, a file or a folder")
    watch.add_argument("--limit", type=int, metavar="N", help="papers at most of each service (default 100)")
    search = command("search", commands.search, "ranked papers with the matching sentence")
    search.add_argument("words")
    search.add_argument("-k", type=int, default=10, help="how many papers (default 10)")
    search.add_argument("--json", action="store_true")
    ask = command("ask", commands.ask, "a cited, checked answer")
    ask.add_argument("question")
    ask.add_argument("--json", action="store_true", help="print the answer as JSON and nothing else")
    ask.add_argument("--llm", metavar="NAME", help=_LLM)
    ask.add_argument("--strict", action="store_true", default=None, help=_STRICT)
    for added in (search, ask):
        added.add_argument("--year", type=_years, help="2023, 2023: (since), :2021 (until) or 2020:2022")
    ask.add_argument("--no-stream", action="store_true", help="print nothing before the whole answer")
    check = command("check", commands.check, "check each sentence of a text against the papers of the shelf")
    check.add_argument("draft", metavar="DRAFT", help="a Markdown, text or LaTeX (.tex) file, or - for standard input")
    check.add_argument("--bib", type=Path, metavar="FILE", action="append", default=[], help=_BIB)
    check.add_argument("--format", choices=("terminal", "markdown", "json"), default="terminal")
    check.add_argument("--json", dest="format", action="store_const", const="json", help="as --format json")
    check.add_argument("--fail-on", type=_verdicts, metavar="VERDICT", action="extend", default=[], help=_FAIL_ON)
    check.epilog = _JSON
    check.add_argument("--cited-only", action="store_true", help="leave out sentences that cite nothing")
    serve = command("serve", commands.serve, "chat in the browser")
    options.add_options(serve)
    serve.add_argument("--llm", metavar="NAME", help=_LLM)
    serve.add_argument("--strict", action="store_true", default=None, help=_STRICT)
    export = command("export", commands.export, "the papers of the shelf, or of one answer, on standard output")
    kind = export.add_mutually_exclusive_group()
    for name, meaning in _EXPORTS.items():
        kind.add_argument(f"--{name}", dest="kind", action="store_const", const=name, help=meaning)
    export.add_argument("--answer", type=Path, metavar="FILE", help=_ANSWER)
    doctor = command("doctor", commands.doctor, "what is installed and set, and what is missing")
    doctor.add_argument("--verify", action="store_true", help="hold every index against the ledger, and mend it")
    backup = command("backup", commands.backup, "copy the shelf into one file")
    backup.add_argument("file", type=Path, metavar="FILE.zip")
    restore = command("restore", commands.restore, "make a shelf of a backup")
    restore.add_argument("file", type=Path, metavar="FILE.zip")
    command("eval", commands.evaluate, "score answers, retrieval and grounding offline", shelf=False)
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
