"""BibTeX as a source: LaTeX decoded, dates and names understood, and a broken entry that costs itself only."""

import pytest
from fakes import read_source, where
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import bibtex
from rag.ingest.tex import detexed

ZOTERO = r"""
% exported by a reference manager
@string{acl = "Proc. of the Owl Society"}
@article{mueller2020,
  title = {{\"U}ber {LLM}s and $x^2$ at 5\%},
  author = "M{\"u}ller, J{\"o}rg and {The Owl Team} and Ann B. van der Berg and Lee, Jr., Bo",
  abstract = {We show that 5\% of \emph{all} owls sleep.
     Erd\H{o}s slept too.},
  year = 2020, month = jan # "~5", journal = acl # ", 4", doi = {https://doi.org/10.1234/X_y},
}
@misc(crane, title = "Crane \textit{Nets}", abstract = "They {\o}ve.", eprint = {2401.00001v3}, archivePrefix = {arXiv},
  author = {Crane, Carl and others}, date = {2024-02-01})
@inproceedings{noabstract, title = {Zebras}, year = {forthcoming 2021}, url = {http://e.example/\~{}z}}
"""


def test_fields():
    (mueller, crane, zebras), rejected = read_source(bibtex, ZOTERO)
    assert rejected == []
    assert (mueller.title, mueller.abstract) == (
        "Über LLMs and x^2 at 5%", "We show that 5% of all owls sleep. Erdős slept too.",
    )  # fmt: skip
    assert mueller.authors == ("Jörg Müller", "The Owl Team", "Ann B. van der Berg", "Bo Lee Jr.")
    assert (mueller.date, mueller.year, mueller.author_count, mueller.doi) == ("2020-01-05", 2020, 4, "10.1234/x_y")
    assert [paper.sources[0].position for paper in (mueller, crane, zebras)] == [4, 11, 13]
    assert (crane.title, crane.abstract, crane.arxiv_id, crane.date) == (
        "Crane Nets", "They øve.", "2401.00001", "2024-02-01",
    )  # fmt: skip
    assert (crane.authors, crane.author_count) == (("Carl Crane",), None)  # "others" are not counted
    assert (zebras.abstract, zebras.year, zebras.url) == ("", 2021, "http://e.example/~z")


@pytest.mark.parametrize(
    ("fields", "date", "year"),
    [
        ("year=2020", None, 2020),
        ("year=2020, month=5", None, 2020),
        ("year=2020, month=5, day=4", "2020-05-04", 2020),
        ("year=2020, month=may, day={4}", "2020-05-04", 2020),
        ("year=2020, month={May}", None, 2020),
        ('year=2020, month="4 May"', "2020-05-04", 2020),
        ("year=2020, month={May--June}", None, 2020),
        ("date={2020-05}", None, 2020),
        ("date={2020-02-30}", None, 2020),
        ("year={in press}", None, None),
    ],
)
def test_dates(fields, date, year):
    ((paper,), _) = read_source(bibtex, f"@misc{{a, title={{A}}, abstract={{B}}, {fields}}}")
    assert (paper.date, paper.year) == (date, year)


@pytest.mark.parametrize(
    ("where_from", "arxiv_id", "doi"),
    [
        ("eprint={2401.00001}", "2401.00001", None),
        ("eprint={hep-th/9901001v2}, archivePrefix={arXiv}", "hep-th/9901001", None),
        ("eprint={12345}, eprinttype={jstor}", None, None),
        ("journal={arXiv preprint arXiv:2401.00001}", "2401.00001", None),
        ("url={https://arxiv.org/pdf/2401.00001v1}", "2401.00001", None),
        ("doi={10.48550/arXiv.2401.00001}", "2401.00001", None),
        ("note={see doi:10.1234/A.b}", None, "10.1234/a.b"),
    ],
)
def test_identifiers(where_from, arxiv_id, doi):
    ((paper,), _) = read_source(bibtex, f"@misc{{a, title={{A}}, abstract={{B}}, {where_from}}}")
    assert (paper.arxiv_id, paper.doi) == (arxiv_id, doi)


def test_a_broken_entry_costs_itself_only_and_keeps_its_text():
    papers, rejected = read_source(
        bibtex,
        "@article{open, title = {Never closed, author={X},\n year = 2021\n}\n"
        "@article{one, title={One}, abstract={A.}}\n@article{, title={No key}}\n@article{notitle, abstract={B.}}\n"
        "@article{gap, title = , year=2020}\n@article{two, title={Two}, abstract={B.}} @misc{three, title={Three}}\n"
        '@article{cut, title={Cut}, abstract = "and then',
    )
    assert [paper.title for paper in papers] == ["One", "Two", "Three"]
    assert where(rejected) == [
        (1, "open: not closed: a brace or comma is missing"),
        (5, "an entry without a key"),
        (6, "notitle: no title"),
        (7, "gap: the value of 'title' is missing or never closed"),
        (9, "cut: the value of 'abstract' is missing or never closed"),
    ]
    assert rejected[0].record.startswith("@article{open, title = {Never closed")
    assert rejected[0].record.endswith("}")


def test_bad_bytes_and_endless_entries():
    good = "@misc{a, title={A}, abstract={B.}}\n"
    papers, rejected = read_source(
        bibtex,
        good.encode() + b"@misc{b, title={M\xfcller}}\n" + b"@misc{c, title={" + b"x" * 100 + b"\n" * 5 + b"y" * 999_950
        + b"\n}}\n" + good.replace("a,", "d,").encode(),
    )  # fmt: skip
    assert len(papers) == 2
    assert [(line, reason[:24]) for line, reason in where(rejected)] == [
        (2, "not UTF-8 text (byte 0xf"), (3, "an entry of more than 1,"),
    ]  # fmt: skip


PIECES = st.sampled_from(["@a{", "@string{", "k,", "title=", "abstract = ", "{", "}", '"', ",", "#", "\\", "\n", "x"])


@given(st.lists(PIECES | st.text(max_size=4)).map("".join))
def test_any_text_is_read_to_its_end(text):
    papers, rejected = read_source(bibtex, text.encode("utf-8", "replace"))
    assert all(paper.title for paper in papers)
    assert all(item.reason for item in rejected)


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (ZOTERO, True), ("@article{a1,\n", True), ("@ARTICLE (a1 ,", True), ("@string{a = 1}", True),
        ("Dear @anna, (see below)", False), ("a@b.example {x,", False), ("", False),
    ],
)  # fmt: skip
def test_looks_like(head, is_one):
    assert bibtex.looks_like(head) is is_one


def test_a_brace_that_is_said_stays_and_one_that_is_meant_goes():
    assert detexed(r"0\textbraceleft{}0 and \textbraceright {LLM}s") == "0{0 and }LLMs"
