"""A question to a `Query`, by rules and the ledger; no language model is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.index.ledger import Ledger
from rag.index.lexical import STOPWORDS, LexicalIndex, terms, words
from rag.ingest.names import key, looks_like_name
from rag.retrieve.conditions import read_conditions
from rag.types import Named, Query, Shape

# Words that ask for papers and say nothing about them.
SCAFFOLD = STOPWORDS | frozenset(
    """
    abstract abstracts another anything anyone anybody article articles available came carried carry carries come comes concern
    concerning count cover covers date dated dates deal deals dealing describe described discuss discusses drawn drew else every
    exist exists find found get gets give got here hi hello hold holding interested kind know list listed lists look looking many
    may much mention mentions need new recent number one ones paper papers please present organisation organization publication
    publications published put read reading received relevant research see shelf show something stuff study
    studies tell there thing things thanks topic want way work works written
    """.split()
)  # fmt: skip
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
_COUNT = re.compile(rf"\b(?:how many|number of|count(?: of)?)(?: [\w'-]+){{0,3}}? {_PAPERS}\b", re.IGNORECASE)
_COMPARE = re.compile(
    r"\bvs\.?(?!\w)|\bversus\b|\bcompar(?:e|ed|es|ing|ison)\b|\bcontrast\b|\bdiffer(?:s|ence|ences|ent)?\b|\b(?:each|both|respectively)\b|\bthan\b",
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
    ("author_count", r"\b(?:how many|number of) (?:co-?)?authors\b"),
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
# A name beside a name: "bert2BERT or CLP-Transfer".
_TWO_NAMES = re.compile(r"([\w'.+-]*\w\+?(?:\(\))?),? (?:or|and|vs\.?|versus)(?: of| the)? ([\w'.+-]*\w)")
# A name shared by more papers than this is a word of the field, not a name.
SENSES = 3


def understand_alone(question: str, ledger: Ledger, lexical: LexicalIndex) -> Query:
    """What `question` asks for, taken by itself."""
    asked = " ".join(question.split())
    missing = next(
        (f"saved pages do not hold {what}" for pattern, what in _NOT_HELD if re.search(pattern, asked)), None
    )
    names = named_papers(asked, ledger, lexical)
    field = next((name for name, pattern in _FIELDS if re.search(pattern, asked, re.IGNORECASE)), None)
    conditions = read_conditions(asked, ledger.distinct("organization"))
    if missing is None and _BY_NAME.search(conditions.rest):
        missing = "saved pages do not hold the names of authors, and no organisation of that name is recorded"
    stated = bool(conditions.filters or conditions.order)
    bare = not content_words(conditions.rest)
    stated = stated or (bare and bool(_COUNT.search(asked)))  # "how many papers are on the shelf?"
    shape = _shape(asked, conditions.rest, names, about_papers=stated and bare)
    if stated and (bare or shape in (Shape.LIST, Shape.COUNT) or (conditions.order and _PUBLISHED.search(asked))):
        topic = "" if bare else _spelled_out(conditions.rest)
        return Query(asked, topic, shape, conditions.filters, conditions.order, names, missing=missing)
    # "what did X report in 2023" asks a fact: its figures are words to find, not conditions.
    return Query(asked, _spelled_out(asked), shape, names=names, field=field, missing=missing)


def _spelled_out(text: str) -> str:
    return _SHORT.sub(lambda found: f"{found[0]} ({_SPELLED_OUT[found[1].casefold()]})", text)


def _shape(asked: str, rest: str, names: Sequence[Named], *, about_papers: bool) -> Shape:
    if _COUNT.search(asked):
        return Shape.COUNT
    listing = bool(_LIST.search(asked))
    sides = len({name.papers[0] for name in names})
    if names and any(looks_like_name(pair[1]) and looks_like_name(pair[2]) for pair in _TWO_NAMES.finditer(asked)):
        sides = max(sides, 2)
    if not listing and (
        (_COMPARE.search(asked) and sides > 1)
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
        return Shape.COMPARE if both else Shape.FACT
    # No question word: a search ("medical language models for Spanish"), unless a measure is asked for
    # ("flan-palm medqa score").
    return Shape.FACT if _MEASURE.search(rest) and not _LIST_WITHIN.search(rest) else Shape.LIST


def content_words(text: str) -> list[str]:
    """The words of a question that say what it is about."""
    return [word for word in words(text) if re.sub(r"['’](?:s|re|m|ve|d|ll)$", "", word) not in SCAFFOLD]


def named_papers(text: str, ledger: Ledger, lexical: LexicalIndex) -> tuple[Named, ...]:
    """The papers whose names (title, words before its colon, acronyms) stand in `text`, in order."""
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
    known = ledger.named([gram for gram in grams if len(gram) >= 2])
    taken: set[int] = set()
    result: list[tuple[int, Named]] = []
    for gram in sorted(known, key=lambda gram: (grams[gram][0] - grams[gram][1], -len(gram))):  # longest first
        start, end, written = grams[gram]
        if (
            taken & set(range(start, end))
            or len(known[gram]) > SENSES
            or not _meant_as_name(gram, written, lexical, first=start == 0)
        ):
            continue
        taken |= set(range(start, end))
        result.append((start, Named(written, tuple(known[gram]))))
    return tuple(name for _, name in sorted(result, key=lambda pair: pair[0]))


def _meant_as_name(gram: str, written: str, lexical: LexicalIndex, *, first: bool) -> bool:
    """Whether these words of a question are a name there: written as one, or no common word of the shelf."""
    if gram in SCAFFOLD:
        return False
    if looks_like_name(written) or (written[0].isupper() and not first) or " " in written:
        return True
    return len(gram) >= 4 and all(lexical.df(term) <= SENSES for term in terms(written))
