"""What is read of a .bib file, broken ones included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import export
from rag.errors import UsageError
from rag.ingest.tex import detexed
from rag.verify.bibtex import parse, read_bibliography

BIB = r"""
% a remark
@comment{ @article{not, title={this}} }
@preamble{"\newcommand{\x}{y}"}
@string{ jmlr = "Journal of " # {Machines} }
@Article{ marmot2023 ,
  Title  = {{Marmot}: Retrieval {F}rom {Few} Notes},
  author = {M{\"u}ller, J{\'o}zsef and {The Marmot Team} and Anna van der Berg and others},
  year   = 2023,
  month  = feb,
  journal = jmlr # " 4",
  doi = {https://doi.org/10.1234/ABC.5},
}
@misc(crane,
  title = "CraneNet --- planning ``meals'' with \"{u}bung, 50\% off",
  author = "Crane, Carl",
  date = {2024-02-01},
  eprint = {2402.00001v2}, archivePrefix = {arXiv})
@inproceedings{empty}
@book{zebra, editor={Zebra, Zoe}, title={Stripes and {\O}wls}, url={https://arxiv.org/abs/2101.12345}}
"""


def test_fields_of_works():
    marmot, crane, empty, zebra = parse(BIB, "refs.bib")
    assert (marmot.label, marmot.title, marmot.year) == ("marmot2023", "Marmot: Retrieval From Few Notes", "2023")
    assert marmot.surnames == ("Müller", "The Marmot Team", "van der Berg")
    assert (marmot.doi, marmot.arxiv_id, marmot.origin) == ("10.1234/abc.5", None, "refs.bib")
    assert marmot.text == "Müller et al. 2023. Marmot: Retrieval From Few Notes"
    assert crane.title == 'CraneNet — planning "meals" with übung, 50% off'
    assert (crane.label, crane.surnames, crane.year, crane.arxiv_id) == ("crane", ("Crane",), "2024", "2402.00001")
    assert (empty.label, empty.text, empty.title) == ("empty", "empty", "")
    assert (zebra.surnames, zebra.title, zebra.arxiv_id) == (("Zebra",), "Stripes and Øwls", "2101.12345")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("@article{a, title={never closed\n\n@article{b, title={B}}", ["a", "b"]),
        ("@article{a, title={A}, year=2020\n@article{b, title={B}}", ["a", "b"]),
        ('@article{a, title="never closed\n@article{b, title={B}}', ["a", "b"]),
        ("@article{a, title = , year={2020}} @article{b}", ["a", "b"]),
        ("@article{, title={A}} @article{b}", ["b"]),
        ("@article{a, title={B @ C {D}}} trailing @", ["a"]),
        ("no entry at all", []),
        ("@article{a\n", []),
    ],
)
def test_a_broken_entry_takes_no_other_with_it(text, labels):
    assert [item.label for item in parse(text, "x.bib")] == labels


PIECES = st.sampled_from(
    ["@article{", "@string{", "a", "=", "{", "}", '"', ",", "#", "\\", "\n", "title", "author", " and ", "2020", "("]
)


@given(st.lists(PIECES | st.text(max_size=5)).map("".join))
def test_any_text_is_read_to_its_end(text):
    for item in parse(text, "x.bib"):
        assert item.label
        assert item.text


def test_what_export_writes_is_read_back():
    from fakes import MARMOT, paper

    odd = paper("50% of {LLMs} & $x_1$ ~ \\ ^", "An abstract.", authors=("Doe, Jané", "Zoe Van Dyke"), year=2020)
    read = list(parse("\n\n".join(export.to_bibtex([MARMOT, odd])), "x.bib"))
    assert [item.label for item in read] == [MARMOT.id, odd.id]
    assert read[0].title == MARMOT.title
    assert (read[1].surnames, read[1].year) == (("Doe", "Dyke"), "2020")


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), (b"@article{a, title={M\xfcller}}", ":1: this is not UTF-8"), (b"Marmots.", "no BibTeX entry")],
)  # fmt: skip
def test_files_that_are_no_bibliography(tmp_path, content, says):
    path = tmp_path / "refs.bib"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=says) as error:
        read_bibliography(path)
    assert "refs.bib" in str(error.value)


def test_an_empty_file_and_a_byte_order_mark_are_no_fault(tmp_path):
    (tmp_path / "empty.bib").write_bytes(b"\n")
    assert read_bibliography(tmp_path / "empty.bib") == ()
    (tmp_path / "bom.bib").write_bytes(b"\xef\xbb\xbf@misc{a, title={A}}")
    assert [item.label for item in read_bibliography(tmp_path / "bom.bib")] == ["a"]


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"{\"U}ber {LLM}s", "Über LLMs"),
        (r"Erd\H{o}s, Fran\c{c}ois, \v{S}koda, \AA ngstr\"om, \ss", "Erdős, François, Škoda, Ångström, ß"),
        (r"\'{\i}le -- \textit{a} \& b~c", "íle – a & b c"),
        (r"\textbf{\emph{Deep}} $O(n^{2})$", "Deep O(n^2)"),
        ("plain words", "plain words"),
    ],
)
def test_tex_as_people_read_it(tex, said):
    assert detexed(tex) == said
