"""An answer in a notebook: readable, and nothing in it obeyed."""

from html.parser import HTMLParser

from fakes import paper

from rag.types import Answer, Citation, Claim, Verdict

HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(1)> & 'x' \"y\""


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.text = set(), ""

    def handle_starttag(self, tag, attributes):
        self.found.add(tag)
        assert {name for name, _ in attributes} <= {"value"}

    def handle_data(self, data):
        self.text += data


def test_all_of_it_is_shown_and_none_obeyed():
    owls = paper(HOSTILE, HOSTILE, year=2024)
    claim = Claim(HOSTILE, 0, 5, (1,), Verdict.CONTRADICTED, 0.1, HOSTILE)
    answer = Answer(
        HOSTILE, "answered", f"{HOSTILE} [1]\nmore", claims=(claim,), citations=(Citation(1, owls, HOSTILE, 0, 9),)
    )
    tags = Tags()
    tags.feed(answer._repr_html_())
    assert tags.found == {"div", "p", "br", "ol", "ul", "li", "b", "q"}
    assert tags.text.count(HOSTILE) == 5
    assert "contradicted: " in tags.text
    assert "characters 0-9: " in tags.text


def test_an_abstention_has_text_alone():
    assert (
        Answer("q", "abstained", "The shelf does not say.")._repr_html_() == "<div><p>The shelf does not say.</p></div>"
    )
