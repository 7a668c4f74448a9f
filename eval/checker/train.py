"""Trains the checker's network: `python -m eval.checker.train --human FOLDER --corpora FOLDER --out FOLDER`.

First on rule-made edits of abstracts, then, where they are given, on corpora of natural language inference
(`eval/checker/inference.py`), and at last on the twins and two human-labelled sets; half of those sets and all others are only reported. `OUT/net.pt` holds the weights (16 bits; `eval.checker.export` makes the checker's file of them),
`OUT/state.pt` what `--resume` needs to go on, `OUT/groups.jsonl` the claims as the network reads them. About an hour
on two cores; where others use them too, set OMP_WAIT_POLICY=PASSIVE.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import torch
from tqdm import tqdm

from eval.checker.checkpoint import read_checkpoint
from eval.checker.data import TWINS_SET, Group, Part, groups, read_groups, read_human, read_twins, write_groups
from eval.checker.encoder import Encoder, reuse_kernels
from eval.checker.frames import framed, read_frames
from eval.checker.inference import read_inference
from eval.checker.plan import Row, batches
from eval.checker.pretraining import edited, read_abstracts
from eval.checker.trainer import INFERENCE, PRETRAINING, TRAINING, Trainer, figures
from rag.config import Settings
from rag.errors import AttestError
from rag.index.embed import Embedder, model_dir

REPORTED = 700  # claims of each set
SHOWN = 150  # sources that figures are shown of during pretraining
ROUND = 2_000  # sources made at a time for pretraining
AMONG = 0.2  # of the inference corpora's sources, among the labelled claims of an epoch
SETUP = ("pretrain_steps", "frames", "epochs", "mixed", "seed", "inference_epochs", "rate")

Plan = list[list[Row]]


def pretraining_plan(abstracts: Sequence[str], embedder: Embedder, steps: int, frames: float, seed: int) -> Plan:
    """So many batches of edited abstracts and, a share `frames` of the sources, of frames; each time others."""
    plan: Plan = []
    chance = random.Random(seed)
    told = read_frames() if frames else []
    while len(plan) < steps:
        made = list(islice(edited(abstracts, embedder, seed=chance.randrange(1 << 30)), round(ROUND * (1 - frames))))
        if not made and frames < 1:
            raise SystemExit("the corpora hold no abstract that can be edited")
        more = framed(told, abstracts, embedder, round(ROUND * frames), seed=chance.randrange(1 << 30)) if told else ()
        plan += batches([*made, *(group for group in more if group.part is Part.TRAINING)], chance)
    return plan[:steps]


def training_plan(made: Sequence[Group], mixed: Sequence[Group], epochs: int, seed: int) -> Plan:
    """Every group in every epoch, and of `mixed` in each others."""
    plan: Plan = []
    chance = random.Random(seed)
    for epoch in range(epochs):
        own = batches(made, chance) + batches(mixed[epoch::epochs], chance)
        chance.shuffle(own)
        plan += own
    return plan


def report(encoder: Encoder, made: Sequence[Group]) -> str:
    """The development sources by kind of claim, and each human-labelled set on what was not trained on."""
    lines = []
    held_out = [group for group in made if group.part is not Part.TRAINING]
    for name, part in sorted({(group.set, group.part.value) for group in held_out}):
        own = [group for group in held_out if group.set == name and group.part.value == part]
        every = 1 if name == TWINS_SET else max(1, sum(len(group.claims) for group in own) // REPORTED)
        lines.append(f"{name} ({part}): {figures(encoder, own[::every], by_kind=name == TWINS_SET)}")
    return "\n".join(lines)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eval.checker.train", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--human", type=Path, required=True, metavar="FOLDER", help="of the human-labelled sets")
    parser.add_argument(
        "--corpora", type=Path, required=True, metavar="FOLDER", help="of BEIR corpora, one folder each"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where checkpoints are kept")
    parser.add_argument("--pretrain-steps", type=int, default=450, help="batches of edits (default: %(default)s)")
    parser.add_argument(
        "--frames", type=float, default=0.0, metavar="SHARE",
        help="share of the pretraining's sources that are made of frames (default: none; eval/LOG.md says why)",
    )  # fmt: skip
    parser.add_argument("--epochs", type=int, default=6, help="of the labelled claims (default: %(default)s)")
    parser.add_argument(
        "--mixed", type=int, default=0, metavar="N", help="edited abstracts among the labelled claims (default: none)"
    )
    parser.add_argument(
        "--inference", type=Path, metavar="FOLDER",
        help="corpora of natural language inference, before the labelled claims and, a part of them, among these",
    )  # fmt: skip
    parser.add_argument("--inference-epochs", type=int, default=2, help="of these corpora (default: %(default)s)")
    parser.add_argument(
        "--begin", type=Path, metavar="FILE", help="go on from these weights: a net.pt, or an exported file"
    )
    parser.add_argument(
        "--rate", type=float, default=TRAINING.rate, help="of the labelled claims (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of every choice (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on with what was left in the folder")
    options = parser.parse_args(given)
    left = (options.out / "state.pt").is_file()
    if left and not options.resume:
        parser.error(f"{options.out} holds a training: go on with --resume, or name another folder")
    if options.resume and not left:
        options.resume = False  # it was stopped before the first checkpoint
    return options


def labelled(options: argparse.Namespace, embedder: Embedder) -> list[Group]:
    """The groups of all labelled claims, read again when a training is gone on with."""
    kept: Path = options.out / "groups.jsonl"
    if options.resume and kept.is_file():
        return read_groups(kept)
    pairs = list(chain(read_twins(), read_human(options.human)))
    made = groups(tqdm(pairs, "reading", unit=" claims"), embedder)
    write_groups(kept, made)
    return made


def begun(options: argparse.Namespace, model: Path) -> Encoder:
    """The encoder as it is before training: of `model`, or with the weights to go on from."""
    torch.manual_seed(options.seed)
    encoder = Encoder(model)
    if options.begin:
        weights = read_checkpoint(options.begin, model)
        encoder.load({name: torch.from_numpy(value) for name, value in weights.items()})
    return encoder


def train(options: argparse.Namespace) -> None:
    settings = Settings(embedding_model=None)  # all-MiniLM-L6-v2, which the network is made of
    embedder = Embedder.from_settings(settings)
    options.out.mkdir(parents=True, exist_ok=True)
    corpora = list(read_inference(options.inference, embedder)) if options.inference else []
    made = labelled(options, embedder)
    setup = {name: getattr(options, name) for name in SETUP}
    trainer = Trainer(begun(options, model_dir(settings)), options.out, setup)
    if options.resume:
        trainer.resume()
    development = [group for group in made if group.set == TWINS_SET and group.part is Part.DEVELOPMENT]
    abstracts = read_abstracts(options.corpora)
    if options.pretrain_steps and not trainer.is_past(PRETRAINING):
        plan = pretraining_plan(abstracts, embedder, options.pretrain_steps, options.frames, options.seed)
        trainer.run(PRETRAINING, plan, development[:SHOWN], shown=2)
    if corpora and not trainer.is_past(INFERENCE):
        plan = training_plan(corpora, [], options.inference_epochs, options.seed)
        trainer.run(INFERENCE, plan, development[:SHOWN], shown=2)
    mixed = list(edited(abstracts, embedder, seed=options.seed))[: options.mixed] if options.mixed else []
    among = round(min(1.0, AMONG * options.epochs) * len(corpora))
    mixed += random.Random(options.seed).sample(corpora, among)
    training = [group for group in made if group.part is Part.TRAINING]
    plan = training_plan(training, mixed, options.epochs, options.seed)
    trainer.run(replace(TRAINING, rate=options.rate), plan, development, shown=2 * options.epochs)
    print(report(trainer.encoder, made))


def main() -> int:
    options = arguments()
    reuse_kernels()
    torch.set_num_threads(options.threads)
    try:
        train(options)
    except KeyboardInterrupt:
        print(f"\nstopped; what was saved last is in {options.out}: go on with --resume", file=sys.stderr)
        return 130
    except (ValueError, AttestError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
