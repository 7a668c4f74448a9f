"""Nothing in a paper may drive a terminal, a page, a spreadsheet or BibTeX."""

import html
import json
import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag import findings, render
from rag.ingest.sentences import split_sentences
from rag.types import (
    Answer,
    Check,
    Citation,
    Claim,
    Evidence,
    Organization,
    Paper,
    Role,
    Sentence,
    Span,
    Support,
    Verdict,
)
from rag.verify.manuscript import Cited, Finding

ESCAPES = "\x1b[31mred\x1b]0;title\x07 \x9b1m\x08\x7f\r\u202erev\u2066x\u0000"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = [
    "<script>x()</script>", "<img src=x onerror=y>", "![a](http://e.example/a.png)", "[a](http://e.example)", "[1]",
    "(http://e.example)", "[a]: http://e.example", "[1]: http://e.example", "[1]:\nhttp://e.example", "[a][1]", "[1][a]",
    "<http://e.example>", "`", "```", "    ", "*", "_", "**", "\\", "~~", "&lt;", "&#60;b&#62;", "|a|b|\n|-|-|", "\n", "\n\n", "- ",
    "> ", "# ", "===", "---", "1. ", "[", "]", "(", ")", "!", ":", "<", ">", "\"", "'", " ", "a", "1", "【1】", "\t", "<!--", "</p>",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=4), max_size=14).map("".join)


def answer_of(text="Owls sleep [1].", title="Owls", abstract="Owls sleep.", **more):
    paper = Paper("p", title, abstract, **more)
    citation = Citation(1, paper, abstract, 0, len(abstract))
    claims = (
        Claim("Owls sleep", 0, 10, (1,), Verdict.SUPPORTED, 0.9, support=(Support(1, True, True, Verdict.SUPPORTED),)),
        Claim(text, 0, 0, (), Verdict.UNSUPPORTED, 0.0, text),
    )
    return Answer("q", "answered", text, None, claims, (citation,), ((paper, 1.0),))


def found(paper, *spans):
    return Evidence(paper, 0.5, 0.5, 0.0, 0.0, spans=tuple(Span(*span) for span in spans))


@pytest.mark.parametrize("place", ["text", "title", "abstract"])
def test_terminal_text_holds_no_control_characters(place):
    answer = answer_of(**{place: f"Owls {ESCAPES} sleep."})
    paper = answer.papers[0][0]
    check = Check(Verdict.CONTRADICTED, 0.1, paper.abstract, 0, 5, answer.text)
    cited = Cited(answer.text, answer.text, paper, check)
    finding = Finding(answer.text, 0, 5, paper, check, 1, answer.text, (cited,), (paper, check))
    for said in (
        render.to_terminal(answer),
        render.search_to_terminal([found(paper, (0, len(paper.abstract)))]),
        findings.to_terminal(finding),
    ):
        assert "Owls" in said
        assert not CONTROL.search(said)
    colored = render.to_terminal(answer, color=True)
    assert re.fullmatch(r"(?:[^\x1b]|\x1b\[\d*m)*", colored)
    assert not CONTROL.search(re.sub(r"\x1b\[\d*m", "", colored))


@given(st.text())
def test_plain_keeps_everything_else(text):
    assert render.plain(text) == "".join(c for c in text if c == "\t" or not CONTROL.match(c))


def test_terminal_answer():
    said = render.to_terminal(answer_of(year=2021), width=60)
    assert said.startswith(
        "Owls sleep [1].\n\nEvidence\n  [1] Owls (2021), characters 0-11: ✓ supported\n      “Owls sleep.”\n"
    )
    assert "1 of 2 statements supported by the words they cite" in said
    assert all(len(line) <= 60 for line in render.to_terminal(answer_of("word " * 80), width=60).split("\n"))


@pytest.mark.parametrize(
    ("support", "said"),
    [
        (Support(1, True, True, Verdict.CONTRADICTED), "✗ contradicted"),
        (Support(1, True, True, Verdict.UNSUPPORTED), "✓ supported together with others, not by this alone"),
        (Support(1, True, False, Verdict.UNSUPPORTED, 0.0, "its quote does not stand there"), "? its quote does not"),
    ],
)
def test_a_citation_is_told_by_what_it_bears_out_itself(support, said):
    answer = answer_of()
    verdict = support.verdict if support.verdict is Verdict.CONTRADICTED else Verdict.SUPPORTED
    claim = replace(answer.claims[0], verdict=verdict, support=(support,))
    assert f"characters 0-11: {said}" in render.to_terminal(replace(answer, claims=(claim,)))


@pytest.mark.parametrize(
    ("spans", "marked"),
    [
        ([], ""),
        ([(0, 4)], "<mark>Owls</mark> &lt;b&gt;sleep&lt;/b&gt; &amp; hoot."),
        ([(5, 17), (0, 4)], "<mark>Owls</mark> <mark>&lt;b&gt;sleep&lt;/b&gt;</mark> &amp; hoot."),
        ([(0, 8), (5, 17)], "<mark>Owls &lt;b&gt;</mark><mark>sleep&lt;/b&gt;</mark> &amp; hoot."),
        ([(0, 24), (5, 8), (0, 4)], "<mark>Owls &lt;b&gt;sleep&lt;/b&gt; &amp; hoot</mark>."),
        ([(0, 4), (0, 4)], "<mark>Owls</mark> &lt;b&gt;sleep&lt;/b&gt; &amp; hoot."),
    ],
)
def test_quote_in_context(spans, marked):
    def numbered(shown):
        numbers = re.findall(r'<mark data-number="(\d+)">', shown)
        assert all(spans[int(number) - 1][1] > 0 for number in numbers)
        return re.sub(r' data-number="\d+"', "", shown)

    paper = Paper("p", "t", "Owls <b>sleep</b> & hoot.")
    citations = [Citation(n, paper, paper.abstract[s:e], s, e) for n, (s, e) in enumerate(spans, 1)]
    assert numbered(render.quote_in_context(citations)) == marked


@given(st.data(), TEXT)
def test_quotes_in_context_are_the_text_with_marks(data, text):
    cut = st.tuples(*[st.integers(0, len(text))] * 2).map(sorted)
    spans = data.draw(st.lists(cut, min_size=1, max_size=4))
    shown = render.quote_in_context(Citation(1, Paper("p", "t", text), text[s:e], s, e) for s, e in spans)
    shown = shown.replace('<mark data-number="1">', "<mark>")
    assert set(re.findall(r"<[^>]*>", shown)) <= {"<mark>", "</mark>"}
    assert html.unescape(re.sub(r"</?mark>", "", shown)) == html.unescape(html.escape(text))
    inside = re.findall(r"<mark>(.*?)</mark>", shown, re.DOTALL)
    covered = sorted({at for start, end in spans for at in range(start, end)})
    assert html.unescape("".join(inside)) == "".join(text[at] for at in covered)


def test_labels_stand_where_another_part_of_the_abstract_begins():
    held = Paper("p", "t", "Owls <b> were hard. It was so. We count owls. 9 owls hooted.")
    roles = [Role.PROBLEM, Role.PROBLEM, Role.METHOD, Role.RESULT]
    read = [
        Sentence(s, e, role, 2, False, ()) for (s, e), role in zip(split_sentences(held.abstract), roles, strict=True)
    ]
    start = held.abstract.index("It was")
    shown = render.quote_in_context([Citation(1, held, held.abstract[start:48], start, 48)], read)
    assert shown == (
        '<span class="part">problem</span> Owls &lt;b&gt; were hard. <mark data-number="1">It was so. '
        '<span class="part">method</span> We count owls. <span class="part">result</span> 9 </mark>owls hooted.'
    )


@given(st.data(), TEXT)
def test_labels_change_no_word(data, text):
    cut = st.tuples(*[st.integers(0, len(text))] * 2).map(sorted)
    spans = data.draw(st.lists(cut, min_size=1, max_size=4))
    citations = [Citation(1, Paper("p", "t", text), text[s:e], s, e) for s, e in spans]
    read = [Sentence(s, e, data.draw(st.sampled_from(Role)), 1, False, ()) for s, e in split_sentences(text)]
    shown = render.quote_in_context(citations, read)
    labels = re.findall(r'<span class="part">(\w+)</span> ', shown)
    assert re.sub(r'<span class="part">\w+</span> ', "", shown) == render.quote_in_context(citations)
    assert labels == [one.role.value for at, one in enumerate(read) if at == 0 or read[at - 1].role is not one.role]


def tokens(markdown):
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for token in parser.parse(markdown):
        yield token
        yield from token.children or ()


def test_the_parser_would_see_what_is_looked_for():
    seen = {token.type for token in tokens("![a](b) [c](d) <i>e</i>\n\n<div>f</div>")}
    assert {"image", "link_open", "html_inline", "html_block"} <= seen


@given(TEXT, TEXT, TEXT)
@example("[1]: http://e.example\n\nOwls [1].", "Owls", "Owls")
@example("[1](http://e.example) [a][1] ![1](x)", "<b>", "[1]: x")
def test_markdown_holds_no_image_link_or_html(text, title, abstract):
    markdown = render.to_markdown(answer_of(text, title, abstract))
    assert not {token.type for token in tokens(markdown)} & {"image", "link_open", "html_inline", "html_block"}


def test_markdown_shows_what_it_does_not_obey():
    text = "Owls *sleep* <b>by</b> [day](http://e.example) [1]."
    (inline,) = [
        token for token in tokens(render.to_markdown(answer_of(text)).split("\n\n")[0]) if token.type == "inline"
    ]
    assert "".join(child.content for child in inline.children) == text


def test_json_of_a_search():
    paper = Paper("p", 'Owls "sleep"', "Owls sleep. They hoot.", year=2021, organization=Organization("zoo", "Zoo"))
    rows = json.loads(render.search_to_json([found(paper, (12, 22), (0, 11)), found(paper)]))
    assert Paper.from_dict({key: rows[0][key] for key in paper.to_dict()}) == paper
    assert [row["sentence"] for row in rows] == [{"quote": "They hoot.", "start": 12, "end": 22}, None]
    assert rows[0]["score"] == 0.5
    assert json.loads(render.search_to_json([])) == []
