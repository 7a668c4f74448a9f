"""RIS: the tags that managers use, long abstracts over lines, and references that are broken or cut off."""

import pytest
from fakes import read_source, where
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import ris

ONE = """TY  - JOUR
AU  - Müller, Jörg
AU  - The Owl Team
TI  - Sleepy Owls: A Study
that goes on
AB  - Owls sleep by day.
Some of them only pretend to.
PY  - 2020/05/04/
DO  - 10.1234/X
KW  - owls
UR  - https://arxiv.org/abs/2005.00001v2;x
ER  -
"""
TWO = "TY  - CONF\r\nT1  - Busy Bees\r\nA1  - Bee, B.\r\nN2  - They buzz.\r\nY1  - 2001\r\nZZ  - ?\r\nER  -\r\n"


def test_fields():
    (owls, bees), rejected = read_source(ris, f"\n{ONE}\n\n{TWO}")
    assert rejected == []
    assert owls.title == "Sleepy Owls: A Study that goes on"
    assert owls.abstract == "Owls sleep by day. Some of them only pretend to."
    assert owls.authors == ("Jörg Müller", "The Owl Team")
    assert (owls.date, owls.year, owls.doi, owls.arxiv_id) == ("2020-05-04", 2020, "10.1234/x", "2005.00001")
    assert owls.url == "https://arxiv.org/abs/2005.00001v2;x"
    assert (bees.title, bees.abstract, bees.authors, bees.date, bees.year) == (
        "Busy Bees", "They buzz.", ("B. Bee",), None, 2001,
    )  # fmt: skip
    assert [paper.sources[0].position for paper in (owls, bees)] == [2, 16]


def test_broken_references_cost_themselves_only():
    text = (
        "TY  - JOUR\nTI  - No end\nAB  - A.\nTY  - JOUR\nAB  - no title\nER  - \nAB  - stray\nmore\nER  - \n"
        + TWO.replace("\r", "")
        + "TY  - JOUR\nTI  - Cut off\nAB  - In the mid"
    )
    papers, rejected = read_source(ris, text)
    assert [paper.title for paper in papers] == ["No end", "Busy Bees"]  # the next TY ends a reference as well
    assert where(rejected) == [
        (4, "no title"),
        (7, "a line outside of any reference (TY  - to ER  -)"),
        (17, "the file ends before this reference does (no ER)"),
    ]
    assert rejected[2].record == "TY  - JOUR\nTI  - Cut off\nAB  - In the mid"


def test_bad_bytes_and_endless_references():
    raw = (
        b"TY  - JOUR\nTI  - M\xfcller\nER  - \nTY  - JOUR\nTI  - Long\n"
        + b"x" * 999_990
        + b"\ny\nER  - \n"
        + TWO.encode()
    )
    papers, rejected = read_source(ris, raw)
    assert [paper.title for paper in papers] == ["Busy Bees"]
    assert [(line, reason[:16]) for line, reason in where(rejected)] == [
        (1, "not UTF-8 text ("),
        (4, "a reference of m"),
    ]


@given(
    st.lists(st.sampled_from(["TY  - ", "ER  - ", "TI  - ", "AB  - ", "AU  - ", "ER", "\n", "x"]) | st.text(max_size=3))
)
def test_any_text_is_read_to_its_end(parts):
    papers, _ = read_source(ris, "".join(parts).encode("utf-8", "replace"))
    assert all(paper.title for paper in papers)


@pytest.mark.parametrize(
    ("head", "is_one"),
    [(ONE, True), ("\n\nTY  - JOUR", True), ("1.\nTY  - JOUR", True), ("TYPE - x", False), ("", False)],
)
def test_looks_like(head, is_one):
    assert ris.looks_like(head) is is_one
