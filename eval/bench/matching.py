"""Which records are found to be of one paper, and how fast: `python -m eval.bench.matching [--papers 10000]`.

Papers are invented from a list of words, so that many begin or end alike and share most words of their abstracts, as papers of one
field do. Of some, a second record is made of each kind below; a duplicate must be found, a sibling must not. Each is asked of a ledger on
disk that holds all papers, as ingest asks. Prints the share that is right for each kind, precision and recall over all,
records a second, and the slowest kind.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from rag.index.database import SqliteDatabase
from rag.index.ledger import Ledger
from rag.index.stored import EncodedPaper
from rag.ingest.match import Index
from rag.types import Paper, paper_id

SEED = 7
BATCH = 256
_HEADS = (
    "A Survey of",
    "Towards",
    "Learning",
    "On the Limits of",
    "Efficient",
    "Rethinking",
    "Benchmarking",
    "Unsupervised",
)
_ADJECTIVES = ("sparse linear hybrid robust scalable neural causal modular adaptive recurrent hierarchical multilingual temporal "
    "spectral federated symbolic contrastive probabilistic compressed differentiable").split()  # fmt: skip
_NOUNS = ("attention tokenization retrieval translation summarization alignment quantization segmentation planning navigation "
    "transcription forecasting clustering ranking parsing captioning distillation pretraining calibration grounding").split()  # fmt: skip
_THINGS = ("documents proteins molecules satellites dialogues sensors recipes contracts melodies glaciers galaxies vehicles "
    "manuscripts enzymes rivers markets classrooms hospitals forests archives").split()  # fmt: skip
_ENDS = (
    "for Low-Resource Languages",
    "with Large Language Models",
    "in the Wild",
    "under Distribution Shift",
    "at Scale",
    "without Labels",
)
_TOPICS = (_ADJECTIVES, _NOUNS, _THINGS)
_NAMES = "Abel Bird Crane Dove Eagle Finch Gull Hawk Ibis Jay Kite Lark Martin Nene Owl Plover Quail Raven Stork Teal".split()

Change = Callable[[Paper, random.Random], Paper]


def invent(count: int, draw: random.Random) -> list[Paper]:
    """So many papers with titles of their own; a third name a system before a colon, a tenth have a number."""
    found: dict[str, Paper] = {}
    while len(found) < count:
        adjective, noun, thing = (draw.choice(words) for words in _TOPICS)
        title = f"{draw.choice(_HEADS)} {adjective.title()} {noun.title()} of {thing.title()} {draw.choice(_ENDS)}"
        if draw.random() < 0.33:
            title = f"{draw.choice(_NAMES)}{draw.choice(_ADJECTIVES)[:4].title()}{draw.choice('XYZQK')}: {title}"
        if draw.random() < 0.1:
            title = f"{title} {draw.randint(2, 9)}"
        number = len(found)
        authors = tuple(f"{draw.choice('ABCDEFGH')}. {name}" for name in draw.sample(_NAMES, 3))
        paper = Paper(paper_id(title), title, _abstract(title, draw), authors=authors)
        if number % 3 == 0:  # a third each has an arXiv id, a DOI, and nothing but its title
            paper = replace(paper, arxiv_id=f"{2001 + number // 9_000}.{number % 9_000 + 10_000}")
        elif number % 3 == 1:
            paper = replace(paper, doi=f"10.9999/{number}")
        found.setdefault(paper.id, paper)
    return list(found.values())


def _abstract(title: str, draw: random.Random) -> str:
    said = [
        f"We study {draw.choice(_ADJECTIVES)} {draw.choice(_NOUNS)} of {draw.choice(_THINGS)} and {draw.choice(_THINGS)}, which is "
        f"{draw.choice(_ADJECTIVES)} and costs {draw.randint(2, 900)} hours."
        for _ in range(6)
    ]
    return f"{title.split(': ')[-1]} remains hard. " + " ".join(said)


def _bare(paper: Paper) -> Paper:
    return replace(paper, arxiv_id=None, doi=None, sources=())


def _titled(paper: Paper, title: str) -> Paper:
    return replace(paper, id=paper_id(title), title=title)


def _slip(paper: Paper, draw: random.Random) -> Paper:
    """A letter of a long word left out, and a tenth of the abstract reworded."""
    words = paper.title.split()
    at = draw.choice([row for row, word in enumerate(words) if len(word) > 6 and word.isalpha()])
    gone = draw.randint(2, len(words[at]) - 2)
    words[at] = words[at][:gone] + words[at][gone + 1 :]
    said = [word if draw.random() > 0.1 else draw.choice(_THINGS) for word in paper.abstract.split()]
    return _titled(replace(_bare(paper), abstract=" ".join(said)), " ".join(words))


def _renumbered(paper: Paper, draw: random.Random) -> Paper:
    """The next of a series, which has most of its words in common."""
    last = paper.title.split()[-1]
    if last.isdigit():
        return _titled(_bare(paper), f"{paper.title.rsplit(' ', 1)[0]} {int(last) + 1}")
    return _titled(_bare(paper), f"{paper.title} {draw.choice(('2', 'II', '2.0', 'Part 2'))}")


def _other_word(paper: Paper, draw: random.Random) -> Paper:
    words = paper.title.split()
    at = draw.choice([row for row, word in enumerate(words) if word.casefold() in _THINGS])
    words[at] = draw.choice([word.title() for word in _THINGS if word != words[at].casefold()])
    return _titled(_bare(paper), " ".join(words))


def _other_paper(paper: Paper, draw: random.Random) -> Paper:
    names = tuple(name for name in _NAMES if not any(name in author for author in paper.authors))
    abstract = " ".join(f"Birds of kind {draw.randint(1, 9**9)} moult, feathers{number} whiten." for number in range(6))
    return replace(_bare(paper), abstract=abstract, authors=(f"Z. {draw.choice(names)}",))


DUPLICATES: dict[str, Change] = {
    "title in other case, without hyphens": lambda p, _: _titled(_bare(p), p.title.upper().replace("-", " ")),
    "version tag": lambda p, draw: _titled(_bare(p), f"{p.title} (v{draw.randint(2, 5)})"),
    "slip in the title, abstract reworded": _slip,
    "arXiv version": lambda p, draw: replace(p, arxiv_id=p.arxiv_id and f"arXiv:{p.arxiv_id}v{draw.randint(2, 5)}"),
    "DOI as address": lambda p, _: replace(p, doi=p.doi and f"https://doi.org/{p.doi.upper()}"),
}
SIBLINGS: dict[str, Change] = {
    "next number": _renumbered,
    "another thing in the title": _other_word,
    "same title, others wrote it": _other_paper,
    "other arXiv id": lambda p, draw: replace(p, arxiv_id=p.arxiv_id and f"9912.{draw.randint(10_000, 99_999)}"),
}


def records(papers: list[Paper], each: int, draw: random.Random) -> Iterator[tuple[str, Paper, str | None]]:
    """The kind of each second record, the record, and the id of its paper (None: it is of no paper there)."""
    there = {paper.id for paper in papers}
    for kind, change in (DUPLICATES | SIBLINGS).items():
        usable = [
            paper for paper in papers if ("arXiv" not in kind or paper.arxiv_id) and ("DOI" not in kind or paper.doi)
        ]
        for paper in draw.sample(usable, min(each, len(usable))):
            changed = change(paper, draw)
            if kind in DUPLICATES:
                yield kind, changed, paper.id
            elif changed.id not in there or changed.id == paper.id:
                yield kind, changed, None


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=200, help="second records of each kind (default: 200)")
    given = parser.parse_args(argv)
    draw = random.Random(SEED)
    papers = invent(given.papers, draw)
    asked = list(records(papers, given.each, draw))
    right, total, seconds = Counter[str](), Counter[str](), dict[str, float]()
    found = correct = 0
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(SqliteDatabase(Path(folder) / "ledger.sqlite"), {})
        began = time.perf_counter()
        for at in range(0, len(papers), BATCH):
            ledger.put([(paper, EncodedPaper((), ())) for paper in papers[at : at + BATCH]])
        stored = time.perf_counter() - began
        for kind, record, wanted in asked:
            began = time.perf_counter()
            ((_, known),) = ledger.resolve([record])
            seconds[kind] = seconds.get(kind, 0.0) + time.perf_counter() - began
            total[kind] += 1
            right[kind] += (known.id if known else None) == wanted
            found += known is not None
            correct += known is not None and known.id == wanted
        ledger.close()
    began = time.perf_counter()
    index = Index()
    for paper in papers[:BATCH]:  # as many as ingest holds at once
        index.find(paper)
        index.add(paper)
    in_memory = BATCH / (time.perf_counter() - began)
    for kind, count in total.items():
        role = "duplicate" if kind in DUPLICATES else "sibling"
        print(f"{role:<10}{kind:<40}{right[kind] / count:6.3f} of {count}, {count / seconds[kind]:,.0f} a second")
    duplicates = sum(count for kind, count in total.items() if kind in DUPLICATES)
    print(
        f"precision {correct / found:.4f}, recall {correct / duplicates:.4f}, {len(papers):,} papers, {len(asked):,} records"
    )
    print(
        f"{len(asked) / sum(seconds.values()):,.0f} records a second asked of the ledger, {in_memory:,.0f} of a batch in memory, {len(papers) / stored:,.0f} papers a second stored"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
