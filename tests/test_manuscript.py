"""A draft of the user's own against a small shelf: what counts as a sentence, which paper it is held against."""

import json

import pytest
from fakes import CRANE, MARMOT, open_shelf
from hypothesis import given
from hypothesis import strategies as st

from rag import cli
from rag.types import Verdict
from rag.verify.manuscript import _prose

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


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One two three. Four five six.", ["One two three.", "Four five six."]),
        ("One two\nthree four.", ["One two\nthree four."]),
        ("One two three\r\n\r\nFour five six", ["One two three", "Four five six"]),
        ("One two three\n# Four five six\nSeven eight nine", ["One two three", "Seven eight nine"]),
        ("- one two three\n- four five six\n  and seven", ["one two three", "four five six\n  and seven"]),
        ("1. one two three\n12) four five six", ["one two three", "four five six"]),
        ("> one two three.\n>\n> four five six.", ["one two three.", "four five six."]),
        ("one two three\n```\nfour five six\n```\nseven eight nine", ["one two three", "seven eight nine"]),
        ("```\nnever closed again here", []),
        ("One two. Three four five.", ["Three four five."]),
        ("2023 is the year of it", ["2023 is the year of it"]),
        ("-5 degrees is too cold", ["-5 degrees is too cold"]),
    ],
)
def test_sentences_of_prose(text, sentences):
    assert [text[start:end] for start, end in _prose(text)] == sentences


LINE = st.sampled_from(
    ["Owls sleep in barns. ", "- one two three", "# head of it", "```", "", "> a b c d", "===", "a b"]
)


@given(st.lists(LINE | st.text(max_size=30)).map("\n".join))
def test_sentences_are_in_order_and_apart(text):
    at = 0
    for start, end in _prose(text):
        assert at <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        at = end


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
