"""Markdown and text: where the title and the abstract of a note are, and what is no note on one paper."""

import pytest
from fakes import read_source, where
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import notes

PROSE = "Owls sleep by day, as everybody knows. Some of them only pretend to."


@pytest.mark.parametrize(
    ("text", "title", "abstract"),
    [
        (f"# Sleepy Owls\n\n{PROSE}\n", "Sleepy Owls", PROSE),
        (f"Sleepy Owls\n===========\n\n{PROSE}", "Sleepy Owls", PROSE),
        (f"# Sleepy Owls #\r\n\r\n{PROSE}\r\n", "Sleepy Owls", PROSE),
        (f"---\ntitle: 'Sleepy: Owls'\n---\n{PROSE}", "Sleepy: Owls", PROSE),
        (f"---\ntitle: Sleepy Owls\nabstract: {PROSE}\n---\n# Other heading\nMine.", "Sleepy Owls", PROSE),
        (f"# Sleepy Owls\n\nAnn Bird\n\n## Abstract\n\n{PROSE}\n\n## Notes\n\nMy own.", "Sleepy Owls", PROSE),
        (f"# Sleepy Owls\n\n**Abstract:** {PROSE}\n\n## Notes", "Sleepy Owls", PROSE),
        (
            f"Title: Sleepy Owls\nAuthors: Ann Bird, Bo Lee\nDate: 2024-01-02\n\nAbstract:\n{PROSE}",
            "Sleepy Owls",
            PROSE,
        ),
        (f"Sleepy Owls in Barns\n\n{PROSE}\n\n{PROSE}", "Sleepy Owls in Barns", f"{PROSE}\n\n{PROSE}"),
    ],
)
def test_title_and_abstract(text, title, abstract):
    assert notes.looks_like(text)
    (paper,), rejected = read_source(notes, text)
    assert rejected == []
    assert (paper.title, paper.abstract) == (title, abstract)
    assert paper.sources[0].position == 1


@pytest.mark.parametrize(
    ("front", "wanted"),
    [
        ("authors: [Ann Bird, 'Lee, Bo']", {"authors": ("Ann Bird", "Bo Lee")}),
        ("author: Ann Bird and Bo Lee", {"authors": ("Ann Bird", "Bo Lee")}),
        ("authors:\n  - name: Ann Bird\n  - Bo Lee", {"authors": ("Ann Bird", "Bo Lee")}),
        ("date: 2024-01-02", {"date": "2024-01-02", "year": 2024}),
        ("year: 2024", {"date": None, "year": 2024}),
        ("doi: https://doi.org/10.1234/A", {"doi": "10.1234/a"}),
        ("arxiv: 2401.00001v2", {"arxiv_id": "2401.00001"}),
        (
            "url: https://arxiv.org/abs/2401.00001",
            {"arxiv_id": "2401.00001", "url": "https://arxiv.org/abs/2401.00001"},
        ),
        ("tags: [a, b]\ndate: [broken]", {"date": None}),
    ],
)
def test_front_matter(front, wanted):
    (paper,), _ = read_source(notes, f"---\ntitle: Owls\n{front}\n---\n{PROSE}")
    assert {key: getattr(paper, key) for key in wanted} == wanted


def test_without_a_title_the_file_lends_its_name():
    papers, _ = read_source(notes, PROSE)
    assert [(paper.title, paper.abstract) for paper in papers] == [("f", PROSE)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# Owls\n", "a title and no text below it"),
        ("# Owls\n\n## Abstract\n\n## Notes\nMine.", "a title and no text below it"),
        ("# Owls\n\n" + "owl " * 30_000, "119,999 characters below the title and no section called Abstract"),
        ("# Owls\n\n" + "owl " * 600_000, "more than 2,000,000 characters, which is no note on one paper"),
        (b"# Owls\n\nCaf\xe9", "not UTF-8 text; convert the file to UTF-8"),
    ],
)
def test_what_is_rejected(text, says):
    papers, rejected = read_source(notes, text)
    assert papers == []
    assert where(rejected) == [(1, says)]
    rejected[0].record.encode()


@pytest.mark.parametrize(
    "head",
    [
        "", "one line alone", f"{PROSE}\n\n{PROSE}", "<html>\n\n<p>Owls.</p>", '{"a": 1}', "@article{a,\n\nb}", "a,b,c\n1,2,3\n",
        f"Sleepy Owls\n\n{PROSE}\n\nBusy Bees\n\n{PROSE}",  # two papers, as on a page saved without its header
        f"---\nlayout: page\n---\n{PROSE}", "#!/bin/sh\necho owls\n", "import os\n\ndef owl():\n    return 1\n",
    ],
)  # fmt: skip
def test_what_is_no_note(head):
    assert not notes.looks_like(head)


def test_yaml_makes_no_objects_and_expands_no_bomb():
    for front in (
        "title: !!python/object/apply:os.system ['true']",
        "a: &a [x]\nb: &b [*a, *a]\ntitle: Owls",
        "title: [" * 2_000,
    ):
        papers, rejected = read_source(notes, f"---\n{front}\n---\n# Owls\n\n{PROSE}")
        assert [paper.title for paper in papers] == ["Owls"]
        assert rejected == []


@given(
    st.lists(
        st.sampled_from(["---\n", "# ", "title: ", "Abstract", ":", "\n", "x", "=", "\r\n", "&a", "*a", "[", "{"])
        | st.text(max_size=3)
    )
)
def test_any_text_is_read_to_its_end(parts):
    papers, rejected = read_source(notes, "".join(parts).encode("utf-8", "replace"))
    assert len(papers) + len(rejected) == 1
    assert all(paper.title and paper.abstract for paper in papers)
