"""What every side of the comparison is given: the same abstracts, queries and question."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED_PAPERS = Path(__file__).resolve().parents[1] / "datasets" / "papers.jsonl"
QUERIES = 200


@dataclass(frozen=True, slots=True)
class Inputs:
    """One paper to warm up on, `count` to time, the queries, the question of the cold start; and for each query, in order, the
    titles that answer it, with their grades (none where nobody judged)."""

    first: Path
    docs: Path
    count: int
    queries: Path
    question: str
    relevant: tuple[dict[str, int], ...]


def prepare(folder: Path, data: Path | None, count: int) -> Inputs:
    """Write the files that all sides read.

    Args:
        data: corpus.jsonl in BEIR's form (_id, title, text), with queries.jsonl and qrels.tsv beside it; sentences of the starter
            papers are mixed when None.
        count: papers; of a judged collection those that answer the queries come first.
    """
    papers, judged = _judged(data) if data else (_mixed(count + 1), [])
    pairs = _distinct(papers, count + 1)
    titles = {key: title for key, title, _ in pairs}
    lines = [json.dumps({"title": title, "abstract": abstract}) + "\n" for _, title, abstract in pairs]
    # The question is about a paper of the shelf: an abstention would be no answer to time.
    question = f"What is known about {pairs[count // 2][1].rstrip(' .?!')}?"
    asked = [
        (text, {titles[key]: grade for key, grade in grades.items()})
        for text, grades in judged
        if titles.keys() >= grades.keys()
    ]
    asked = asked or [(title, {}) for _, title, _ in pairs]
    asked = asked[:: max(1, len(asked) // QUERIES)][:QUERIES]
    inputs = Inputs(
        folder / "first.jsonl",
        folder / "docs.jsonl",
        count,
        folder / "queries.txt",
        question,
        tuple(one for _, one in asked),
    )
    inputs.first.write_text(lines[-1], encoding="utf-8")
    inputs.docs.write_text("".join(lines[:-1]), encoding="utf-8")
    inputs.queries.write_text("\n".join(" ".join(text.split()) for text, _ in asked), encoding="utf-8")
    return inputs


def _judged(data: Path) -> tuple[Iterator[tuple[str, str, str]], list[tuple[str, dict[str, int]]]]:
    """The papers of a collection, the relevant ones first, and its queries with their grades by paper."""
    grades: dict[str, dict[str, int]] = {}
    for line in data.with_name("qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, paper, grade = line.split("\t")
        grades.setdefault(query, {})[paper] = int(grade)
    relevant = {paper for own in grades.values() for paper, grade in own.items() if grade > 0}
    records = sorted(_records(data), key=lambda record: record["_id"] not in relevant)
    queries = [
        (record["text"], grades[record["_id"]])
        for record in _records(data.with_name("queries.jsonl"))
        if record["_id"] in grades
    ]
    return ((record["_id"], record["title"].strip(), record["text"].strip()) for record in records), queries


def _distinct(papers: Iterator[tuple[str, str, str]], count: int) -> list[tuple[str, str, str]]:
    """`count` papers, no two titles alike (to Attest they would be one paper)."""
    found: dict[str, tuple[str, str, str]] = {}
    for key, title, abstract in papers:
        if title and abstract:
            found.setdefault(re.sub(r"[\W_]+", "", title.casefold()), (key, title, abstract))
        if len(found) == count:
            return list(found.values())
    raise SystemExit(f"there are {len(found)} usable documents; {count} are needed (one is for warming up)")


def _records(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _mixed(count: int) -> Iterator[tuple[str, str, str]]:
    """Abstracts of real sentences, each from another paper: of true length and words, as many as wanted."""
    rng = random.Random(0)
    papers = _records(SEED_PAPERS)
    sentences = [re.split(r"(?<=[.!?])\s+", paper["abstract"]) for paper in papers]
    for number in range(count):
        chosen = rng.sample(range(len(papers)), rng.randint(6, 9))
        title = f"{papers[chosen[0]]['title']} ({number})"
        yield str(number), title, " ".join(rng.choice(sentences[row]) for row in chosen)
