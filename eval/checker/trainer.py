"""The training loop of the checker's network: loss, learning rate, checkpoints, and figures on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from eval.checker.data import Group, Label
from eval.checker.encoder import Batch, Dropout, Encoder, collate
from eval.checker.plan import Row, batches
from eval.metrics import auroc

SAVED_EVERY = 50
SMOOTHING = 0.05
WEIGHT_DECAY, LONGEST_GRADIENT = 0.01, 1.0
HEAD_RATE = 5e-4
WARM_UP = 0.08


@dataclass(frozen=True, slots=True)
class Stage:
    """Learning rate of the encoder, the share of it that is left at the end, dropout, and whether the head learns from
    the features."""

    name: str
    rate: float
    least: float
    dropout: float
    views: bool


PRETRAINING = Stage("pretraining", 2e-4, 0.15, 0.05, False)
INFERENCE = Stage("inference", 1e-4, 0.15, 0.1, False)
TRAINING = Stage("training", 1.5e-4, 0.0, 0.1, True)
STAGES = tuple(stage.name for stage in (PRETRAINING, INFERENCE, TRAINING))


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy with smoothed labels; of what is only known not to be supported, -log(1 - p(supported))."""
    logs = F.log_softmax(logits, -1)
    told = labels < Label.NOT_SUPPORTED
    known = logs[told]
    chosen = known.gather(1, labels[told][:, None]).squeeze(1)
    total = -((1 - SMOOTHING) * chosen + SMOOTHING * known.mean(1)).sum()
    supported = logs[~told][:, Label.SUPPORTED].exp().clamp(1e-5, 1 - 1e-5)
    return (total - torch.log1p(-supported).sum()) / len(labels)


def rate_share(step: int, steps: int, least: float) -> float:
    """Of the learning rate: up in the first steps, then down in a line."""
    return min((step + 1) / (WARM_UP * steps), max(least, (steps - step) / ((1 - WARM_UP) * steps)))


class Trainer:
    """An encoder, its optimiser and where they stand; `folder` keeps both."""

    def __init__(self, encoder: Encoder, folder: Path, setup: Mapping[str, Any]) -> None:
        self.encoder = encoder
        self._folder = folder
        self._setup = dict(setup)
        self._resumed: dict[str, Any] | None = None

    def resume(self) -> None:
        """Go on where `folder` was left.

        Raises:
            ValueError: it was begun with other arguments.
        """
        state = torch.load(self._folder / "state.pt", weights_only=True)
        if state["setup"] != self._setup:
            raise ValueError(f"the training in {self._folder} was begun with {state['setup']}")
        self.encoder.load(state["weights"])
        self._resumed = state

    def is_past(self, stage: Stage) -> bool:
        """Whether the training that is gone on with was left in a later stage."""
        return self._resumed is not None and STAGES.index(self._resumed["stage"]) > STAGES.index(stage.name)

    def run(self, stage: Stage, plan: Sequence[Sequence[Row]], development: Sequence[Group], shown: int) -> None:
        """All batches of a stage once, from where it was left; figures of `development` are shown so many times."""
        optimiser, first = self._optimiser(stage), 0
        dropout = Dropout(stage.dropout)
        if self._resumed:
            optimiser.load_state_dict(self._resumed["optimiser"])
            torch.set_rng_state(self._resumed["chance"])
            first = self._resumed["step"]
            self._resumed = None
        every = max(1, len(plan) // shown)
        with tqdm(total=len(plan), initial=first, desc=stage.name, unit=" steps") as bar:
            for step in range(first, len(plan)):
                self._rate(optimiser, stage, rate_share(step, len(plan), stage.least))
                value = self._step(optimiser, collate(plan[step]), dropout)
                bar.set_postfix(loss=f"{value:.3f}", refresh=False)
                bar.update()
                if (step + 1) % SAVED_EVERY == 0 or step + 1 == len(plan):
                    self._save(stage, step + 1, optimiser)
                if (step + 1) % every == 0:
                    bar.write(f"{stage.name} {step + 1}/{len(plan)}: {figures(self.encoder, development)}")

    def _optimiser(self, stage: Stage) -> Any:
        encoder, head = list[Tensor](), list[Tensor]()
        for name, weight in self.encoder.weights.items():
            if stage.views or not name.startswith("hf."):
                (head if self.encoder.is_head(name) else encoder).append(weight)
        return torch.optim.AdamW(
            [{"params": encoder, "lr": stage.rate}, {"params": head, "lr": HEAD_RATE}],
            weight_decay=WEIGHT_DECAY, fused=True,
        )  # fmt: skip

    def _rate(self, optimiser: Any, stage: Stage, share: float) -> None:
        for group, rate in zip(optimiser.param_groups, (stage.rate, HEAD_RATE), strict=True):
            group["lr"] = rate * share

    def _step(self, optimiser: Any, batch: Batch, dropout: Dropout) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.encoder.logits(batch, dropout)
        value = loss(logits, batch.labels)
        optimiser.zero_grad()
        value.backward()
        trained = [weight for group in optimiser.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, LONGEST_GRADIENT)
        optimiser.step()
        return float(value.detach())

    def _save(self, stage: Stage, step: int, optimiser: Any) -> None:
        weights = {name: weight.detach() for name, weight in self.encoder.weights.items()}
        state = {
            "setup": self._setup, "stage": stage.name, "step": step, "weights": weights,
            "optimiser": optimiser.state_dict(), "chance": torch.get_rng_state(),
        }  # fmt: skip
        for name, value in (("state.pt", state), ("net.pt", {name: weight.half() for name, weight in weights.items()})):
            part = self._folder / f"{name}.part"
            torch.save(value, part)
            part.replace(self._folder / name)


def predictions(encoder: Encoder, made: Sequence[Group]) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
    """Of every claim the softmax (claims x 3), the label, and its kind."""
    shares, labels, kinds = [np.empty((0, 3), np.float32)], [np.empty(0, np.int64)], list[str]()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for rows in batches(made):
            batch = collate(rows)
            shares.append(encoder.logits(batch).softmax(-1).numpy())
            labels.append(batch.labels.numpy())
            kinds += [group.claims[at].kind for group, chosen in rows for at in chosen]
    return np.concatenate(shares), np.concatenate(labels), kinds


def figures(encoder: Encoder, made: Sequence[Group], *, by_kind: bool = False) -> str:
    """AUROC of supported against the rest, and the share of three-way labels met (nan where the set tells
    only two); by kind of claim, if asked."""
    shares, labels, kinds = predictions(encoder, made)
    told = labels < Label.NOT_SUPPORTED
    met = (shares.argmax(1) == labels).mean() if told.all() else float("nan")
    lines = [f"{len(labels)} claims, AUROC {_auroc(labels, shares):.3f}, three-way {met:.3f}"]
    for kind in sorted(set(kinds)) if by_kind else ():
        own = np.array([other == kind for other in kinds])
        lines.append(f"  {kind}: {own.sum()} claims, AUROC {_auroc(labels[own], shares[own]):.3f}")
    return "\n".join(lines)


def _auroc(labels: NDArray[np.int64], shares: NDArray[np.float32]) -> float:
    supported = (labels == Label.SUPPORTED).astype(int).tolist()
    return auroc(supported, shares[:, 0].tolist()) if 0 < sum(supported) < len(supported) else float("nan")
