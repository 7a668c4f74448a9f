"""References, sloppy ones too, and the papers of the starter shelf they mean."""

import json
from pathlib import Path

import pytest
from fakes import open_shelf, paper

from rag.verify.library import Library
from rag.verify.references import Reference

PAPERS = Path(__file__).parent.parent / "eval" / "datasets" / "papers.jsonl"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The titles of the starter shelf with abstracts cut short, which are quick to store, and some odd ones."""
    titles = [json.loads(line)["title"] for line in PAPERS.read_text(encoding="utf-8").splitlines()]
    odd = [
        paper("CraneNet: Planning Meals", "Crane.", doi="10.1/x.5", arxiv_id="2401.00001v2"),
        paper("Owls, Part 1", "Owl one."),
        paper("Owls, Part 2", "Owl two."),
        paper("Twin: a first", "Twin one."),
        paper("Twin: a second", "Twin two."),
    ]
    with open_shelf(tmp_path_factory.mktemp("library"), [*(paper(title, title) for title in titles), *odd]) as opened:
        yield Library(opened.shelf)


def found(library, reference):
    held = library.paper(reference)
    return held.title if held else None


@pytest.mark.parametrize(
    "form",
    [
        "{}", "A. Owl and B. Bee. {}. In Proc. of Nests, pages 1-9, 2023.", "Owl, A., Bee, B.: {}. In: Nests (2023)",
        "A. Owl, “{},” Nests, vol. 4, 2023.", "Owl A. ({{2023}}) {}. https://nests.org", "{} (2023)", "A. Owl, {}, 2023.",
    ],
)  # fmt: skip
def test_every_title_of_the_shelf_is_found_in_every_form(library, form):
    titles = [json.loads(line)["title"] for line in PAPERS.read_text(encoding="utf-8").splitlines()]
    said = {title: found(library, Reference("1", form.format(title.replace(" -- ", " – ")))) for title in titles}
    assert {title: other for title, other in said.items() if title != other} == {}


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Low-rank linearizing of large language models", None),
        ("LoLCATs. 2024.", "LoLCATs: On Low-Rank Linearizing of Large Language Models"),
        (
            "Zhang: LoLCATs: On low-rank linearising of large langage models",
            "LoLCATs: On Low-Rank Linearizing of Large Language Models",
        ),
        ("A. Owl. On lexinvariant language models of owls. 2023.", None),
        ("A. Owl. Lexinvariant languages. 2023.", None),
        ("Owls, Part 2", "Owls, Part 2"),
        ("A. Owl. Owls, part 3. 2020", None),
        ("Twin. 2020", None),
        ("Survey. 2020", None),
        ("See https://arxiv.org/abs/2401.00001", "CraneNet: Planning Meals"),
        ("Some title. doi:10.1/X.5", None),
        ("", None),
    ],
)
def test_free_text(library, text, title):
    from rag.ingest.identifiers import identifiers

    arxiv_id, doi = identifiers(text)
    assert found(library, Reference("1", text, arxiv_id=arxiv_id, doi=doi)) == title


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("the devil in linear transformers", "The Devil in Linear Transformer"),
        ("CraneNet", "CraneNet: Planning Meals"),
        ("LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale"),
        ("Twin", None),
        ("Language models", None),
        ("Survey of hallucination in natural language understanding", None),
    ],
)  # fmt: skip
def test_titles_of_entries(library, title, expected):
    assert found(library, Reference("key", title, title)) == expected


def test_an_identifier_counts_more_than_words(library):
    assert found(library, Reference("k", "x", "Another title", doi="10.1/x.5")) == "CraneNet: Planning Meals"
    assert found(library, Reference("k", "x", "Another title", arxiv_id="2401.00001")) == "CraneNet: Planning Meals"
