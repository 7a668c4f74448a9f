"""Sentences of a stored text, as exact half-open offsets."""

from __future__ import annotations

import re

# Words whose full stop ends no sentence. "al." and "etc." may, when a new subject follows; an abstract
# nearly always goes on.
_ABBREVIATIONS = {
    "e.g", "i.e", "et al", "al", "vs", "cf", "fig", "figs", "eq", "eqs", "sec", "tab", "approx", "resp", "dr", "mr", "mrs", "prof", "st", "no",
    "vol", "pp", "ca", "viz", "w.r.t", "a.k.a", "u.s", "inc", "ltd", "jr",
}  # fmt: skip
_END = re.compile(
    r"""(?<![.!?])[.!?]++["'”’)\]]*+(?:\s+|$)"""  # the common case; possessive, as rows of dots would take quadratic time
    r"""|(?<=[a-z]{2})[.!?](?=[A-Z][a-z]*[ ,])"""  # glued: "text.To make"
)
_START = re.compile(r"""["'“‘(\[`\\]*[A-Z0-9À-ÞΑ-Ω]|["'“‘(\[`\\]*[a-z]+[A-Z0-9]|\\|https?:""")
_WORD_BEFORE = re.compile(r"([A-Za-z][A-Za-z.]*)$")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Half-open offsets of the sentences of `text`, without the white space between them.

    Every character that is not white space lies in exactly one sentence.
    """
    spans: list[tuple[int, int]] = []
    start = len(text) - len(text.lstrip())
    for end in _END.finditer(text):
        cut = end.start() + len(end.group().rstrip())
        if (
            cut > start
            and end.end() < len(text)
            and _ends(text, end.start(), end.end())
            and not (cut == end.end() and _in_name(text, start, end.start()))
        ):
            spans.append((start, cut))
            start = end.end()
    stop = len(text.rstrip())
    if stop > start:
        spans.append((start, stop))
    return spans


def _in_name(text: str, start: int, stop: int) -> bool:
    """Whether the full stop at `stop`, with no space after it, stands in an address or a dotted name."""
    word = re.search(r"\S*$", text[max(start, stop - 200) : stop])
    return word is not None and ("." in word[0] or "/" in word[0])


def _ends(text: str, stop: int, after: int) -> bool:
    """Whether the full stop at `stop` ends a sentence, given that the next text begins at `after`."""
    if not _START.match(text, after):
        return False
    if text[stop] != ".":
        return True
    word = _WORD_BEFORE.search(text, max(0, stop - 20), stop)
    if word is None:
        return True
    last = word[1]
    # "John F. Kennedy", "met A. B. Smith", but not "the sequence length L. Present models".
    named = re.search(r"(?:^|[.(] ?|[A-Z][a-z]*\.? )$", text[max(0, stop - 20) : stop - 1]) or re.match(
        r"[A-Z]\.\s", text[after : after + 3]
    )
    is_initial = len(last) == 1 and last.isupper() and bool(named)
    return not (is_initial or last.casefold().strip(".") in _ABBREVIATIONS or last.casefold() in _ABBREVIATIONS)
