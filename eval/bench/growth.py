"""How a shelf behaves as it grows: time, memory, disk and searches at each size, without embedding.

    python -m eval.bench.growth FOLDER --passages 10000 100000 1000000

Papers are mixed from the starter digests: each passage is one of theirs with rare words strewn in, so that the vocabulary
grows as it does in real text (Heaps, 1978; rarity as Zipf's), and its vector lies between those of two real passages, which
makes clusters as real vectors do. Every number gives one paper. The questions are those of the starter shelf, asked through `Assistant.search`: encoding,
word index, vectors, late interaction and the best sentences. Every stage is a process of its own. Figures are added to
FOLDER/growth.json, and drawn in FOLDER/growth-*.svg; a size whose shelf is there is measured again, not made again.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from eval import plots
from eval.cases import DATASETS, read_cases
from rag.assistant import Assistant
from rag.config import Settings
from rag.index.ledger import EVERYTHING
from rag.index.reading import read_abstract
from rag.index.shelf import Shelf
from rag.index.stored import EncodedPaper, EncodedPassage
from rag.index.tokens import DIMENSION, PaperTokens
from rag.ingest.pipeline import BATCH
from rag.types import Organization, Paper, Passage

PASSAGES = 3  # of a paper
ADDED = 1_000  # papers that are added to a grown shelf
RARE, NOISE, OTHER = 6, 0.25, 0.5
YEARS = range(2007, 2027)
ORGANIZATIONS = 50
FILTERS: dict[str, dict[str, Any] | None] = {
    "first time": None,  # each question, as long as its papers' files are not in memory
    "again": None,
    "broad filter": {"year": {"gte": 2008}},  # 19 of 20 papers
    "narrow filter": {"year": 2020, "organization": "org-7"},  # one in a thousand
}

ROWS = {
    "store_s": "seconds to store (ledger and Chroma)",
    "store_peak_mb": "peak memory of that, MB",
    "index_s": "seconds to index words and vectors in files, anew",
    "index_peak_mb": "peak memory of that, MB",
    "disk_mb": "disk, MB",
    "open_s": "seconds to open",
    "first_search_s": "seconds of the first search",
    **{f"{name}, ms": f"search, {name}: p50 / p95, ms" for name in FILTERS},
    "search_peak_mb": "peak memory of searching, MB",
    "add_1000_s": "seconds to add 1,000 papers (3,000 passages)",
}
CURVES: dict[str, tuple[dict[str, tuple[str, int | None]], str]] = {
    "searches": ({name: (f"{name}, ms", 1) for name in FILTERS}, "p95, milliseconds"),
    "costs": (
        {"store, s": ("store_s", None), "index, s": ("index_s", None), "open, s": ("open_s", None),
         "add 1,000 papers, s": ("add_1000_s", None), "disk, MB": ("disk_mb", None), "memory of storing, MB": ("store_peak_mb", None)},
        "seconds, or MB",
    ),
}  # fmt: skip


class Mixer:
    """Papers mixed from those of a shelf; the same number gives the same paper."""

    def __init__(self, shelf: Shelf) -> None:
        stored = shelf.ledger.changed((EVERYTHING, 0), 10_000)
        self._titles = [one.title for one in stored]
        ((places, vectors),) = shelf.ledger.passages(EVERYTHING, 100_000)  # in the same order
        tokens = [_tokens(*blobs) for one in stored for blobs in one.encoded]
        texts = [paper.abstract[passage.start : passage.end] for passage, paper in places]
        self._parts = list(zip(texts, vectors, tokens, strict=True))

    def paper(self, number: int) -> tuple[Paper, EncodedPaper]:
        """The paper of this number, with made vectors."""
        chance = np.random.default_rng(number)
        chosen = chance.integers(len(self._parts), size=PASSAGES)
        title = f"{self._titles[chance.integers(len(self._titles))]} {_rare(chance)} {number}"
        texts, key = [], f"mixed-{number:09}"
        for at in chosen:
            words = self._parts[at][0].split()
            for _ in range(RARE):
                words.insert(int(chance.integers(1, len(words))), _rare(chance))
            texts.append(" ".join(words))
        abstract = " ".join(texts)
        passages, start = [], 0
        for at, text in zip(chosen, texts, strict=True):
            _, vector, tokens = self._parts[at]
            mixed = vector + OTHER * self._parts[chance.integers(len(self._parts))][1]
            mixed = mixed + NOISE * chance.standard_normal(len(vector)).astype(np.float32) / np.sqrt(len(vector))
            place = Passage(key, start, start + len(text))
            passages.append(EncodedPassage(place, (mixed / np.linalg.norm(mixed)).astype(np.float32), tokens))
            start += len(text) + 1
        organization = Organization(f"org-{number % ORGANIZATIONS}", f"Organization {number % ORGANIZATIONS}")
        year = int(chance.choice(YEARS))
        return Paper(key, title, abstract, year=year, organization=organization), EncodedPaper(
            read_abstract(abstract), passages
        )


def _tokens(_: bytes, vectors: bytes, sentences: bytes, ids: bytes) -> PaperTokens:
    small = np.frombuffer(vectors, np.int8).reshape(-1, DIMENSION)
    return PaperTokens(small, np.frombuffer(sentences, np.int16), np.frombuffer(ids, np.uint32))


def _rare(chance: np.random.Generator) -> str:
    return f"w{min(int(chance.zipf(1.3)), 10**9):x}q"


def build(folder: Path, passages: int) -> dict[str, Any]:
    """The ledger and the Chroma collection of so many passages."""
    with Shelf(folder / "starter", Settings()) as starter:
        mixer = Mixer(starter)
    seconds = 0.0
    with Shelf(folder / f"{passages}.part", Settings(chroma_text=False), create=True) as shelf:
        papers = passages // PASSAGES
        for first in tqdm(range(0, papers, BATCH), f"{passages:,} passages", unit=f"x{BATCH} papers", mininterval=5):
            made = [mixer.paper(number) for number in range(first, min(first + BATCH, papers))]
            began = time.perf_counter()
            shelf.store([paper for paper, _ in made], [encoded for _, encoded in made])
            seconds += time.perf_counter() - began
    (folder / f"{passages}.part").rename(folder / str(passages))
    return {"store_s": seconds, "store_peak_mb": _peak()}


def index(folder: Path, passages: int) -> dict[str, Any]:
    """Words and vectors in files, made anew from the ledger, as part of opening."""
    own = folder / str(passages)
    shutil.rmtree(own / "segments", ignore_errors=True)
    began = time.perf_counter()
    Shelf(own, Settings(chroma_text=False)).close()
    disk = sum(path.stat().st_blocks * 512 for path in own.rglob("*") if path.is_file())
    return {"index_s": time.perf_counter() - began, "index_peak_mb": _peak(), "disk_mb": disk / 1e6}


def measure(folder: Path, passages: int) -> dict[str, Any]:
    """Opening, the first search, and warm searches with and without filters."""
    asked = [case.question for case in read_cases(DATASETS / "questions.jsonl")]
    asked = [question for question in asked if len(question.split()) > 3][:80]
    began = time.perf_counter()
    figures: dict[str, Any] = {}
    with Assistant.open(folder / str(passages), settings=Settings(chroma_text=False)) as assistant:
        figures["open_s"] = time.perf_counter() - began
        began = time.perf_counter()
        assistant.search(asked[0])
        figures["first_search_s"] = time.perf_counter() - began
        for name, filters in FILTERS.items():
            taken = []
            for question in asked:
                began = time.perf_counter()
                assistant.search(question, filters=filters)
                taken.append(1000 * (time.perf_counter() - began))
            figures[f"{name}, ms"] = [round(float(value), 1) for value in np.percentile(taken, [50, 95])]
    return {**figures, "search_peak_mb": _peak()}


def add(folder: Path, passages: int) -> dict[str, Any]:
    """A thousand papers more: until they are stored, and until searches see them."""
    with Shelf(folder / "starter", Settings()) as starter:
        mixer = Mixer(starter)
    with Shelf(folder / str(passages), Settings(chroma_text=False)) as shelf:
        first = 10**8 + shelf.ledger.count()[0]
        made = [mixer.paper(number) for number in range(first, first + ADDED)]
        began = time.perf_counter()
        for at in range(0, ADDED, BATCH):
            some = made[at : at + BATCH]
            shelf.store([paper for paper, _ in some], [encoded for _, encoded in some])
        shelf.refresh()
        return {"add_1000_s": time.perf_counter() - began, "add_peak_mb": _peak()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


STAGES = {"build": build, "index": index, "measure": measure, "add": add}


def main(argv: list[str] | None = None) -> int:
    """Grow, measure, and write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    folder: Path = arguments.folder
    if arguments.stage:
        print(json.dumps(STAGES[arguments.stage](folder, arguments.passages[0])))
        return 0
    if not (folder / "starter").is_dir():
        with Assistant.open(folder / "starter") as assistant:
            assistant.ingest(["starter:"])
    path = folder / "growth.json"
    figures = json.loads(path.read_text()) if path.is_file() else {}
    for passages in arguments.passages:
        own = figures.setdefault(str(passages), {})
        for stage in STAGES:
            if stage == "build" and (folder / str(passages)).is_dir():
                continue
            command = [
                sys.executable,
                "-m",
                "eval.bench.growth",
                str(folder),
                "--stage",
                stage,
                "--passages",
                str(passages),
            ]
            own |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            path.write_text(json.dumps(figures, indent=1))
    _draw(folder, figures)
    print(table(figures))
    return 0


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Every size that was measured, in Markdown."""
    sizes = sorted(figures, key=int)
    lines = [f"| | {' | '.join(f'{int(size):,} passages' for size in sizes)} |", "|---" * (len(sizes) + 1) + "|"]
    for name, text in ROWS.items():
        held = [figures[size].get(name, 0) for size in sizes]
        cells = [" / ".join(map(_number, one)) if isinstance(one, list) else _number(one) for one in held]
        lines.append(f"| {text} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _draw(folder: Path, figures: dict[str, dict[str, Any]]) -> None:
    for kind, (names, label) in CURVES.items():
        curves = {name: _curve(figures, key, at) for name, (key, at) in names.items()}
        drawn = plots.growth(curves, "passages", label)
        (folder / f"growth-{kind}.svg").write_text(drawn, encoding="utf-8")


def _curve(figures: dict[str, dict[str, Any]], key: str, at: int | None) -> dict[float, float]:
    held = {float(size): figures[size].get(key) for size in sorted(figures, key=int)}
    return {size: float(value if at is None else value[at]) for size, value in held.items() if value}


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}" if value else ""


if __name__ == "__main__":
    raise SystemExit(main())
