"""Saved Daily Papers pages: both variants, what is missing from them, and pages cut off anywhere."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import daily_papers
from rag.ingest.merge import merge_papers
from rag.types import Organization, Paper, Rejected, Source

HEADER = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\nbyAK and the research community\n\nDec 12\n\n"
SHORT_HEADER = HEADER.replace("Daily Papers\n\n", "")
LONG = "We keep otters in a heated pond and count how often each one asks for fish. " * 9
OWLS = "Owls sleep by day, as everybody knows. We show that some of them only pretend to. The gain is 4.5 points."
BEES = "Bees sort pollen by colour. Our sorter does so 3.2times faster (on the left bank). Code is public."


def listing(title: str, abstract: str, who: str = "  • 6 authors", when: str = "May 24, 2023") -> str:
    return f"{title}\n\n{abstract}\n\n{who}\n·\n{when}\n\n"


def read(page: str | bytes, year: int | None = None) -> tuple[list[Paper], list[Rejected]]:
    raw = page.encode() if isinstance(page, str) else page
    items = list(daily_papers.read(io.BufferedReader(io.BytesIO(raw)), "p.txt", year))
    return [x for x in items if isinstance(x, Paper)], [x for x in items if isinstance(x, Rejected)]


def one(page: str, year: int | None = None) -> Paper:
    papers, rejected = read(page, year)
    assert (len(papers), rejected) == (1, [])
    return papers[0]


def test_variant_with_metadata():
    paper = one(HEADER + listing("Sleepy Owls", OWLS))
    assert (paper.title, paper.abstract, paper.date, paper.year, paper.year_inferred) == (
        "Sleepy Owls",
        OWLS,
        "2023-05-24",
        2023,
        False,
    )
    assert (paper.author_count, paper.organization, paper.comment_count) == (6, None, None)
    assert paper.sources == (Source("p.txt", 13),)


def test_variant_without_metadata_and_heading():
    papers, rejected = read(SHORT_HEADER + f"Sleepy Owls\n\n{OWLS}\n\nOtters\n\n{LONG}\n\nBusy Bees\n\n{BEES}")
    assert [(p.title, p.abstract, p.date, p.author_count) for p in papers] == [
        ("Sleepy Owls", OWLS, None, None), ("Otters", LONG.strip(), None, None), ("Busy Bees", BEES, None, None)]  # fmt: skip
    assert not rejected


@pytest.mark.parametrize("gap", [0, 1, 2])
def test_metadata_missing_on_one_record(gap: int):
    whole = [
        listing("Sleepy Owls", OWLS),
        listing("Otters", LONG.strip(), "  • 1 authors", "Mar 15 2"),
        listing("Busy Bees", BEES),
    ]
    whole[gap] = whole[gap].partition("  •")[0]
    papers, rejected = read(HEADER + "".join(whole), 2025)
    assert [p.title for p in papers] == ["Sleepy Owls", "Otters", "Busy Bees"]
    assert [p.abstract for p in papers] == [OWLS, LONG.strip(), BEES]
    assert (
        [p.author_count is None for p in papers]
        == [p.date is None for p in papers]
        == [index == gap for index in range(3)]
    )
    assert not rejected


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("microsoft Microsoft", Organization("microsoft", "Microsoft")),
        ("ReactiveAI Reactive AI", Organization("ReactiveAI", "Reactive AI")),
        ("pond-lab The Pond Laboratory of Ghent", Organization("pond-lab", "The Pond Laboratory of Ghent")),
        ("pondlab", Organization("pondlab", "pondlab")),
    ],
)
def test_organization_line(line: str, wanted: Organization):
    paper = one(HEADER + listing("Sleepy Owls", OWLS, line, "Sep 25 2"), 2025)
    assert (paper.organization, paper.author_count, paper.date, paper.comment_count) == (wanted, None, "2025-09-25", 2)


@pytest.mark.parametrize(
    ("when", "year", "date", "inferred", "comments"),
    [
        ("May 24, 2023", None, "2023-05-24", False, None),
        ("Jun 10, 2024 2", None, "2024-06-10", False, 2),
        ("Mar 15 2", 2025, "2025-03-15", False, 2),
        ("Mar 15", 2025, "2025-03-15", False, None),
        ("Jul 28, 2021 117", 2025, "2021-07-28", False, 117),
        ("Mar 15 2", None, None, False, 2),  # no year anywhere: none is invented
        ("February 3, 2020", None, "2020-02-03", False, None),
        ("Feb 29, 2024", None, "2024-02-29", False, None),
        ("Feb 30, 2024 4", None, None, False, 4),
        ("Feb 29", 2025, None, False, None),
        ("May 24, 0000", None, None, False, None),
    ],
)
def test_dates(when: str, year: int | None, date: str | None, inferred: bool, comments: int | None):
    paper = one(HEADER + listing("Sleepy Owls", OWLS, when=when), year)
    assert (paper.date, paper.year, paper.year_inferred, paper.comment_count) == (
        date,
        int(date[:4]) if date else None,
        inferred,
        comments,
    )
    assert (paper.author_count, paper.organization) == (6, None)


def test_year_is_inferred_as_the_one_after_the_latest_stated():
    dates = ["Mar 15 2", "Oct 3, 2024", "Dec 1", "Jan 2, 2019"]
    page = HEADER + "".join(listing(f"Paper {n}", OWLS, when=when) for n, when in enumerate(dates))
    assert [(p.date, p.year, p.year_inferred) for p in read(page)[0]] == [
        ("2025-03-15", 2025, True), ("2024-10-03", 2024, False), ("2025-12-01", 2025, True), ("2019-01-02", 2019, False)]  # fmt: skip
    assert [p.date for p in read(page, 2026)[0]][::2] == ["2026-03-15", "2026-12-01"]
    assert not any(p.year_inferred for p in read(page, 2026)[0])


def test_each_page_of_a_file_has_its_own_year():
    old = HEADER + listing("A", OWLS, when="Mar 1, 2020") + listing("B", BEES, when="Mar 2")
    new = HEADER + listing("C", OWLS, when="Mar 1, 2024") + listing("D", BEES, when="Mar 2")
    assert [p.date for p in read(old + new)[0]] == ["2020-03-01", "2021-03-02", "2024-03-01", "2025-03-02"]


@pytest.mark.parametrize(
    ("who", "count"), [("  • 1 authors", 1), ("  • 1 author", 1), ("  • 211 authors", 211), ("12 authors", 12)]
)
def test_author_counts(who: str, count: int):
    assert one(HEADER + listing("Sleepy Owls", OWLS, who)).author_count == count


@pytest.mark.parametrize("who", ["  • " + "9" * 30 + " authors", "  • 6 authors"])
@pytest.mark.parametrize("when", ["May 24, 2023 " + "9" * 30, "May 24, 2023"])
def test_numbers_no_database_can_hold_are_left_out(who: str, when: str):
    paper = one(HEADER + listing("Sleepy Owls", OWLS, who, when))
    assert max(paper.author_count or 0, paper.comment_count or 0) < 2**63


@pytest.mark.parametrize("inline", ["6 authors · May 24, 2023", "• 6 authors · May 24, 2023"])
def test_metadata_on_one_line(inline: str):
    paper = one(HEADER + f"Sleepy Owls\n\n{OWLS}\n\n{inline}\n")
    assert (paper.author_count, paper.date) == (6, "2023-05-24")


def test_a_title_with_a_middle_dot_is_no_metadata():
    papers, rejected = read(HEADER + f"Sleepy Owls\n\n{OWLS}\n\nq · k: Products of Otters\n\n{LONG}")
    assert [(p.title, p.organization) for p in papers] == [("Sleepy Owls", None), ("q · k: Products of Otters", None)]
    assert not rejected


@pytest.mark.parametrize(
    "last", [BEES, listing("Busy Bees", BEES).partition("\n\n")[2].rstrip()], ids=["abstract", "metadata"]
)
@pytest.mark.parametrize("glue", ["", "\n", "\n\n", "\r\n", "  \n \n", "\ufeff"])
def test_pages_in_a_row(last: str, glue: str):
    first = HEADER + listing("Sleepy Owls", OWLS) + "Busy Bees\n\n" + last
    papers, rejected = read(first + glue + SHORT_HEADER + listing("Otters", LONG.strip()) + "Late Bees\n\n" + last)
    assert [p.title for p in papers] == ["Sleepy Owls", "Busy Bees", "Otters", "Late Bees"]
    assert [p.abstract for p in papers] == [OWLS, BEES, LONG.strip(), BEES]
    assert papers[1].date == papers[3].date
    assert papers[1].organization is None
    assert not rejected


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n\n", "\n \t \n"), lambda t: "\ufeff" + t, lambda t: t + "\n\n  \n"],
                         ids=["crlf", "spaced blank lines", "bom", "blank end"])  # fmt: skip
def test_line_ends_and_marks_change_nothing(change):
    page = (
        HEADER
        + listing("Sleepy Owls", OWLS)
        + listing("Busy Bees", BEES, "pondlab Pond Lab", "Jun 10, 2024 2")
        + f"Otters\n\n{LONG.strip()}"
    )
    assert len(read(page)[0]) == 3
    assert read(change(page)) == read(page)


def test_utf16_page():
    page = HEADER + listing("Sleepy Owls", OWLS)
    assert read(page.encode("utf-16")) == read(page)


@pytest.mark.parametrize(
    "tail", [LONG.strip(), "Code is at https://example.org/pond.", "They bark."], ids=["long", "code", "short"]
)
@pytest.mark.parametrize("metadata", ["  • 6 authors\n·\nMay 24, 2023\n\n", ""], ids=["with metadata", "without"])
def test_abstract_of_two_paragraphs(tail: str, metadata: str):
    papers, rejected = read(
        HEADER + f"Otters\n\n{LONG.strip()}\n\n{tail}\n\n{metadata}Busy Bees\n\n{LONG.strip()}\n\n{metadata}"
    )
    assert [p.title for p in papers] == ["Otters", "Busy Bees"]
    assert papers[0].abstract == f"{LONG.strip()}\n{tail}"
    assert not rejected


def test_title_without_abstract():
    papers, rejected = read(
        HEADER
        + f"Lonely Title\n\nSleepy Owls (Reprise)\n\n{LONG}\n\n  • 6 authors\n·\nMay 2, 2020\n\nNo Words\n\n  • 2 authors\n·\nMay 1\n\n{listing('Busy Bees', BEES)}"
    )
    assert [(p.title, p.author_count) for p in papers] == [("Sleepy Owls (Reprise)", 6), ("Busy Bees", 6)]
    assert [(r.line, "title without an abstract" in r.reason) for r in rejected] == [(13, True), (23, True)]


def test_orphan_metadata_and_orphan_abstract():
    papers, rejected = read(HEADER + f"  • 6 authors\n·\nMay 24\n\n{LONG}\n\n" + listing("Busy Bees", BEES))
    assert [(p.title, p.date) for p in papers] == [("Busy Bees", "2023-05-24")]
    assert [(r.line, r.reason.split(":")[0]) for r in rejected] == [
        (13, "author and date line without a title before it"),
        (17, "abstract without a title before it"),
    ]


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_a_line_that_is_not_utf8_costs_its_record_only(bad: int):
    parts = [
        b"Caf\xe9 Owls" if bad == 1 else b"Owls",
        OWLS.encode() + (b" na\xefve." if bad == 2 else b""),
        b"  \xb7 authors\n\xc2\xb7\nMay 1" if bad == 3 else b"2 authors",
    ]
    papers, rejected = read(
        (HEADER + listing("Otters", LONG.strip())).encode()
        + b"\n\n".join(parts)
        + b"\n\n"
        + listing("Busy Bees", BEES).encode()
    )
    assert [p.title for p in papers] == ["Otters", "Busy Bees"]
    assert len(rejected) == 1
    assert "not UTF-8" in rejected[0].reason
    assert rejected[0].line == {1: 21, 2: 23, 3: 25}[bad]


def test_looks_like():
    assert daily_papers.looks_like(HEADER)
    assert daily_papers.looks_like("Sleepy Owls\r\n\r\nHoot.\r\n\r\n  • 6 authors\r\n·\r\nMay 24\r\n")
    assert not daily_papers.looks_like('{"title": "x"}')
    assert not daily_papers.looks_like("6 authors met.\nThey parted.")


# --- cut off anywhere ---

FULL = (
    HEADER
    + listing("Sleepy Owls", OWLS)
    + listing("LLaVA-1.5: Otters", LONG.strip(), "pondlab Pond Lab", "Jun 10, 2024 2")
    + listing("Busy Bees", BEES, when="Mar 15 2")
).rstrip()
BARE = SHORT_HEADER + f"Sleepy Owls\n\n{OWLS}\n\nLLaVA-1.5: Otters\n\n{LONG.strip()}\n\nBusy Bees\n\n{BEES}"
ENDS = re.compile(r"[.!?…][\"')\]]*$")


@pytest.mark.parametrize(
    "page",
    [FULL, BARE, BARE.replace("\n", "\r\n"), BARE + "\n\n" + FULL],
    ids=["with metadata", "without", "crlf", "two pages"],
)
def test_cut_at_every_byte(page: str):
    raw = page.encode()
    whole, rejected = read(raw)
    assert not rejected
    ends = [raw.find(p.abstract.encode(), raw.find(p.title.encode())) + len(p.abstract.encode()) for p in whole[:3]]
    later = [raw.rfind(p.abstract.encode()) + len(p.abstract.encode()) for p in whole[3:]]
    for cut in range(len(raw) + 1):
        papers, _ = read(raw[:cut])
        found = [(p.title, p.abstract) for p in papers]
        complete = [(p.title, p.abstract) for p, end in zip(whole, ends + later, strict=True) if end <= cut]
        assert found[: len(complete)] == complete, cut
        assert len(found) <= len(complete) + 1, cut
        for paper in papers[
            len(complete) :
        ]:  # at most one, cut off: whole by its look, and truly the beginning of the record
            assert ENDS.search(paper.abstract), cut
            assert any(p.title == paper.title and p.abstract.startswith(paper.abstract) for p in whole), cut
        for paper in papers:
            assert paper.organization in (None, Organization("pondlab", "Pond Lab")), (cut, paper.organization)
            assert paper.author_count in (None, 6)


BLOCKS = st.sampled_from(["new", HEADER, "Sleepy Owls", OWLS, LONG, "  • 6 authors\n·\nMay 24", "·", "• 1 authors", "May 24, 2023 2", "x · y", "", " ", "Get trending papers in your email inbox!",
                          "Dec 12", "Subscribe", "\ufeff", "·\n·\n·", "pond Pond Lab\n·\nFeb 30", "newnew", "Is it?"])  # fmt: skip


@given(
    st.lists(BLOCKS | st.text(max_size=30), max_size=14),
    st.sampled_from(["\n", "\n\n", ""]),
    st.none() | st.integers(1990, 2100),
)
def test_any_order_of_blocks_is_read_without_loss_of_order(blocks: list[str], glue: str, year: int | None):
    papers, rejected = read(glue.join(blocks).encode("utf-8", "replace"), year)
    for paper in papers:
        assert paper.title
        assert paper.abstract.strip()
        assert paper.date is None or paper.year == int(paper.date[:4])
    positions = [p.sources[0].position for p in papers]
    assert positions == sorted(set(positions))
    assert all(r.line >= 1 and r.reason for r in rejected)


# --- the seed pages ---

SEEDS = Path(__file__).resolve().parents[2] / "shared" / "seeds"
seeds = pytest.mark.skipif(not any(SEEDS.glob("*.txt")), reason=f"the seed pages are not at {SEEDS}")
DATE_LINE = re.compile(r"^(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{1,2}(, \d{4})?( \d+)?$", re.MULTILINE)


@cache
def seed(path: Path) -> tuple[tuple[Paper, ...], tuple[Rejected, ...]]:
    papers, rejected = read(path.read_bytes())
    return tuple(papers), tuple(rejected)


def seed_papers() -> Iterator[Paper]:
    return (paper for path in sorted(SEEDS.glob("*.txt")) for paper in seed(path)[0])


@seeds
def test_seed_counts():
    assert len(list(seed_papers())) == 167
    assert len({paper.id for paper in seed_papers()}) == 161
    assert [seed(path)[1] for path in sorted(SEEDS.glob("*.txt"))] == [()] * 4
    assert all(600 < len(paper.abstract) < 5_000 for paper in seed_papers())


@seeds
@pytest.mark.parametrize(("number", "lines"), [("000", 34), ("001", 40), ("003", 22), ("004", 0)])
def test_every_date_line_of_the_seed_pages_is_parsed(number: str, lines: int):
    path = next(SEEDS.glob(f"{number}_*.txt"))
    stated = [found.groups() for found in DATE_LINE.finditer(path.read_text(encoding="utf-8"))][
        1:
    ]  # the first is the page's own day
    dated = [paper for paper in seed(path)[0] if paper.date]
    assert len(stated) == len(dated) == lines
    for (month, year, comments), paper in zip(stated, dated, strict=True):
        assert paper.date is not None
        assert MONTHS[int(paper.date[5:7]) - 1] == month
        assert paper.year_inferred == (year is None)
        assert paper.date[:4] == (year.removeprefix(", ") if year else "2025")
        assert paper.comment_count == (int(comments) if comments else None)


MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@seeds
def test_seed_organizations_and_author_counts():
    found = [paper.organization for paper in seed_papers() if paper.organization]
    assert found == [Organization("microsoft", "Microsoft"), Organization("ReactiveAI", "Reactive AI")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(SEEDS.glob("*.txt")))
    assert [p.author_count for p in seed_papers() if p.author_count] == [
        int(n) for n in re.findall(r"^\s*• (\d+) authors$", text, re.MULTILINE)
    ]


@seeds
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=lambda order: "".join(map(str, order)))
def test_metadata_survives_whichever_page_comes_first(order: tuple[int, ...]):
    pages = [seed(path)[0] for path in sorted(SEEDS.glob("*.txt"))]
    merged: dict[str, Paper] = {}
    for paper in itertools.chain.from_iterable(pages[index] for index in order):
        merged[paper.id] = merge_papers(merged[paper.id], paper) if paper.id in merged else paper
    best = {p.id: p for p in seed_papers() if p.date}
    assert {(p.id, p.date, p.author_count, p.organization) for p in merged.values()} == {
        (p.id, *((best[p.id].date, best[p.id].author_count, best[p.id].organization) if p.id in best else (None,) * 3))
        for p in seed_papers()
    }
