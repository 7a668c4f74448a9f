"""LaTeX debris made plain, and prose left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.repair import readable

DEBRIS = [
    (r"accuracy of 75.1\% on", "accuracy of 75.1% on"),
    (r"R\&D and snake\_case at \$5", "R&D and snake_case at $5"),
    ("is 11.9times faster", "is 11.9× faster"),
    (r"is 11.9\times faster", "is 11.9× faster"),
    (r"is 11.9 \times faster", "is 11.9 × faster".replace("9 ×", "9×")),
    ("10times, then", "10×, then"),
    ("runs sim3x faster", "runs about 3x faster"),
    (r"runs \sim 3x faster", "runs about 3x faster"),
    ("runs ~3x faster", "runs about 3x faster"),
    ("costs approx 5 fish", "costs about 5 fish"),
    (r"costs \approx5 fish", "costs about 5 fish"),
    ("of 11.0 pm 1.3 points", "of 11.0 ± 1.3 points"),
    (r"of 11.0\pm1.3 points", "of 11.0 ± 1.3 points"),
    ("of 11.0pm1.3 points", "of 11.0 ± 1.3 points"),
    ("for n geq 5 and m le 3", "for n ≥5 and m ≤3"),
    ("takes Oleft(n^{1.5}dright) time", "takes O(n^1.5 d) time"),
    (r"takes O\left(n^{2}\right) time", "takes O(n^2) time"),
    ("takes Oleft(log left(nright)right) time", "takes O(log (n)) time"),
    ("range 10^{23} to 10^{60}", "range 10^23 to 10^60"),
    ("the k_{max} best", "the k_max best"),
    (r"so \textbf{bold} and \emph{sly}", "so bold and sly"),
    (r"so {\it sly} owls", "so sly owls"),
    (r"an \alpha-owl, {\beta}-owl", "an alpha-owl, beta-owl"),
    (r"\ModelName~hoots", "ModelName hoots"),
    ("Llama~3 and GPT4o~gpt4o, cf.~Fig. 2", "Llama 3 and GPT4o gpt4o, cf. Fig. 2"),
    ("maps a rightarrow b", "maps a → b"),
    ("a ``quoted'' owl", 'a "quoted" owl'),
    ("costs $n$ fish", "costs n fish"),
    (r"code: \url{https://example.org/owl}", "code: (https://example.org/owl)"),
    ("Owls read the text.To do so, they blink", "Owls read the text. To do so, they blink"),
    ("Why not?Owls do", "Why not? Owls do"),
    ("two\nlines  and\tspaces ", "two lines and spaces"),
    ("of 2^{2^{n}} states", "of 2^2^n states"),
]
PROSE = [
    "It sometimes takes 10 times longer, at times 3 times.",
    "New York Times readers; Times 3 is a font.",
    "The simple simulation, sim and similar, of Simon.",
    "A rampant camp of spm models at 5 pm.",
    "The (bright) owl went from left to right (left to right).",
    "From left (west) to right (east), (left-to-right), (copyright).",
    "It is large, le Monde says; the edge is thick.",
    "GPT-4 and LLaVA-1.5 beat BERT by 3.2% in v2.0.",
    "See example.org, e.g. Fig. 2, i.e. U.S. owls.",
    "It approximates; they target the geometry.",
    "Costs $5 and then 6 more.",
]


@pytest.mark.parametrize(("text", "wanted"), DEBRIS)
def test_debris(text: str, wanted: str):
    assert readable(text) == wanted


@pytest.mark.parametrize("text", PROSE)
def test_prose_is_left_alone(text: str):
    assert readable(text) == text
    # Debris elsewhere in an abstract sets all the rules to work; prose must survive that too.
    assert readable(rf"{text} It is 9\% off.") == f"{text} It is 9% off."


WORDS = st.sampled_from("owl times sometimes Times sim simple sims pm spam approx geq ge le left right bright rightarrows leftover (left) (right) (bright) to text emph "
                        "alpha url about 10 3.5 42% (n) [12] it's e.g. i.e. GPT-4 LLaVA-1.5 state-of-the-art, \"quoted\" naïve – Ωmega".split())  # fmt: skip


@given(st.lists(WORDS.filter(lambda word: word not in ("sim", "pm", "approx", "ge", "geq", "le")), min_size=1))
def test_plain_words_are_unchanged(words: list[str]):
    text = " ".join(words)
    assert readable(text) == text


@given(st.lists(st.sampled_from([text for text, _ in DEBRIS]) | WORDS, min_size=1))
def test_idempotent(parts: list[str]):
    once = readable(" ".join(parts))
    assert readable(once) == once


@given(st.text(st.sampled_from(r"ab3 ~\{}$^_.`'TXlefright()%simp") | st.characters(), max_size=80))
def test_any_text_is_read_and_reading_it_again_changes_nothing(text: str):
    once = readable(text)
    assert len(once) <= 4 * len(text)
    assert readable(once) == once


def test_words_are_never_lost():
    text = rf"{' '.join(PROSE)} \% {' '.join(PROSE)}"
    assert readable(text).replace("%", "").split() == text.replace(r"\%", "").replace("%", "").split()
