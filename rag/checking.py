"""`attest check`: a draft and its .bib files read, its sentences checked and told, and the exit code."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rag import findings as told
from rag.assistant import Assistant
from rag.errors import UsageError
from rag.types import Verdict
from rag.verify.bibtex import read_bibliography
from rag.verify.manuscript import Finding, Manuscript
from rag.verify.markdown import front_matter

FAILED, NOTHING, STOPPED = 1, 3, 130
_DECLARED = re.compile(r"^[^%\n]*?\\(?:bibliography|addbibresource(?:\[[^\[\]]*\])?)\s*\{([^{}]+)\}", re.MULTILINE)
_YAML = re.compile(r"^bibliography:[ \t]*(?P<value>.*(?:\n[ \t]*-[ \t]+.*)*)", re.MULTILINE)


def check_draft(
    draft: str,
    shelf: str | Path,
    *,
    bib: Sequence[Path],
    format: str,
    fail_on: Sequence[Verdict],
    cited_only: bool,
    width: int,
) -> int:
    """Check one draft and print what was found.

    Returns:
        0; 1 when a sentence has a verdict of `fail_on`; 3 when there is no sentence; 130 when stopped.

    Raises:
        UsageError: the draft or a .bib file cannot be read, is not UTF-8 or empty.
    """
    text = _text(draft)
    files = _bibliographies(draft, text, bib)
    tex = {".tex": True, ".ltx": True, ".md": False, ".markdown": False}.get(Path(draft).suffix.casefold())
    with Assistant.open(shelf) as assistant:
        manuscript = _wanted(assistant.manuscript(text, bib=files, tex=tex), cited_only)
        found: list[Finding] = []
        try:
            with contextlib.closing(_printed(assistant.check_each(manuscript), manuscript, format, width)) as each:
                found.extend(each)
        except KeyboardInterrupt:
            print(f"\nattest: stopped within {len(manuscript.sentences)} sentences", file=sys.stderr)
            return STOPPED
    if format == "json":
        print(told.to_json(found))
    elif not found:
        print(f"{_name(draft)} has no sentence{' that cites a work it tells of' if cited_only else ''} to check")
    else:
        print(told.to_markdown(found) if format == "markdown" else f"\n{told.summary(found)}")
    if not found:
        return NOTHING
    return FAILED if any(finding.check.verdict in fail_on for finding in found) else 0


def _name(draft: str) -> str:
    return "standard input" if draft == "-" else draft


def _text(draft: str) -> str:
    """The draft; of a byte order mark a space is left, so that offsets stay those of the file."""
    try:
        data = sys.stdin.buffer.read() if draft == "-" else Path(draft).read_bytes()
        text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8").read()
    except OSError as error:
        raise UsageError(
            f"{_name(draft)} cannot be read: {error.strerror or error}",
            hint="give a Markdown, text or LaTeX file: attest check DRAFT.md",
        ) from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{_name(draft)} cannot be read: line {line} is not UTF-8", hint="save the draft as UTF-8"
        ) from error
    if not text.strip("\ufeff \t\r\n"):
        raise UsageError(f"{_name(draft)} is empty", hint="write a sentence into it, and: attest check DRAFT.md")
    return f" {text[1:]}" if text.startswith("\ufeff") else text


def _bibliographies(draft: str, text: str, given: Sequence[Path]) -> list[Path]:
    """The .bib files given, those the draft declares, or else all beside it; those left out are named on stderr."""
    if given:
        return list(given)
    folder = Path() if draft == "-" else Path(draft).parent
    declared = [folder / (name if name.endswith(".bib") else f"{name}.bib") for name in _declared(text)]
    for path in declared:
        if not path.is_file():
            _note(f"{path}, which the draft names, is not there; its citations are looked up elsewhere (--bib FILE)")
    if found := [path for path in declared if path.is_file()]:
        return found
    beside = [] if draft == "-" else sorted(folder.glob("*.bib"))
    return [path for path in beside if _readable(path)]


def _declared(text: str) -> list[str]:
    names = [name for found in _DECLARED.finditer(text) for name in found[1].split(",")]
    if found := _YAML.search(front_matter(text)):
        names += re.split(r"[\n,\[\]]", found["value"])
    return list(dict.fromkeys(clean for name in names if (clean := name.strip().strip("-\"' \t"))))


def _readable(path: Path) -> bool:
    """Whether a file that nobody asked for is of use."""
    try:
        return bool(read_bibliography(path))
    except UsageError as error:
        _note(f"left out: {error}")
        return False


def _note(text: str) -> None:
    print(f"attest: {text}", file=sys.stderr)


def _wanted(manuscript: Manuscript, cited_only: bool) -> Manuscript:
    """The manuscript with the sentences to check, saying which citations nothing tells of."""
    references = manuscript.references
    keys = dict.fromkeys(key for sentence in manuscript.sentences for key in sentence.keys)
    untold = {key for key in keys if not references.of(key) and references.origin(key) is None}
    if untold:
        some = ", ".join(key.shown for key in keys if key in untold)
        _note(
            f"nothing tells what {some if len(some) < 200 else f'{some[:200]}…'} means, so it counts as no citation;"
            " give a reference list or --bib FILE"
        )
    if not cited_only:
        return manuscript
    return replace(manuscript, sentences=tuple(item for item in manuscript.sentences if set(item.keys) - untold))


def _printed(
    each: Iterator[Finding], manuscript: Manuscript, format: str, width: int
) -> Generator[Finding, None, None]:
    """The findings, printed as they come where the format allows; a bar on a terminal when that takes long."""
    from tqdm import tqdm

    total = len(manuscript.sentences)
    hidden = not sys.stderr.isatty()
    with tqdm(total=total, unit="sentence", desc="check", leave=False, delay=2, disable=hidden) as bar:
        for finding in each:
            if format == "terminal":
                bar.write(told.to_terminal(finding, color=sys.stdout.isatty(), width=width), file=sys.stdout)
            bar.update()
            yield finding
