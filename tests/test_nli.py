"""An NLI model in place of the checker: a tiny one, trained on the spot, that really tells claims apart."""

import importlib.util
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import tiny_nli
from fakes import MARMOT, Parrot, checker, open_shelf
from test_cli import attest

import rag
from eval.judges.named import open_judge
from rag import Assistant, Settings
from rag.errors import ModelError
from rag.verify import nli
from rag.verify.backends import open_checker
from rag.verify.nli import LONGEST, NliModel, entailment, open_nli

needs_torch = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")),
    reason="torch and transformers are not installed (make test-models)",
)
RECALL = "Marmot increases recall by 4.5 points over BM25."
SAME, OPPOSITE, OTHER = "Marmot raises recall.", "Marmot lowers recall.", "Zebra raises recall."


@pytest.mark.parametrize(
    ("labels", "at"),
    [
        ({0: "ENTAILMENT", 1: "NEUTRAL", 2: "CONTRADICTION"}, 0),
        ({0: "not_entailment", 1: "entailment"}, 1),
        ({0: "contradiction", 1: "supported"}, 1),
    ],
)
def test_entailment_is_found_by_its_label(labels, at):
    assert entailment(labels) == at


@pytest.mark.parametrize(
    "labels", [{0: "LABEL_0", 1: "LABEL_1"}, {0: "entailment", 1: "entails"}, {0: "unsupported", 1: "inconsistent"}]
)
def test_labels_are_not_guessed(labels, tmp_path):
    with pytest.raises(ModelError, match="no label of the NLI model is entailment for certain"):
        entailment(labels)
    (tmp_path / "config.json").write_text(json.dumps({"id2label": labels}))
    with pytest.raises(ModelError, match="no label"):  # before anything is loaded
        NliModel(str(tmp_path))


@pytest.mark.parametrize("config", ["{}", "[]", "{", '{"id2label": {"a": "entailment"}}', '{"id2label": []}'])
def test_a_config_that_tells_nothing_is_said(config, tmp_path):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError):
        NliModel(str(tmp_path))


# --- a model that was trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_nli.make(tmp_path_factory.mktemp("models") / "tiny-nli")


@pytest.fixture(scope="module")
def model(folder):
    return NliModel(str(folder))


def said(opinion):
    """What a verdict would be made of it."""
    return "yes" if opinion.supported >= 0.5 else "denied" if opinion.contradicted >= 0.5 else "no"


@needs_torch
@pytest.mark.models
def test_claims_are_told_apart(model):
    pairs = [(claim, source) for source, claim, _ in tiny_nli.every_pair()]
    wanted = [
        {"entailment": "yes", "contradiction": "denied", "neutral": "no"}[label] for *_, label in tiny_nli.every_pair()
    ]
    assert [said(one) for one in model.ask(pairs)] == wanted
    assert all(0 <= one.supported <= 1 and 0 <= one.contradicted <= 1 for one in model.ask(pairs))
    assert model.ask([]) == []


@needs_torch
@pytest.mark.models
def test_together_is_as_alone(model):
    pairs = [(SAME, RECALL), (OPPOSITE, f"{'Owls sleep. ' * 30}{RECALL}"), (OTHER, RECALL)] * 9
    for one, pair in zip(model.ask(pairs), pairs, strict=True):
        (alone,) = model.ask([pair])
        assert (one.supported, one.contradicted) == pytest.approx((alone.supported, alone.contradicted), abs=1e-4)


@needs_torch
@pytest.mark.models
def test_the_order_of_labels_is_the_models(folder, tmp_path):
    """Outputs in another order, named so, say the same; the same outputs under other names do not."""
    from safetensors.torch import load_file, save_file

    pairs = [(SAME, RECALL), (OPPOSITE, RECALL), (OTHER, RECALL)]
    order = [1, 2, 0]
    for name, turn in (("turned", True), ("misnamed", False)):
        other = shutil.copytree(folder, tmp_path / name)
        config = json.loads((other / "config.json").read_text())
        config["id2label"] = {str(at): tiny_nli.LABELS[row] for at, row in enumerate(order)}
        config["label2id"] = {label: int(at) for at, label in config["id2label"].items()}
        (other / "config.json").write_text(json.dumps(config))
        if turn:
            weights = load_file(other / "model.safetensors")
            for part in ("classifier.weight", "classifier.bias"):
                weights[part] = weights[part][order].clone()
            save_file(weights, other / "model.safetensors", {"format": "pt"})
        found = [said(one) for one in NliModel(str(other)).ask(pairs)]
        assert (found == ["yes", "denied", "no"]) is turn


@needs_torch
@pytest.mark.models
@pytest.mark.parametrize("before", [0, 12, 25, 60])
def test_a_long_source_is_read_to_its_end(model, before):
    source = f"{'Owls sleep at noon. ' * before}{RECALL} {'Owls sleep at noon. ' * before}"
    assert before == 0 or len(source.split()) > tiny_nli.LONGEST
    assert [said(one) for one in model.ask([(SAME, source), (OPPOSITE, source)])] == ["yes", "denied"]


@needs_torch
@pytest.mark.models
def test_a_sentence_too_long_is_said_and_harms_no_other(model):
    long, short = model.ask([("Marmot raises recall " * 20, RECALL), (SAME, RECALL)])
    assert (long.supported, long.why) == (None, "the sentence is too long for nli:tiny-nli")
    assert said(short) == "yes"
    assert LONGEST > tiny_nli.LONGEST  # what the model takes counts, not only what is sensible


@needs_torch
@pytest.mark.models
def test_threads_may_share_it(model):
    pairs = [[(SAME, RECALL)] * (at % 5 + 1) for at in range(24)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(model.ask, pairs))
    assert all(said(one) == "yes" for some in found for one in some)
    assert [len(some) for some in found] == [len(some) for some in pairs]


@needs_torch
@pytest.mark.models
def test_what_breaks_is_no_opinion(folder, monkeypatch, tmp_path):
    model = NliModel(str(folder))
    (fine,) = model.ask([(SAME, RECALL)])

    def full(*_):
        raise RuntimeError("out of memory")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(nli, "_parts", full)
        (found,) = model.ask([(SAME, RECALL)])
    assert (found.supported, found.why) == (None, "nli:tiny-nli failed: out of memory")
    model._loaded[1].classifier.bias.data.fill_(float("nan"))
    (found,) = model.ask([(SAME, RECALL)])
    assert (found.supported, found.why) == (None, "nli:tiny-nli gave no number")
    assert fine.supported is not None


@needs_torch
@pytest.mark.models
def test_a_model_that_cannot_be_used_is_said(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    headless = shutil.copytree(folder, tmp_path / "headless")
    weights = load_file(headless / "model.safetensors")
    save_file(
        {name: part for name, part in weights.items() if "classifier" not in name},
        headless / "model.safetensors",
        {"format": "pt"},
    )
    empty = shutil.copytree(folder, tmp_path / "empty", ignore=shutil.ignore_patterns("*.safetensors"))
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no weights")
    for place, says in (
        (headless, r"lacks weights \(classifier"),
        (empty, "no NLI model can be loaded"),
        (broken, "no NLI model can be loaded"),
        ("owner/nowhere", "no NLI model can be loaded"),
    ):
        with pytest.raises(ModelError, match=says) as raised:
            rag.check(SAME, source=RECALL, settings=Settings(checker=f"nli:{place}"))
        assert raised.value.hint


@needs_torch
@pytest.mark.models
def test_verdicts_are_its_own(folder):
    """Those of the tiny model, where ours are others; quotes are ours."""
    made = open_checker(Settings(checker=f"nli:{folder}"))
    figure = "Marmot raises recall by 9.5 points."  # it cannot read figures
    pairs = [(claim, MARMOT.abstract) for claim in (SAME, OPPOSITE, OTHER, RECALL, figure)]
    found = made.check_all(pairs)
    assert [one.verdict for one in found] == ["supported", "contradicted", "unsupported", "supported", "supported"]
    own = checker().check_all(pairs)
    assert own[4].verdict == "unsupported"
    assert [(one.quote, one.start, one.end) for one in found] == [(one.quote, one.start, one.end) for one in own]
    assert found[3] == own[3]  # what is quoted nobody is asked
    assert [found[2].score, found[1].score] < [0.5, 0.5] < [found[0].score, 1]
    assert open_nli(str(folder)) is open_nli(str(folder))  # one set of weights a process


@needs_torch
@pytest.mark.models
def test_an_answer_is_one_batch(folder, tmp_path, monkeypatch):
    asked = []
    whole = NliModel.ask
    monkeypatch.setattr(NliModel, "ask", lambda self, pairs: asked.append(list(pairs)) or whole(self, pairs))
    settings = Settings(shelf=tmp_path / "shelf", checker=f"nli:{folder}")
    text = f"{SAME[:-1]} [1]. {OPPOSITE[:-1]} [1]. {RECALL[:-1]} [1]. Zebra lowers recall [1]."
    with open_shelf(tmp_path, settings=settings):
        pass
    with Assistant.open(tmp_path / "shelf", llm=Parrot(text, ""), settings=settings) as assistant:
        answer = assistant.ask("does Marmot increase recall over BM25?")
        assert [str(claim.verdict) for claim in answer.claims] == [
            "supported",
            "contradicted",
            "supported",
            "unsupported",
        ]
        assert len(asked) == 1
        assert [claim for claim, _ in asked[0]] == [SAME, OPPOSITE, "Zebra lowers recall."]
        (finding,) = assistant.check(f"{OPPOSITE[:-1]} [1].\n\n## References\n\n[1] {MARMOT.title}. 2023.\n")
        assert (str(finding.check.verdict), finding.paper.id) == ("contradicted", MARMOT.id)


@needs_torch
@pytest.mark.models
def test_the_command_takes_it_from_the_environment(folder, tmp_path):
    with open_shelf(tmp_path):
        pass
    environment = {"ATTEST_CHECKER": f"nli:{folder}", "ATTEST_SHELF": str(tmp_path / "shelf"), "HF_HUB_OFFLINE": "1"}
    draft = tmp_path / "draft.md"
    draft.write_text(f"{OPPOSITE[:-1]} [1].\n\n## References\n\n[1] {MARMOT.title}. 2023.\n")
    done = attest("check", draft, "--fail-on", "contradicted", "--json", **environment)
    assert done.returncode == 1, done.stderr
    assert [row["verdict"] for row in json.loads(done.stdout)] == ["contradicted"]
    environment["ATTEST_CHECKER"] = "nli:owner/nowhere"
    done = attest("check", draft, **environment)
    assert (done.returncode, "no NLI model can be loaded from 'owner/nowhere'" in done.stderr) == (4, True)
    assert "Traceback" not in done.stderr


@needs_torch
@pytest.mark.models
def test_the_judge_of_the_harness_is_the_same_model(folder, model, monkeypatch, tmp_path):
    monkeypatch.setattr("eval.judges.named.settings", lambda: Settings(cache_dir=tmp_path))
    judge = open_judge(f"nli:{folder}")
    for claim, supported in ((SAME, True), (OPPOSITE, False), (OTHER, False)):
        (opinion,) = model.ask([(claim, RECALL)])
        grade = judge.grade(claim, RECALL)
        assert (grade.score, grade.supported) == (pytest.approx(opinion.supported), supported)
