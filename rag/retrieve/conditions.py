"""Conditions on metadata, read out of a question by rules: they run as code, never as similarity."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.types import Filters, Order

Condition = tuple[str, str, object]

MONTHS = {
    name: number
    for number, name in enumerate(
        "january february march april may june july august september october november december".split(), 1
    )
}
NUMBERS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    )
}
NUMBERS |= {"twenty": 20, "thirty": 30, "a": 1, "single": 1}
_YEAR = r"((?:19|20)\d\d)"
_MONTH = rf"({'|'.join(MONTHS)}|{'|'.join(name[:3] for name in MONTHS)})\.?"
_EDGE = r"(?:(?:the )?(?:start|beginning|middle|end) of )?"
_COUNT = rf"(\d+|{'|'.join(NUMBERS)})"
_PUBLISHED = r"(?:(?:that )?(?:were |was |are |is )?(?:published|released|written|dated|posted|appeared|appearing|came out|come out|coming out|submitted|out) )?"
_WORDS_OF_AUTHORS = r"(?:co-?)?authors?\b"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was found, and the question without the words that said it."""

    rest: str
    filters: Filters = Filters()
    order: Order | None = None


_SORTED = re.compile(
    r"\b(?:sorted |ordered |ranked |arranged )?by (?:the |their )?(?:publication )?(date|year|age|number of (?:authors|comments)|(?:author|comment) count)s?\b",
    re.IGNORECASE,
)
_SORT_FIELDS = {"date": "date", "year": "date", "age": "date", "author": "author_count", "comment": "comment_count"}
_DIRECTION = re.compile(
    r"\b(?:sort|order|rank|arrange)\b|,? ?\b(?:(?:newest|latest|most recent|oldest|earliest|fewest|most|smallest|largest) first|ascending|descending|chronologically)\b",
    re.IGNORECASE,
)
_FIRST_OF_TWO = re.compile(
    r"\b(?:came|appeared|was (?:published|released)|is) (?:out )?(?:first|earlier|older)\b", re.IGNORECASE
)
# "..., and how long is it?" asks for the figure that the order already goes by.
_AND_HOW = re.compile(r",? and (?:how (?:many|long|big|old|recent)|when|what (?:date|year))\b.*$", re.IGNORECASE)

Reading = Callable[[re.Match[str]], list[Condition]]


def read_conditions(question: str, organizations: Sequence[str]) -> Conditions:
    """Filters and order that `question` states.

    Args:
        question: the question.
        organizations: `slug display name` of the shelf's organisations.
    """
    rest, found = _relative(question, datetime.date.today()), list[Condition]()
    for reader in (_unknown, _dates, _author_counts, _comments):
        rest, conditions = reader(rest)
        found += conditions
    rest, conditions = _organization(rest, organizations)
    found += conditions
    rest, order = _order(rest)
    if order:
        rest = _AND_HOW.sub("", rest)
    return Conditions(" ".join(rest.split()), Filters(tuple(found)), order)


def number(text: str) -> int:
    return int(text) if text.isdigit() else NUMBERS[text.casefold()]


def _unknown(text: str) -> tuple[str, list[Condition]]:
    """`without a date`, `undated`, `with no organisation`."""
    without = r"(?:(?:that |which )?(?:have|has|with) no|without an?|lack(?:ing)? an?) (?:known )?"
    rules: tuple[tuple[str, Reading], ...] = (
        (rf"(?:{without}dates?|undated)\b", lambda m: [("date", "known", False)]),
        (rf"{without}organi[sz]ations?\b", lambda m: [("organization", "known", False)]),
    )
    return _first_rule(rules, text)


def _dates(text: str) -> tuple[str, list[Condition]]:
    """`in May 2023`, `since 2022`, `between 2019 and 2021`, `2023 or later`, `from 2024`, `2024 papers`."""
    rules: tuple[tuple[str, Reading], ...] = (
        (
            rf"{_PUBLISHED}(?:between|from) {_EDGE}{_MONTH} (?:{_YEAR} )?(?:and|to|until|till|through) {_EDGE}{_MONTH},? (?:of )?{_YEAR}",
            _month_range,
        ),
        (rf"{_PUBLISHED}(?:between|from) {_YEAR} (?:and|to|until|till|through) {_YEAR}", lambda m: _years(m[1], m[2])),
        (rf"{_PUBLISHED}(?:in |from |of )?(?:the years )?{_YEAR} ?[-–] ?{_YEAR}", lambda m: _years(m[1], m[2])),
        (
            rf"{_PUBLISHED}(?:in |from )?{_YEAR} (?:or|and) (?:later|after|newer|onwards?|since)",
            lambda m: [("year", "gte", int(m[1]))],
        ),
        (
            rf"{_PUBLISHED}(?:in |from )?{_YEAR} (?:or|and) (?:earlier|before|older)",
            lambda m: [("year", "lte", int(m[1]))],
        ),
        (rf"{_PUBLISHED}from {_YEAR} on(?:wards?)?\b", lambda m: [("year", "gte", int(m[1]))]),
        (rf"{_PUBLISHED}(?:since|after) {_MONTH} {_YEAR}", lambda m: [("date", "gte", _month(m[1], m[2])[0][2])]),
        (rf"{_PUBLISHED}(?:since|starting(?: in)?) {_YEAR}", lambda m: [("year", "gte", int(m[1]))]),
        (
            rf"{_PUBLISHED}(?:after|later than|newer than|more recent than|past) {_YEAR}",
            lambda m: [("year", "gt", int(m[1]))],
        ),
        (
            rf"{_PUBLISHED}(?:before|prior to|earlier than|older than|pre-?) ?{_MONTH} {_YEAR}",
            lambda m: [("date", "lt", _month(m[1], m[2])[0][2])],
        ),
        (
            rf"{_PUBLISHED}(?:before|prior to|earlier than|older than|pre-?) ?{_YEAR}",
            lambda m: [("year", "lt", int(m[1]))],
        ),
        (rf"{_PUBLISHED}(?:in |from |of |during |dated )?{_MONTH},? (?:of )?{_YEAR}", lambda m: _month(m[1], m[2])),
        (rf"{_PUBLISHED}(?:until|up to|till|through|no later than) {_YEAR}", lambda m: [("year", "lte", int(m[1]))]),
        (rf"{_PUBLISHED}(?:in|from|of|during|dated)(?: the year)? {_YEAR}\b", lambda m: [("year", "eq", int(m[1]))]),
        (
            rf"\b{_YEAR}(?=(?:'s)? (?:\w+ ){{0,3}}(?:papers?|work|publications?|articles?|abstracts?)\b)",
            lambda m: [("year", "eq", int(m[1]))],
        ),
        (rf"{_PUBLISHED}(?<=\bpapers ){_YEAR}\b|^{_YEAR}$", lambda m: [("year", "eq", int(m[1] or m[2]))]),
    )
    return _first_rule(rules, text)


def _relative(text: str, today: datetime.date) -> str:
    """`this year` and `last year` as years."""
    text = re.sub(r"\bthis year(?:'s)?\b", f"in {today.year}", text, flags=re.IGNORECASE)
    return re.sub(r"\b(?:from |in )?last year(?:'s)?\b", f"in {today.year - 1}", text, flags=re.IGNORECASE)


def _first_rule(rules: Sequence[tuple[str, Reading]], text: str) -> tuple[str, list[Condition]]:
    """What the first rule that matches reads, and the text without the words it matched."""
    for pattern, reading in rules:
        if found := re.search(rf"(?<!\w){pattern}", text, re.IGNORECASE):
            return text[: found.start()] + " " + text[found.end() :], reading(found)
    return text, []


def _month(name: str, year: str) -> list[Condition]:
    first = next(number for month, number in MONTHS.items() if month.startswith(name.casefold()[:3]))
    return [("date", "gte", f"{year}-{first:02d}-01"), ("date", "lte", f"{year}-{first:02d}-31")]


def _month_range(found: re.Match[str]) -> list[Condition]:
    return [_month(found[1], found[2] or found[4])[0], _month(found[3], found[4])[1]]


def _years(first: str, last: str) -> list[Condition]:
    low, high = sorted((int(first), int(last)))
    return [("year", "gte", low), ("year", "lte", high)]


def _author_counts(text: str) -> tuple[str, list[Condition]]:
    """`single author`, `more than ten authors`, `5 to 7 authors`, `exactly 3 authors`."""
    lead = r"(?:(?:that |which )?(?:has|have|having|with|by|of|written by|lists?|names?|count|credits?) )?"
    rules: tuple[tuple[str, Reading], ...] = (
        (
            rf"{lead}(?:a |only )?(?:single|sole|lone|solo|just one|only one|one)[- ](?:{_WORDS_OF_AUTHORS}|authored)",
            lambda m: [("author_count", "eq", 1)],
        ),
        (
            rf"{lead}(?:more than|over|above) {_COUNT} {_WORDS_OF_AUTHORS}",
            lambda m: [("author_count", "gt", number(m[1]))],
        ),
        (
            rf"{lead}(?:fewer than|less than|under|below) {_COUNT} {_WORDS_OF_AUTHORS}",
            lambda m: [("author_count", "lt", number(m[1]))],
        ),
        (rf"{lead}(?:at least) {_COUNT} {_WORDS_OF_AUTHORS}", lambda m: [("author_count", "gte", number(m[1]))]),
        (rf"{lead}{_COUNT} or more {_WORDS_OF_AUTHORS}", lambda m: [("author_count", "gte", number(m[1]))]),
        (
            rf"{lead}(?:at most|up to|no more than|not more than) {_COUNT} {_WORDS_OF_AUTHORS}",
            lambda m: [("author_count", "lte", number(m[1]))],
        ),
        (rf"{lead}{_COUNT} or (?:fewer|less) {_WORDS_OF_AUTHORS}", lambda m: [("author_count", "lte", number(m[1]))]),
        (
            rf"{lead}(?:between )?{_COUNT} (?:to|and|-) {_COUNT} {_WORDS_OF_AUTHORS}",
            lambda m: [("author_count", "gte", number(m[1])), ("author_count", "lte", number(m[2]))],
        ),
        (rf"{lead}(?:exactly )?{_COUNT}[- ]{_WORDS_OF_AUTHORS}", lambda m: [("author_count", "eq", number(m[1]))]),
    )
    return _first_rule(rules, text)


def _comments(text: str) -> tuple[str, list[Condition]]:
    """`with more than 3 comments`, `at least one comment`, `that have comments`."""
    if found := re.search(
        rf"(?:that have|having|with|has|have) (?:(more than|over|at least|exactly) )?(?:{_COUNT} |any )?(or more )?comments?\b",
        text,
        re.IGNORECASE,
    ):
        operator = {"more than": "gt", "over": "gt", "exactly": "eq"}.get(
            (found[1] or "").casefold(), "gte" if found[1] or found[3] or not found[2] else "eq"
        )
        return text[: found.start()] + " " + text[found.end() :], [
            ("comment_count", operator, number(found[2]) if found[2] else 1)
        ]
    return text, []


def _organization(text: str, organizations: Sequence[str]) -> tuple[str, list[Condition]]:
    """`from Microsoft`, `by Reactive AI`, `Microsoft papers`: organisations the shelf holds."""
    if found := re.search(
        r"\b(?:with |has |have )?(?:an? )?organi[sz]ations? (?:is |are |was )?(?:recorded|known|given|listed|named|stated)|\bwith an organi[sz]ation\b",
        text,
        re.IGNORECASE,
    ):
        return text[: found.start()] + " " + text[found.end() :], [("organization", "known", True)]
    for stored in organizations:
        slug, _, name = stored.partition(" ")
        for form in sorted({name, slug}, key=len, reverse=True):
            said = rf"(?:(?:(?:that )?(?:come|comes|came|is|are) )?(?:from|by|at|of|with|under|affiliated (?:to|with)|organi[sz]ation)\s+(?:the )?(?:organi[sz]ation )?{re.escape(form)}|{re.escape(form)}(?=(?:'s)? (?:papers?|work|publications?)\b))(?!\w)"
            if form and (found := re.search(rf"(?<!\w){said}", text, re.IGNORECASE)):
                return text[: found.start()] + " " + text[found.end() :], [("organization", "eq", name)]
    return text, []


def _order(text: str) -> tuple[str, Order | None]:
    """`the three newest`, `oldest paper`, `most authors`, `most discussed`."""
    if found := _SORTED.search(text):
        field = next(name for word, name in _SORT_FIELDS.items() if word in found[1].casefold())
        rising = re.search(
            r"\b(?:oldest|earliest|fewest|smallest|lowest)\b|\bascending\b|\bchronological", text, re.IGNORECASE
        )
        return _DIRECTION.sub(" ", text[: found.start()] + " " + text[found.end() :]), Order(field, not rising)
    if found := _FIRST_OF_TWO.search(text):
        return text[: found.start()] + " " + text[found.end() :], Order("date", False)
    lead = rf"(?:the |our )?(?:top )?(?:{_COUNT} )?"
    rules = (
        (r"(?:most|largest number of|greatest number of|highest number of|longest list of|biggest number of) (?:co-?)?authors?(?: list)?|(?:longest|largest|biggest) author (?:list|team)s?", "author_count", True),
        (r"(?:fewest|least|smallest number of) (?:co-?)?authors?", "author_count", False),
        (r"(?:most|highest number of) comments|most[- ](?:discussed|commented)(?: on)?", "comment_count", True),
        (r"(?:newest|latest|most recent(?:ly published)?|youngest)(?! \w+ (?:results|methods|techniques))", "date", True),
        (r"(?:oldest|earliest|least recent)", "date", False),
    )  # fmt: skip
    for pattern, field, descending in rules:
        if found := re.search(rf"(?<!\w){lead}(?:{pattern})(?!\w)", text, re.IGNORECASE):
            after = re.match(rf"\s*{_COUNT}\b", text[found.end() :])
            limit = number(found[1]) if found[1] else number(after[1]) if after else 1
            plural = (
                re.search(r"\bpapers\b|\bones\b", text)
                and not found[1]
                and not after
                and field in ("date", "comment_count")
            )
            return text[: found.start()] + " " + text[found.end() :], Order(field, descending, 5 if plural else limit)
    return text, None
