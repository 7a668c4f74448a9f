"""When papers are from, read out of a question: points in time, what stands before them, and ranges."""

from __future__ import annotations

import calendar
import datetime
import re
from dataclasses import dataclass

Condition = tuple[str, str, object]

MONTHS = [name.casefold() for name in calendar.month_name]  # January is 1
_MONTH = rf"(?:{'|'.join(MONTHS[1:])}|sept|{'|'.join(name[:3] for name in MONTHS[1:])})\.?"
_YEAR = r"(?:(?:19[5-9]|20[0-4])\d|['’]\d\d)(?!\d|[.,]\d|%|\s*(?:tokens|words|images|samples|examples|steps|sentences|hours|users|questions|pairs|documents|clips|frames|epochs|iterations|points|languages|classes|items|records|gpus|people|participants|patients|papers? (?:in all|in total))\b)"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
# The point in time: a year, a month with or (within a range) without one, a day, an ISO date.
_POINT = (
    rf"(?:(?:the )?(?:(?:start|beginning|middle|mid|end|course) of )?(?:the (?:year|month) (?:of )?|year )?"
    rf"(?:20\d\d-\d\d(?:-\d\d)?|(?:{_DAY} (?:of )?)?{_MONTH}(?: {_DAY}(?=,| {_YEAR}))?,?(?: (?:of )?{_YEAR})?|{_YEAR}))(?!\w)"
)
_VERB = (
    r"(?:(?:that |which )?(?:were |was |are |is |have been |has been )?(?:published|released|written|dated|posted|appeared|appearing"
    r"|came out|come out|coming out|submitted|out|made) )?"
)
_TO = r"(?:-|–|—|to|until|till|through|thru|up to)"
_AFTERWARDS = r"(?:onwards?|on|and (?:later|after|newer|onwards?|since|up)|or (?:later|newer|after|onwards?))"
_UP_TO = r"(?:and|or) (?:earlier|before|older)"

# What a pattern says of its point(s): "between", or the bound it sets.
_RULES = tuple(
    (bound, re.compile(rf"(?<![\w-]){_VERB}{pattern}", re.IGNORECASE))
    for bound, pattern in (
        ("between", rf"(?:between|from) (?:the years )?({_POINT}) and ({_POINT})(?: \((?:both )?incl\w*\)| inclusive)?"),
        ("between", rf"(?:between |from |in |of )?(?:the years )?({_POINT}) ?{_TO} ?({_POINT})(?: \((?:both )?incl\w*\)| inclusive)?"),
        ("either", rf"(?:in |from |of )?({_YEAR}) (?:or|and|/) ({_YEAR})"),
        ("since", rf"(?:since|starting(?: in| from| with)?|as of|no earlier than|not (?:before|older than)|on or after) ({_POINT})(?: {_AFTERWARDS})?"),
        ("since", rf"(?:in |from |dated )?({_POINT}) {_AFTERWARDS}\b"),
        ("until", rf"(?:no later than|not (?:after|later than|newer than)|until|up to|till|through|on or before|by(?: the end of)?) ({_POINT})"),
        ("after", rf"(?:after|later than|newer than|more recent than|younger than|past|following) ({_POINT})"),
        ("before", rf"(?:before|prior to|earlier than|older than|preceding|pre-?) ?({_POINT})"),
        ("until", rf"(?:in |from )?({_POINT}) {_UP_TO}\b"),
        ("in", rf"(?:in|from|of|during|dated|on|within|throughout)(?: the)? ({_POINT})(?: (?:date|year))?"),
        ("in", rf"(?:the )?({_POINT})(?='?s? (?:ones?\b|dates?\b|(?:[\w-]+ ){{0,4}}(?:papers?|works?|publications?|articles?|abstracts?|surveys?|reviews?|preprints?)\b))(?: ones?| dates?)?"),
        ("in", rf"\b({_MONTH},? (?:of )?{_YEAR})"),
        ("in", rf"(?:(?<=, )|(?<=\())(?:year:? )?({_YEAR})(?=[ ,)?.!]*$)|\b(?:year:? |papers )({_YEAR})(?=[ ,)?.!]*$)|^({_YEAR})$"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Span:
    """A point in time, first and last day; `year` alone was said."""

    first: str
    last: str
    year: int | None


def read_dates(text: str, today: datetime.date) -> tuple[str, list[Condition]]:
    """The conditions on dates that `text` states, and the text without the words that stated them.

    Years become conditions on `year` (papers may have a year and no date), months and days on `date`.
    """
    text = _relative(text, today)
    for bound, pattern in _RULES:
        for found in pattern.finditer(text):
            points = [point for point in found.groups() if point]
            if conditions := _conditions(bound, points, today):
                return text[: found.start()] + " " + text[found.end() :], conditions
    return text, []


def _relative(text: str, today: datetime.date) -> str:
    """`this year`, `last year` and `the past three years` as years."""
    text = re.sub(r"\b(?:from |in )?this year(?:'s)?\b", f"in {today.year}", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:from |in )?last year(?:'s)?\b", f"in {today.year - 1}", text, flags=re.IGNORECASE)
    words = {"two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
    return re.sub(
        rf"\b(?:from |in |over |within )?(?:the )?(?:last|past) (\d+|{'|'.join(words)}) years\b",
        lambda found: f"since {today.year - (words.get(found[1].casefold()) or int(found[1]))}",
        text,
        flags=re.IGNORECASE,
    )


def _conditions(bound: str, points: list[str], today: datetime.date) -> list[Condition]:
    last = _span(points[-1], None, today)
    first = _span(points[0], last, today)
    if first is None or last is None:
        return []
    low, high = (first, last) if first.first <= last.first else (last, first)
    years = low.year is not None and high.year is not None
    field = "year" if years else "date"
    edges: dict[str, object] = {
        "low": low.year if years else low.first,
        "high": high.year if years else high.last,
        "before": low.year if years else low.first,
    }
    if bound == "either":
        return [("year", "in", (low.year, high.year))]
    if bound in ("between", "in"):
        if years and low.year == high.year:
            return [("year", "eq", low.year)]
        return [(field, "gte", edges["low"]), (field, "lte", edges["high"])]
    operator, edge = {
        "since": ("gte", "low"),
        "after": ("gt", "high"),
        "until": ("lte", "high"),
        "before": ("lt", "before"),
    }[bound]
    return [(field, operator, edges[edge])]


def _span(point: str, other: _Span | None, today: datetime.date) -> _Span | None:
    """First and last day of a point; a month without a year takes that of the range's end."""
    if iso := re.search(r"(20\d\d)-(\d\d)(?:-(\d\d))?", point):
        year, month, day = int(iso[1]), int(iso[2]), int(iso[3]) if iso[3] else None
        return _month(year, month, day) if 1 <= month <= 12 else None
    written = re.search(_YEAR, point)
    year_said = int(re.sub(r"\D", "", written[0])) if written else None
    if year_said is not None and year_said < 100:
        year_said += 2000 if year_said <= today.year % 100 + 1 else 1900
    named = re.search(rf"\b{_MONTH}", point, re.IGNORECASE)
    if named is None:
        return _Span(f"{year_said}-01-01", f"{year_said}-12-31", year_said) if year_said else None
    if year_said is None and other is not None:
        year_said = int(other.first[:4])
    if year_said is None:
        return None
    month = next(at for at, name in enumerate(MONTHS) if at and name.startswith(named[0].casefold()[:3]))
    day_said = re.search(r"\b(\d{1,2})(?:st|nd|rd|th)?\b(?!\d)", point.replace(written[0], "") if written else point)
    return _month(year_said, month, int(day_said[1]) if day_said else None)


def _month(year: int, month: int, day: int | None) -> _Span | None:
    if day and day > calendar.monthrange(year, month)[1]:
        return None
    if day:
        return _Span(f"{year}-{month:02d}-{day:02d}", f"{year}-{month:02d}-{day:02d}", None)
    return _Span(f"{year}-{month:02d}-01", f"{year}-{month:02d}-31", None)
