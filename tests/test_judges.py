"""Judges: grades and the lack of them, both orders, what is kept, and the agreement card beside every score."""

import json
import math

import pytest
from fakes import MARMOT, Parrot, ScriptedModel, checker

from eval.judges import agreement
from eval.judges.agreement import Card
from eval.judges.checker import CheckerJudge
from eval.judges.judge import Grade
from eval.judges.language_model import LanguageModelJudge, flip_rate, position_bias
from eval.judges.memory import Remembering
from eval.judges.named import open_judge
from eval.record import Record
from eval.report import Report, markdown, terminal
from eval.summary import summarize
from rag.config import Settings
from rag.errors import ModelError, UsageError

CLAIM, SOURCE = "Marmot increases recall by 4.5 points over BM25.", MARMOT.abstract


def test_the_checker_as_judge():
    judge = CheckerJudge(checker())
    assert judge.grade(CLAIM, SOURCE).supported is True
    assert judge.grade("Marmot increases recall by 9.5 points over BM25.", SOURCE).supported is False
    nothing = judge.grade("...", SOURCE)
    assert (nothing.score, nothing.supported) == (None, None)
    assert judge.identity == CheckerJudge(checker()).identity


# --- a language model


@pytest.mark.parametrize(
    ("replies", "score", "supported"),
    [
        (["YES", "YES"], 1, True),
        (["NO", "NO"], 0, False),
        (["YES", "NO"], 0.5, False),
        (["NO", "YES"], 0.5, False),
        (["DENIED", "NO"], 0, False),
    ],
)
def test_it_is_asked_in_both_orders(replies, score, supported):
    model = Parrot(*replies)
    grade = LanguageModelJudge(model, 5).grade(CLAIM, SOURCE)
    assert (grade.score, grade.supported) == (score, supported)
    assert grade.orders == tuple(reply == "YES" for reply in replies)
    first, second = model.prompts
    assert first.index("Source: ") < first.index("Claim: ")
    assert second.index("Claim: ") < second.index("Source: ")
    assert first.rstrip().endswith("YES, NO or DENIED.")
    assert second.rstrip().endswith("DENIED, NO or YES.")
    assert (
        first.count(SOURCE)
        == second.count(SOURCE)
        == first.count(f"Claim: {CLAIM}")
        == second.count(f"Claim: {CLAIM}")
        == 1
    )


@pytest.mark.parametrize("script", [["YES", "perhaps", "hm"], ["YES", [RuntimeError("gone")]]])
def test_a_model_that_fails_gives_no_grade(script):
    grade = LanguageModelJudge(Parrot(*script), 5).grade(CLAIM, SOURCE)
    assert (grade.score, grade.supported, grade.orders) == (None, None, (True, None))
    assert grade.why


def test_flip_rate_and_position_bias():
    assert (flip_rate([(True, True), (False, False)]), position_bias([(True, True), (False, False)])) == (0, 0)
    first, last = [(True, False)] * 4, [(False, True)] * 4
    assert (flip_rate(first), position_bias(first)) == (1, 1)
    assert (flip_rate(last), position_bias(last)) == (1, -1)
    assert (flip_rate(first + last), position_bias(first + last)) == (1, 0)
    assert math.isnan(flip_rate([]))


def test_they_are_reported_with_what_could_not_be_read():
    orders = [[True, False], [True, True], [None, True], []]
    verdicts = [{"orders": some, "score": None} for some in orders]
    found = summarize([Record("answers", "1", {"false_abstention": 0.0}, {}, {"verdicts": verdicts}, key="1")])
    assert (found["judge_flip_rate"].mean, found["judge_flip_rate"].n) == (0.5, 2)
    assert found["judge_position_bias"].mean == 0.5
    assert found["judge_flip_rate"].skipped == {"unscored: the judge gave no grade": 1}


def test_a_model_behind_an_endpoint(monkeypatch, tmp_path):
    """Its grades are remembered within the run, and not beyond: its name says nothing of what answers to it."""
    with ScriptedModel() as server:
        config = Settings(openai_base_url=server.url, openai_api_key="k", cache_dir=tmp_path)
        monkeypatch.setattr("eval.judges.language_model.settings", lambda: config)
        monkeypatch.setattr("eval.judges.named.settings", lambda: config)
        judge = open_judge("openai:m")
        server.play("YES", "YES")
        assert judge.grade(CLAIM, SOURCE).supported is True
        assert judge.grade(CLAIM, SOURCE).supported is True
        assert len(server.requests) == 2
    assert not list(tmp_path.rglob("*.jsonl"))


# --- what is kept


class Counting:
    name, identity, kept = "counting", "c1", True

    def __init__(self):
        self.asked = 0

    def grade(self, claim, source):
        self.asked += 1
        return Grade(0.7, True, "said so", (True, True)) if claim else Grade.none("empty")


def test_grades_are_kept_by_content(tmp_path):
    judge = Counting()
    kept = Remembering(judge, tmp_path)
    grade = kept.grade("a", "b")
    assert kept.grade("a", "b") == grade
    assert kept.grade("b", "a") == grade
    kept.grade("", "b")
    assert judge.asked == 3
    again = Counting()
    later = Remembering(again, tmp_path)
    assert later.grade("a", "b") == grade
    assert again.asked == 0
    assert later.grade("", "b").score is None
    assert again.asked == 1  # that there was no grade is not kept
    other = Counting()
    other.identity = "c2"
    Remembering(other, tmp_path).grade("a", "b")
    assert other.asked == 1


def test_a_line_that_was_cut_off_is_asked_again(tmp_path):
    Remembering(Counting(), tmp_path).grade("a", "b")
    (path,) = tmp_path.rglob("*.jsonl")
    path.write_text(path.read_text()[:-9])
    judge = Counting()
    assert Remembering(judge, tmp_path).grade("a", "b").score == 0.7
    assert judge.asked == 1


# --- an NLI model


@pytest.mark.models
def test_an_nli_model_gives_the_probability_of_entailment(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="torch is not installed (make test-models)")
    import tiny_nli

    monkeypatch.setattr("eval.judges.named.settings", lambda: Settings(cache_dir=tmp_path / "cache"))
    name = f"nli:{tiny_nli.make(tmp_path / 'nli', steps=0)}"
    judge = open_judge(name)
    one, other = judge.grade("zebra", "marmot increases recall " * 40), judge.grade("marmot", "zebra")
    assert 0 < one.score < 1
    assert one.score != other.score
    assert one.supported is (one.score >= 0.5)
    assert (judge.name, judge.kept, judge.identity) == ("nli:nli", True, open_judge(name).identity)
    assert len(next(tmp_path.rglob("*.jsonl")).read_text().splitlines()) == 2  # both are kept
    (tmp_path / "nli" / "more").write_text("of it")
    assert open_judge(name).identity != judge.identity


@pytest.mark.parametrize("name", ["nonsense", "nli:", "openai:", "nli:/nowhere"])
def test_what_names_no_judge_is_said(name):
    with pytest.raises((UsageError, ModelError), match=r"names no judge|there is none in|is not installed"):
        open_judge(name)


# --- the card


def graded(name, label, score, claim="c"):
    return Record(
        "grounding",
        "1",
        detail={
            "set": name,
            "label": label,
            "score": score,
            "supported": None if score is None else score >= 0.5,
            "claim": claim,
        },
    )


def test_a_card_is_of_what_people_said_and_what_was_graded():
    rows = [
        graded("wice", 1, 0.9),
        graded("wice", 1, 0.8),
        graded("wice", 0, 0.7),
        graded("wice", 0, 0.1),
        graded("wice", 1, None),
        graded("own", 1, 1.0),
    ]
    card = agreement.make(Counting(), rows)
    assert card.sets["wice"]["n"] == 4
    assert card.sets["wice"]["ungraded"] == 1
    assert card.sets["wice"]["auroc"][0] == 1
    assert card.sets["wice"]["balanced_accuracy"][0] == 0.75
    assert card.sets["wice"]["kappa"][0] == 0.5
    assert card.sets["own"]["auroc"] is card.sets["own"]["kappa"] is None  # of one class there is none
    assert (card.n, card.mean("auroc")) == (5, 1)


def test_rows_that_the_checker_was_trained_on_are_left_out():
    rows = [graded("healthver", at % 2, at % 2, f"claim {at}") for at in range(200)]
    assert 60 < agreement.make(Counting(), rows).sets["healthver"]["n"] < 140
    assert agreement.make(Counting(), [graded("hagrid", at % 2, at % 2, f"claim {at}") for at in range(200)]).n == 200


def test_a_card_is_found_by_what_the_judge_is(tmp_path):
    cards = tmp_path / "agreement.json"
    assert agreement.find("counting", "c1", cards) is None
    agreement.store(agreement.make(Counting(), [graded("s", 1, 0.9), graded("s", 0, 0.2)]), cards)
    agreement.store(Card("another", "x", {}), cards)
    found = agreement.find("counting", "c1", cards)
    assert found.current
    assert str(found) == "AUROC 1.00, balanced accuracy 1.00, kappa 1.00 (2 claims of 1 sets)"
    old = agreement.find("counting", "c2", cards)
    assert not old.current
    assert str(old).endswith("1 sets, of an earlier version)")
    agreement.store(agreement.make(Counting(), []), cards)
    assert [row["judge"] for row in json.loads(cards.read_text())] == ["another", "counting"]


def test_the_card_stands_beside_every_score_of_the_judge():
    made = {
        "made_with": {"judge": {"name": "counting"}, "attest": "0", "writer": "w", "shelf": "s", "seed": 1},
        "suites": ["answers"],
    }
    metrics = {"faithfulness": 1.0, "citation_f1": 0.5, "citation_validity": 1.0, "correctness": 0.0, "copy_rate": 0.9}
    records = [Record("answers", "1", metrics, key="1")]
    for card, text in ((Card("counting", "c1", {}), "AUROC nan"), (None, "no agreement card")):
        report = Report(made, records, summarize(records), {}, card)
        lines = markdown(report).splitlines()
        for name in metrics:
            (line,) = (line for line in lines if line.startswith(f"| {name} |"))
            assert (text in line) is (name in ("faithfulness", "citation_f1"))
            (line,) = (line for line in terminal(report).splitlines() if line.startswith(f"{name} "))
            assert (text in line) is (name in ("faithfulness", "citation_f1"))
        assert any(line.startswith(f"Judge: counting: {text}") and "copy_rate" in line for line in lines)


def test_the_checkers_card_is_committed():
    card = agreement.find("checker", "whatever it is now")
    assert card.n > 500
    assert all(figures["auroc"] for figures in card.sets.values())
    assert {"claims", "gensearch", "wice"} <= card.sets.keys()
    assert card.mean("auroc") > 0.6
