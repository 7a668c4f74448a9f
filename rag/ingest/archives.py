"""Files as streams of bytes, unpacked where they are compressed; what would unpack without end is refused."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import IngestError
from rag.ingest.lines import HEAD
from rag.types import Rejected

GZIP, ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
# Text is packed to a fifth or tenth; a bomb of DEFLATE reaches a thousandth. Small files may be as repetitive as they like.
LARGEST_RATIO = 200
FREE = 50_000_000
MOST_MEMBERS = 200_000
# What reading a damaged archive raises, besides OSError.
DAMAGED = (EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Member:
    """One file to read: its name, its bytes, and a function that tells how many bytes on disk were read so far."""

    name: str
    stream: io.BufferedReader[Any]
    done: Callable[[], int]


class _Bounded(io.RawIOBase):
    """Unpacked bytes, until they are far more than the packed ones they came from."""

    def __init__(self, unpacked: Any, packed: Callable[[], int]) -> None:
        self._unpacked, self._packed, self._given = unpacked, packed, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # Only what is ready: of a damaged archive, what comes before the damage is given and not lost with it.
        given = self._unpacked.read1(len(buffer))
        buffer[: len(given)] = given
        self._given += len(given)
        if self._given > max(FREE, LARGEST_RATIO * self._packed()):
            raise IngestError(
                f"unpacks to more than {LARGEST_RATIO} times its size, as no text does",
                hint="unpack it yourself if it is sound",
            )
        return len(given)


def opened(path: Path | None, name: str) -> Iterator[Member | Rejected]:
    """The files at a path (standard input when None): itself, or what a gzip or zip archive holds.

    Raises:
        OSError: it cannot be read.
        IngestError: an archive that is refused.
    """
    with _open(path) as raw:
        head = raw.peek(HEAD)

        def done() -> int:
            return raw.tell() if path is not None and raw.seekable() else 0

        if head.startswith(ZIP):
            yield from _zipped(raw, name, done)
        elif head.startswith(GZIP):
            yield Member(name, _unzipped(raw, done if path is not None and raw.seekable() else None), done)
        else:
            yield Member(name, raw, done)


def _buffered(raw: io.RawIOBase) -> io.BufferedReader[Any]:
    return io.BufferedReader(raw, HEAD)


def _open(path: Path | None) -> io.BufferedReader[Any]:
    """A file, or standard input for None, with a buffer as large as what is sniffed."""
    if path is not None:
        return io.BufferedReader(path.open("rb", buffering=0), HEAD)
    return (
        io.BufferedReader(sys.stdin.buffer.raw, HEAD)
        if isinstance(sys.stdin.buffer, io.BufferedReader)
        else io.BufferedReader(io.BytesIO(sys.stdin.buffer.read()))
    )


def _unzipped(packed: io.BufferedReader[Any], done: Callable[[], int] | None) -> io.BufferedReader[Any]:
    """The bytes of a gzip file; from a pipe, which tells no place, what was taken from it is counted."""
    counted = packed if done else _Counted(packed)
    return _buffered(_Bounded(gzip.GzipFile(fileobj=counted), done or counted.tell))


class _Counted(io.RawIOBase):
    def __init__(self, stream: io.BufferedReader[Any]) -> None:
        self._stream, self._read = stream, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(size)
        self._read += len(found)
        return found

    def tell(self) -> int:
        return self._read


def _zipped(raw: io.BufferedReader[Any], name: str, done: Callable[[], int]) -> Iterator[Member | Rejected]:
    if not raw.seekable():
        raise IngestError("a zip archive cannot be read from a pipe", hint="save it to a file and name that")
    try:
        archive = zipfile.ZipFile(raw)
    except DAMAGED as error:
        raise IngestError(f"a damaged zip archive: {error}") from error
    with closing(archive):
        members = sorted((one for one in archive.infolist() if not one.is_dir()), key=lambda one: one.header_offset)
        names = {one.filename for one in members}
        if "[Content_Types].xml" in names or "mimetype" in names or "META-INF/MANIFEST.MF" in names:
            raise IngestError("a document of an office program, not text", hint="save it as text (UTF-8)")
        if not members:
            raise IngestError("an archive without files")
        if len(members) > MOST_MEMBERS:
            raise IngestError(f"an archive of {len(members):,} files; the most that are read are {MOST_MEMBERS:,}")
        for one in members:
            if any(part.startswith(".") or part == "__MACOSX" for part in one.filename.split("/")):
                continue
            yield from _member(archive, one, f"{name}/{one.filename}", done)


def _member(
    archive: zipfile.ZipFile, one: zipfile.ZipInfo, name: str, done: Callable[[], int]
) -> Iterator[Member | Rejected]:
    try:
        with archive.open(one) as unpacked:
            stream = _buffered(_Bounded(unpacked, lambda: one.compress_size))
            head = stream.peek(HEAD)
            if head.startswith(ZIP):
                yield Rejected(name, 0, "an archive within an archive; unpack it and name the files")
            elif head.startswith(GZIP):
                inner = _buffered(_Bounded(gzip.GzipFile(fileobj=stream), lambda: one.compress_size))
                yield Member(name, inner, done)
            else:
                yield Member(name, stream, done)
    except (*DAMAGED, OSError, IngestError) as error:  # among them zipfile's way to say that a password is wanted
        yield Rejected(name, 0, f"cannot be unpacked: {error}")
