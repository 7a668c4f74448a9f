"""Decoding files to lines: limits, encodings, line ends."""

from __future__ import annotations

import io
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import lines
from rag.ingest.lines import Line, read_lines


def read(raw: bytes) -> list[Line]:
    return list(read_lines(io.BufferedReader(io.BytesIO(raw), lines.HEAD), "f"))


def split(text: str) -> list[str]:
    """The reference: line feeds end lines, and only they do."""
    parts = text.split("\n")
    return [part.rstrip("\r\n") for part in (parts[:-1] if parts[-1] == "" else parts)]


# Among the characters are those str.splitlines would break at: vertical tab, form feed, U+0085, U+2028.
TEXT = st.text(st.sampled_from("ab é🦉\n\n\r\t\x0b\x0c\x1c\x85\u2028\u2029") | st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_round_trip(text: str):
    found = read(text.encode())
    assert [line.text for line in found] == split(text.removeprefix("\ufeff"))
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    assert all(line.problem is None for line in found)


@given(TEXT, st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]))
def test_round_trip_with_a_byte_order_mark(text: str, encoding: str):
    raw = text.encode(encoding) if encoding in ("utf-8-sig", "utf-16") else ("\ufeff" + text).encode(encoding)
    assert [line.text for line in read(raw)] == split(text)


@given(st.binary())
def test_any_bytes_are_read(raw: bytes):
    found = read(raw)
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    if not raw.startswith(lines.UTF16):
        assert len(found) == len(raw.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=False)) or b"\r" in raw
        bad = [
            number
            for number, part in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
            if part.decode("utf-8", "ignore").encode() != part
        ]
        assert [line.number for line in found if line.problem] == bad


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\r\nb\r\r\n", ["a", "b"]),
        (b"\n\na", ["", "", "a"]),
        (b"\xef\xbb\xbf", []),
    ],
)
def test_line_ends(raw: bytes, texts: list[str]):
    assert [line.text for line in read(raw)] == texts


def test_not_utf8_says_where_and_reads_on():
    first, second, third = read(b"good\n" + b"caf\xe9 au lait\nalso good")
    assert (first.problem, third.problem, third.text) == (None, None, "also good")
    assert second.problem is not None
    assert "byte 0xe9 at column 4" in second.problem
    assert second.text == "caf\ufffd au lait"


@pytest.mark.parametrize(
    ("length", "long"), [(99, False), (100, False), (101, True), (102, True), (250, True), (3_000, True)]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_limit(monkeypatch: pytest.MonkeyPatch, length: int, long: bool, end: bytes, encoding: str):
    monkeypatch.setattr(lines, "MAX_LINE", 100)
    found = read((f"before\n{'x' * length}{end.decode()}" + ("after\n" if end else "")).encode(encoding))
    if end == b"\r\n" and length >= 100:
        return  # whether the carriage return counts is nobody's concern
    assert [line.text for line in found][::2] == (["before", "after"] if end else ["before"])
    assert bool(found[1].problem) == long
    assert [line.number for line in found] == [1, 2, 3][: len(found)]
    assert len(found[1].text) <= 200
    if long:
        assert "the longest that is read is 100" in (found[1].problem or "")
        assert set(found[1].text) == {"x"}
    else:
        assert found[1].text == "x" * length


def test_three_megabytes_in_a_line_beside_good_ones():
    found = read(b"first\n" + b"x" * 3_000_000 + b"\nlast")
    assert [(line.text[:5], line.problem) for line in found[::2]] == [("first", None), ("last", None)]
    assert found[1].problem == "a line of 3,000,001 bytes; the longest that is read is 1,000,000"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_fifty_megabytes_in_a_line_take_little_memory_and_time(tmp_path: Path, encoding: str):
    path = tmp_path / "big.txt"
    with path.open("wb") as out:
        out.write("first\n".encode(encoding))
        for _ in range(50):
            out.write(b"ab" * 500_000)
        out.write("\nlast".encode(encoding.replace("16", "16-le")))
    start = time.perf_counter()
    tracemalloc.start()
    with path.open("rb", buffering=lines.HEAD) as stream:
        found = list(read_lines(stream, "big.txt"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [line.text for line in found[::2]] == ["first", "last"]
    assert found[1].problem is not None
    assert peak < 25_000_000
    assert time.perf_counter() - start < 30


def test_the_stream_stays_the_callers():
    for raw in ("a\nb".encode("utf-16"), b"a\nb"):
        stream = io.BufferedReader(io.BytesIO(raw))
        next(read_lines(stream, "f"))
        assert not stream.closed
