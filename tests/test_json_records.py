"""Objects of JSON documents one by one: lists, answers of services, objects over several lines, and what is broken or cut off."""

import io
import itertools
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import json_records
from rag.ingest.lines import HEAD

ROWS = [{"n": 1, "s": 'a "{[\\'}, {"n": 2, "deep": [{"x": {}}]}, {"n": 3}]


def read(raw):
    raw = raw.encode() if isinstance(raw, str) else raw
    return list(json_records.records(io.BufferedReader(io.BytesIO(raw), HEAD), "f"))


def values(raw):
    return [record.value for record in read(raw) if not record.problem]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\n".join(json.dumps(row) for row in ROWS),
        "\n".join(json.dumps(row, indent=1) for row in ROWS),
        json.dumps({"meta": {"count": 3, "x": [1]}, "results": ROWS, "group_by": []}),
        json.dumps({"meta": {"count": 3}, "results": ROWS}, indent=4),
        json.dumps({"total": 3, "offset": 0, "data": [None, *ROWS]}),
        json.dumps({"data": ROWS}) + "\n" + json.dumps({"data": []}),
        "[\n" + ",\n".join(json.dumps(row) for row in ROWS) + "\n]",
    ],
)
def test_every_form_gives_the_same_objects(text):
    assert values(text) == ROWS
    assert values(text.encode("utf-8-sig")) == values(text.encode("utf-16")) == ROWS
    assert not [record for record in read(text) if record.problem]


def test_lines_are_those_the_objects_begin_on():
    assert [record.number for record in read(json.dumps(ROWS, indent=1))] == [2, 6, 14]
    assert [record.number for record in read('{"meta": 1,\n"results": [{"n": 1},\n\n{"n":\n2}, {"n": 3}]}')] == [
        2,
        4,
        5,
    ]


@pytest.mark.parametrize("cut", range(2, 60))
def test_a_document_that_is_cut_off_gives_what_came_before_and_says_so(cut):
    text = json.dumps({"meta": {"count": 3}, "results": [{"n": 1}, {"n": 2}, {"n": 3}]})
    *whole, last = read(text[:cut])
    assert [record.value for record in whole] == [{"n": 1}, {"n": 2}, {"n": 3}][: len(whole)]
    assert last.problem
    assert last.problem.startswith("not JSON")


def test_a_broken_object_costs_itself_only():
    text = '[{"n": 1},\n{"n": 2, oops},\n{"n": "lost quotation mark},\n{"n": 4},\n{"n": 5}]'
    found = read(text)
    assert [record.value for record in found if not record.problem] == [{"n": 1}, {"n": 4}, {"n": 5}]
    assert [(record.number, record.problem[:31]) for record in found if record.problem] == [
        (2, "not JSON: Expecting property na"), (3, "not JSON: a line ends within a "),
    ]  # fmt: skip


def test_bytes_that_are_no_text_cost_their_object_only():
    found = read(b'[{"n": "caf\xe9"}, {"n": 2}]')
    assert [record.problem and record.problem[:14] for record in found] == ["not UTF-8 text", None]
    found[0].text.encode()  # can be stored


def test_an_object_too_large_is_named_and_the_rest_is_read(monkeypatch):
    monkeypatch.setattr(json_records, "LARGEST_RECORD", 1_000)
    found = read(json.dumps([{"n": 1}, {"n": "x" * 200_000}, {"n": 3}]))
    assert [record.value for record in found if not record.problem] == [{"n": 1}, {"n": 3}]
    assert "a record of 200,009 characters" in found[1].problem
    assert len(found[1].text) < 140_000


def test_memory_does_not_grow_with_the_document():
    class Endless(io.RawIOBase):
        def __init__(self, count):
            rows = (json.dumps({"n": n, "text": "owl " * 200}) + "," for n in range(count))
            self._rows, self._held = itertools.chain(['{"meta": 1, "results": ['], rows, ["{}]}"]), b""

        def readable(self):
            return True

        def readinto(self, buffer):
            while len(self._held) < len(buffer) and (more := next(self._rows, "")):
                self._held += more.encode()
            taken, self._held = self._held[: len(buffer)], self._held[len(buffer) :]
            buffer[: len(taken)] = taken
            return len(taken)

    def peak(count):
        tracemalloc.start()
        assert sum(1 for _ in json_records.records(io.BufferedReader(Endless(count), HEAD), "f")) == count + 1
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(4_000) < 1.5 * peak(400)


VALUE = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), VALUE), min_size=1), st.sampled_from([None, 1]), st.booleans())
def test_what_json_writes_is_read(rows, indent, enveloped):
    if not indent and not enveloped:
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    else:
        text = json.dumps({"results": rows} if enveloped else rows, indent=indent, ensure_ascii=False)
    assert values(text.encode("utf-8", "surrogatepass")) == rows


@given(st.text('{}[]"\\,:a1\n ') | st.binary())
def test_any_bytes_are_read_to_their_end(raw):
    for record in read(raw):
        assert record.problem or isinstance(record.value, dict)
