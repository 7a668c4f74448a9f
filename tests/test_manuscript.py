"""A draft of the user's own against a small shelf: what counts as a sentence, which paper it is held against."""

import json

import pytest
from fakes import CRANE, MARMOT, STORK, ZEBRA, open_shelf, paper

from rag import cli
from rag.retrieve.retriever import Retriever
from rag.types import Check, Verdict
from rag.verify.library import Library
from rag.verify.manuscript import check_manuscript

DRAFT = """# Marmots and what they increase

Marmot increases recall
by 4.5 points over BM25 [1]. The model needs
labelled data [@marmot2023; @doe, p. 3].

```python
code = "Zebra stripes confuse biting flies."
```

- Training takes 18 hours on a single machine [1, 2].
* Guests preferred the menus of [CraneNet](https://example.com/7)[^2] in 71% of dinners.
  It was trained on 9,000 recipes \\citep[see][]{crane}.
1. Zebra stripes confuse biting flies [2–4].

> Bird songs are turned into sheet music
> by the Stork compiler.

| Owls sleep in barns | and eat mice |
![Owls sleep in barns](owl.png)
<!-- Owls sleep in barns. -->
---
Bees sort pollen by colour every morning.
"""
EXPECTED = [
    ("Marmot increases recall by 4.5 points over BM25.", "Marmot", "supported"),
    ("The model needs labelled data.", "Marmot", "contradicted"),
    ("Training takes 18 hours on a single machine.", "Marmot", "unsupported"),
    ("Guests preferred the menus of CraneNet in 71% of dinners.", "CraneNet", "supported"),
    ("It was trained on 9,000 recipes.", "CraneNet", "supported"),
    ("Zebra stripes confuse biting flies.", "Zebra", "supported"),
    ("Bird songs are turned into sheet music by the Stork compiler.", "The Stork", "supported"),
    ("Bees sort pollen by colour every morning.", None, "unsupported"),
]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    with open_shelf(tmp_path_factory.mktemp("manuscript")) as opened:
        yield opened


def test_every_sentence_meets_its_paper(assistant):
    found = assistant.check(DRAFT)
    assert [item.sentence for item in found] == [sentence for sentence, _, _ in EXPECTED]
    for item, (sentence, title, verdict) in zip(found, EXPECTED, strict=True):
        assert item.check.verdict == verdict, item
        assert title is None or item.paper.title.startswith(title)
        assert DRAFT[item.start : item.end].split()[0] == sentence.split()[0]
        assert DRAFT[item.start : item.end].endswith(".")
        assert item.paper.abstract[item.check.start : item.check.end] == item.check.quote
    assert "18" in found[2].check.reason


def test_a_text_without_prose_has_no_findings(assistant):
    assert assistant.check("") == []
    assert (
        assistant.check("# Title\n\nSetext title of it\n======\n\n~~~\nOwls sleep in barns.\n~~~\n\nYes. [1]\n") == []
    )


LIST = """
## References

[1] A. Marmot and B. Roe, “Marmot: Retrieval from few notes,” 2023.
[2] Carl Crane. CraneNet - planning meals. In Proc. of Kitchens, 2024.
[3] Nobody. A paper that is on no shelf. 2020.
[4] Zebra stripes against biting flies. https://zebra.org
"""


def checked(assistant, text, **more):
    return assistant.check(f"{text}\n{LIST}", **more)


def test_a_sentence_is_held_against_what_it_cites(assistant):
    first, second, third, fourth = checked(
        assistant,
        "Marmot increases recall by 4.5 points over BM25 [1]. Marmot increases recall by 9.5 points over BM25 [1]."
        " Zebra stripes confuse biting flies [2]. Guests preferred its menus in 71% of dinners [2, 4].",
    )
    assert (first.paper.id, first.check.verdict) == (MARMOT.id, "supported")
    assert (second.paper.id, second.check.verdict, second.suggestion) == (MARMOT.id, "unsupported", None)
    assert (third.paper.id, third.check.verdict) == (CRANE.id, "unsupported")
    assert third.check.reason.startswith("[2] does not say this; “Zebra Stripes Against Biting Flies” does")
    other, why = third.suggestion
    assert (other.id, why.verdict, why.quote) == (ZEBRA.id, "supported", "Zebra stripes confuse biting flies.")
    assert (fourth.paper.id, fourth.check.verdict) == (CRANE.id, "supported")
    assert [(cited.marker, cited.paper.id) for cited in fourth.citations] == [("[2]", CRANE.id), ("[4]", ZEBRA.id)]
    assert all(
        cited.paper.abstract[cited.check.start : cited.check.end] == cited.check.quote for cited in fourth.citations
    )


def test_what_is_not_on_the_shelf_is_unchecked_and_named(assistant):
    missing, unknown, mixed = checked(
        assistant,
        "Owls sleep in barns at noon [3]. Owls sleep in barns at noon [7]. Owls sleep in barns at noon [1, 3].",
    )
    assert (missing.paper, missing.check.verdict, missing.check.score) == (None, "unchecked", 0.0)
    assert missing.check.reason == "[3] is not on the shelf: Nobody. A paper that is on no shelf. 2020"
    assert unknown.check.reason == "the reference list has no [7]"
    assert (mixed.paper.id, mixed.check.verdict) == (MARMOT.id, "unsupported")
    assert "[3] is not on the shelf" in mixed.check.reason


def test_papers_that_say_it_together(assistant):
    said = "Zebra stripes confuse biting flies, and CraneNet plans meals that simmer for hours"
    (found,) = checked(assistant, f"{said} [2, 4].")
    assert found.check.verdict == "supported", found
    assert found.paper.id in (CRANE.id, ZEBRA.id)
    assert found.paper.abstract[found.check.start : found.check.end] == found.check.quote != ""


BIB = """
@misc{marmot, title={{Marmot}: Retrieval from Few Notes}, author={Marmot, Ada and Roe, Bo and Poe, C.}, year={2023}}
@misc{crane, title={CraneNet}, author={Carl Crane}, year={2024}}
@misc{other, title={On no shelf}, author={Nobody, N.}, year={2020}}
"""


@pytest.mark.parametrize(
    ("marker", "papers"),
    [
        ("[@marmot]", [MARMOT.id]),
        ("\\citep[p. 3]{marmot,crane}", [MARMOT.id, CRANE.id]),
        ("(Marmot et al., 2023; Crane, 2024)", [MARMOT.id, CRANE.id]),
        ("[@other; @crane]", [None, CRANE.id]),
        ("(Owl et al., 2023)", [None]),
        ("[@nobody]", [None]),
        (f"\\cite{{{STORK.id}}}", [STORK.id]),
    ],
)
def test_keys_and_authors_of_a_bibliography(assistant, tmp_path, marker, papers):
    (tmp_path / "refs.bib").write_text(BIB, encoding="utf-8")
    (found,) = assistant.check(f"Owls sleep in barns {marker}.", bib=tmp_path / "refs.bib")
    assert found.sentence == "Owls sleep in barns."
    assert [cited.paper and cited.paper.id for cited in found.citations] == papers


def test_latex_is_known_by_its_commands(assistant):
    text = "\\section{Owls}\n\\emph{Marmot} increases recall by 4.5~points over BM25.% a remark\n"
    (found,) = assistant.check(text)
    assert (found.sentence, found.check.verdict) == ("Marmot increases recall by 4.5 points over BM25.", "supported")
    assert text[found.start : found.end] == "Marmot} increases recall by 4.5~points over BM25."
    assert assistant.check(text, tex=False)[0].sentence != found.sentence


def test_authors_that_the_shelf_knows(tmp_path):
    own = paper("Owls At Noon", "Owls sleep in barns at noon.", authors=("Ann Owl", "Bea Poe"), year=2020)
    with open_shelf(tmp_path, [own, CRANE]) as opened:
        found = opened.check("Owl and Poe (2020) say that owls sleep at noon. Fox (2020) says that nobody sleeps.")
    assert [[cited.paper.id for cited in item.citations] for item in found] == [[own.id], []]


class Script:
    """Gives its checks in turn, keeps what it was asked, and fails at its end."""

    def __init__(self, *verdicts):
        self.verdicts, self.asked = list(verdicts), []

    def prepare(self, source):
        return source

    def check_prepared(self, claim, sources):
        return [self.check(claim, source) for source in sources]

    def check(self, claim, source):
        self.asked.append((claim, source))
        verdict, score = self.verdicts.pop(0)
        return Check(verdict, score, source[:5], 0, 5, f"{verdict} {score}")


S, C, U = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    ("verdicts", "best", "score"),
    [
        ([(S, 0.6), (S, 0.9)], S, 0.9),
        ([(U, 0.4), (S, 0.6)], S, 0.6),
        ([(U, 0.4), (U, 0.3), (S, 0.8)], S, 0.8),  # the third is both together
        ([(U, 0.4), (C, 0.1), (U, 0.3), *[(U, 0.1)] * 2], C, 0.1),
        ([(C, 0.4), (U, 0.3), (C, 0.9), (S, 0.6), (S, 0.7)], C, 0.4),
    ],
)
def test_the_best_verdict_counts_and_no_more_is_asked(assistant, verdicts, best, score):
    shelf, script = assistant.shelf, Script(*verdicts)
    manuscript = assistant.manuscript(f"Owls sleep in barns [1, 2].\n{LIST}")
    (found,) = check_manuscript(manuscript, Library(shelf), Retriever(shelf), script)
    assert (found.check.verdict, found.check.score) == (best, score)
    assert not script.verdicts
    assert {claim for claim, _ in script.asked} == {"Owls sleep in barns."}
    assert [source for _, source in script.asked[:2]] == [MARMOT.abstract, CRANE.abstract]
    if len(verdicts) > 2:
        assert script.asked[2][1] == f"{MARMOT.abstract}\n\n{CRANE.abstract}"
    assert (found.suggestion is not None) == (len(verdicts) > 3 and verdicts[-1][0] is S)


def test_plain_values_hold_both_places(assistant):
    draft = f"Zebra stripes confuse biting flies [2].\n{LIST}"
    (row,) = [item.to_dict() for item in assistant.check(draft)]
    assert list(row) == [
        "sentence", "start", "end", "line", "paper", "verdict", "score", "quote", "quote_start", "quote_end", "reason",
        "cited", "citations", "suggestion",
    ]  # fmt: skip
    assert draft[row["start"] : row["end"]] == "Zebra stripes confuse biting flies [2]."
    assert CRANE.abstract[row["quote_start"] : row["quote_end"]] == row["quote"]
    (cited,), other = row["citations"], row["suggestion"]
    assert (cited["marker"], cited["paper"]["id"], cited["verdict"]) == ("[2]", CRANE.id, "unsupported")
    assert ZEBRA.abstract[other["quote_start"] : other["quote_end"]] == other["quote"]
    json.dumps(row)


def test_it_is_the_command_too(assistant, tmp_path, capsys):
    (tmp_path / "draft.md").write_text(DRAFT, encoding="utf-8")
    assistant.close()  # the command opens the shelf itself
    folder = str(assistant.folder)
    assert cli.main(["check", str(tmp_path / "draft.md"), "--json", "--shelf", folder]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["sentence"], row["verdict"]) for row in rows] == [(said, verdict) for said, _, verdict in EXPECTED]
    assert rows[0]["paper"] == {"id": MARMOT.id, "title": MARMOT.title}
    assert rows[3]["quote"] in CRANE.abstract
    assert cli.main(["check", str(tmp_path / "draft.md"), "--shelf", folder]) == 0
    said = capsys.readouterr().out
    assert said.endswith("5 of 8 sentences supported by the shelf\n")
    assert str(Verdict.CONTRADICTED) in said
