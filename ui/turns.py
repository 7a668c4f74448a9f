"""A turn of the conversation as HTML: the question, what it was limited to, the answer, and what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag.question import to_filters
from rag.retrieve.evidence import describe
from rag.types import Answer, Filters
from ui.conversations import Turn
from ui.feedback import KINDS
from ui.markup import answer_html, draft_html, facts, literal, quote_note, tally, title

STAGES = {
    "searching": "Searching the shelf…",
    "writing": "Writing…",
    "checking": "Checking every statement against the quoted words…",
    "repairing": "Asking again for what did not hold…",
}
_STEPS = {"retrieve": "Search", "write": "Writing", "verify": "Checking"}


def conversation_html(turns: Sequence[Turn]) -> str:
    """All turns, the first one first."""
    return "".join(turn_html(turn, at) for at, turn in enumerate(turns))


def turn_html(turn: Turn, at: int) -> str:
    """One finished turn."""
    said = _answered(turn, at) if turn.answer else f'<p class="failed">{literal(turn.error)}</p>'
    return (
        f'<section class="turn" id="turn-{at}" aria-label="Question {at + 1}">{_asked(turn)}'
        f'<div class="said">{said}{_actions(turn, at)}</div></section>'
    )


def live_html(question: str, draft: str, stage: str, filters: Mapping[str, Any]) -> str:
    """The turn that is being answered."""
    asked = _asked(Turn(question, "", dict(filters)))
    # A screen reader is told of the stages but not of draft text, and then that the answer is there.
    return (
        f'<section class="turn live">{asked}<div class="said"><div class="draft" aria-live="off">{draft_html(draft)}</div>'
        f'<p class="stage">{literal(STAGES.get(stage, stage))}</p></div></section>'
    )


def done_html(turn: Turn) -> str:
    """What takes the place of the live turn, for those who hear the page."""
    said = f"Answered. {tally(turn.answer)}" if turn.answer else "Not answered."
    return f'<p class="sr">{said}</p>'


def _asked(turn: Turn) -> str:
    set_beside = to_filters(turn.filters).conditions
    chips = "".join(_chip(condition, "set as a filter") for condition in set_beside)
    if turn.answer:
        own = [one for one in turn.answer.filters.conditions if one not in set_beside]
        chips += "".join(_chip(one, "understood from the question") for one in own)
    row = f'<p class="chips">{chips}</p>' if chips else ""
    return f'<div class="asked"><h3 class="sr">Question</h3><p>{literal(turn.question)}</p>{row}</div>'


def _chip(condition: tuple[str, str, Any], origin: str) -> str:
    words = describe(Filters((condition,)))
    return (
        f'<span class="chip" title="{origin}">{literal(words)}<span class="sr"> {origin}</span></span>' if words else ""
    )


def _answered(turn: Turn, at: int) -> str:
    assert turn.answer is not None
    answer = turn.answer
    quotes = "".join(f'<span id="quote-{at}-{one.number}">{quote_note(one)}</span>' for one in answer.citations)
    counted = tally(answer)
    return (
        f'<h3 class="sr">Answer</h3><div class="text {answer.status}">{answer_html(answer, at)}</div>'
        + (f'<p class="tally">{counted}</p>' if counted else "")
        + f"<div hidden>{quotes}</div>{_unused(answer, at)}{_steps(answer, at)}"
    )


def _unused(answer: Answer, at: int) -> str:
    """Retrieved papers that the answer does not use."""
    if not answer.nearest or answer.status == "abstained":
        return ""  # an abstention offers them in its text
    items = "".join(
        f'<li><button type="button" class="paper" data-do="show" data-turn="{at}" data-paper="{literal(paper.id)}">'
        f'{title(paper)}</button> <span class="quiet">{facts(paper)} · score {score:.2f}</span></li>'
        for paper, score in answer.nearest
    )
    count = len(answer.nearest)
    what = "1 paper was retrieved and not used" if count == 1 else f"{count} papers were retrieved and not used"
    return f'<details class="fold" id="unused-{at}"><summary>{what}</summary><ul>{items}</ul></details>'


def _steps(answer: Answer, at: int) -> str:
    """What was done, by whom, and how long it took."""
    rows = [(_STEPS.get(name, name), f"{ms:,.0f} ms") for name, ms in answer.timings_ms.items()]
    rows.append(("Papers", f"{len(answer.papers)} used, {len(answer.nearest)} retrieved and not used"))
    if conditions := describe(answer.filters):
        rows.append(("Limited to", conditions))
    rows.append(("Writer", f"{answer.writer} ({answer.model})" if answer.model else answer.writer))
    rows += [(name.replace("_", " ").capitalize(), f"{number:,}") for name, number in answer.usage.items()]
    rows += [(name.replace("_", " ").capitalize(), str(number)) for name, number in answer.flags.items() if number]
    if answer.prompt_hash:
        rows.append(("Prompt", answer.prompt_hash))
    total = sum(answer.timings_ms.values())
    told = "".join(f"<div><dt>{literal(name)}</dt><dd>{literal(value)}</dd></div>" for name, value in rows)
    return f'<details class="fold" id="steps-{at}"><summary>Steps and timings ({total:,.0f} ms)</summary><dl>{told}</dl></details>'


def _actions(turn: Turn, at: int) -> str:
    retry = f'<button type="button" data-do="retry" data-turn="{at}">Ask again</button>'
    edit = f'<button type="button" data-do="edit" data-turn="{at}">Edit question</button>'
    if turn.answer is None:
        return f'<div class="acts">{retry}{edit}</div>'
    copy = f'<button type="button" data-do="copy" data-turn="{at}">Copy as Markdown</button>'
    rated = "".join(
        f'<button type="button" data-do="rate" data-turn="{at}" data-kind="{kind}">{kind.capitalize()}</button>'
        for kind in KINDS
        if kind != "missing paper"
    )
    # The note belongs to the last button: which paper is missing.
    missing = (
        f'<label>Which paper is missing? <input type="text" maxlength="300" data-note="{at}"></label>'
        f'<button type="button" data-do="rate" data-turn="{at}" data-kind="missing paper">Missing paper</button>'
    )
    feedback = f'<details class="feedback" id="feedback-{at}"><summary>Feedback</summary><div>{rated}</div><div>{missing}</div></details>'
    return f'<div class="acts">{copy}{retry}{edit}{feedback}</div>'
