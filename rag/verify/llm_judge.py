"""A language model as judge of claims: all of them in one request, its words read strictly, one chance to mend them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from rag.answer import prompts
from rag.answer.execution import Blocking, blocking
from rag.answer.faults import visible
from rag.answer.language_model import LanguageModel, Message, complete, gate
from rag.answer.request import inert, room_for
from rag.errors import WriterError
from rag.verify.opinion import Opinion

# Claims that one request asks of, at most.
TOGETHER = 40
WORDS = {"YES": Opinion(1.0), "NO": Opinion(0.0), "DENIED": Opinion(0.0, 1.0)}
_VERDICT = re.compile(r"\W*(\d{1,4})\W+(YES|NO|DENIED)\W*", re.IGNORECASE)
_ALONE = re.compile(r"\W*(YES|NO|DENIED)\W*", re.IGNORECASE)


class LanguageModelJudge:
    """Any language model of the product. It gives no probabilities: what it says counts as certain.

    Claims and sources are fenced off as data, each on a line of its own.
    """

    def __init__(self, model: LanguageModel, patience: float) -> None:
        """
        Args:
            patience: seconds without a word after which the model is given up.
        """
        self._model, self._patience = model, patience
        self._prompt, self._again = prompts.load("judge"), prompts.load("judge_again")
        self.name = f"llm:{model.name}"
        self.prompt_hash = f"{self._prompt.hash}+{self._again.hash}"

    def ask(self, pairs: Sequence[tuple[str, str]], *, turned: bool = False) -> list[Opinion]:
        """As `Backend.ask`.

        Args:
            turned: tell the claim before its source and the words the other way round, because models favour what
                stands first.
        """
        said = [(f"Claim: {inert(claim)}", f"Source: {inert(source)}") for claim, source in pairs]
        items = ["\n".join(one if turned else reversed(one)) for one in said]
        opinions: list[Opinion] = []
        try:
            with gate(self._model.name, self._patience):
                room = room_for(self._model.window(), self._rendered([], turned))
        except WriterError as error:
            return [Opinion.none(_told(error))] * len(pairs)
        for batch in _batches(items, room):
            if sum(map(len, batch)) > room:
                opinions.append(Opinion.none(f"the source is too long for {self._model.name}"))
            else:
                opinions += self._opinions(batch, turned)
        return opinions

    def _opinions(self, items: Sequence[str], turned: bool) -> list[Opinion]:
        """Of one request; what cannot be read in the reply is asked for once more."""
        messages, found = [Message("user", self._rendered(items, turned))], dict[int, str]()
        why = f"the language model {self._model.name} gave no verdict that can be read"
        for attempt in range(2):
            try:
                reply = self._reply(messages)
            except WriterError as error:
                why = _told(error)
                break
            found = {**read_verdicts(reply, len(items)), **found}
            missing = [str(number) for number in range(1, len(items) + 1) if number not in found]
            if not missing or attempt:
                break
            again = self._again.render(missing=", ".join(missing), options=_options(turned))
            messages += [Message("assistant", reply), Message("user", again)]
        return [WORDS[found[at]] if at in found else Opinion.none(why) for at in range(1, len(items) + 1)]

    def _reply(self, messages: Sequence[Message]) -> str:
        pieces = blocking(complete(self._model, messages, Blocking(), self._patience))
        return visible("".join(piece for piece in pieces if isinstance(piece, str)))

    def _rendered(self, items: Sequence[str], turned: bool) -> str:
        # The same for the same words, so that a run can be made again, and not to be guessed by those who wrote them.
        fence = f"=== {hashlib.sha256(chr(0).join(items).encode()).hexdigest()[:16]} ==="
        numbered = "\n\n".join(f"[{number}]\n{item}" for number, item in enumerate(items, 1))
        return self._prompt.render(fence=fence, items=numbered, count=str(len(items)), options=_options(turned))


def read_verdicts(reply: str, count: int) -> dict[int, str]:
    """The word for each of `count` claims, by number from 1, that a reply gives.

    A verdict is a line with a number, a word and nothing more, for "1: YES, in part" is none; a number with two words
    has none. Of a single claim the word alone will do.
    """
    found: dict[int, set[str]] = {}
    for line in reply.splitlines():
        if match := _VERDICT.fullmatch(line):
            found.setdefault(int(match[1]), set()).add(match[2].upper())
        elif count == 1 and (match := _ALONE.fullmatch(line)):
            found.setdefault(1, set()).add(match[1].upper())
    return {number: words.pop() for number, words in found.items() if 1 <= number <= count and len(words) == 1}


def _batches(items: Sequence[str], room: float) -> Iterator[list[str]]:
    """As many together as have room, in their order; one that has none alone."""
    batch: list[str] = []
    for item in items:
        if batch and (len(batch) == TOGETHER or sum(map(len, batch)) + len(item) > room):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _options(turned: bool) -> str:
    return "DENIED, NO or YES" if turned else "YES, NO or DENIED"


def _told(error: WriterError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)
