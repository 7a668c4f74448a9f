"""Which papers of a ledger records are of: all of a batch are looked up at once."""

from __future__ import annotations

from collections.abc import Sequence

from rag.index.database import Database, marks, portions
from rag.index.queries import Queries
from rag.ingest.match import aliases, blocks, distinct_id, first_same, meet
from rag.types import Paper

# Papers of a block that are compared; a block that holds more tells little.
COMPARED = 2_000
# Papers whose blocks are looked up at once: each has at most five of them.
TOGETHER = 64


def resolve(database: Database, held: Queries, papers: Sequence[Paper]) -> list[tuple[str, Paper | None]]:
    """For each paper, the id under which it is on the shelf and the record there, or the id to store it under and None."""
    known = _identified(database, held, papers)
    for some in portions([at for at, found in enumerate(known) if found is None], TOGETHER):
        for at, found in zip(some, _titled(database, held, [papers[at] for at in some]), strict=True):
            known[at] = found
    taken = held.papers([paper.id for paper, found in zip(papers, known, strict=True) if found is None])
    return [
        (found.id, found) if found else (distinct_id(paper) if paper.id in taken else paper.id, None)
        for paper, found in zip(papers, known, strict=True)
    ]


def _identified(database: Database, held: Queries, papers: Sequence[Paper]) -> list[Paper | None]:
    """The papers that identifiers or ids lead to."""
    ids: dict[str, str] = {}
    for some in portions(list(dict.fromkeys(alias for paper in papers for alias in aliases(paper)))):
        ids |= dict(database.run(f"SELECT alias, paper_id FROM aliases WHERE alias IN ({marks(some)})", some))
    led = [
        dict.fromkeys((*(ids[alias] for alias in aliases(paper) if alias in ids), paper.id, distinct_id(paper)))
        for paper in papers
    ]
    found = held.papers(list(dict.fromkeys(key for keys in led for key in keys)))
    return [
        first_same((found[key] for key in keys if key in found), paper) for keys, paper in zip(led, papers, strict=True)
    ]


def _titled(database: Database, held: Queries, papers: Sequence[Paper]) -> list[Paper | None]:
    """The papers whose titles share a block and meet."""
    wanted: dict[str, list[tuple[int, int]]] = {}
    for at, paper in enumerate(papers):
        for place, block in enumerate(dict.fromkeys(blocks(paper))):
            wanted.setdefault(block, []).append((at, place))
    met: list[dict[tuple[int, int], str]] = [{} for _ in papers]
    for some in portions(list(wanted)):
        query = (
            "SELECT block, number, id, title FROM (SELECT b.block, p.number, p.id, p.title, row_number() OVER"
            " (PARTITION BY b.block ORDER BY b.paper_number) AS place FROM blocks b JOIN papers p ON p.number = b.paper_number"
            f" WHERE b.block IN ({marks(some)})) AS own WHERE place <= ?"
        )
        for block, number, key, title in database.run(query, (*some, COMPARED)):
            for at, place in wanted[block]:
                if meet(papers[at].title, title):
                    met[at][place, number] = key
    led = [dict.fromkeys(own[place] for place in sorted(own)) for own in met]
    found = held.papers(list(dict.fromkeys(key for keys in led for key in keys)))
    return [
        first_same((found[key] for key in keys if key in found), paper) for keys, paper in zip(led, papers, strict=True)
    ]
