"""Trains the checker's network: `python -m eval.checker.train --human FOLDER --corpora FOLDER --out FOLDER`.

First on rule-made edits of abstracts, then on the twins and two human-labelled sets; half of those sets and all others
are only reported. `OUT/net.pt` holds the weights (16 bits; `eval.checker.export` makes the checker's file of them),
`OUT/state.pt` what `--resume` needs to go on, `OUT/groups.jsonl` the claims as the network reads them. About an hour
on two cores; where others use them too, set OMP_WAIT_POLICY=PASSIVE.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

import torch
from tqdm import tqdm

from eval.checker.data import TWINS_SET, Group, Part, groups, read_groups, read_human, read_twins, write_groups
from eval.checker.encoder import Encoder, reuse_kernels
from eval.checker.frames import framed, read_frames
from eval.checker.plan import Row, batches
from eval.checker.pretraining import edited, read_abstracts
from eval.checker.trainer import PRETRAINING, TRAINING, Trainer, figures
from rag.config import Settings
from rag.index.embed import Embedder, model_dir

REPORTED = 700  # claims of each set
SHOWN = 150  # sources that figures are shown of during pretraining
ROUND = 2_000  # sources made at a time for pretraining

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


def train(options: argparse.Namespace) -> None:
    settings = Settings(embedding_model=None)  # all-MiniLM-L6-v2, which the network is made of
    embedder = Embedder.from_settings(settings)
    options.out.mkdir(parents=True, exist_ok=True)
    made = labelled(options, embedder)
    torch.manual_seed(options.seed)
    setup = {name: getattr(options, name) for name in ("pretrain_steps", "frames", "epochs", "mixed", "seed")}
    trainer = Trainer(Encoder(model_dir(settings)), options.out, setup)
    if options.resume:
        trainer.resume()
    development = [group for group in made if group.set == TWINS_SET and group.part is Part.DEVELOPMENT]
    abstracts = read_abstracts(options.corpora)
    if not trainer.is_past(PRETRAINING):
        plan = pretraining_plan(abstracts, embedder, options.pretrain_steps, options.frames, options.seed)
        trainer.run(PRETRAINING, plan, development[:SHOWN], shown=2)
    mixed = list(edited(abstracts, embedder, seed=options.seed))[: options.mixed] if options.mixed else []
    training = [group for group in made if group.part is Part.TRAINING]
    plan = training_plan(training, mixed, options.epochs, options.seed)
    trainer.run(TRAINING, plan, development, shown=2 * options.epochs)
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
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
