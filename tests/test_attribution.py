"""Grounding metrics of an answer: by hand, as properties, and free of conventions that are known to mislead."""

import math

import pytest
from fakes import CRANE, MARMOT
from hypothesis import given
from hypothesis import strategies as st

from eval.attribution import NEEDS_STATEMENTS, UNSCORED, Attributed, Statement, marked, of_answer, of_text, score
from eval.judges.judge import Grade
from eval.matching import copy_rate, is_refusal, is_verbatim, nugget_recall, quotations, said, token_f1
from eval.record import Record
from eval.summary import summarize
from rag.types import Answer, Citation, Claim, Verdict

RECALL = "Marmot increases recall by 4.5 points over BM25."
HOURS = "Training takes 17 hours on a single machine."


class Told:
    """A judge with a table of what supports what: source to the claims it bears out; any other pair is not supported.

    Pairs in `silent` get no grade. It remembers what it was asked.
    """

    def __init__(self, supports=(), silent=()):
        self.supports, self.silent, self.asked = set(supports), set(silent), []

    def __call__(self, claim, source):
        self.asked.append((claim, source))
        if (claim, source) in self.silent:
            return Grade.none("mumbled")
        return Grade(1.0, True) if (claim, source) in self.supports else Grade(0.1, False)


def answer(*statements, quotes=("A", "B", "C"), sources=("whole A", "whole B")):
    made = tuple(Statement(text, cited) for text, cited in statements)
    return Attributed(" ".join(text for text, _ in statements), made, dict(enumerate(quotes, 1)), sources)


def figures(answered, *supports, silent=()):
    found = score(answered, Told(supports, silent))
    assert not found.metrics.keys() & found.skipped.keys()
    assert found.metrics.keys() | found.skipped.keys() == set(NEEDS_STATEMENTS)
    return found.metrics | dict.fromkeys(found.skipped)


# --- recall, precision and F1 of citations, after Gao et al. (2023)


@pytest.mark.parametrize(
    ("cited", "supports", "recall", "precision"),
    [
        ((1,), [("s", "A")], 1, 1),
        ((1,), [], 0, 0),
        ((), [], 0, 0),
        # Two that only together bear it out are both needed.
        ((1, 2), [("s", "A B")], 1, 1),
        # One that bears it out alone, and one that neither does nor is needed.
        ((1, 2), [("s", "A B"), ("s", "A")], 1, 0.5),
        # Both alone.
        ((1, 2), [("s", "A B"), ("s", "A"), ("s", "B")], 1, 1),
        # Three, of which two are needed together.
        ((1, 2, 3), [("s", "A B C"), ("s", "A B")], 1, 2 / 3),
        # A number of no source is a wrong citation, and the others still count.
        ((1, 9), [("s", "A")], 1, 0.5),
        ((9,), [("s", "A")], 0, 0),
    ],
)
def test_citations_of_one_statement(cited, supports, recall, precision):
    found = figures(answer(("s", cited)), *supports)
    assert (found["citation_recall"], found["citation_precision"]) == (recall, pytest.approx(precision))
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert found["citation_f1"] == pytest.approx(f1)


def test_citations_of_an_answer():
    found = figures(answer(("s", (1,)), ("t", (2, 9)), ("u", ())), ("s", "A"), ("u", "whole B"))
    assert found["citation_recall"] == pytest.approx(1 / 3)
    assert found["citation_precision"] == pytest.approx(1 / 3)
    assert found["citation_validity"] == pytest.approx(2 / 3)
    assert found["uncited_rate"] == pytest.approx(1 / 3)
    assert found["faithfulness"] == pytest.approx(2 / 3)  # what it did not cite is in the source all the same


NUMBERS = st.lists(st.integers(0, 4), max_size=4, unique=True).map(tuple)


@given(
    st.lists(st.tuples(st.sampled_from("stuv"), NUMBERS), max_size=4),
    st.sets(st.tuples(st.sampled_from("stuv"), st.sampled_from(["A", "B", "A B", "A C", "whole A"]))),
)
def test_figures_are_shares(statements, supports):
    for name, value in figures(answer(*statements), *supports).items():
        assert value is None or (value == value and (0 <= value <= 1 or name == "answer_words"))


# --- conventions that mislead


def test_a_refusal_is_no_nan_and_lowers_no_mean():
    """Elsewhere a refusal scores NaN, which a mean then swallows or is swallowed by."""
    made = score(answer(("s", (1,))), Told({("s", "A")}))
    refused = dict.fromkeys(NEEDS_STATEMENTS, "refused")
    records = [
        Record("answers", "1", {"false_abstention": 0.0, **made.metrics}, made.skipped, key="1"),
        Record("answers", "2", {"abstained": 1.0}, refused, key="2"),
        Record("answers", "3", {"false_abstention": 1.0}, refused, key="3"),
    ]
    found = summarize(records)
    assert (found["faithfulness"].mean, found["faithfulness"].n, found["faithfulness"].skipped) == (
        1,
        1,
        {"refused": 2},
    )
    assert not any(math.isnan(figure.mean) for name, figure in found.items() if name not in made.skipped)
    assert (found["refusal_precision"].mean, found["refusal_recall"].mean) == (0.5, 1)
    assert found["refusal_f1"].mean == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "text",
    ["I don't know.", "I don’t know", "I'm sorry, but I cannot answer that.", "The context does not say.", "Unknown.", "", "NOT ON THE SHELF",
     "The provided passages do not mention it.", "There is no information about this.", "Sorry, I could not find it."],
)  # fmt: skip
def test_not_knowing_is_a_refusal_not_a_faithful_answer(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "The papers do not need labelled data [1].",
        "Unknowns are estimated by a filter.",
        "It is not known to fail [2].",
        "No.",
        "Marmot does not need labels.",
    ],
)
def test_an_answer_with_a_negation_is_no_refusal(text):
    assert not is_refusal(text)


def test_the_divisor_is_all_statements_not_the_verdicts_that_came_back():
    """Two grades for four statements are elsewhere two of two."""
    supports = [("s", "A"), ("t", "B")]
    answered = answer(("s", (1,)), ("t", (2,)), ("u", (1,)), ("v", (2,)))
    assert figures(answered, *supports)["citation_recall"] == 0.5
    found = score(
        answered,
        Told(supports, silent=[("u", "A"), ("v", "B"), *((claim, f"whole {of}") for claim in "uv" for of in "AB")]),
    )
    for name in ("faithfulness", "citation_recall", "citation_precision", "citation_f1"):
        assert found.skipped[name] == UNSCORED
        assert name not in found.metrics
    assert found.metrics["citation_validity"] == 1  # which needs no judge
    assert [item["supported"] for item in found.verdicts] == [True, True, None, None]


def test_no_grade_is_neither_right_nor_wrong():
    records = [
        Record("answers", str(at), dict(made.metrics), dict(made.skipped), key=str(at))
        for at, made in enumerate(
            [score(answer(("s", (1,))), Told({("s", "A")})), score(answer(("s", (1,))), Told(silent={("s", "A")}))]
        )
    ]
    found = summarize(records)["citation_recall"]
    assert (found.mean, found.n, found.skipped) == (1, 1, {UNSCORED: 1})


def test_marker_zero_reads_no_source():
    """Elsewhere `passages[number - 1]` makes [0] the last passage."""
    found = of_text("It is so [0]. It is thus [2].", ["first", "last"])
    assert [statement.cited for statement in found.statements] == [(0,), (2,)]
    told = Told({("It is so .", "last"), ("It is so.", "last"), ("It is so", "last")})
    scores = score(found, told)
    assert scores.metrics["citation_recall"] == 0
    assert scores.metrics["citation_validity"] == 0.5


def test_copying_is_cited_perfectly_and_the_guards_say_so():
    copied = of_text(f"{RECALL} [1] {HOURS} [1]", [MARMOT.abstract])
    judge = Told({(RECALL, MARMOT.abstract), (HOURS, MARMOT.abstract)})
    found = score(copied, judge).metrics
    assert (found["citation_f1"], found["copy_rate"]) == (1, 1)


# --- reading an answer


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("One [1]. Two [2].", [(1,), (2,)]),
        ("One. [1] Two. [2]", [(1,), (2,)]),
        ("One [1][2]. Two [1, 3].", [(1, 2), (1, 3)]),
        ("One [1-3]. Two [2–3; 7].", [(1, 2, 3), (2, 3, 7)]),
        ("One 【2】. Two 【1†source】.", [(2,), (1,)]),
        ("One [^1]. Two [passage 2] and [Source 3].", [(1,), (2, 3)]),
        ("One. Two [1 and 2].", [(), (1, 2)]),
        ("One [see below]. Two [a].", [(), ()]),
        ("- One [1]\n- Two [2]", [(1,), (2,)]),
    ],
)
def test_every_form_of_marker(text, cited):
    found = of_text(text, ["a", "b", "c"])
    assert [statement.cited for statement in found.statements] == cited
    assert not any("[" in statement.text and cited for statement, cited in zip(found.statements, cited, strict=True))


@pytest.mark.parametrize(
    ("listed", "numbers"),
    [("1", [1]), ("1, 3-5", [1, 3, 4, 5]), ("0", [0]), ("5-3", [3, 4, 5]), ("1-900", list(range(1, 22)))],
)
def test_marked_numbers(listed, numbers):
    assert marked(listed) == numbers


def test_of_a_products_answer_what_is_not_located_is_no_source():
    start = MARMOT.abstract.index(RECALL)
    text = f"{RECALL} [1] It can fly. [7: no such passage] Dinner simmers. [2]"
    claims = (
        Claim(RECALL, 0, len(RECALL), (1,), Verdict.SUPPORTED),
        Claim("It can fly.", text.index("It can"), text.index("It can") + 11, ()),
        Claim("Dinner simmers.", text.index("Dinner"), text.index("Dinner") + 15, (2,)),
    )
    citations = (Citation(1, MARMOT, RECALL, start, start + len(RECALL)), Citation(2, CRANE, "simmer", 0, 6))
    found = of_answer(Answer("q", "answered", text, None, claims, citations))
    assert [statement.cited for statement in found.statements] == [(1,), (7,), (2,)]
    assert found.quotes == {1: RECALL}
    assert found.sources == (MARMOT.abstract, CRANE.abstract)
    assert score(found, Told({(RECALL, RECALL)})).metrics["citation_precision"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("statements", "held"),
    [
        ([("It gains 4.5 points.", (1,))], 1),
        ([("It gains 5.4 points.", (1,))], 0),
        ([("It gains.", (1,))], None),
        ([("It gains 4.5 points.", (2,))], 0),
    ],
)
def test_numbers_are_looked_for_in_the_cited_words(statements, held):
    assert figures(answer(*statements, quotes=(RECALL, HOURS)))["numbers_held"] == held


# --- words


def test_quotations():
    text = 'It says “increases recall by 4.5 points” and "a name" and “recall rises by nine points”.'
    assert quotations(text) == ["increases recall by 4.5 points", "recall rises by nine points"]
    assert is_verbatim("Marmot increases ... 4.5 points", [RECALL])
    assert is_verbatim("INCREASES recall, by 4.5", [HOURS, RECALL])
    assert not is_verbatim("recall rises by nine points", [RECALL])
    assert not is_verbatim("single machine increases recall", [HOURS, RECALL])


@given(
    st.lists(st.sampled_from("abcdefg"), min_size=1).map(" ".join),
    st.lists(st.lists(st.sampled_from("abcdefg")).map(" ".join)),
)
def test_copy_rate_is_a_share_and_one_for_a_copy(text, sources):
    assert 0 <= copy_rate(text, sources) <= 1
    assert copy_rate(text, [*sources, text]) == (1 if len(text.split()) >= 5 else copy_rate(text, sources))


def test_copy_rate_by_hand():
    assert copy_rate("a b c d e x y", ["z a b c d e z"]) == pytest.approx(5 / 7)
    assert copy_rate("a b c d x", ["a b c d e"]) == 0
    assert copy_rate("", ["a"]) == 0


def test_nuggets_and_tokens():
    assert nugget_recall([["4.5 points", "four and a half"], ["owls"]], RECALL) == 0.5
    assert token_f1("recall of Marmot", "Marmot recall recall") == pytest.approx(2 / 3)
    assert token_f1("a", "b") == token_f1("", "") == 0
    assert said("4.5", RECALL)
    assert not said("5", RECALL)
