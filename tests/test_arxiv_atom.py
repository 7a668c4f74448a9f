"""Atom feeds: entries one by one, broken ones alone, and entity bombs never expanded."""

import time

import pytest
from fakes import read_source, where
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest import arxiv_atom

OPEN = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n<title>ArXiv Query</title>\n'
)


def entry(number="2401.00001v2", title="Sleepy\n  Owls", summary="Owls &amp; others\nsleep.", more=""):
    return (
        f"<entry>\n<id>http://arxiv.org/abs/{number}</id><updated>2024-05-01T00:00:00Z</updated><published>2024-01-02T03:04:05Z</published>"
        f"<title>{title}</title><summary>  {summary}\n</summary><author><name>Ann Bird</name></author><author><name>Bo L\\'ee</name></author>{more}</entry>\n"
    )


DOI = '<arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1234/OWL</arxiv:doi>'
LINKS = '<link href="http://arxiv.org/pdf/2401.00001v2" rel="related"/><link href="https://arxiv.org/abs/2401.00001v2" rel="alternate"/>'


def test_fields():
    feed = OPEN + entry(more=DOI + LINKS) + entry("cs/0101001v1", "Bees", "They buzz.") + "</feed>"
    assert arxiv_atom.looks_like(feed)
    (owls, bees), rejected = read_source(arxiv_atom, feed)
    assert rejected == []
    assert (owls.title, owls.abstract, owls.authors) == ("Sleepy Owls", "Owls & others sleep.", ("Ann Bird", "Bo Lée"))
    assert (owls.arxiv_id, owls.doi, owls.date, owls.year) == ("2401.00001", "10.1234/owl", "2024-01-02", 2024)
    assert (owls.url, bees.url) == ("https://arxiv.org/abs/2401.00001v2", "http://arxiv.org/abs/cs/0101001v1")
    assert (bees.arxiv_id, [paper.sources[0].position for paper in (owls, bees)]) == ("cs/0101001", [4, 9])


def test_other_prefixes_and_content_in_place_of_a_summary():
    feed = (
        '<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:id>x</a:id><a:title>Owls</a:title>'
        "<a:content>They <b>sleep</b>.</a:content></a:entry></a:feed>"
    )
    (paper,), rejected = read_source(arxiv_atom, feed)
    assert (paper.title, paper.abstract, rejected) == ("Owls", "They sleep.", [])


def test_a_broken_entry_costs_itself_only():
    feed = (
        OPEN
        + entry()
        + entry(title="A & B")
        + entry(title="")
        + entry("3", "Otters <i>", "x")
        + entry("4", "Last", "It is.")
    )
    papers, rejected = read_source(arxiv_atom, feed + "<entry>\n<id>5</id><title>Cut o")
    assert [paper.title for paper in papers] == ["Sleepy Owls", "Last"]
    assert [(line, reason[:19]) for line, reason in where(rejected)] == [
        (9, "not well-formed XML"), (13, "no title"), (17, "not well-formed XML"), (23, "the feed ends in th"),
    ]  # fmt: skip
    assert "A & B" in rejected[0].record


def test_an_answer_that_is_an_error():
    feed = (
        OPEN
        + "<entry><id>http://arxiv.org/api/errors#bad</id><title>Error</title><summary>bad start</summary></entry></feed>"
    )
    assert where(read_source(arxiv_atom, feed)[1]) == [(4, "arXiv answered with an error: bad start")]


BOMB = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(20))


@pytest.mark.parametrize(
    "prolog",
    [
        f'<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY e0 "owl">{BOMB}]>',
        '<!DOCTYPE feed SYSTEM "file:///etc/passwd">',
        '<!doctype feed [<!ENTITY e20 SYSTEM "file:///etc/passwd">]>',
        f"<!-- {'x' * 200_000} --><!DOCTYPE feed [{BOMB}]>",
    ],
)
def test_entities_are_never_declared(prolog):
    feed = f'{prolog}<feed xmlns="http://www.w3.org/2005/Atom">{entry(summary="&e20;")}</feed>'
    began = time.process_time()
    papers, rejected = read_source(arxiv_atom, feed)
    assert (papers, where(rejected)) == (
        [], [(1, "a document type with declarations, which may expand without end, is not read")],
    )  # fmt: skip
    assert time.process_time() - began < 60


def test_entities_within_an_entry_are_unknown():
    for hostile in ("&e20;", "<!DOCTYPE x [<!ENTITY a 'b'>]>&a;"):
        papers, rejected = read_source(
            arxiv_atom, OPEN + entry(summary=hostile) + entry("2", "Good", "Yes.") + "</feed>"
        )
        assert [paper.title for paper in papers] == ["Good"]
        assert rejected[0].reason.startswith("not well-formed XML")


def test_an_endless_entry():
    feed = OPEN + "<entry>" + "x" * 2_500_000 + "</entry>" + entry() + "</feed>"
    papers, rejected = read_source(arxiv_atom, feed)
    assert [paper.title for paper in papers] == ["Sleepy Owls"]
    assert {reason for _, reason in where(rejected)} == {"an entry of more than 1,000,000 characters"}


PIECES = [
    "<entry>",
    "</entry>",
    "<id>",
    "</id>",
    "<title>",
    "</title>",
    "x",
    "&amp;",
    "&x;",
    "<",
    "</feed>",
    "\n",
    "<!DOCTYPE",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join))
def test_any_text_is_read_to_its_end(text):
    papers, _ = read_source(arxiv_atom, (OPEN + text).encode("utf-8", "replace"))
    assert all(paper.title for paper in papers)
