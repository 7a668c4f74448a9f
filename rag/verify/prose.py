"""A draft's sentences: where each stands, what it says, and what it cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rag.ingest.sentences import split_sentences
from rag.verify import latex, markdown
from rag.verify.flat import PRIVATE, Flat
from rag.verify.markers import Key, Marker, find_markers

# A sentence of fewer words says nothing that could be checked.
FEWEST_WORDS = 3
_SIGN = f"[{chr(PRIVATE.start)}-{chr(PRIVATE.stop - 1)}]"
# A citation glued to a full stop belongs to what it ends, and so does one before the next sentence's first word.
_BEHIND_STOP = re.compile(
    rf"(?P<stop>[.!?]+[\"'”’)]*)(?:(?P<glued>{_SIGN}(?:,?{_SIGN})*)|\s+(?P<apart>{_SIGN}(?:[\s,]*{_SIGN})*)(?=\s+[\"'“‘(]*[A-ZÀ-Þ]|\s*$))"
)
_SEVERAL = re.compile(rf"({_SIGN})(?:\s*(?:[,;–-]|,?\s+(?:and|or)\b)?\s*{_SIGN})+")
_NAMED = re.compile(rf"[A-ZÀ-Þ][\w’'-]+\s+et\s+al\.?(?:[’']s)?\s*({_SIGN})")
_SAID = r"(?:shown|reported|described|proposed|introduced|demonstrated|presented|argued|observed|noted|found|done)"
_SOURCE_FIRST = re.compile(
    rf"^(?:as(?:\s+{_SAID})?\s+(?:in|by)|according to|following|in|from|by|per)\s+{_SIGN}\s*,\s*", re.IGNORECASE
)
_SOURCE_LAST = re.compile(
    rf",?\s*(?:\bas\s+)?(?:\b{_SAID}\s+)?(?:\b(?:in|by|from|see(?:\s+also)?|see,?\s+e\.g\.,?|e\.g\.,?|cf\.)\s+){_SIGN}(?=\s*[.,;:!?)]|\s*$)"
)
_SUBJECT = re.compile(rf"^({_SIGN})(?=\s+[a-z])")
_EMPTY = re.compile(r"\s*[(\[](?:\s|[,;]|see|also|e\.g\.|cf\.)*[)\]]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a draft, `draft[start:end]`, on line `line` (1-based).

    `claim` is what it says, without citations and markup; `written` is the same with its citations; `keys` are the
    works these name, in order.
    """

    start: int
    end: int
    line: int
    claim: str
    written: str
    keys: tuple[Key, ...]


def sentences(
    text: str,
    *,
    tex: bool = False,
    known: Callable[[Key], bool] = lambda _: False,
    without: Sequence[tuple[int, int]] = (),
) -> Iterator[Sentence]:
    """The sentences of a draft's prose, in order and apart.

    Args:
        text: Markdown or plain text, or LaTeX with `tex`.
        known: whether an entry answers to a key; see `find_markers`.
        without: half-open offsets of parts that are no prose, such as the reference list.
    """
    line, counted, last = 1, 0, 0
    for paragraph in (latex if tex else markdown).paragraphs(text, without):
        for start, end, said, signs in _split(paragraph, known):
            if start < last:  # the rest of a formula or macro within which a sentence ends
                continue
            last = end
            line, counted = line + text.count("\n", counted, start), start
            keys = dict.fromkeys(key for sign in said if sign in signs for key in signs[sign][0].keys)
            written = "".join(signs[letter][1] if letter in signs else letter for letter in _spaced(said))
            claim = _claim(said, {sign for sign, (marker, _) in signs.items() if marker.textual})
            yield Sentence(start, end, line, claim, " ".join(written.split()), tuple(keys))


def _split(
    paragraph: Flat, known: Callable[[Key], bool]
) -> Iterator[tuple[int, int, str, dict[str, tuple[Marker, str]]]]:
    """For each sentence its place in the draft, its text with one sign for each citation, and what the signs mean."""
    markers = list(zip(find_markers(paragraph.text, known), map(chr, PRIVATE), strict=False))
    signs = {sign: (marker, paragraph.text[marker.start : marker.end]) for marker, sign in markers}
    flat = _before_stops(paragraph.with_signs((marker.start, marker.end, sign) for marker, sign in markers))
    # To the eye of the splitter a citation is a word with which a sentence may begin or end.
    for start, end in split_sentences(re.sub(_SIGN, "0", flat.text)):
        said = flat.text[start:end]
        if len(re.findall(r"\w+", said)) >= FEWEST_WORDS:
            yield *flat.place(start, end), said, signs


def _spaced(said: str) -> str:
    """With a space before each sign that was moved to a word."""
    return re.sub(rf"(?<=\w)(?={_SIGN})", " ", said)


def _before_stops(flat: Flat) -> Flat:
    """Citations behind a full stop moved before it, for they belong to what it ends ("... by 4 points. [1] We")."""
    order: list[int] = []
    at = 0
    for found in _BEHIND_STOP.finditer(flat.text):
        signs = found.span("glued" if found["glued"] else "apart")
        order += [*range(at, found.start()), *range(*signs), *range(*found.span("stop"))]
        at = found.end()
    return flat.take([*order, *range(at, len(flat.text))]) if order else flat


def _claim(said: str, textual: set[str]) -> str:
    """What a sentence says of the works it cites, which stand in it as signs; those that are words of it as "the authors"."""
    said = _SEVERAL.sub(lambda found: max(re.findall(_SIGN, found[0]), key=lambda sign: sign in textual), said)
    said = _SOURCE_FIRST.sub("", said)
    subjects = {found[1] for pattern in (_NAMED, _SUBJECT) for found in pattern.finditer(said)}
    said = _SOURCE_LAST.sub("", _NAMED.sub(r"\1", said))
    for sign in textual | subjects:
        said = said.replace(sign, "the authors")
    said = _EMPTY.sub("", re.sub(rf"\s*{_SIGN}", "", said))
    said = " ".join(re.sub(r"\s+([.,;:!?])", r"\1", said).split())
    return said[:1].upper() + said[1:] if said.startswith(("the authors", "we ")) else said
