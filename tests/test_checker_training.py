"""The checker's network, trained for some steps on a tiny subset, exported, and read as the checker reads it."""
# ruff: noqa: E402 - what needs torch is imported only where it is

import importlib.util

import numpy as np
import pytest
from fakes import CRANE, MARMOT, ZEBRA, embedder

pytestmark = pytest.mark.models
if importlib.util.find_spec("torch") is None:
    pytest.skip("torch is not installed (make test-models)", allow_module_level=True)

import torch

from eval.checker.checkpoint import mean, read_checkpoint
from eval.checker.data import Label, Pair, Part, groups
from eval.checker.encoder import Encoder, collate
from eval.checker.export import UNFITTED, calibrated, changes, judged, write
from eval.checker.names import base_weights
from eval.checker.plan import batches
from eval.checker.train import arguments, training_plan
from eval.checker.trainer import TRAINING, Trainer, figures, loss
from rag.index.embed import bundled_model_dir
from rag.verify.network import SupportNetwork

WIDTH = 384
SAID = {
    MARMOT: ("Marmot increases recall by 4.5 points.", "Marmot decreases recall.", "Marmot sings at noon."),
    CRANE: ("CraneNet knows 9,000 recipes.", "CraneNet knows 90 recipes.", "CraneNet is free of charge."),
    ZEBRA: ("Stripes confuse flies.", "Stripes attract flies.", "Zebras live in Africa."),
}


@pytest.fixture(scope="module")
def made():
    pairs = [
        Pair("twins", paper.id, Part.TRAINING, paper.abstract, claim, Label(at), "tiny")
        for paper, claims in SAID.items()
        for at, claim in enumerate(claims)
    ]
    return groups(pairs, embedder())


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory):
    """An encoder after some steps, and the folder with its checkpoint."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    encoder = Encoder(bundled_model_dir())
    with torch.no_grad():
        before = float(loss(encoder.logits(collate(batches(made)[0])), collate(batches(made)[0]).labels))
    Trainer(encoder, folder, {"seed": 0}).run(TRAINING, training_plan(made, [], 12, 0), made, shown=2)
    with torch.no_grad():
        after = float(loss(encoder.logits(collate(batches(made)[0])), collate(batches(made)[0]).labels))
    assert after < before - 0.1
    return encoder, folder


def test_the_exported_network_says_what_torch_says(made, trained, tmp_path):
    encoder, _ = trained
    weights = {name: weight.detach().numpy() for name, weight in encoder.weights.items()}
    path = tmp_path / "support.safetensors"
    write(path, changes(weights, base_weights(bundled_model_dir()), WIDTH), UNFITTED)
    again = read_checkpoint(path, bundled_model_dir())
    assert again.keys() == weights.keys()
    assert all(np.allclose(again[name], weights[name], atol=2e-3) for name in weights)
    halfway = mean([again, {name: -value for name, value in again.items()}])
    assert not any(value.any() for value in halfway.values())
    network = SupportNetwork(bundled_model_dir(), tmp_path, "fp32", path)
    assert network.calibration == UNFITTED
    rows = [(group, tuple(range(len(group.claims)))) for group in made]
    with torch.no_grad():
        expected = encoder.logits(collate(rows)).numpy()
    found = np.array([row.logits for row in judged(network, made)])
    assert np.abs(found - expected).max() < 0.05
    fitted = calibrated(judged(network, made))
    assert fitted.slope > 0
    assert 0 <= fitted.contradicted <= 1


def test_a_training_goes_on_where_it_was_left(made, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("eval.checker.trainer.SAVED_EVERY", 1)

    def encoder(steps, *, resume=False):
        torch.manual_seed(1)
        trainer = Trainer(Encoder(bundled_model_dir()), tmp_path, {"seed": 1})
        if resume:
            trainer.resume()
        plan = training_plan(made, [], 4, 1)
        if steps < len(plan):
            whole = trainer._step

            def step(*given, at=[]):  # noqa: B006 - counts
                at.append(1)
                if len(at) > steps:
                    raise KeyboardInterrupt
                return whole(*given)

            monkeypatch.setattr(trainer, "_step", step)
            with pytest.raises(KeyboardInterrupt):
                trainer.run(TRAINING, plan, made, shown=1)
        else:
            trainer.run(TRAINING, plan, made, shown=1)
        return trainer.encoder

    encoder(2)
    left = encoder(9, resume=True).weights["layers.3.i.w"]
    (tmp_path / "state.pt").unlink()
    assert torch.allclose(left, encoder(9).weights["layers.3.i.w"], atol=1e-4)
    with pytest.raises(ValueError, match="was begun with"):
        Trainer(Encoder(bundled_model_dir()), tmp_path, {"seed": 2}).resume()


def test_what_is_only_known_not_to_be_supported_is_pushed_away():
    logits = torch.tensor([[2.0, 0.0, 0.0]])
    supported, either = (loss(logits, torch.tensor([label])) for label in (Label.SUPPORTED, Label.NOT_SUPPORTED))
    assert float(supported) < float(either) < float(loss(logits + torch.tensor([[3.0, 0, 0]]), torch.tensor([3])))


def test_a_checkpoint_is_read_and_a_folder_in_use_refused(made, trained, capsys):
    encoder, folder = trained
    stored = read_checkpoint(folder / "net.pt", bundled_model_dir())
    assert stored.keys() == encoder.weights.keys()
    assert "AUROC" in figures(encoder, made, by_kind=True)
    with pytest.raises(SystemExit):
        arguments(["--human", "x", "--corpora", "x", "--out", str(folder)])
    assert "--resume" in capsys.readouterr().err
