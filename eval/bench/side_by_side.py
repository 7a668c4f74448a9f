"""Attest and its peers on the same abstracts with the same MiniLM, in the same run.

    python -m eval.bench.side_by_side --peers PYTHON [--data corpus.jsonl] [--docs 1500] [--rounds 1] [--out FILE]

Every figure comes from a fresh process, and the sides take turns stage by stage, so that other work on the machine meets all
of them. Absolute figures belong to the machine; compare sides within a run. A side that fails is left out, and said. What was
measured is in FILE after every stage. See README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eval.bench.inputs import Inputs, prepare
from eval.metrics import ndcg

ROOT = Path(__file__).resolve().parents[2]
COLD_STARTS = 3  # a round's figure is their median: one is too noisy
# Other programs' work, in cores, above which a stage counts as disturbed: with one busy neighbour on two
# cores a peer kept 0.3 of its ingest rate and Attest 0.5, so a busy machine flatters Attest.
DISTURBED = 0.15
PATIENCE = 10.0  # seconds to wait for a quiet moment before each stage
# Key, and what it is; of the first and the last more is better.
MEASURES = {
    "ingest": "ingest, docs/s",
    "cold": "cold start to first answer, s",
    "p50": "query p50, ms",
    "p95": "query p95, ms",
    "memory": "peak memory of ingest, MB",
    "disk": "disk, MB",
    "ndcg": "nDCG@10",
}
PEERS = {
    "LlamaIndex": ("peer_llama_index",),
    "LangChain": ("peer_langchain",),
    "Haystack": ("peer_haystack",),
    "txtai": ("peer_txtai",),
    "txtai hybrid": ("peer_txtai", "--hybrid"),
}

# Side, measure, rounds: the figure, and the cores that others used meanwhile.
Figures = dict[str, dict[str, list[tuple[float, float]]]]


class Failed(Exception):
    """A side's process ended with an error, or without what was asked of it."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of them: its name, its worker's command and options, and the command that answers a question (the shelf and the question
    follow)."""

    name: str
    worker: tuple[str, ...]
    asker: tuple[str, ...]
    options: tuple[str, ...] = ()

    def ingest(self, shelf: Path, inputs: Inputs) -> dict[str, float]:
        """Docs/s and peak memory of the ingest, and what the folder takes on disk when its process has ended."""
        figures = _run(*self.worker, "ingest", str(shelf), str(inputs.first), str(inputs.docs), *self.options)
        # Blocks, not lengths: sparse and preallocated files count as what they occupy.
        occupied = sum(path.stat().st_blocks * 512 for path in shelf.rglob("*") if path.is_file())
        return {"ingest": inputs.count / figures["seconds"], "memory": figures["peak_mb"], "disk": occupied / 1e6}

    def cold(self, shelf: Path, inputs: Inputs) -> dict[str, float]:
        """Seconds of a whole process, from its start to its end, with an answer in between."""
        seconds = []
        for _ in range(COLD_STARTS):
            start = time.perf_counter()
            answer = _run(*self.asker, str(shelf), inputs.question, *self.options)
            seconds.append(time.perf_counter() - start)
            if not (answer.get("citations") or answer.get("texts")):
                raise Failed(f"no answer to {inputs.question!r}")
        return {"cold": statistics.median(seconds)}

    def warm(self, shelf: Path, inputs: Inputs) -> dict[str, float]:
        """Median and 95th percentile of the queries of one process, and how good its rankings are."""
        found = _run(*self.worker, "search", str(shelf), str(inputs.queries), *self.options)
        times = found["milliseconds"]
        graded = [
            ndcg(titles, grades) for titles, grades in zip(found["titles"], inputs.relevant, strict=True) if grades
        ]
        return {
            "p50": statistics.median(times),
            "p95": statistics.quantiles(times, n=20, method="inclusive")[18],
            **({"ndcg": statistics.fmean(graded)} if graded else {}),
        }


Stage = Callable[[Side, Path, Inputs], dict[str, float]]


def sides(peers: str) -> list[Side]:
    """Attest, and the peers by the interpreter of their environment."""
    own = Side(
        "Attest", (sys.executable, "-m", "eval.bench.ours"), (sys.executable, "-m", "rag", "ask", "--json", "--shelf")
    )
    others = []
    for name, (module, *options) in PEERS.items():
        worker = (peers, "-m", f"eval.bench.{module}")
        others.append(Side(name, worker, (*worker, "ask"), tuple(options)))
    return [own, *others]


def _run(*command: str) -> dict[str, Any]:
    """The JSON that a fresh process prints."""
    # Each side as its user finds it: no settings of this shell.
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ATTEST_", "OPENAI_", "PYTHON")) or key == "ATTEST_CACHE_DIR"
    }
    # No model look-ups and no usage reports over the network; and the peer would take a GPU where there is one.
    env |= {"HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with status {done.returncode}: {(done.stderr or done.stdout)[-1000:]}")
    figures: dict[str, Any] = json.loads(
        done.stdout[done.stdout.index("{") :]
    )  # LlamaIndex says first that there is no LLM
    return figures


class Others:
    """How many cores other programs (and the hypervisor) have used since this was made."""

    def __init__(self) -> None:
        self._at, self._busy = time.perf_counter(), self._foreign()

    @staticmethod
    def _foreign() -> float:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(
            int, Path("/proc/stat").read_text(encoding="ascii").split()[1:9]
        )
        mine = os.times()
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - sum(mine[:4])

    def cores(self) -> float:
        return max(0.0, (self._foreign() - self._busy) / (time.perf_counter() - self._at))

    @classmethod
    def wait(cls) -> None:
        """Until the machine is quiet, within patience."""
        patience = time.perf_counter() + PATIENCE
        while time.perf_counter() < patience:
            others = cls()
            time.sleep(2)
            if others.cores() < DISTURBED:
                return


def measure(
    competing: Sequence[Side], inputs: Inputs, rounds: int, folder: Path, keep: Callable[[Figures], None]
) -> Figures:
    """The figures of every round; `keep` is given them after every stage."""
    # Once unmeasured: the encoder's one-time export, byte code, and the page cache.
    one = folder / "one.jsonl"
    one.write_text(inputs.docs.read_text(encoding="utf-8").partition("\n")[0] + "\n", encoding="utf-8")
    rehearsal = replace(inputs, docs=one, count=1)
    able = [side for side in competing if _tried(Side.ingest, side, folder / f"{side.name}-rehearsal", rehearsal)]
    figures: Figures = {side.name: {key: [] for key in MEASURES} for side in able}
    for number in range(rounds):
        for stage in (Side.ingest, Side.cold, Side.warm):
            for side in able if number % 2 == 0 else able[::-1]:  # none is always first
                Others.wait()
                others = Others()
                found = _tried(stage, side, folder / f"{side.name}-{number}", inputs)
                cores = others.cores()
                for key, value in found.items():
                    figures[side.name][key].append((value, cores))
                shown = ", ".join(f"{key} {value:.4g}" for key, value in found.items())
                print(f"round {number + 1}: {side.name}: {shown} (others: {cores:.2f})", file=sys.stderr, flush=True)
                keep(figures)
        for side in able:
            shutil.rmtree(folder / f"{side.name}-{number}", ignore_errors=True)
    return figures


def _tried(stage: Stage, side: Side, shelf: Path, inputs: Inputs) -> dict[str, float]:
    """A stage's figures; none, and a word about it, where the side fails: the others go on."""
    try:
        return stage(side, shelf, inputs)
    except (Failed, ValueError, KeyError) as error:
        print(f"{side.name} fails: {error}", file=sys.stderr, flush=True)
        return {}


def table(result: Mapping[str, Any]) -> str:
    """Medians over the rounds in Markdown; in italics what was disturbed by other programs."""
    figures: Figures = result["figures"]
    lines = [f"| {result['docs']:,} abstracts | {' | '.join(figures)} |", "|---" * (len(figures) + 1) + "|"]
    for key, name in MEASURES.items():
        lines.append(f"| {name} | {' | '.join(_cell(side.get(key, [])) for side in figures.values())} |")
    return "\n".join(lines)


def _cell(rounds: Sequence[Sequence[float]]) -> str:
    if not rounds:
        return "failed"
    middle = statistics.median(value for value, _ in rounds)
    shown = f"{middle:,.0f}" if middle >= 100 else f"{middle:.3g}"
    return shown if all(cores < DISTURBED for _, cores in rounds) else f"*{shown}*"


def main() -> None:
    """Prepare, measure, print and write."""
    parser = argparse.ArgumentParser(description="Attest beside its peers: same abstracts, same encoder, same run")
    parser.add_argument("--peers", required=True, help="interpreter of the peers' environment (make bench makes it)")
    parser.add_argument("--data", type=Path, help="corpus.jsonl in BEIR's form, queries.jsonl and qrels.tsv beside it")
    parser.add_argument("--docs", type=int, default=1500, help="abstracts to store (default 1500)")
    parser.add_argument("--rounds", type=int, default=1, help="times everything is measured (default 1)")
    parser.add_argument("--out", type=Path, default=Path("side_by_side.json"), help="all figures as JSON")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "docs": args.docs,
        "data": args.data.parent.name if args.data else "mixed",
        "cores": os.cpu_count(),
    }

    def keep(figures: Figures) -> None:
        args.out.write_text(json.dumps(result | {"figures": figures}, indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as name:
        inputs = prepare(Path(name), args.data, args.docs)
        figures = measure(sides(args.peers), inputs, args.rounds, Path(name), keep)
    print(table(result | {"figures": figures}))


if __name__ == "__main__":
    main()
