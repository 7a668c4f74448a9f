"""Attest and LlamaIndex + Chroma on the same abstracts and the same MiniLM, in the same run.

    python -m eval.bench.side_by_side --peer-python PATH [--data corpus.jsonl] [--docs 1500] [--rounds 2] [--out FILE]

Every figure comes from a fresh process, and the two take turns stage by stage, so that other work on the
machine meets both. Absolute figures belong to the machine; the ratios are what to compare. See README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SEED_PAPERS = ROOT / "eval" / "datasets" / "papers.jsonl"
QUERIES = 50
COLD_STARTS = 3  # a round's figure is their median: one is too noisy
# Other programs' work, in cores, above which a stage counts as disturbed: with one busy neighbour on two
# cores the peer kept 0.3 of its ingest rate and Attest 0.5, so a busy machine flatters Attest.
DISTURBED = 0.15
PATIENCE = 180.0  # seconds to wait for a quiet moment before each stage
TRIES = 3  # a disturbed stage is measured again; only the neighbours decide, never the figure
# Key, name, and what the ratio ours / peer is to keep.
MEASURES: tuple[tuple[str, str, str, float], ...] = (
    ("ingest", "ingest, docs/s", ">=", 2.5),
    ("cold", "cold start to first answer, s", "<=", 0.25),
    ("p50", "warm query p50, ms", "", 0),
    ("p95", "warm query p95, ms", "", 0),
    ("memory", "peak memory of ingest, MB", "", 0),
    ("disk", "disk, MB", "", 0),
)

# Side, measure, rounds: the figure, and the cores that others used meanwhile.
Figures = dict[str, dict[str, list[tuple[float, float]]]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What both sides are given: one paper to warm up on, `count` to time, the queries, the question of the cold start."""

    first: Path
    docs: Path
    count: int
    queries: Path
    question: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its name, its worker's command, and the command that answers a question (the shelf and the question follow)."""

    name: str
    worker: tuple[str, ...]
    asker: tuple[str, ...]

    def ingest(self, shelf: Path, inputs: Inputs) -> dict[str, float]:
        """Docs/s and peak memory of the ingest, and what the folder takes on disk when its process has ended."""
        figures = _run(*self.worker, "ingest", str(shelf), str(inputs.first), str(inputs.docs))
        if figures["stored"] != inputs.count:
            raise SystemExit(f"{self.name} stored {figures['stored']} of {inputs.count} documents")
        # Blocks, not lengths: sparse and preallocated files count as what they occupy.
        occupied = sum(path.stat().st_blocks * 512 for path in shelf.rglob("*") if path.is_file())
        return {"ingest": inputs.count / figures["seconds"], "memory": figures["peak_mb"], "disk": occupied / 1e6}

    def cold(self, shelf: Path, inputs: Inputs) -> dict[str, float]:
        """Seconds of a whole process, from its start to its end, with an answer in between."""
        seconds = []
        for _ in range(COLD_STARTS):
            start = time.perf_counter()
            answer = _run(*self.asker, str(shelf), inputs.question)
            seconds.append(time.perf_counter() - start)
            if not (answer.get("citations") or answer.get("texts")):
                raise SystemExit(f"{self.name} did not answer {inputs.question!r}")
        return {"cold": statistics.median(seconds)}

    def warm(self, shelf: Path, inputs: Inputs) -> dict[str, float]:
        """Median and 95th percentile of the queries of one process."""
        times = _run(*self.worker, "queries", str(shelf), str(inputs.queries))["milliseconds"]
        return {"p50": statistics.median(times), "p95": statistics.quantiles(times, n=20, method="inclusive")[18]}


Stage = Callable[[Side, Path, Inputs], dict[str, float]]


def sides(peer_python: str) -> tuple[Side, Side]:
    """Attest and the peer."""
    script = str(Path(__file__).with_name("peer_llama_index.py"))
    return (
        Side(
            "Attest",
            (sys.executable, "-m", "eval.bench.ours"),
            (sys.executable, "-m", "rag", "ask", "--json", "--shelf"),
        ),
        Side("LlamaIndex", (peer_python, script), (peer_python, script, "ask")),
    )


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
        raise SystemExit(
            f"{' '.join(command)}\nended with status {done.returncode}: {(done.stderr or done.stdout)[-2000:]}"
        )
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


def corpus(data: Path | None, count: int) -> list[tuple[str, str]]:
    """`count` pairs of title and abstract, no two titles alike (to Attest they would be one paper)."""
    pairs: dict[str, tuple[str, str]] = {}
    given = ((record["title"].strip(), record["text"].strip()) for record in _records(data)) if data else _mixed(count)
    for title, abstract in given:
        if title and abstract:
            title = f"{title} ({len(pairs)})" if _key(title) in pairs else title
            pairs.setdefault(_key(title), (title, abstract))
        if len(pairs) == count:
            return list(pairs.values())
    raise SystemExit(f"{data} has {len(pairs)} usable documents; {count} are needed (one is for warming up)")


def _key(title: str) -> str:
    return re.sub(r"[\W_]+", "", title.casefold())


def _records(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _mixed(count: int) -> Iterator[tuple[str, str]]:
    """Abstracts of real sentences, each from another paper: of true length and words, as many as wanted."""
    rng = random.Random(0)
    papers = _records(SEED_PAPERS)
    sentences = [re.split(r"(?<=[.!?])\s+", paper["abstract"]) for paper in papers]
    for number in range(count):
        chosen = rng.sample(range(len(papers)), rng.randint(6, 9))
        yield f"{papers[chosen[0]]['title']} ({number})", " ".join(rng.choice(sentences[row]) for row in chosen)


def prepare(folder: Path, data: Path | None, count: int) -> Inputs:
    """Write the files that both sides read."""
    pairs = corpus(data, count + 1)
    lines = [json.dumps({"title": title, "abstract": abstract}) + "\n" for title, abstract in pairs]
    # The question is about a paper of the shelf: an abstention would be no answer to time.
    question = f"What is known about {pairs[count // 2][0].rstrip(' .?!')}?"
    inputs = Inputs(folder / "first.jsonl", folder / "docs.jsonl", count, folder / "queries.txt", question)
    inputs.first.write_text(lines[0], encoding="utf-8")
    inputs.docs.write_text("".join(lines[1:]), encoding="utf-8")
    asked = [title for title, _ in pairs]
    if data and (beside := data.with_name("queries.jsonl")).is_file():  # the collection's own
        asked = [record["text"] for record in _records(beside)]
    some = asked[:: max(1, len(asked) // QUERIES)][:QUERIES]
    inputs.queries.write_text("\n".join(" ".join(query.split()) for query in some), encoding="utf-8")
    return inputs


def measure(pair: tuple[Side, Side], inputs: Inputs, rounds: int, folder: Path) -> Figures:
    """The figures of every round."""
    # Once unmeasured: the encoder's one-time export, byte code, and the page cache.
    one = folder / "one.jsonl"
    one.write_text(inputs.docs.read_text(encoding="utf-8").partition("\n")[0] + "\n", encoding="utf-8")
    for side in pair:
        side.ingest(folder / f"{side.name}-rehearsal", replace(inputs, docs=one, count=1))
    figures: Figures = {side.name: {key: [] for key, *_ in MEASURES} for side in pair}
    for number in range(rounds):
        for stage in (Side.ingest, Side.cold, Side.warm):
            for side in pair if number % 2 == 0 else pair[::-1]:  # neither is always first
                found, cores = _quietly(stage, side, folder / f"{side.name}-{number}", inputs)
                for key, value in found.items():
                    figures[side.name][key].append((value, cores))
                shown = ", ".join(f"{key} {value:.4g}" for key, value in found.items())
                print(f"round {number + 1}: {side.name}: {shown} (others: {cores:.2f})", file=sys.stderr, flush=True)
    return figures


def _quietly(stage: Stage, side: Side, shelf: Path, inputs: Inputs) -> tuple[dict[str, float], float]:
    """The stage's figures of the least disturbed try, and the cores that others used meanwhile."""
    tries: list[tuple[dict[str, float], float]] = []
    while len(tries) < TRIES and not (tries and tries[-1][1] < DISTURBED):
        if stage is Side.ingest:
            shutil.rmtree(shelf, ignore_errors=True)
        Others.wait()
        others = Others()
        found = stage(side, shelf, inputs)
        tries.append((found, others.cores()))
    return min(tries, key=lambda one: one[1])


def table(figures: Figures) -> tuple[list[str], dict[str, float]]:
    """The lines to print, of medians over the undisturbed rounds, and the ratio of each measure.

    Where a side has no such round, all rounds of both stand, and nothing is said about the target: a
    quiet round of one beside a disturbed one of the other would flatter the first.
    """
    head = "".join(f"{name:>12}" for name in figures)
    lines = [f"{'':31}{head}{'ours/peer':>11}   {'rounds apart':14}{'quiet rounds':14}target"]
    ratios: dict[str, float] = {}
    for key, name, bound, wanted in MEASURES:
        rounds = [side[key] for side in figures.values()]
        quiet = [[value for value, cores in side if cores < DISTURBED] for side in rounds]
        used = quiet if all(quiet) else [[value for value, _ in side] for side in rounds]
        mine, theirs = map(statistics.median, used)
        ratio = ratios[key] = mine / theirs
        met = "met" if (ratio >= wanted if bound == ">=" else ratio <= wanted) else "MISSED"
        target = f"{bound} {wanted} {met if all(quiet) else 'undecided: disturbed'}" if bound else ""
        apart = " / ".join(f"{100 * (max(some) / min(some) - 1):.0f} %" for some in used)
        counts = " / ".join(str(len(some)) for some in quiet)
        lines.append(f"{name:31}{mine:>12.4g}{theirs:>12.4g}{ratio:>11.3f}   {apart:14}{counts:14}{target}".rstrip())
    return lines, ratios


def main() -> None:
    """Prepare, measure, print and write."""
    parser = argparse.ArgumentParser(
        description="Attest beside LlamaIndex + Chroma: same abstracts, same encoder, same run"
    )
    parser.add_argument("--peer-python", required=True, help="interpreter of the peer's environment (see README.md)")
    parser.add_argument(
        "--data",
        type=Path,
        help="corpus.jsonl in BEIR's form (_id, title, text); mixed from the seed papers when absent",
    )
    parser.add_argument("--docs", type=int, default=1500, help="abstracts to store (default 1500)")
    parser.add_argument("--rounds", type=int, default=2, help="times everything is measured (default 2)")
    parser.add_argument("--out", type=Path, help="write all figures as JSON here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        inputs = prepare(Path(name), args.data, args.docs)
        figures = measure(sides(args.peer_python), inputs, args.rounds, Path(name))
    lines, ratios = table(figures)
    print(
        f"{args.docs} abstracts of {args.data.parent.name if args.data else 'mixed sentences'}, {args.rounds} rounds, {os.cpu_count()} cores",
        *lines,
        sep="\n",
    )
    if args.out:
        result = {
            "docs": args.docs,
            "data": args.data.parent.name if args.data else None,
            "cores": os.cpu_count(),
            "figures": figures,
            "ratios": ratios,
        }
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
