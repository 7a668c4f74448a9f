"""An answer on a terminal as it comes about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO

from rag.render import evidence_to_terminal, plain, to_terminal
from rag.types import Answer, Event


def show(events: Iterable[Event], out: TextIO, width: int) -> Answer:
    """Print text as it comes, then the evidence; when another answer takes its place, that answer, saying so."""
    answer, shown = None, ""
    wrapping = _Wrapping(out, width)
    for event in events:
        if event.kind == "token":
            shown += event.text
            wrapping.write(plain(event.text))
        elif event.kind == "status" and event.text == "repairing":
            wrapping.write("\n\n(Some of this is not borne out by the papers; the model is asked again.)")
        answer = event.answer or answer
    wrapping.flush()
    if answer is None:
        raise ValueError("the events end without an answer")
    if not shown:
        print(to_terminal(answer, color=True, width=width), file=out)
    elif answer.text.startswith(shown):
        wrapping.write(plain(answer.text[len(shown) :]))
        wrapping.flush()
        print(evidence_to_terminal(answer, color=True, width=width), file=out)
    else:
        print("\n\n--- The draft above did not hold. The answer: ---\n", file=out)
        print(to_terminal(answer, color=True, width=width), file=out)
    return answer


class _Wrapping:
    """Breaks lines between words while they are written, as `to_terminal` does once they are known."""

    def __init__(self, out: TextIO, width: int) -> None:
        self._out, self._width = out, width
        self._column, self._indent, self._word = 0, "", ""

    def write(self, text: str) -> None:
        for part in re.findall(r"\n|[ \t]+|[^\s]+", text):
            if part.isspace():
                self.flush()
                self._space(part)
            else:
                self._word += part
        self._out.flush()

    def flush(self) -> None:
        """Write the word that has come so far."""
        if self._word and self._column + len(self._word) > self._width and self._column > len(self._indent):
            self._out.write(f"\n{self._indent}")
            self._column = len(self._indent)
        self._indent = "  " if self._column == 0 and self._word == "-" else self._indent
        self._out.write(self._word)
        self._column += len(self._word)
        self._word = ""

    def _space(self, space: str) -> None:
        if space == "\n":
            self._out.write("\n")
            self._column, self._indent = 0, ""
        elif self._column + len(space) < self._width:
            self._out.write(space)
            self._column += len(space)
