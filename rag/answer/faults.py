"""Text that is no answer: the prompt given back, the fence or the rules told, the same words without end."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answer import prompts
from rag.answer.citing import Statement
from rag.answer.request import Request
from rag.errors import WriterError

NOT_ON_THE_SHELF = "NOT ON THE SHELF"
# So many words in a row of our own instructions are no accident.
COPIED_WORDS = 8
# Letters before what is new that are looked at again: a run of words may have begun there.
AGAIN = 300
# Lines of the passages given back as they stand, number first: one may be a quotation, two are a copy.
COPIED_LINES = 2
# The end of a text that says one thing of at most `_LOOP` characters over and over, and a sentence told so often.
_LOOP = re.compile(r"(?s)(.{1,80}?)\1{5,}$")
LOOP_LENGTH, TOLD = 120, 4
_THINKING = re.compile(r"(?s)^\s*<think>.*?(?:</think>\s*|$)")


def visible(text: str) -> str:
    """The text without the thinking that some models put before their answer."""
    return "" if text.strip() and "<think>".startswith(text.strip()) else _THINKING.sub("", text)


def declines(text: str) -> bool:
    """Whether the model says that the passages do not answer, with or without a word more."""
    return re.sub(r"^\W+", "", text).upper().startswith(NOT_ON_THE_SHELF)


def may_decline(text: str) -> bool:
    """Whether what has come so far may turn into `NOT ON THE SHELF`: it must not be shown yet."""
    said = re.sub(r"^\W+", "", text[:100]).upper()
    return NOT_ON_THE_SHELF.startswith(said.rstrip(".* ")) or said.startswith(NOT_ON_THE_SHELF)


class Watch:
    """Looks at a text while it comes, so that one that goes wrong is ended early."""

    def __init__(self, request: Request, name: str) -> None:
        self._name = name
        self._fence = request.fence.strip("= ")
        runs = [
            _words(line) for file in ("answer", "again", "repair") for line in prompts.load(file).template.splitlines()
        ]
        self._own = {
            run[at : at + COPIED_WORDS] for run in map(tuple, runs) for at in range(len(run) - COPIED_WORDS + 1)
        }
        self._looked = 0
        self._passages = {line for line in request.passages.splitlines() if re.match(r"\[\d+\] ", line)}

    def look(self, text: str) -> None:
        """Raises WriterError when `text`, all that has come so far, is no answer."""
        new = text[max(0, self._looked - AGAIN) :]
        self._looked = len(text)
        if self._fence in new or self._copied(new, text):
            raise WriterError(f"the language model {self._name} gives its instructions back instead of an answer")
        if (loop := _LOOP.search(text[-600:].rstrip())) and len(loop[0]) >= LOOP_LENGTH:
            raise WriterError(f"the language model {self._name} repeats itself without end")

    def _copied(self, new: str, text: str) -> bool:
        said = tuple(_words(new))
        if any(said[at : at + COPIED_WORDS] in self._own for at in range(len(said) - COPIED_WORDS + 1)):
            return True
        lines = {line.strip() for line in text.splitlines()}
        return len(lines & self._passages) >= COPIED_LINES


def judge(statements: Sequence[Statement], name: str) -> None:
    """Raises WriterError when these statements of a whole text make no answer."""
    if not statements:
        raise WriterError(f"the language model {name} gave an empty answer")
    told = [" ".join(_words(statement.text)) for statement in statements]
    if any(told.count(one) >= TOLD for one in set(told)):
        raise WriterError(f"the language model {name} repeats itself without end")


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
