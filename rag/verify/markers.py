"""Citations as they are written: `[1, 3-5]`, `\\citep[p. 3]{key}`, `[@key]`, `(Smith et al., 2023)`, `Smith (2023)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMMAND = re.compile(
    r"\\(?!nocite|citestyle)(?P<name>[Cc]ite[a-z]*|[A-Za-z]{2,8}cite[a-z]?)\*?(?:\s*\[[^\[\]]{0,200}\]){0,2}\s*\{(?P<keys>[^{}]{0,2000})\}"
)
# A range of numbers wider than this is no citation.
WIDEST = 60
_MONTHS = frozenset("""
    january february march april may june july august september october november december spring summer autumn fall
    winter figure table section equation appendix chapter version
    """.split())  # fmt: skip
# What a sentence may open with, before a comma and the first author.
_OPENERS = frozenset("""
    also although and as besides but by conversely first for from furthermore hence here however in indeed instead
    later likewise meanwhile moreover nevertheless next now of second since similarly so still then therefore third
    though thus to unlike while whereas with yet
    """.split())  # fmt: skip
_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆĊČĎĐĒĖĘĚĞĠĢĪĮİĶĹĻŁŃŅŇŌŐŒŔŘŚŞŠȘŢŤȚŪŮŰŲŹŻŽ"
_NAME = rf"(?:(?:van|von|de|der|den|del|della|di|da|du|la|le|ter|ten|bin|el|al)[ -]){{0,3}}[{_UPPER}][\w’'-]+"
_NAMES = rf"{_NAME}(?:\s+et\s+al\.?|(?:,\s+{_NAME}){{0,6}},?\s+(?:and|&)\s+{_NAME})?"
_YEAR = r"(?:19|20)\d\d[a-z]?"
_YEARS = rf"{_YEAR}(?:\s*,\s*(?:{_YEAR}|[a-z]\b(?!\.))){{0,5}}"
_PLACE = (
    r"(?:,?\s*(?:pp?\.|[Ss]ec(?:tion|t?\.)|[Cc]h(?:apter|ap\.|\.)|[Ff]ig(?:ure|\.)|[Tt]ab(?:le|\.)|§)\s*[\w.–-]{1,20})?"
)
_TEXTUAL = rf"(?P<who>{_NAMES})(?:[’']s)?\s*[(\[](?P<when>{_YEARS}){_PLACE}[)\]]"
_PART = re.compile(rf"(?P<who>{_NAMES})(?:,\s*|\s+)[(\[]?(?P<when>{_YEARS})[)\]]?{_PLACE}")
_LEFT = re.compile(r"(?:[\s,;.]|\b(?:see|also|e\.g|i\.e|cf|and|for example|inter alia|as in|by)\b)*")
_KEY = r"\w(?:[\w:.#$%&+?<>~/-]{0,120}\w)?"
_PANDOC = re.compile(rf"(?<![\w@.])-?@(?:\{{(?P<braced>[^{{}}\s]{{1,120}})\}}|(?P<bare>{_KEY}))")
_NUMBERS = re.compile(
    rf"\s*(?:see\s+|cf\.\s+|e\.g\.,?\s+)?(?P<list>\d{{1,3}}(?:\s*[-–—]\s*\d{{1,3}})?(?:\s*[,;]\s*\d{{1,3}}(?:\s*[-–—]\s*\d{{1,3}})?){{0,40}}){_PLACE}\s*"
)
_ANY = re.compile(
    rf"(?P<command>{COMMAND.pattern})"
    r"|(?P<span>\[(?P<first>\d{1,3})\]\s?[–—-]\s?\[(?P<last>\d{1,3})\])"
    rf"|(?P<textual>(?<![\w’'-]){_TEXTUAL})"
    r"|\[(?P<bracket>[^\[\]]{1,400})\]"
    r"|\((?P<paren>[^()]{4,600})\)"
    rf"|{_PANDOC.pattern}(?:\s*\[[^\[\]]{{0,80}}\])?"
)


@dataclass(frozen=True, slots=True)
class Key:
    """What one work is called by in the text: the label of an entry, or its authors and year."""

    shown: str
    label: str = ""
    surnames: tuple[str, ...] = ()
    year: str = ""
    others: bool = False  # "et al."


@dataclass(frozen=True, slots=True)
class Marker:
    """A citation: `text[start:end]`. `textual`: it is a word of its sentence ("Smith (2023) show ...").

    Without keys it refers to no work: a footnote, for instance.
    """

    start: int
    end: int
    keys: tuple[Key, ...]
    textual: bool = False


def find_markers(text: str, known: Callable[[Key], bool]) -> Iterator[Marker]:
    """The citations in a text, in order and apart.

    Args:
        text: without markup but for citation commands.
        known: whether an entry answers to a key; what may be something else, as "Marmot (2023)", is a citation only then.
    """
    at = 0
    while found := _ANY.search(text, at):
        marker = _marker(found, known)
        if marker:
            yield marker
        # What is in brackets and no citation may hold one.
        at = marker.end if marker else found.start() + 1


def _marker(found: re.Match[str], known: Callable[[Key], bool]) -> Marker | None:
    start, end = found.span()
    if found["command"]:
        textual = bool(re.match(r"[Cc]ite(?:t|author|alt)|[Tt]extcite", found["name"]))
        labels = [key.strip() for key in found["keys"].split(",")]
        return Marker(start, end, tuple(Key(label, label) for label in labels if label), textual)
    if found["span"]:
        keys = _numbers(f"{found['first']}-{found['last']}")
        return Marker(start, end, keys) if keys else None
    if found["textual"]:
        return _textual(found, known)
    if found["bracket"]:
        return _bracket(found, known)
    if found["paren"]:
        keys = _authors(found["paren"], known)
        return Marker(start, end, keys) if keys else None
    key = _labelled(found["braced"] or found["bare"], "@")
    return Marker(start, end, (key,), True) if known(key) else None


def _labelled(label: str, before: str) -> Key:
    return Key(f"{before}{label}", label)


def _bracket(found: re.Match[str], known: Callable[[Key], bool]) -> Marker | None:
    inside = found["bracket"]
    if inside.startswith("^"):
        key = Key(f"[{inside}]", inside)
        return Marker(*found.span(), (key,) if known(key) else ())
    if pandoc := [_labelled(item["braced"] or item["bare"], "@") for item in _PANDOC.finditer(inside)]:
        return Marker(*found.span(), tuple(pandoc))
    if numbers := _NUMBERS.fullmatch(inside):
        keys = _numbers(numbers["list"])
        return Marker(*found.span(), keys) if keys else None
    labels = [Key(f"[{part.strip()}]", part.strip()) for part in re.split("[,;]", inside)]
    if all(key.label and known(key) for key in labels):
        return Marker(*found.span(), tuple(labels))
    keys = _authors(inside, known)
    return Marker(*found.span(), keys) if keys else None


def _numbers(listed: str) -> tuple[Key, ...]:
    """The numbers of "1, 3-5", or none where this is an interval or another thing in brackets."""
    numbers: list[int] = []
    for part in re.split("[,;]", listed):
        first, *last = (int(number) for number in re.split("[-–—]", part))
        if not first or (last and not 0 < last[0] - first <= WIDEST):
            return ()
        numbers += range(first, (last or [first])[0] + 1)
    return tuple(Key(f"[{number}]", str(number)) for number in dict.fromkeys(numbers))


def _authors(inside: str, known: Callable[[Key], bool]) -> tuple[Key, ...]:
    """The works of "see Smith et al., 2023; Doe, 2020a,b", or none when it says more than that."""
    if not re.search(_YEAR, inside) or not _LEFT.fullmatch(_PART.sub(" ", inside)):
        return ()
    keys = tuple(key for part in _PART.finditer(inside) for key in _dated(part["who"], part["when"], known))
    return keys if all(known(key) or _is_certain(key) for key in keys) else ()


def _is_certain(key: Key) -> bool:
    """Whether names and a year in brackets can be nothing but a citation."""
    only = key.surnames[0] if len(key.surnames) == 1 and not key.others else ""
    return not (only.casefold() in _MONTHS or only[-1:].isupper())


def _textual(found: re.Match[str], known: Callable[[Key], bool]) -> Marker | None:
    who = found["who"]
    keys = _dated(who, found["when"], known)
    if not keys or not (known(keys[0]) or keys[0].others):
        return None
    # "Recently, Smith and Doe (2023)": the marker begins with the first author.
    start = found.start() + who.find(keys[0].surnames[0])
    return Marker(start, found.end(), keys, True)


def _dated(who: str, when: str, known: Callable[[Key], bool]) -> tuple[Key, ...]:
    others = bool(re.search(r"\bet\s+al\b", who))
    surnames = tuple(re.findall(_NAME, re.sub(r"\s+et\s+al\.?$", "", who)))
    while len(surnames) > 1 and (surnames[0].casefold() in _OPENERS or surnames[0].endswith("ly")):
        surnames = surnames[1:]
    years = re.findall(_YEAR, when)
    years += [years[0][:4] + letter for letter in re.findall(r"(?<=[,\s])[a-z]\b", when)] if years else []
    shorter = surnames[1:]
    if len(surnames) > 2 and not known(_key(surnames, years[0], others)) and known(_key(shorter, years[0], others)):
        surnames = shorter
    return tuple(_key(surnames, year, others) for year in years)


def _key(surnames: tuple[str, ...], year: str, others: bool) -> Key:
    who = " and ".join(surnames) if len(surnames) < 3 else f"{', '.join(surnames[:-1])} and {surnames[-1]}"
    return Key(f"{who}{' et al.' if others else ''}, {year}", "", surnames, year, others)
