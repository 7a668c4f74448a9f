"""A question to a `Query`, by rules and the ledger; no language model is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.index.lexical import terms
from rag.index.segments import Segments
from rag.index.shelf import Shelf
from rag.ingest.names import key, looks_like_name
from rag.retrieve.conditions import CHATTER, read_conditions
from rag.retrieve.scaffold import SCAFFOLD, content_words
from rag.retrieve.spelling import respelled, similar_names
from rag.types import Named, Query, Shape

_PAPERS = (
    r"(?:papers?|works?|research|studies|study|articles?|publications?|abstracts?|literature|surveys?|reviews?|ones?)"
)
_ASKS = r"what|how|why|when|where|who|whose|which|is|are|does|do|did|was|were|can|could|has|have|should|will|would|in|on|for|with|by|of|among|given"
_LEAD = r"^(?:and|also|ok(?:ay)?|so|but|then|please|well)?,? ?(?:can you |could you |please |i'?m |i am |i |we |do you know )*"
_LIST = re.compile(
    rf"{_LEAD}(?:list|show|find|give me|get me|looking for|interested in|want|need|any|anything|all|everything|papers?)\b"
    rf"|{_LEAD}(?:which|what|whose)(?: [\w/-]+){{0,4}}? {_PAPERS}\b(?! (?:is|was) (?:called|named))"
    r"|\b(?:which|what|list|any|the|those) papers\b"
    rf"|{_LEAD}(?:is|are) there (?:an?|any|some|other|work|papers|something|one)\b|^what(?: all)? (?:is|are) there\b|^what(?:'s| is| do we| have we| can you)? (?:here |got |have |there |find |tell me )*(?:on|about)\b"
    r"|^what (?:do|have|does) (?:we|you|the shelf) (?:got|have|hold)"
    r"|^(?:and )?(?:who|anyone|anybody|has anyone|has anybody|does anyone|does anybody)(?: else)? (?!wrote|is the|are the|authored)[a-z]",
    re.IGNORECASE,
)
_LIST_WITHIN = re.compile(
    rf"\b{_PAPERS} (?:on|about|that|which|using|with|from|of|since|by|in)\b|\b{_PAPERS}[.?!]?$", re.IGNORECASE
)
_COUNT = re.compile(rf"\b(?:how mann?y|number of|count(?: of)?)(?: [\w'-]+){{0,3}}? {_PAPERS}\b", re.IGNORECASE)
_COMPARE = re.compile(
    r"\bvs\.?(?!\w)|\bversus\b|\bcompar(?:e|ed|es|ing|ison)\b|\bcontrast\b|\bdiffer(?:s|ence|ences|ent)?\b|\b(?:each|both|respectively)\b|\bthan\b|\bstack up\b|\bmeasure up\b",
    re.IGNORECASE,
)
_COMPARE_ALONE = re.compile(
    r"^(?:compare|contrast)\b|\bversus\b|\bdifference between\b|\bcontrast\b.*\bwith\b|\b(?:two|three) papers\b",
    re.IGNORECASE,
)
_MEASURE = re.compile(
    r"\b(?:scores?|accurac\w+|sizes?|numbers?|speed-?ups?|savings?|perplexit\w+|throughput|latency|percentage|share|costs?|F1|BLEU|MMLU|parameters?|rates?)\b|\d",
    re.IGNORECASE,
)
_PUBLISHED = re.compile(rf"\b(?:{_PAPERS}|published|released|dated|appeared|came out|new)\b", re.IGNORECASE)
# What saved pages do not hold, and how a question for it sounds.
_NOT_HELD = (
    (r"(?i)\bwho (?:wrote|authored|are the authors|is the (?:\w+ )?author|is behind)\b|\b(?:first|last|corresponding|senior|lead) authors?\b|\bnames? of the authors?\b|\bwhich authors\b", "the names of authors"),
    (r"(?i)\b(?:which|what) (?:conference|journal|venue|workshop)\b|\bwhere (?:was|were|is) .*\b(?:published|presented|accepted)\b|\baccepted (?:at|to|by)\b", "where papers were published"),
    (r"(?i)\bup-?votes?\b|\bhow many likes\b", "upvotes"),
    (r"(?i)\bcitation counts?\b|\bhow (?:many times|often) (?:was|is|has) .*\bcited\b|\bnumber of citations\b|\bhow many citations\b", "how often papers are cited"),
    (r"(?i)\b(?:which|what) (?:university|institute|institution|company|lab)\b.*\b(?:work|affiliated|employed)|\baffiliations?\b", "affiliations of persons"),
    (r"(?i)\b(?:github|source code|repository|repo|pdf) (?:link|url|address)\b|\blink to the (?:code|pdf|repo)", "links to code or files"),
)  # fmt: skip
_BY_NAME = re.compile(
    r"\b[Pp]apers? (?:are |were |is )?(?:written |published )?(?:by|from) (?:the )?(?!\d)[A-Z][\w.-]+(?: [A-Z][\w.-]+)*\??$"
)
# Metadata asked of a paper that is named: field, and how a question for it sounds.
_FIELDS = (
    ("date", r"\bwhen\b.*\b(?:publish|releas|writ|post|appear|dated|from|out\b)|\b(?:what|which) (?:year|month|date)\b|\bhow (?:old|recent)\b|\b(?:date|year) of\b|\bpublication (?:date|year)\b"),
    ("author_count", r"\b(?:how many|number of) (?:(?:co-?)?authors|people (?:wrote|authored))\b|\bauthor count\b"),
    ("comment_count", r"\b(?:how many|number of) comments\b"),
    ("organization", r"\b(?:what|which) organi[sz]ation\b"),
)  # fmt: skip
# Short forms of the field that questions use and abstracts spell out.
_SPELLED_OUT = {
    "asr": "automatic speech recognition", "cot": "chain of thought", "icl": "in-context learning", "kd": "knowledge distillation",
    "kg": "knowledge graph", "moe": "mixture of experts", "mt": "machine translation", "ner": "named entity recognition",
    "nmt": "machine translation", "peft": "parameter-efficient fine-tuning", "qa": "question answering",
    "rag": "retrieval-augmented generation", "rl": "reinforcement learning", "rlhf": "reinforcement learning from human feedback",
    "ssm": "state space model", "vlm": "vision-language model", "vqa": "visual question answering",
}  # fmt: skip
_SHORT = re.compile(rf"\b({'|'.join(_SPELLED_OUT)})s?\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“«]([^\"“”«»]{1,120})[\"”»]")
_WITHOUT = re.compile(
    r"(?:^|[,;(]|\bbut\b|\band\b|[.?!-] )\s*(?:(?:that |which )?(?:are|is) )?(?:not|no|nothing|skip|leave out|excluding|except(?: for)?|other than)\b"
    r" ?(?:(?:for|about|on|in|the|any|those|studies of|just|only) )*([\w' /-]+?)(?: (?:ones?|papers?|please|itself))*(?=[.,;?!)]|$)"
    r"|(?<=[\w)] )(?:other than|except(?: for)?|excluding) (?:(?:the|studies of|those|about|on) )*([\w' /-]+?)(?: (?:ones?|papers?|itself))*(?=[.,;?!)]|$)"
    r"|(?<=[\w)] )(?:(?:that |which )?(?:are|is|do|does) )?not (?:on|about|for|concerned with|related to|dealing? with) (?:(?:the|those) )*([\w' /-]+?)(?=[.,;?!)]|$)"
    r"|^(?:now |and |please )*(?:without|leave out|skip|drop|ignore) (?:the )?([\w' /-]+?)(?: (?:ones?|papers?))+(?=[.,;?!) ]|$)",
    re.IGNORECASE,
)
# A name beside a name: "bert2BERT or CLP-Transfer".
_NAME = r"[\w'.+-]*\w\+?(?:\(\))?"
_TWO_NAMES = re.compile(
    rf"(?<![\w-])({_NAME}),? (?:or|and|vs\.?|versus|against|than|with|to|from|(?:compares?|compared|stacks? up|measures? up) (?:to|with|against))(?= (?:of |the )?({_NAME}))"
)
# A name shared by more papers than this is a word of the field, not a name.
SENSES = 3


def understand_alone(question: str, shelf: Shelf) -> Query:
    """What `question` asks for, taken by itself."""
    asked, notes = respelled(" ".join(question.split()), shelf)
    quoted = tuple(found[1] for found in _QUOTED.finditer(asked) if len(found[1]) > 2 and content_words(found[1]))
    whole, without = left_out(asked)
    query = replace(_read(whole, shelf), quoted=quoted, without=without, notes=notes)
    return replace(query, question=asked) if query.question != asked else query


def left_out(asked: str) -> tuple[str, tuple[str, ...]]:
    """The question without what it leaves out ("... but not for vision"), and that."""
    found = [next(filter(None, match.groups())).strip() for match in _WITHOUT.finditer(asked)]
    rest = " ".join(_WITHOUT.sub(" ", asked).split())
    return (rest, tuple(found)) if found else (asked, ())


def _read(asked: str, shelf: Shelf) -> Query:
    ledger = shelf.ledger
    missing = next(
        (f"saved pages do not hold {what}" for pattern, what in _NOT_HELD if re.search(pattern, asked)), None
    )
    names = named_papers(asked, shelf)
    field = next((name for name, pattern in _FIELDS if re.search(pattern, asked, re.IGNORECASE)), None)
    conditions = read_conditions(asked, ledger.organizations())
    if missing is None and _BY_NAME.search(conditions.rest):
        missing = "saved pages do not hold the names of authors, and no organisation of that name is recorded"
    stated = bool(conditions.filters or conditions.order)
    bare = not [word for word in content_words(conditions.rest) if not (stated and word in CHATTER)]
    stated = stated or (bare and bool(_COUNT.search(asked)))  # "how many papers are on the shelf?"
    strangers = _strangers(asked, names, shelf)
    shape = _shape(asked, conditions.rest, names, about_papers=stated and bare, strangers=bool(strangers))
    if stated and (bare or shape in (Shape.LIST, Shape.COUNT) or (conditions.order and _PUBLISHED.search(asked))):
        topic = "" if bare else _spelled_out(conditions.rest)
        return Query(asked, topic, shape, conditions.filters, conditions.order, names, missing=missing)
    # "what did X report in 2023" asks a fact: its figures are words to find, not conditions.
    return Query(
        asked, _spelled_out(asked), shape, names=names, field=field, missing=missing,
        strangers=strangers if _COMPARE.search(asked) else (),
    )  # fmt: skip


def _strangers(asked: str, names: Sequence[Named], shelf: Shelf) -> tuple[str, ...]:
    """Names that stand beside that of a paper and that no paper of the shelf has so much as a word of."""
    known = {word for name in names for word in key(name.name).split()}
    return tuple(
        word
        for pair in _TWO_NAMES.finditer(asked)
        for word, other in ((pair[1], pair[2]), (pair[2], pair[1]))
        if (key(other) in known or any(shelf.segments.df(term) for term in terms(other))) and key(word) not in known and (looks_like_name(word) or word[0].isupper())
        and not any(shelf.segments.df(term) for term in terms(word))
    )  # fmt: skip


def _spelled_out(text: str) -> str:
    return _SHORT.sub(lambda found: f"{found[0]} ({_SPELLED_OUT[found[1].casefold()]})", text)


def _shape(asked: str, rest: str, names: Sequence[Named], *, about_papers: bool, strangers: bool) -> Shape:
    if _COUNT.search(asked):
        return Shape.COUNT
    listing = bool(_LIST.search(asked))
    sides = len({name.papers[0] for name in names})
    if names and any(looks_like_name(pair[1]) and looks_like_name(pair[2]) for pair in _TWO_NAMES.finditer(asked)):
        sides = max(sides, 2)
    if not listing and (
        (_COMPARE.search(asked) and (sides > 1 or strangers))
        or _COMPARE_ALONE.search(asked)
        or (names and re.search(r"\beach\b", asked))
    ):
        return Shape.COMPARE
    if about_papers or listing:
        return Shape.LIST
    asks_first = re.match(rf"(?:{_ASKS})\b", asked, re.IGNORECASE)
    asks_later = re.search(r"(?i)(?:[:,;-]|\b(?:of|on|by|in|from|for|with)) (?:what|how|which|where|why|who)\b", asked)
    if asks_first or asks_later:
        both = sides > 1 and re.search(r"\b(?:and|or)\b", asked)
        return Shape.COMPARE if both else _one_thing(asked)
    # No question word: a search ("medical language models for Spanish"), unless a measure is asked for
    # ("flan-palm medqa score").
    return Shape.FACT if _MEASURE.search(rest) and not _LIST_WITHIN.search(rest) else Shape.LIST


def _one_thing(asked: str) -> Shape:
    if re.match(
        rf"{_LEAD}(?:is|are|does|do|did|was|were|can|could|has|have|should|will|would)\b", asked, re.IGNORECASE
    ):
        return Shape.YES_NO
    how = re.search(
        rf"(?:{_LEAD}|[,:-] )(?:how|why)\b(?! (?:many|much|far|long|large|big|small|fast|often|\w+er)\b)",
        asked,
        re.IGNORECASE,
    )
    return Shape.HOW if how else Shape.FACT


def named_papers(text: str, shelf: Shelf) -> tuple[Named, ...]:
    """The papers whose names (title, words before its colon, acronyms) stand in `text`, in order, slips included."""
    found = re.findall(r"[^\s,;:?!\"“”]+", text)
    grams: dict[str, tuple[int, int, str]] = {}
    for start in range(len(found)):
        for end in range(start + 1, min(len(found), start + 12) + 1):
            written = " ".join(found[start:end])
            for form in (
                written,
                re.sub(r"['’]s$|-based$", "", written),
                *(written.split("-")[:1] if end == start + 1 else ()),
            ):
                grams.setdefault(key(form), (start, end, form))
    known = shelf.ledger.named([gram for gram in grams if len(gram) >= 2])
    taken: set[int] = set()
    result: list[tuple[int, Named]] = []
    for gram in sorted(known, key=lambda gram: (grams[gram][0] - grams[gram][1], -len(gram))):  # longest first
        start, end, written = grams[gram]
        if (
            taken & set(range(start, end))
            or len(known[gram]) > SENSES
            or not _meant_as_name(gram, written, shelf.segments, first=start == 0)
        ):
            continue
        taken |= set(range(start, end))
        result.append((start, Named(written, tuple(known[gram]))))
    result += _slips(found, taken, shelf)
    return tuple(name for _, name in sorted(result, key=lambda pair: pair[0]))


def _slips(found: Sequence[str], taken: set[int], shelf: Shelf) -> Iterator[tuple[int, Named]]:
    """Words that nearly are a name, where they are no words of the shelf themselves."""
    for at, written in enumerate(found):
        word = re.sub(r"['’]s$", "", written)
        if at in taken or shelf.embedder.is_word(word.casefold()) or not terms(word):
            continue
        if all(shelf.segments.df(term) <= SENSES for term in terms(word)):
            for near in similar_names(word, shelf):
                papers = shelf.ledger.named([near])[near]
                if len(papers) <= SENSES:
                    yield at, Named(word, tuple(papers))


def _meant_as_name(gram: str, written: str, lexical: Segments, *, first: bool) -> bool:
    """Whether these words of a question are a name there: written as one, or no common word of the shelf."""
    if gram in SCAFFOLD:
        return False
    if looks_like_name(written) or (written[0].isupper() and not first) or " " in written:
        return True
    return len(gram) >= 4 and all(lexical.df(term) <= SENSES for term in terms(written))
