"""The chat: a question is asked, answered word by word, checked, and kept."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from rag.assistant import Assistant
from rag.errors import AttestError, ShelfMissing, UsageError
from rag.export import to_bibtex
from rag.render import escaped, to_markdown
from rag.types import Answer, Event
from ui.conversations import Conversation, Conversations, Turn, now
from ui.evidence import evidence_html
from ui.examples import welcome_html
from ui.feedback import Feedback
from ui.filters import FilterControls, to_conditions
from ui.listing import listing_html
from ui.markup import literal
from ui.pace import paced
from ui.people import owner
from ui.turns import conversation_html, done_html, live_html

# Asking awaits the language model and works in few threads, so many may wait for one at the same time.
AT_ONCE = 64
REMEMBERED = 4  # earlier answers a follow-up may refer to
TICK = 0.2  # seconds without a word after which a draft that was not drawn yet is
HEARTBEAT = 1.0  # seconds after which a silent answer is drawn again, and so notices that nobody waits for it
FRAME = 0.08  # seconds between two drawings of a draft
SCRIPT = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": True}
STORING: dict[str, Any] = {**QUIET, "concurrency_limit": 16, "concurrency_id": "page"}
SAVE = """(kind, name, text) => {
  if (!text) return;
  if (kind === 'copy') { navigator.clipboard.writeText(text); return; }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
  link.download = name; link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""


def html(value: str, elem_id: str) -> gr.HTML:
    """One of the page's own components: its buttons tell the server by events."""
    return gr.HTML(value, elem_id=elem_id, elem_classes=["own"], js_on_load=SCRIPT)


class Chat:
    """The tab, and what its events do. Texts are read from the store, never back from the page, which could send anything."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._store = Conversations(assistant.folder)
        self._feedback = Feedback(assistant.folder)

    def build(self) -> None:
        """Lay the tab out and wire it; to be called within `gr.Blocks`."""
        self.current, self.editing = gr.State(""), gr.State(-1)
        with gr.Sidebar(label="Conversations", open=False, width=300):
            gr.Markdown("## Conversations")
            self.new = gr.Button("New conversation", size="sm")
            self.listing = html(listing_html([], ""), "conversations")
            self.clear = gr.Button("Delete all", size="sm", variant="stop")
        with gr.Row():
            with gr.Column(scale=3, min_width=340):
                with gr.Column(elem_id="chat"):
                    self.past = html(welcome_html(self._assistant), "past")
                    self.live = html("", "live")
                self.notice = gr.Markdown("", elem_id="notice")
                with gr.Row(equal_height=True, elem_id="compose"):
                    self.box = gr.Textbox(
                        placeholder="Ask the papers on this shelf", label="Question", show_label=False, container=False,
                        max_lines=5, scale=8, autofocus=True, elem_id="question",
                    )  # fmt: skip
                    self.send = gr.Button("Ask", variant="primary", min_width=84, elem_classes=["slim"])
                    self.stop = gr.Button("Stop", min_width=84, elem_classes=["slim"], visible=False)
                self.filters = FilterControls(self._assistant)
                with gr.Row(elem_id="downloads"):
                    self.saves = {
                        kind: gr.Button(label, size="sm", min_width=110)
                        for kind, label in (
                            ("md", "Save as Markdown"),
                            ("json", "Save as JSON"),
                            ("bib", "Save references (BibTeX)"),
                        )
                    }
            with gr.Column(scale=2, min_width=320):
                self.panel = html(evidence_html(None), "evidence")
        self.outbox = [gr.Textbox(visible="hidden", label=label) for label in ("kind", "name", "text")]
        self._wire()

    def _wire(self) -> None:
        asked = [self.box, self.current, self.editing, *self.filters.values]
        shown = [self.past, self.live, self.panel, self.box, self.current, self.editing, self.notice]
        shown += [self.listing, self.send, self.stop]
        self._shown = shown
        many: dict[str, Any] = {**QUIET, "concurrency_limit": AT_ONCE, "concurrency_id": "ask"}
        running = [
            gr.on([self.box.submit, self.send.click], self.respond, asked, shown, **many),
            self.past.ask(self.example, asked[1:], shown, **many),
            self.past.retry(self.again, [self.current], shown, **many),
        ]
        self.stop.click(self.stopped, [self.current], shown, cancels=running, **STORING)
        self.new.click(self.fresh, None, shown, cancels=running, **STORING)
        self.past.edit(self.edit, [self.current], [self.box, self.editing, self.notice], **STORING)
        for place in (self.past, self.panel):
            place.show(self.show, [self.current], self.panel, **STORING)
            place.rate(self.rate, [self.current], None, **STORING)
        copied = self.past.copy(self.copy, [self.current], self.outbox, **STORING)
        copied.then(None, self.outbox, None, js=SAVE, **QUIET)
        for kind, button in self.saves.items():
            saved = button.click(self.saver(kind), [self.current], self.outbox, **STORING)
            saved.then(None, self.outbox, None, js=SAVE, **QUIET)
        self.listing.open(self.open, None, shown, cancels=running, **STORING)
        self.listing.remove(self.remove, [self.current], shown, **STORING)
        sure = "() => window.confirm('Delete all your conversations on this shelf?')"
        confirmed = gr.State(False)
        self.clear.click(None, None, confirmed, js=sure, **QUIET).then(self.forget, [confirmed], shown, **STORING)

    def load(self, page: gr.Blocks) -> None:
        """Show a page that was just loaded its last conversation."""
        page.load(self.reopened, None, self._shown, **STORING)

    # What the events do.

    async def respond(
        self, question: str, key: str, editing: int, request: gr.Request, *conditions: Any
    ) -> AsyncGenerator[dict[Any, Any], None]:
        """The question in the box, after the turns that stay."""
        try:
            filters = to_conditions(*conditions)
        except UsageError as error:
            yield {self.notice: f"{literal(str(error))}; {literal(error.hint)}"}
            return
        async with aclosing(self._answering(question, key, editing, filters, owner(request))) as steps:
            async for step in steps:
                yield step

    async def example(
        self, key: str, editing: int, request: gr.Request, event: gr.EventData, *conditions: Any
    ) -> AsyncGenerator[dict[Any, Any], None]:
        """An example that was clicked."""
        text = str(event._data.get("text", ""))
        async with aclosing(self.respond(text, key, editing, request, *conditions)) as steps:
            async for step in steps:
                yield step

    async def again(self, key: str, request: gr.Request, event: gr.EventData) -> AsyncGenerator[dict[Any, Any], None]:
        """A turn asked once more, under the same conditions; the turns after it go."""
        me, turn = owner(request), _number(event._data.get("turn"))
        found = self._turn(me, key, turn)
        if found is None:
            return
        async with aclosing(self._answering(found.question, key, turn, found.filters, me)) as steps:
            async for step in steps:
                yield step

    async def _answering(
        self, question: str, key: str, place: int, filters: dict[str, Any], me: str
    ) -> AsyncGenerator[dict[Any, Any], None]:
        """Stages, draft and checked answer as they come; what was asked is kept from the start.

        Args:
            place: the turn that this one takes the place of; -1 to come last.
        """
        if not question.strip():
            return
        conversation = self._read(me, key) or self._store.new()
        if place >= 0:
            conversation = conversation.until(place)
        turn = Turn(" ".join(question.split()), now(), filters)
        self._store.write(me, conversation.and_then(turn))
        yield {
            self.past: conversation_html(conversation.turns), self.box: "", self.current: conversation.id,
            self.editing: -1, self.notice: "", self.live: live_html(turn.question, "", "searching", filters),
            self.send: gr.update(visible=False), self.stop: gr.update(visible=True),
        }  # fmt: skip
        try:
            history = conversation.answers[-REMEMBERED:]
            async with aclosing(paced(self._assistant.astream(question, history, filters), TICK)) as events:
                draft = _Draft(turn.question, filters)
                async for event in events:
                    if event and event.answer:
                        turn = replace(turn, answer=event.answer, error="")
                        break
                    if draft.add(event):
                        yield {self.live: draft.html()}
        except AttestError as error:
            turn = replace(turn, error=f"{error}; {error.hint}" if error.hint else str(error))
        except Exception:
            self._store.write(me, conversation.and_then(replace(turn, error="Something went wrong on the server.")))
            yield self._all(me, conversation.and_then(turn))
            raise
        conversation = conversation.and_then(turn)
        if self._store.exists(me, conversation.id):  # not deleted meanwhile
            self._store.write(me, conversation)
        yield {**self._all(me, conversation), self.live: done_html(turn)}

    def stopped(self, key: str, request: gr.Request) -> dict[Any, Any]:
        """The chat without the half-made answer: an unchecked draft must not stay as if it were checked."""
        return self._all(owner(request), self._read(owner(request), key))

    def fresh(self, request: gr.Request) -> dict[Any, Any]:
        return self._all(owner(request), None)

    def reopened(self, request: gr.Request) -> dict[Any, Any]:
        """What a page that was just loaded shows: the last conversation."""
        mine = self._store.listed(owner(request))
        return self._all(owner(request), mine[0] if mine else None)

    def open(self, request: gr.Request, event: gr.EventData) -> dict[Any, Any]:
        return self._all(owner(request), self._read(owner(request), str(event._data.get("key", ""))))

    def remove(self, key: str, request: gr.Request, event: gr.EventData) -> dict[Any, Any]:
        me, gone = owner(request), str(event._data.get("key", ""))
        if self._read(me, gone) is not None:
            self._store.delete(me, gone)
        if gone != key:
            return {self.listing: listing_html(self._store.listed(me), key)}
        return self._all(me, None)

    def forget(self, confirmed: bool, request: gr.Request) -> dict[Any, Any]:
        """All of a person's conversations deleted."""
        if not confirmed:
            return {self.notice: ""}
        self._store.delete_all(owner(request))
        return self._all(owner(request), None)

    def edit(self, key: str, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """The question of a turn back in the box."""
        turn = _number(event._data.get("turn"))
        found = self._turn(owner(request), key, turn)
        if found is None:
            return gr.skip(), gr.skip(), gr.skip()
        note = f"*Editing question {turn + 1}: asking takes its place and that of what follows.*"
        return found.question, turn, note

    def show(self, key: str, request: gr.Request, event: gr.EventData) -> Any:
        """The evidence of a turn, with one citation or paper in view."""
        turn = _number(event._data.get("turn"))
        found = self._turn(owner(request), key, turn)
        if found is None or found.answer is None:
            return gr.skip()
        number, paper = str(event._data.get("number", "")), str(event._data.get("paper", ""))
        return self._evidence(found.answer, turn, number or paper)

    def rate(self, key: str, request: gr.Request, event: gr.EventData) -> None:
        """Feedback on an answer, or on one of its citations."""
        conversation = self._read(owner(request), key)
        if conversation is None:
            return
        said = event._data
        number = _number(said.get("number")) if said.get("number") else None
        try:
            self._feedback.add(
                conversation, _number(said.get("turn")), str(said.get("kind")), number, str(said.get("note", ""))
            )
        except AttestError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def copy(self, key: str, request: gr.Request, event: gr.EventData) -> tuple[str, str, str]:
        found = self._turn(owner(request), key, _number(event._data.get("turn")))
        return "copy", "", to_markdown(found.answer) if found and found.answer else ""

    def saver(self, kind: str) -> Any:
        """What a download button does."""

        def save(key: str, request: gr.Request) -> tuple[str, str, str]:
            conversation = self._read(owner(request), key)
            if conversation is None or not conversation.turns:
                raise gr.Error("There is nothing to save yet: ask something first.", print_exception=False)
            return "save", f"attest-{conversation.id}.{kind}", exported(conversation, kind)

        return save

    def _read(self, me: str, key: str) -> Conversation | None:
        try:
            return self._store.read(me, key)
        except ValueError:
            return None

    def _turn(self, me: str, key: str, turn: int) -> Turn | None:
        conversation = self._read(me, key)
        return conversation.turns[turn] if conversation and 0 <= turn < len(conversation.turns) else None

    def _all(self, me: str, conversation: Conversation | None) -> dict[Any, Any]:
        """Everything, showing this conversation at its end."""
        turns = conversation.turns if conversation else ()
        last = len(turns) - 1
        answer = turns[-1].answer if turns else None
        key = conversation.id if conversation else ""
        return {
            self.past: conversation_html(turns) if turns else welcome_html(self._assistant),
            self.live: "",
            self.panel: self._evidence(answer, last),
            self.current: key,
            self.editing: -1,
            self.notice: "",
            self.listing: listing_html(self._store.listed(me), key),
            self.send: gr.update(visible=True),
            self.stop: gr.update(visible=False),
        }

    def _evidence(self, answer: Answer | None, turn: int, focus: str = "") -> str:
        if answer is None:
            return evidence_html(None)
        try:
            read = self._assistant.shelf.ledger.sentences([one.paper.id for one in answer.citations])
        except ShelfMissing:
            read = {}
        # An abstract that has changed since reads otherwise than the one that was quoted.
        now_there = self._assistant.shelf.ledger.papers(list(read))
        same = {one.paper.id for one in answer.citations if now_there.get(one.paper.id) == one.paper}
        return evidence_html(answer, turn, {key: own for key, own in read.items() if key in same}, focus)


class _Draft:
    """The text so far and the stage, drawn at most every `FRAME` seconds."""

    def __init__(self, question: str, filters: dict[str, Any]) -> None:
        self._question, self._filters = question, filters
        self._text, self._stage, self._drawn, self._drawn_whole = "", "searching", 0.0, False

    def add(self, event: Event | None) -> bool:
        """Whether it is time to draw."""
        self._drawn_whole = self._drawn_whole and event is None
        if event and event.kind == "status":
            self._stage = event.text
        elif event and event.kind == "token":
            self._text += event.text
        since = time.monotonic() - self._drawn
        if since < (HEARTBEAT if self._drawn_whole else FRAME):
            return False
        self._drawn, self._drawn_whole = time.monotonic(), True
        return True

    def html(self) -> str:
        return live_html(self._question, self._text, self._stage, self._filters)


def exported(conversation: Conversation, kind: str) -> str:
    """The conversation as Markdown or JSON, or the papers it cites as BibTeX."""
    if kind == "json":
        turns = [
            {"question": one.question, "at": one.at, "filters": one.filters, "error": one.error or None,
             "answer": one.answer.to_dict() if one.answer else None}
            for one in conversation.turns
        ]  # fmt: skip
        return json.dumps({"id": conversation.id, "turns": turns}, ensure_ascii=False, indent=2)
    if kind == "bib":
        cited = {one.paper.id: one.paper for answer in conversation.answers for one in answer.citations}
        return "\n\n".join(to_bibtex(cited.values())) + "\n"
    parts = [
        f"## {escaped(one.question)}\n\n{to_markdown(one.answer) if one.answer else escaped(one.error)}"
        for one in conversation.turns
    ]
    return "\n\n".join(parts) + "\n"


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1
