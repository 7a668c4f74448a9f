"""What an empty chat shows: what this is, and questions that this shelf can answer."""

from __future__ import annotations

from rag.assistant import Assistant
from rag.errors import ShelfMissing
from rag.ingest.names import short_name
from rag.ingest.repair import readable
from ui.markup import literal

# Each with the beginning of a title that must be on the shelf.
STARTER = (
    ("which papers compare hybrid linear attention ratios?", "A Systematic Analysis of Hybrid Linear Attention"),
    ("Lizard vs Liger: how do they linearize a pretrained model?", "Lizard: "),
    ("how many papers are from 2023?", "Observable Propagation"),
    ("what F1 did Ditto get when matching the two big company tables?", "Deep Entity Matching"),
)
MOST = 4
READ = 200  # titles, the first of the shelf


def examples(assistant: Assistant) -> list[str]:
    """Questions about papers that are there; none for a shelf without any."""
    try:
        ledger = assistant.shelf.ledger
        titles = list(ledger.titles(READ).values())
    except ShelfMissing:
        return []
    known = [question for question, title in STARTER if any(one.startswith(title) for one in titles)]
    if len(known) == len(STARTER):
        return known
    named = [name for title in titles if (name := short_name(title))]
    made = [f"what does {readable(name)} propose?" for name in named[:2]]
    made += [f"how many papers are from {year}?" for year, _ in ledger.tally("year")[-1:]]
    if len(named) > 1:
        made.append(f"{readable(named[0])} vs {readable(named[1])}: how do they differ?")
    return made[:MOST]


def welcome_html(assistant: Assistant) -> str:
    """The greeting with its examples."""
    items = "".join(
        f'<li><button type="button" data-do="ask" data-text="{literal(one)}">{literal(one)}</button></li>'
        for one in examples(assistant)
    )
    offered = f"<p>For example:</p><ul>{items}</ul>" if items else ""
    return (
        '<div class="welcome"><h2>Ask the papers on this shelf</h2><p>Every statement of an answer names its paper, quotes'
        " the words it rests on, and has been checked against them. When the shelf does not say, the answer says so.</p>"
        f"{offered}</div>"
    )
