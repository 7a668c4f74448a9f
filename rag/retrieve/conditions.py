"""Conditions on metadata, read out of a question by rules: they run as code, never as similarity."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.retrieve.dates import Condition, read_dates
from rag.types import Filters, Order

NUMBERS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    )
}
NUMBERS |= {"twenty": 20, "thirty": 30}
_N = rf"(\d+|{'|'.join(NUMBERS)})(?!\w)"
_AUTHORS = r"(?:co-?)?authors?\b"
_PEOPLE = (
    rf"(?:{_AUTHORS}|(?:people|persons?|researchers?|scientists?|writers?|names?)\b(?: on the (?:byline|author list))?)"
)
# How many: comparison, number, and what may follow it.
_AMOUNT = rf"(?P<compared>more than|over|above|>=?|≥|fewer than|less than|under|below|<=?|≤|at least|min(?:imum)?(?: of)?|no (?:more|fewer|less) than|not more than|at most|up to|max(?:imum)?(?: of)?|exactly|precisely|just|only|=)? ?{_N}(?: ?(?:to|and|-|–) ?(?P<second>\d+|{'|'.join(NUMBERS)})(?= (?:{_PEOPLE})|\)))?(?P<after>\+| or more| and up| or (?:fewer|less))?"
_OPERATORS = {
    "more than": "gt", "over": "gt", "above": "gt", ">": "gt", ">=": "gte", "≥": "gte", "at least": "gte", "min": "gte", "minimum": "gte",
    "no fewer than": "gte", "no less than": "gte", "fewer than": "lt", "less than": "lt", "under": "lt", "below": "lt", "<": "lt",
    "<=": "lte", "≤": "lte", "at most": "lte", "up to": "lte", "max": "lte", "maximum": "lte", "no more than": "lte", "not more than": "lte",
}  # fmt: skip
_TEAMS = tuple(
    re.compile(rf"(?<!\w){pattern}", re.IGNORECASE)
    for pattern in (
        rf"(?:(?:that |which )?(?:has|have|having|with|w/|by|of|lists?|names?|counts?|credits?|(?:were |was )?(?:written|authored|made|signed) by) )?(?:between )?{_AMOUNT}[- ]{_PEOPLE}",
        rf"(?:(?:written|authored|made) )?(?:by )?(?:big |large |small )?(?:teams?|author (?:lists?|counts?|teams?|groups?)|groups? of authors|numbers? of authors|bylines?)(?: of| with|:| is| are)? ?\(?{_AMOUNT}\)?(?: {_PEOPLE}|(?=\s+(?:in|from|on|about|since|before|after|with|and|that|who)\b|\s*(?:[^\s\w+]|$)|\s\s))",
    )
)
_ALONE = re.compile(
    rf"(?<!\w)(?<!than )(?<!least )(?<!over )(?:(?:that |which )?(?:has|have|with|by|were written by|was written by|written by) )?(?:just |only )?(?:a |an |one )?(?:(?:single|sole|lone|solo|one|only)[- ](?:{_AUTHORS}|authored)|(?<=by )(?:just |only )?(?:a )?(?:single|one|lone) (?:person|researcher)\b)"
    r"|\b(?:written|authored|published|wrote|done) (?:all )?alone\b|\bby (?:just |only )?(?:a )?(?:single|one|lone) (?:person|researcher)\b",
    re.IGNORECASE,
)
_DUOS = re.compile(r"(?<!\w)(?:author )?(duos?|trios?)\b(?: of (?:authors|people)|(?=[:.,?!]|$))|\bpairs? of (?:authors|people|researchers)\b|\bauthor pairs?\b", re.IGNORECASE)  # fmt: skip
_SORTED = re.compile(
    r"\b(?:sorted |ordered |ranked |arranged )?by (?:the |their )?(?:publication )?(date|year|age|headcount|team size|number of (?:authors|comments)|(?:author|comment) count)s?(?: of authors)?\b|\b(chronological)(?:ly)?(?: order)?\b",
    re.IGNORECASE,
)
_SORT_FIELDS = {
    "date": "date", "year": "date", "age": "date", "chronological": "date", "author": "author_count", "headcount": "author_count",
    "team": "author_count", "comment": "comment_count",
}  # fmt: skip
_DIRECTION = re.compile(
    r"\b(?:sort|order|rank|arrange)(?:ed)?\b|,? ?\b(?:(?:newest|latest|most recent|oldest|earliest|fewest|most|smallest|largest|biggest) (?:ones? |teams? |author lists? )?first|ascending|descending|chronologically)\b",
    re.IGNORECASE,
)
_RISING = re.compile(r"\b(?:oldest|earliest|fewest|smallest|lowest)\b|\bascending\b|\bchronological", re.IGNORECASE)
_FIRST_OF_TWO = re.compile(r"\b(?:came|appeared|was (?:published|released)|is) (?:out )?(?:first|earlier|older)\b", re.IGNORECASE)  # fmt: skip
# "..., and how long is it?" asks for the figure that the order already goes by.
_AND_HOW = re.compile(r",? and (?:how (?:many|long|big|old|recent|large)|when|what (?:date|year))\b.*$", re.IGNORECASE)
_SUPERLATIVES = (
    (r"(?:(?:most|largest number of|greatest number of|highest number of|longest list of|biggest number of) (?:co-?)?authors?(?: list)?|(?:longest|largest|biggest) (?:author )?(?:list|team|byline|group)s?(?: of authors| behind it)?)", "author_count", True),
    (r"(?:(?:fewest|least|smallest number of) (?:co-?)?authors?|(?:shortest|smallest) (?:author )?(?:list|team|byline)s?)", "author_count", False),
    (r"(?:(?:most|highest number of) comments|most[- ](?:discussed|commented)(?: on)?)", "comment_count", True),
    (r"(?:newest|latest|most recent(?:ly published)?|youngest)(?! \w+ (?:results|methods|techniques))", "date", True),
    (r"(?:oldest|earliest|least recent)", "date", False),
)  # fmt: skip
# Words that say nothing once the conditions are taken out of a question.
CHATTER = frozenset(
    """
    alone appear appeared appears archive around author authored authors available back behind big both byline carry chronologically
    collection comment comments dig document documents early earliest exactly exist far first got guys hey hold huge included inclusive
    item items large largest last latest library list long manuscripts month months newest oldest order own people person plain pls plz
    preprint preprints publication record recorded recent release released set short single small sort sorted still stuff team teams
    time title titles today together top total used whatever whats whole wrote year years you yourself ones far undated
    """.split()
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was found, and the question without the words that said it."""

    rest: str
    filters: Filters = Filters()
    order: Order | None = None


def read_conditions(question: str, organizations: Sequence[str], today: datetime.date | None = None) -> Conditions:
    """Filters and order that `question` states.

    Args:
        question: the question.
        organizations: `slug display name` of the shelf's organisations.
        today: what "last year" counts from.
    """
    rest, found = _unknown(question)
    rest, conditions = read_dates(rest, today or datetime.date.today())
    found += conditions
    for reader in (_author_counts, _comments):
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


def _without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}"


def _unknown(text: str) -> tuple[str, list[Condition]]:
    """`without a date`, `undated`, `with no organisation`, `an organisation on record`."""
    none = r"(?:(?:that |which )?(?:have|has|with|carry|carries|bear) no|without an?|lack(?:ing)? an?|no) (?:known |publication |recorded )?"
    some = r"(?:(?:with |has |have |carry )?(?:an?y? )?{what} (?:is |are |was )?(?:on record|recorded|known|given|listed|named|stated)(?: at all)?|\b(?:with|have|has) an? (?:known )?{what}\b(?! of| named| called))"
    for pattern, condition in (
        (rf"\b(?:{none}(?:publication )?dates?|undated)\b", ("date", "known", False)),
        (rf"\b{none}organi[sz]ations?\b", ("organization", "known", False)),
        (some.format(what=r"organi[sz]ations?"), ("organization", "known", True)),
    ):
        if found := re.search(pattern, text, re.IGNORECASE):
            return _without(text, found), [condition]
    return text, []


def _author_counts(text: str) -> tuple[str, list[Condition]]:
    """`single author`, `more than ten authors`, `5 to 7 authors`, `teams of ten or more`, `big author lists (>15)`."""
    if found := _ALONE.search(text):
        return _without(text, found), [("author_count", "eq", 1)]
    for pattern in _TEAMS:
        if found := pattern.search(text):
            first = number(found[2])
            if second := found["second"]:
                return _without(text, found), [("author_count", "gte", first), ("author_count", "lte", number(second))]
            compared = re.sub(r" of$", "", (found["compared"] or "").casefold())
            after = (found["after"] or "").strip().casefold()
            operator = (
                "gte" if after in ("+", "or more", "and up") else "lte" if after else _OPERATORS.get(compared, "eq")
            )
            return _without(text, found), [("author_count", operator, first)]
    if found := _DUOS.search(text):
        return _without(text, found), [("author_count", "eq", 3 if found[0].casefold().count("trio") else 2)]
    return text, []


def _comments(text: str) -> tuple[str, list[Condition]]:
    """`with more than 3 comments`, `at least one comment`, `that received comments`, `without comments`."""
    if found := re.search(
        r"\b(?:without|(?:that |which )?(?:have|has|with) no) (?:any )?comments?\b", text, re.IGNORECASE
    ):
        return _without(text, found), [("comment_count", "eq", 0)]
    having = r"(?:(?:that |which )?(?:have|having|with|has|received|got|drew|attracted))"
    if found := re.search(rf"(?:{having} )?{_AMOUNT} comments?\b", text, re.IGNORECASE):
        compared = (found["compared"] or "").casefold()
        operator = "gte" if found["after"] else _OPERATORS.get(compared, "eq")
        return _without(text, found), [("comment_count", operator, number(found[2]))]
    if found := re.search(rf"{having} (?:any |some |a )?comments?\b", text, re.IGNORECASE):
        return _without(text, found), [("comment_count", "gte", 1)]
    return text, []


def _organization(text: str, organizations: Sequence[str]) -> tuple[str, list[Condition]]:
    """`from Microsoft`, `by Reactive AI`, `Microsoft papers`: organisations the shelf holds."""
    for stored in organizations:
        slug, _, name = stored.partition(" ")
        for form in sorted({name, slug}, key=len, reverse=True):
            said = rf"(?:(?:(?:that )?(?:come|comes|came|is|are|(?:is |are |was |were )?recorded|listed) )?(?:from|by|at|of|with|under|for|affiliated (?:to|with)|organi[sz]ation:?)\s+(?:the )?(?:organi[sz]ation )?{re.escape(form)}|{re.escape(form)}(?=(?:'s)? (?:papers?|work|publications?)\b))(?!\w)"
            if form and (found := re.search(rf"(?<!\w){said}", text, re.IGNORECASE)):
                return _without(text, found), [("organization", "eq", name)]
    return text, []


def _order(text: str) -> tuple[str, Order | None]:
    """`the three newest`, `most recent three`, `oldest paper`, `most authors`, `sorted by date`."""
    if found := _SORTED.search(text):
        said = (found[1] or found[2]).casefold()
        field = next(name for word, name in _SORT_FIELDS.items() if word in said)
        top = re.search(rf"\btop {_N}\b", text, re.IGNORECASE)
        rest = _DIRECTION.sub(" ", _without(text, found))
        rest = re.sub(rf"\btop {_N}\b", " ", rest, flags=re.IGNORECASE)
        return rest, Order(field, not _RISING.search(text), number(top[1]) if top else None)
    if found := _FIRST_OF_TWO.search(text):
        return _without(text, found), Order("date", False)
    for pattern, field, descending in _SUPERLATIVES:
        if found := re.search(
            rf"(?<!\w)(?:the |our )?(?:top )?(?:{_N} )?(?:{pattern})(?!\w)(?! first)", text, re.IGNORECASE
        ):
            after = re.match(rf"\s*{_N}\b", text[found.end() :])
            counted = found[1] or (after[1] if after else None)
            plural = re.search(r"\bpapers\b|\bones\b", text) and not counted and field in ("date", "comment_count")
            limit = number(counted) if counted else 5 if plural else 1
            rest = text[found.end() + (after.end() if after and not found[1] else 0) :]
            return _DIRECTION.sub(" ", f"{text[: found.start()]} {rest}"), Order(field, descending, limit)
    if found := _DIRECTION.search(text):  # "..., newest first"
        rising = bool(_RISING.search(found[0]))
        if "first" in found[0].casefold():
            field = (
                "author_count"
                if re.search(r"fewest|most\b(?! recent)|smallest|largest|biggest", found[0], re.I)
                else "date"
            )
            return _DIRECTION.sub(" ", text), Order(field, not rising)
    return text, None
