"""Files to decoded lines, with a limit on everything a broken file could blow up."""

from __future__ import annotations

import codecs
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

# Longest line kept: the longest abstracts are some 5,000 characters, so a megabyte is never a record.
MAX_LINE = 1_000_000
HEAD = 65_536
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its ending. `problem` says why its text is not to be trusted, or is None."""

    number: int
    text: str
    problem: str | None = None


def read_lines(stream: io.BufferedReader, name: str) -> Iterator[Line]:
    """Lines of a UTF-8 (or byte-order-marked UTF-16) stream, CR LF and CR LF LF folded away.

    A line that is too long or not UTF-8 comes with a `problem`, cut to its beginning; the rest of the
    file is read on.
    """
    head = stream.peek(HEAD)
    if head.startswith(UTF16):
        yield from _wide_lines(stream)
        return
    if head.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
    number = 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
            size = len(raw)
            while (more := stream.readline(MAX_LINE)) and not more.endswith(b"\n"):
                size += len(more)
            yield Line(
                number,
                raw[:200].decode("utf-8", "replace"),
                f"a line of {size + len(more):,} bytes; the longest that is read is {MAX_LINE:,}",
            )
            continue
        try:
            yield Line(number, raw.decode("utf-8").rstrip("\r\n"))
        except UnicodeDecodeError as error:
            problem = (
                f"not UTF-8 text (byte 0x{raw[error.start]:02x} at column {error.start + 1}); convert the file to UTF-8"
            )
            yield Line(number, raw.decode("utf-8", "replace").rstrip("\r\n"), problem)


def read_text(stream: io.BufferedReader) -> Iterator[str]:
    """The text of a UTF-8 (or byte-order-marked UTF-16) stream in pieces; bytes that are no text come as lone surrogates."""
    wide = stream.peek(HEAD).startswith(UTF16)
    decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")(
        "surrogateescape" if not wide else "replace"
    )
    while raw := stream.read1(HEAD):
        yield decoder.decode(raw)
    yield decoder.decode(b"", True)


def read_head(stream: io.BufferedReader) -> str:
    """The beginning of a stream as text, without moving on; what is no text is replaced."""
    head = stream.peek(HEAD)
    return head.decode("utf-16" if head[:2] in UTF16 else "utf-8-sig", "replace")


def _wide_lines(stream: io.BufferedReader) -> Iterator[Line]:
    """Lines of a UTF-16 stream; only a line feed ends one, and the limit counts characters."""
    text = io.TextIOWrapper(stream, "utf-16", "replace", newline="\n")
    try:
        for number in itertools.count(1):
            line = text.readline(MAX_LINE + 1)
            if not line:
                return
            if len(line) > MAX_LINE and not line.endswith("\n"):
                beginning = line[:200]
                while line and not line.endswith("\n"):
                    line = text.readline(MAX_LINE)
                yield Line(
                    number,
                    beginning,
                    f"a line of more than {MAX_LINE:,} characters; the longest that is read is {MAX_LINE:,}",
                )
                continue
            yield Line(number, line.rstrip("\r\n"))
    finally:
        text.detach()  # the stream is the caller's to close
