"""Reference lists of drafts, and the works that markers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.identifiers import identifiers
from rag.verify.markers import Key
from rag.verify.references import SHELF, Reference, References, read_list


def labels(text):
    return [(item.label, item.text) for item in read_list(text)[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Prose. [1]\n\n## References\n\n[1] A. Owl. Sleep. 2020.\n[2] Bees,\n  wrapped.\n", [("1", "A. Owl. Sleep. 2020."), ("2", "Bees, wrapped.")]),
        ("# 5. Bibliography\n1. Owls\n2. Bees\n\n# Appendix\n3. Mice", [("1", "Owls"), ("2", "Bees")]),
        ("References\n==========\n\n1. Owls\n1. Bees", [("1", "Owls"), ("2", "Bees")]),
        ("**References**\n- [a] Owls\n- [b] Bees", [("a", "Owls"), ("b", "Bees")]),
        ("Works cited:\n\n* Owl, A. Sleep.\n* Bee, B. Pollen.", [("", "Owl, A. Sleep."), ("", "Bee, B. Pollen.")]),
        ("## References\n\nOwl, A. Sleep.\nGoes on.\n\nBee, B. Pollen.", [("", "Owl, A. Sleep. Goes on."), ("", "Bee, B. Pollen.")]),
        ("## References\nOwl, A. Sleep.\nBee, B. Pollen.", [("", "Owl, A. Sleep."), ("", "Bee, B. Pollen.")]),
        ("Prose it is.\n\n[1] Owls\n[2] Bees\n\n[3] Mice", [("1", "Owls"), ("2", "Bees"), ("3", "Mice")]),
        ("Prose it is.\n\n[1] show that owls sleep.", []),
        ("[1] Owls sleep.\n\nProse at the end.", []),
        ("Prose.[^a]\n\n[^a]: Owls\n    wrapped\n[1]: http://arxiv.org/abs/2301.00001\n\nMore.", [("^a", "Owls wrapped"), ("1", "http://arxiv.org/abs/2301.00001")]),
        ("x\\begin{thebibliography}{9}\n\\bibitem[Owl(2020)]{owl} A. Owl. \\newblock {\\em Sleep}. 2020.\n\\bibitem{bee}\nB.\n\\end{thebibliography}", [("owl", "A. Owl. Sleep. 2020."), ("bee", "B.")]),
        ("\\begin{thebibliography}{9} never closed", []),
        ("\\section*{References}\n[1] Owls\n\\section{Next}", [("1", "Owls")]),
        ("The references are many.\nReferences help.", []),
        ("## References", []),
    ],
)  # fmt: skip
def test_lists(text, expected):
    assert labels(text) == expected


def test_what_belongs_to_the_list_is_told():
    text = "Prose it is.\n\n## References\n\n[1] Owls\n\n## Appendix\n\nMore prose."
    ((start, stop),) = read_list(text)[1]
    assert text[start:stop] == "## References\n\n[1] Owls\n\n"


@given(st.text(alphabet="[]1. ^:aA\n#References-*", max_size=80))
def test_parts_of_any_text_lie_within_it(text):
    found, parts = read_list(text)
    assert all(0 <= start < stop <= len(text) for start, stop in parts)
    assert parts or not found


@pytest.mark.parametrize(
    ("text", "arxiv", "doi"),
    [
        ("arXiv:2410.10254v2, 2024", "2410.10254", None),
        ("arXiv preprint arXiv:2410.10254", "2410.10254", None),
        ("https://arxiv.org/pdf/2410.10254", "2410.10254", None),
        ("CoRR, abs/2410.10254", "2410.10254", None),
        ("arXiv:cs.CL/0101001", "cs.CL/0101001", None),
        ("https://doi.org/10.18653/v1/2020.acl-main.1.", None, "10.18653/v1/2020.acl-main.1"),
        ("doi:10.48550/arXiv.2410.10254", "2410.10254", None),
        ("pages 2410.10254, no such thing", None, None),
    ],
)
def test_identifiers(text, arxiv, doi):
    assert identifiers(text) == (arxiv, doi)


def names(*surnames, year="2023", others=False):
    return Key("", "", surnames, year, others)


WORKS = References(
    [
        Reference("a", "", "A", ("Smith", "Doe", "Roe"), "2023", origin="refs.bib"),
        Reference("b", "", "B", ("Smith",), "2023", origin="refs.bib"),
        Reference("c", "", "C", ("Müller", "Doe"), "2020", origin="refs.bib"),
        Reference("1", "J. P. Owl, A. Bee and C. Mouse. Of sleep. 2021."),
        Reference("2", "Bee, B., Fox, C. (2021a). Of owl pollen."),
        Reference("d0", "", "D", ("Elk",), "2019", origin=SHELF),
    ]
)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (names("Smith", others=True), ["a"]),
        (names("Smith"), ["b"]),
        (names("Smith", "Doe"), ["a"]),
        (names("Smith", "Roe"), []),
        (names("Smith", year="2022"), []),
        (names("Muller", "Doe", year="2020b"), ["c"]),
        (names("Owl", year="2021", others=True), ["1"]),
        (names("Bee", "Fox", year="2021a"), ["2"]),
        (names("Mouse", year="2021"), []),
        (names("Elk", year="2019"), ["d0"]),
        (Key("[2]", "2"), ["2"]),
        (Key("[3]", "3"), []),
    ],
)
def test_works_that_a_marker_means(key, expected):
    assert [item.label for item in WORKS.of(key)] == expected


def test_who_should_have_told():
    assert WORKS.origin(Key("[3]", "3")) == "the reference list"
    assert WORKS.origin(Key("x", "x")) == "refs.bib"
    assert WORKS.origin(names("Nobody")) == "refs.bib"
    only_list = References([Reference("1", "Owls")])
    assert only_list.origin(Key("x", "x")) is None
    assert References().origin(Key("[1]", "1")) is None
    assert References([Reference("d0", "", "D", ("Elk",), "2019", origin=SHELF)]).origin(names("Elk")) is None
