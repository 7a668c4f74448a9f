"""Text taken from a draft, each character of which remembers what part of the draft it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Characters for private use stand for citations within a sentence; a draft's own are left out.
PRIVATE = range(0xE000, 0xF900)


@dataclass(frozen=True, slots=True)
class Flat:
    """A paragraph without markup: `text[i]` stands for `draft[starts[i]:ends[i]]`."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Half-open offsets into the draft of all that `text[start:end]` stands for; `start < end`."""
        return min(self.starts[start:end]), max(self.ends[start:end])

    def take(self, places: Iterable[int]) -> Flat:
        """The characters at these places, in this order."""
        chosen = list(places)
        return Flat(
            "".join(self.text[at] for at in chosen),
            tuple(self.starts[at] for at in chosen),
            tuple(self.ends[at] for at in chosen),
        )

    def with_signs(self, signs: Iterable[tuple[int, int, str]]) -> Flat:
        """Each `text[start:end]` of (start, end, sign), which are in order and apart, replaced by its one character."""
        made, at = Builder(), 0
        for start, end, sign in signs:
            made.extend(self, at, start)
            made.sign(sign, *self.place(start, end))
            at = end
        made.extend(self, at, len(self.text))
        return made.flat()


class Builder:
    """Collects the characters of a `Flat`."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._text)

    def put(self, said: str, start: int, end: int) -> None:
        """Add text each character of which stands for the whole of `draft[start:end]`."""
        for letter in said:
            if ord(letter) not in PRIVATE:
                self.sign(letter, start, end)

    def sign(self, letter: str, start: int, end: int) -> None:
        """Add one character, for private use or not, that stands for `draft[start:end]`."""
        self._text.append(letter)
        self._starts.append(start)
        self._ends.append(end)

    def keep(self, draft: str, start: int, end: int) -> None:
        """Add `draft[start:end]` as it is."""
        for at in range(start, end):
            self.put(draft[at], at, at + 1)

    def extend(self, flat: Flat, start: int, end: int) -> None:
        """Add a part of another text."""
        self._text += flat.text[start:end]
        self._starts += flat.starts[start:end]
        self._ends += flat.ends[start:end]

    def flat(self) -> Flat:
        return Flat("".join(self._text), tuple(self._starts), tuple(self._ends))
