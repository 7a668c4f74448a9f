"""JSON lines: optional fields, and every way a line can be wrong without harm to the others."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import jsonl
from rag.types import Organization, Paper, Rejected, Source, paper_id

ABSTRACT = "Owls sleep by day. We show that some of them only pretend to."
BASE = {"title": "Sleepy Owls", "abstract": ABSTRACT}


def read(*records: Any) -> list[Paper | Rejected]:
    """Records as they stand when they are bytes or text, else as JSON."""
    lines = [
        item if isinstance(item, bytes) else (item if isinstance(item, str) else json.dumps(item)).encode()
        for item in records
    ]
    return list(jsonl.read(io.BufferedReader(io.BytesIO(b"\n".join(lines))), "r.jsonl"))


def paper(**fields: Any) -> Paper:
    (found,) = read({**BASE, **fields})
    assert isinstance(found, Paper), found
    return found


def reason(record: Any) -> str:
    (found,) = read(record)
    assert isinstance(found, Rejected), found
    assert (found.file, found.line) == ("r.jsonl", 1)
    assert found.record
    return found.reason


def test_title_and_abstract_are_enough():
    assert paper() == Paper(paper_id("Sleepy Owls"), "Sleepy Owls", ABSTRACT, sources=(Source("r.jsonl", 1),))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"date": "2024-05-01"}, {"date": "2024-05-01", "year": 2024}),
        ({"date": "2024-05-01", "year": 1999}, {"date": "2024-05-01", "year": 2024}),
        ({"date": "2024-05-01T23:59:59Z"}, {"date": "2024-05-01", "year": 2024}),
        ({"date": "2024-05-01 10:00"}, {"date": "2024-05-01", "year": 2024}),
        ({"date": "2024-05"}, {"date": None, "year": 2024}),
        ({"date": "2024"}, {"date": None, "year": 2024}),
        ({"date": 2024}, {"date": None, "year": 2024}),
        ({"date": "", "year": 2020}, {"date": None, "year": 2020}),
        ({"date": None}, {"date": None, "year": None}),
        ({"date": "2025-03-15", "year_inferred": True}, {"year": 2025, "year_inferred": True}),
        ({"date": "2025-03-15", "year_inferred": "yes"}, {"year_inferred": False}),
        ({"authors": ["Ada  Owl", {"name": "Bo Bee"}]}, {"authors": ("Ada Owl", "Bo Bee"), "author_count": 2}),
        ({"authors": ["Ada Owl"], "author_count": 7}, {"authors": ("Ada Owl",), "author_count": 7}),
        ({"authors": []}, {"authors": (), "author_count": None}),
        ({"author_count": 3}, {"author_count": 3}),
        ({"comment_count": 0}, {"comment_count": 0}),
        ({"organization": "Pond Lab"}, {"organization": Organization("Pond Lab", "Pond Lab")}),
        ({"organization": {"slug": "pond", "name": "Pond Lab"}}, {"organization": Organization("pond", "Pond Lab")}),
        ({"organization": {"slug": "pond"}}, {"organization": Organization("pond", "pond")}),
        ({"organization": {"name": "Pond Lab", "slug": None}}, {"organization": Organization("Pond Lab", "Pond Lab")}),
        ({"organization": None}, {"organization": None}),
        ({"url": "https://example.org/a"}, {"url": "https://example.org/a"}),
        ({"arxiv_id": " 2401.00001v2 ", "doi": "10.1/x"}, {"arxiv_id": "2401.00001v2", "doi": "10.1/x"}),
        ({"url": None, "doi": "  "}, {"url": None, "doi": None}),
        ({"title": "  Sleepy\n Owls\t"}, {"title": "Sleepy Owls", "id": paper_id("Sleepy Owls")}),
        ({"title": "SLEEPY owls!"}, {"id": paper_id("Sleepy Owls")}),
        ({"abstract": "Two\nlines\tand a tab."}, {"abstract": "Two\nlines\tand a tab."}),
        ({"unknown": {"deep": [1]}, "id": 17}, {"title": "Sleepy Owls"}),
    ],
)
def test_optional_fields(fields: dict[str, Any], wanted: dict[str, Any]):
    found = paper(**fields)
    assert {key: getattr(found, key) for key in wanted} == wanted


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("{", "not JSON"),
        ('{"title": "x"', "not JSON"),
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1, 2]", "object is needed, not list"),
        ('"text"', "object is needed, not str"),
        ("null", "object is needed, not NoneType"),
        ("17", "object is needed, not int"),
        ("9" * 5_000, "integer string"),
        (b'{"title": "Caf\xe9", "abstract": "x"}', "not UTF-8 text (byte 0xe9 at column 15)"),
        ({"abstract": "x"}, "no title"),
        ({"title": "x"}, "no abstract"),
        ({**BASE, "title": " \n "}, "no title"),
        ({**BASE, "title": None}, "no title"),
        ({**BASE, "title": "\x00\x01"}, "no title"),
        ({**BASE, "abstract": "\ud83d"}, "no abstract"),
        ({**BASE, "title": 5}, "title must be text, not int"),
        ({**BASE, "title": []}, "title must be text, not list"),
        ({**BASE, "abstract": ["x"]}, "abstract must be text, not list"),
        ({**BASE, "url": {}}, "url must be text"),
        ({**BASE, "title": "x" * 1_001}, "title of 1,001 characters; the longest that is read is 1,000"),
        ({**BASE, "abstract": "x" * 100_001}, "abstract of 100,001 characters"),
        ({**BASE, "doi": "x" * 301}, "doi of 301 characters"),
        ({**BASE, "year": "2024"}, "year must be a whole number up to 9,999, not '2024'"),
        ({**BASE, "year": 2024.5}, "year must be"),
        ({**BASE, "year": True}, "year must be"),
        ({**BASE, "year": -1}, "year must be"),
        ({**BASE, "year": 2**70}, "year must be"),
        ({**BASE, "author_count": 2**64}, "author_count must be"),
        ({**BASE, "comment_count": 10**400}, "comment_count must be"),
        ({**BASE, "date": "May 2024"}, "date must be YYYY-MM-DD, not 'May 2024'"),
        ({**BASE, "date": "20240501"}, "date must be"),
        ({**BASE, "date": ["2024"]}, "date must be"),
        ({**BASE, "date": "2024-02-30"}, "there is no day '2024-02-30'"),
        ({**BASE, "date": "2024-13"}, "there is no day '2024-13'"),
        ({**BASE, "authors": "Ada Owl"}, "authors must be a list"),
        ({**BASE, "authors": [""]}, "authors must be names"),
        ({**BASE, "authors": [{"first": "Ada"}]}, "authors must be names"),
        ({**BASE, "authors": [None]}, "authors must be names"),
        ({**BASE, "organization": 5}, "organization must be"),
        ({**BASE, "organization": "  "}, "organization must be"),
        ({**BASE, "organization": {"slug": 5, "name": "x"}}, "organization must be"),
    ],
)
def test_what_is_wrong_is_rejected_with_its_reason(record: Any, says: str):
    found = reason(record)
    assert says in found
    assert "\n" not in found
    assert len(found) < 300


def test_a_broken_line_costs_itself_only():
    found = read(
        BASE, "{oops", "", "   ", {**BASE, "title": "Busy Bees"}, b"\xff\xfe", [1], {**BASE, "title": "Otters"}
    )
    assert [(type(item).__name__, item.sources[0].position if isinstance(item, Paper) else item.line) for item in found] == [
        ("Paper", 1), ("Rejected", 2), ("Paper", 5), ("Rejected", 6), ("Rejected", 7), ("Paper", 8)]  # fmt: skip


def test_duplicate_ids():
    bees = {"title": "Busy Bees", "abstract": "They buzz."}
    found = read({**BASE, "id": "a"}, {**bees, "id": "a"}, {**BASE, "id": "a"}, {**bees, "id": ""}, {**bees, "id": "b"})
    assert [isinstance(item, Paper) for item in found] == [True, False, True, True, True]
    assert isinstance(found[1], Rejected)
    assert (found[1].line, found[1].reason) == (2, "id 'a' was used on line 1 for another paper")
    assert json.loads(found[1].record)["title"] == "Busy Bees"


@pytest.mark.parametrize("key", ["title", "abstract", "url", "arxiv_id", "doi", "authors", "organization", "id"])
@pytest.mark.parametrize("debris", ["\ud83d", "\udfff\ud800", "\x00", "\x1b[31m", "\x7f"])
def test_surrogates_and_control_characters_never_reach_the_shelf(key: str, debris: str):
    value: Any = f"Owl{debris}s hoot"
    (found,) = read(json.dumps({**BASE, key: [value] if key == "authors" else value}))
    assert isinstance(found, Paper)
    stored = json.dumps(found.to_dict(), ensure_ascii=False)
    stored.encode()  # a lone surrogate raises
    assert "\\u00" not in stored
    assert key == "id" or "Owl" in stored


def test_an_emoji_escaped_as_a_pair_is_kept():
    (found,) = read('{"title": "Owls \\ud83e\\udd89", "abstract": "Hoot."}')
    assert isinstance(found, Paper)
    assert found.title == "Owls 🦉"


def test_looks_like():
    assert jsonl.looks_like(' \n{"title": 1}')
    assert not jsonl.looks_like("new\n\n{")
    assert not jsonl.looks_like("")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KEYS = st.sampled_from(
    [
        "id",
        "title",
        "abstract",
        "date",
        "year",
        "authors",
        "author_count",
        "organization",
        "comment_count",
        "url",
        "arxiv_id",
        "doi",
        "year_inferred",
    ]
)


@given(st.lists(st.dictionaries(KEYS, VALUES) | st.text() | VALUES, max_size=6))
def test_nothing_crashes_and_nothing_is_lost(records: list[Any]):
    lines = [
        json.dumps(item) if not isinstance(item, str) else item.replace("\n", " ").replace("\r", " ")
        for item in records
    ]
    # After a first object they are lines, whatever the next ones look like.
    first, *found = read("{}", *(line.encode("utf-8", "replace") for line in lines))
    assert isinstance(first, Rejected)
    filled = [number for number, line in enumerate(lines, 2) if line.strip()]
    assert [item.sources[0].position if isinstance(item, Paper) else item.line for item in found] == filled
    for item in found:
        if isinstance(item, Paper):
            assert item.title
            assert item.abstract
            assert Paper.from_dict(json.loads(json.dumps(item.to_dict()))) == item
