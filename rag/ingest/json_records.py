"""JSON objects one by one: a line each, or the objects of one document, which may be larger than memory.

Our own cutting of documents: a parser of streams (ijson) stops at the first fault and knows no lines; here a broken
object costs itself only and is reported with its line.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rag.ingest.fields import KEPT
from rag.ingest.lines import read_head, read_lines, read_text
from rag.types import Paper, Rejected, Source

# A work with thousands of authors has some megabytes.
LARGEST_RECORD = 10_000_000
_LIST = re.compile(r"\s*\[\s*\{")
# What services put around the list of what was found.
_ENVELOPE = re.compile(
    r'\s*\{\s*"(?:meta|results|data|papers|works|items|total|token|offset|next|count|recommendedPapers)"\s*:'
)
_SPREAD = re.compile(r'\s*\{\s*(?:$|\n|"[^"\n]{1,80}"\s*:[^\n]*[,{\[]\s*\n)')
_DOCUMENTS = ((_LIST, "["), (_ENVELOPE, "{["), (_SPREAD, ""))
# How bytes that are no UTF-8 arrive.
_BROKEN = re.compile(r"[\udc80-\udcff]")
_SIGN = re.compile(r'["\\{}\[\]\n]')


@dataclass(frozen=True, slots=True)
class Record:
    """One object with the line it begins on; `problem` says why there is none."""

    number: int
    text: str
    value: dict[str, Any]
    problem: str | None = None


def looks_like(head: str) -> bool:
    """Whether the beginning of a file is that of JSON objects: lines, a list, or a document around one."""
    return head.lstrip().startswith("{") or bool(_LIST.match(head))


def read_records(
    stream: io.BufferedReader, name: str, to_paper: Callable[[dict[str, Any], Source], Paper]
) -> Iterator[Paper | Rejected]:
    """The papers of a file; an object that `to_paper` refuses (ValueError) is rejected alone."""
    for record in records(stream, name):
        try:
            if record.problem:
                raise ValueError(record.problem)
            yield to_paper(record.value, Source(name, record.number))
        except ValueError as error:
            yield Rejected(name, record.number, str(error), record.text[:KEPT])


def records(stream: io.BufferedReader, name: str) -> Iterator[Record]:
    """The objects of a stream: those of the list in a document, or one a line."""
    around = _around(read_head(stream))
    if around is not None:
        yield from _within(read_text(stream), around)
    else:
        for line in read_lines(stream, name):
            if line.text.strip():
                yield _record(line.number, line.text, line.problem)


def _around(head: str) -> str | None:
    """The brackets around the objects of a document that begins so; None of lines."""
    around = next((signs for form, signs in _DOCUMENTS if form.match(head)), None)
    if around is None:
        return None
    line, _, rest = head.lstrip().partition("\n")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return around
    if isinstance(value, list):
        return None if rest.strip() else around
    listed = any(isinstance(part, list) and any(isinstance(one, dict) for one in part) for part in value.values())
    return around if listed and around else None


def _record(number: int, text: str, problem: str | None = None) -> Record:
    if _BROKEN.search(text):
        text, problem = text.encode("utf-8", "replace").decode(), problem or "not UTF-8 text; convert the file to UTF-8"
    try:
        if problem:
            raise ValueError(problem)
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError(f"a JSON object is needed, not {type(value).__name__}")
    except (json.JSONDecodeError, RecursionError) as error:
        return Record(number, text, {}, f"not JSON: {error}")
    except ValueError as error:
        return Record(number, text, {}, str(error))
    return Record(number, text, value)


def _within(pieces: Iterator[str], around: str) -> Iterator[Record]:
    """The objects that stand within these brackets (`[`, `{[`, or none), whatever else the document holds.

    JSON has no line end within a string: where one stands there, a quotation mark was lost, the object is given up, and
    the next one begins at the next brace.
    """
    stack, quoted, line, begin, size = "", False, 1, 0, 0
    literal = -1  # the place behind a backslash, whose sign means nothing
    held: list[str] | None = None  # the object that is being read
    lost = False  # an object was given up, and nobody knows how many brackets are open
    for piece in pieces:
        kept = 0
        for found in _SIGN.finditer(piece):
            at, sign = found.start(), found[0]
            if sign == "\n":
                if quoted and held is not None:
                    yield _record(begin, "".join([*held, piece[kept:at]]), "not JSON: a line ends within a string")
                    held, stack, lost = None, around, True
                line, quoted = line + 1, False
            elif at == literal:
                continue
            elif quoted:
                literal = at + 1 if sign == "\\" else literal
                quoted = sign != '"'
            elif sign == '"':
                quoted = True
            elif sign in "{[":
                if sign == "{" and stack == around:
                    held, size, kept, begin, lost = [], 0, at, line, False
                stack += "" if lost else sign
            elif sign in "}]" and not lost:
                stack = stack[:-1]
                if sign == "}" and held is not None and stack == around:
                    size += at + 1 - kept
                    yield _record(begin, "".join([*held, piece[kept : at + 1]]), _too_large(size))
                    held = None
        literal -= len(piece)
        if held is not None:
            size += len(piece) - kept
            if size <= LARGEST_RECORD:
                held.append(piece[kept:])
    if held is not None:
        yield _record(begin, "".join(held), "not JSON: the file ends in the middle of this record")
    elif stack and not lost:
        yield Record(line, "", {}, "not JSON: the file ends before its list does; what came before was read")


def _too_large(size: int) -> str | None:
    return (
        f"a record of {size:,} characters; the longest that is read is {LARGEST_RECORD:,}"
        if size > LARGEST_RECORD
        else None
    )


def text(record: dict[str, Any], key: str) -> str:
    """The text under a key; empty when there is none.

    Raises:
        ValueError: something else is there.
    """
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} must be text, not {type(value).__name__}")
    return value or ""


def objects(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects under a key, whether a list of them or one alone; anything else there counts as none."""
    value = record.get(key)
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
