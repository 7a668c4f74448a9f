"""The writer with a language model: prompt, cited text as it comes, check, one repair, and no more than is supported."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from rag.answer import prompts
from rag.answer.citing import Citing, Statement, assemble
from rag.answer.execution import Execution
from rag.answer.faults import Watch, declines, judge, may_decline, visible
from rag.answer.language_model import Finish, LanguageModel, Message, complete, gate
from rag.answer.request import Request, build, inert
from rag.config import Layout
from rag.errors import WriterError
from rag.types import Claim, Draft, Event, Evidence, Query, Support, Verdict
from rag.verify.answer import verify
from rag.verify.backends import SupportChecker

# Sentences that a repair call is told of.
PROBLEMS = 8
# What was not checked is no fault of the writer's.
_PASSED = (Verdict.SUPPORTED, Verdict.UNCHECKED)


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft with the verdicts on its claims; `draft` is None when the model finds no answer in the passages."""

    draft: Draft | None
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One answer of the model, checked."""

    text: str = ""
    statements: tuple[Statement, ...] = ()
    claims: tuple[Claim, ...] = ()
    usage: dict[str, int] = field(default_factory=dict)
    declined: bool = False

    @property
    def supported(self) -> int:
        return sum(claim.verdict is Verdict.SUPPORTED for claim in self.claims)

    @property
    def unknown(self) -> int:
        return sum(len(statement.unknown) for statement in self.statements)

    @property
    def faults(self) -> int:
        return sum(claim.verdict not in _PASSED for claim in self.claims) + self.unknown


class LanguageModelWriter:
    """Writes with any language model. Every sentence is checked against the words it cites."""

    def __init__(
        self, model: LanguageModel, checker: SupportChecker, *, patience: float, strict: bool, layout: Layout = "found"
    ) -> None:
        """
        Args:
            patience: seconds without a word after which the model is given up.
            strict: remove what is not supported, with a note.
            layout: how the model is shown the passages.
        """
        self._model, self._checker = model, checker
        self._patience, self._strict, self._layout = patience, strict, layout

    async def write(
        self, query: Query, evidence: Sequence[Evidence], notes: Sequence[str], earlier: Sequence[str], on: Execution
    ) -> AsyncGenerator[Event | Checked, None]:
        """Tokens and citations as they come, stages, and at last what came of it.

        Args:
            notes: remarks for the reader, put at the end.
            earlier: questions of the conversation, oldest first.

        Raises:
            WriterError: the model gave nothing that can be used.
        """
        with gate(self._model.name, self._patience):
            request = await on.work(lambda: build(query, evidence, earlier, self._model.window(), self._layout))
        asked = [Message("user", request.prompt)]
        attempt = _Attempt()
        async with aclosing(self._attempt(request, asked, on)) as pieces:
            async for piece in pieces:
                if isinstance(piece, _Attempt):
                    attempt = piece
                else:
                    yield piece
        usage, repaired = attempt.usage, False
        if attempt.faults and not attempt.declined:
            yield Event("status", "repairing")
            second = await self._repaired(request, asked, attempt, on)
            usage = {key: usage.get(key, 0) + second.usage.get(key, 0) for key in usage | second.usage}
            if _better(second, attempt):
                attempt, repaired = second, True
        if attempt.declined:
            yield Checked(None)
            return
        if len(request.shown) < len(evidence):
            notes = (
                *notes,
                f"(The language model was shown the nearest {len(request.shown)} of {len(evidence)} papers.)",
            )
        yield self._checked(attempt, notes, request, usage, repaired)

    async def _attempt(
        self, request: Request, messages: Sequence[Message], on: Execution
    ) -> AsyncGenerator[Event | _Attempt, None]:
        """One call: events as they come, then the checked attempt."""
        citing, watch = Citing(request.shown), Watch(request, self._model.name)
        text, fed, usage = "", 0, {}
        async with aclosing(complete(self._model, messages, on, self._patience)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finish):
                    usage = piece.usage
                    continue
                text += piece
                said = visible(text)
                watch.look(said)
                if not may_decline(said):
                    for event in citing.feed(said[fed:]):
                        yield event
                    fed = len(said)
        if declines(visible(text)):
            yield _Attempt(text, usage=usage, declined=True)
            return
        said = visible(text)
        for event in (*citing.feed(said[fed:]), *citing.end()):
            yield event
        judge(citing.statements, self._model.name)
        yield Event("status", "checking")
        claims = await on.work(verify, assemble(citing.statements), self._checker)
        yield _Attempt(said, citing.statements, claims, usage)

    async def _repaired(self, request: Request, asked: Sequence[Message], first: _Attempt, on: Execution) -> _Attempt:
        """The model's second answer once it was told what was wrong with its first, which stays when that fails."""
        told = prompts.load("repair").render(problems="\n".join(_problems(first, len(request.shown))))
        messages = [*asked, Message("assistant", first.text), Message("user", told)]
        try:
            async with aclosing(self._attempt(request, messages, on)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, _Attempt):
                        return piece
        except WriterError:
            pass
        return _Attempt()

    def _checked(
        self, attempt: _Attempt, notes: Sequence[str], request: Request, usage: dict[str, int], repaired: bool
    ) -> Checked:
        flags = {
            "unknown_markers": attempt.unknown,
            "uncited": sum(not claim.citations for claim in attempt.claims),
            "repaired": int(repaired),
        }
        statements = attempt.statements
        claims = attempt.claims
        if self._strict and (removed := len(claims) - attempt.supported):
            kept = [at for at, claim in enumerate(claims) if claim.verdict is Verdict.SUPPORTED]
            if not kept:
                raise WriterError(f"nothing that the language model {self._model.name} says is supported")
            statements = tuple(statements[at] for at in kept)
            notes = (*notes, _removed(removed))
            flags["removed"] = removed
            claims = tuple(claims[at] for at in kept)
        draft = assemble(statements, notes)
        claims = tuple(
            replace(
                was, text=now.text, start=now.start, end=now.end, citations=now.citations, support=_renumbered(now, was)
            )
            for now, was in zip(draft.claims, claims, strict=True)
        )
        hashed = request.prompt_hash + (f"+{prompts.load('repair').hash}" if repaired else "")
        flags = {name: count for name, count in flags.items() if count}
        return Checked(replace(draft, model=self._model.name, usage=usage, prompt_hash=hashed, flags=flags), claims)


def _renumbered(now: Claim, was: Claim) -> tuple[Support, ...]:
    """The support of the citations, by their numbers in the text as it is now."""
    return tuple(replace(one, number=number) for number, one in zip(now.citations, was.support, strict=True))


def _better(second: _Attempt, first: _Attempt) -> bool:
    """A second answer must have fewer faults and no less that is supported, or, where nothing was, decline."""
    if second.declined:
        return not first.supported
    return bool(second.claims) and second.faults < first.faults and second.supported >= first.supported


def _problems(attempt: _Attempt, passages: int) -> list[str]:
    """What is wrong, sentence by sentence, as the model is told."""
    found: list[str] = []
    for statement, claim in zip(attempt.statements, attempt.claims, strict=True):
        wrong = [f"there is no passage [{number}], only 1 to {passages}" for number in statement.unknown]
        if not claim.citations and not statement.unknown:
            wrong.append("it names no passage")
        elif claim.citations and claim.verdict not in _PASSED:
            wrong.append(inert(claim.reason) or "its passage does not say this")
        if wrong:
            found.append(f"- “{inert(claim.text)}”: {'; '.join(wrong)}.")
    return found[:PROBLEMS]


def _removed(count: int) -> str:
    what = "1 sentence was" if count == 1 else f"{count} sentences were"
    return f"({what} removed, because the papers do not support {'it' if count == 1 else 'them'}.)"
