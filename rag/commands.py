"""What each command of the `attest` program does with its arguments; each returns the exit code."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rag import render
from rag.address import without_password
from rag.errors import IngestError, UsageError
from rag.types import Evidence, IngestReport, Rejected
from ui import options

if TYPE_CHECKING:
    from rag.ingest.pipeline import Progress

NOTHING = 3


def _shelf(arguments: argparse.Namespace) -> str | Path:
    from rag.config import settings

    return arguments.shelf or settings().shelf


def ingest(arguments: argparse.Namespace) -> int:
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


def watch(arguments: argparse.Namespace) -> int:
    from datetime import date

    from rag import watch as searches
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
            found = searches.run(assistant, date.today())
        _tell_rejected(found.rejected)
        print(f"{len(found.papers)} new: {found.digest}" if found.digest else "nothing new since the last run")
        return 0 if found.papers else 1 if found.rejected else NOTHING
    if arguments.action == "add":
        watched = searches.add(shelf, arguments.sources, arguments.limit, settings())
    elif arguments.action == "remove":
        watched = searches.remove(shelf, arguments.sources, settings())
    else:
        watched = searches.read(Place.of(shelf, settings()).folder)
    for one in watched.searches:
        print(f"{render.plain(one.source)}  (last run: {one.last or 'never'})")
    if not watched.searches:
        print("nothing is watched; add a search: attest watch add SOURCE")
    return 0


def search(arguments: argparse.Namespace) -> int:
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


def ask(arguments: argparse.Namespace) -> int:
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


def check(arguments: argparse.Namespace) -> int:
    from rag.checking import check_draft

    return check_draft(
        arguments.draft, _shelf(arguments), bib=arguments.bib, format=arguments.format, fail_on=arguments.fail_on,
        cited_only=arguments.cited_only, width=_width(),
    )  # fmt: skip


def serve(arguments: argparse.Namespace) -> int:
    from rag.assistant import Assistant

    if arguments.add_user:
        options.ask_for_user(arguments)
        return 0
    from app import serve

    with Assistant.open(_shelf(arguments), llm=arguments.llm, strict=arguments.strict) as assistant:
        assistant.shelf  # noqa: B018  a missing shelf is said now, not at the first question
        serve(assistant, options.to_options(arguments))
    return 0


def export(arguments: argparse.Namespace) -> int:
    from rag import export as exports
    from rag.config import settings
    from rag.index.shelf import open_ledger

    with open_ledger(_shelf(arguments), settings()) as ledger:
        if arguments.answer is None:
            _write(
                exports.WRITERS[arguments.kind or "jsonl"](paper for _, paper in ledger.all_papers()), arguments.kind
            )
            return 0
        text, stated = exports.read_citations(_text_of(arguments.answer))
        known = ledger.papers([key for key, _ in stated])
    citations = [exports.to_citation(one, known.get(key)) for key, one in stated]
    if gone := [one.paper.title for one in citations if one.paper.id not in known]:
        print(f"attest: not on this shelf, so told as the answer has them: {'; '.join(gone)}", file=sys.stderr)
    papers = {one.paper.id: one.paper for one in citations}
    if arguments.kind in (None, "markdown"):
        _write(exports.to_references(text, citations), "markdown")
    else:
        _write(exports.WRITERS[arguments.kind](papers.values()), arguments.kind)
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


def doctor(arguments: argparse.Namespace) -> int:
    from rag.config import settings
    from rag.doctor import report

    given = {"shelf": arguments.shelf} if arguments.shelf else {}
    lines, fine = report(settings().model_copy(update=given), given)
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


def backup(arguments: argparse.Namespace) -> int:
    from rag.config import settings
    from rag.index import upkeep

    papers = upkeep.backup(_shelf(arguments), arguments.file, settings())
    print(f"{papers} papers kept in {arguments.file}")
    return 0


def restore(arguments: argparse.Namespace) -> int:
    from rag.config import settings
    from rag.index import upkeep

    papers = upkeep.restore(arguments.file, _shelf(arguments), settings())
    print(f"{papers} papers restored to {without_password(_shelf(arguments))}")
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    from eval.__main__ import main

    return main(arguments.rest)


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
