"""Near-duplicates of one paper, and siblings that must be kept apart."""

import pytest
from fakes import paper
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.identifiers import without_version
from rag.ingest.match import Index, alike, blocks, distinct_id, same, squashed

SAYS = "We train owls on three thousand hand-written notes and measure how often they sleep by day in heated barns."
REVISED = (
    "We train owls on four thousand hand-written notes and measure how often they really sleep by day in heated barns."
)
OTHER = "Bees sort pollen by colour faster than any machine, as our experiments in twelve gardens of one city show."


@pytest.mark.parametrize(
    ("one", "two"),
    [
        # identifiers, however they are written
        (("A", "x", {"arxiv_id": "2401.00001v2"}), ("B", "y", {"arxiv_id": "arXiv:2401.00001"})),
        (("A", "x", {"arxiv_id": "solv-int/9701001v1"}), ("B", "y", {"arxiv_id": "solv-int/9701001"})),
        (("A", "x", {"doi": "10.1234/X"}), ("B", "y", {"doi": "https://doi.org/10.1234/x"})),
        (("A", "x", {"doi": "10.48550/arXiv.2401.00001"}), ("B", "y", {"arxiv_id": "2401.00001"})),
        # titles but for case, marks, hyphens, accents, LaTeX and version
        (("Pre-Training of Owls", SAYS, {}), ("Pretraining of owls.", SAYS, {})),
        (("Schrödinger's Owls", SAYS, {}), ("Schrodinger’s owls", SAYS, {})),
        (("Owls at $O(n)$", SAYS, {}), ("Owls at O(n)", SAYS, {})),
        (("Sleepy Owls (v2)", SAYS, {}), ("Sleepy Owls", REVISED, {})),
        (("Sleepy Owls [Extended Version]", SAYS, {}), ("Sleepy Owls", SAYS, {})),
        # slips, where the abstract bears it out
        (("Sleepy Owls in Heated Barns", SAYS, {}), ("Sleepy Owls in Heated Bans", REVISED, {})),
        (("Optimization of Owls", SAYS, {}), ("Optimisation of Owls", SAYS, {"authors": ("Ann Bird",)})),
        (("Owlet: Sleep Without Night", SAYS, {}), ("Owlet", SAYS, {})),
        # a preprint and the journal's version
        (("Owls", SAYS, {"doi": "10.1/a", "authors": ("A. Bird",)}), ("Owls", OTHER, {"doi": "10.1/b", "authors": ("Bird, Ann",)})),
        # one title and two abstracts: the second is another wording
        (("Owls", SAYS, {}), ("Owls", OTHER, {})),
        (("Owls", SAYS, {"authors": ("A. Bird",)}), ("Owls", "", {"authors": ("C. Fox",)})),
    ],
)  # fmt: skip
def test_records_of_one_paper(one, two):
    first, second = (paper(title, abstract, **more) for title, abstract, more in (one, two))
    assert same(first, second)
    assert same(second, first)
    index = Index()
    index.add(paper("Something Else", OTHER))
    index.add(first)
    assert index.find(second) == first


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("Owls", SAYS, {"arxiv_id": "2401.00001"}), ("Owls", SAYS, {"arxiv_id": "2401.00002v1"})),
        (("Sleepy Owls Part 1", SAYS, {}), ("Sleepy Owls Part 2", SAYS, {})),
        (("Sleepy Owls Part I", SAYS, {}), ("Sleepy Owls Part II", SAYS, {})),
        (("Sleepy Owls Part One", SAYS, {}), ("Sleepy Owls Part Two", SAYS, {})),
        (("Owl 3.5: A Report", SAYS, {}), ("Owl 3.6: A Report", SAYS, {})),
        (("Owl-2 Technical Report", SAYS, {}), ("Owl Technical Report", SAYS, {})),
        (("Supervised Learning of Owls", SAYS, {}), ("Unsupervised Learning of Owls", SAYS, {})),
        (("Linear Models of Owls", SAYS, {}), ("Nonlinear Models of Owls", SAYS, {})),
        (("Owls by Day", SAYS, {}), ("Owls by Night", SAYS, {})),
        (("Optimization of Owls", SAYS, {}), ("Optimisation of Owls", OTHER, {})),
        (("Optimization of Owls", SAYS, {"authors": ("A. Bird",)}), ("Optimisation of Owls", SAYS, {"authors": ("C. Fox",)})),
        (("Owls", SAYS, {"authors": ("A. Bird",)}), ("Owls", OTHER, {"authors": ("C. Fox",)})),
        (("Owls", SAYS, {"doi": "10.1234/a"}), ("Owls", OTHER, {"doi": "10.1234/b"})),
        (("Optimization of Owls", SAYS, {}), ("Optimisation of Owls", "", {})),
        (("!!!", SAYS, {}), ("Owls", SAYS, {})),
    ],
)  # fmt: skip
def test_siblings_stay_apart(one, two):
    first, second = (paper(title, abstract, **more) for title, abstract, more in (one, two))
    assert not same(first, second)
    assert not same(second, first)
    index = Index()
    index.add(first)
    assert index.find(second) is None
    assert index.id_for(second) != first.id


def test_the_second_of_one_title_gets_an_id_of_its_own_that_stays():
    second = paper("Owls", OTHER, doi="10.1234/b")
    assert distinct_id(second) == distinct_id(paper("OWLS!", OTHER, doi="https://doi.org/10.1234/B"))
    assert distinct_id(second) not in (second.id, distinct_id(paper("Owls", SAYS, doi="10.1234/a")))


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("2401.00001v12", "2401.00001"), ("arXiv:2401.00001", "2401.00001"), ("https://arxiv.org/pdf/2401.00001v2.pdf", "2401.00001"),
        ("hep-th/9901001v1", "hep-th/9901001"), ("solv-int/9701001", "solv-int/9701001"), ("math.GT/0309136", "math.gt/0309136"),
        ("unknown-v7", "unknown-"), ("", ""),
    ],
)  # fmt: skip
def test_arxiv_ids_without_version(written, bare):
    assert without_version(written) == bare


TITLE = st.lists(
    st.sampled_from(["owls", "sleep", "learning", "supervised", "of", "2", "II", "barns:", "(v2)", "é"]), max_size=6
).map(" ".join)


@given(TITLE, TITLE)
def test_likeness_is_mutual_and_shares_a_block(one, two):
    assert alike(one, two) == alike(two, one)
    if squashed(one) == squashed(two):
        assert set(blocks(paper(one, "x"))) & set(blocks(paper(two, "x"))) or not squashed(one)
