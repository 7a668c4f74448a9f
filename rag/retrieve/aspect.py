"""What a question wants to know: the thing asked for, and whether the answer is a figure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.index.lexical import words
from rag.retrieve.scaffold import content_words

_QUANTITY = re.compile(
    r"\bhow (?:many|much|far|long|large|big|small|fast|quick|often|\w+er|more|less)\b"
    r"|\bwhat (?:percentage|share|proportion|fraction|number)\b"
    r"|\b(?:speed-?ups?|scores?|accuracy|perplexity|f1|numbers?|throughput|percentage|savings?|gains?|sizes?)\b",
    re.IGNORECASE,
)
_WORD = (
    r"(?!(?:do|does|did|is|are|was|were|can|could|has|have|had|will|would|should|may|might|to|in|on|of|for|with|by|from|at|per"
    r"|when|than|that|which|who|the|an?|it|they|its|their|if|as|and|or|there|used|using|use|needed|reported|claimed|you|we|i"
    r"|after|before|between|during|over|under|against|across|among|within)\b)[\w'%+./-]+"
)
# The first that matches gives the words asked for, and perhaps a word or two more.
_THINGS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bhow (?:many|much)((?: {_WORD}){{1,4}})",
        rf"\b(?:number|amount|size|share|percentage|proportion|fraction) of ((?:{_WORD} ?){{1,3}})",
        rf"\b(?:what|which)((?: {_WORD}){{1,5}})",
        r"\b(?:what|which|how (?:big|large|long|high)) (?:is|are|was|were) (?:the |its |their |a )?((?:[\w'%+./-]+ ){0,4}?[\w'%+./-]+)"
        r"(?= (?:of|for|in|on|that|used|at|with|when|to|does|did)\b|[?.,]|$)",
        rf"\bhow \w+ (?:is|are|was|were|does|did|do) (?:the |its |their )?((?:{_WORD} ?){{1,3}})",
        rf"^(?!how\b|why\b|when\b|where\b|who\b)(?:the )?((?:{_WORD} ){{1,4}}?)(?:of|on|for|in|at) ",
    )
)


# What asks for a paper as a whole.
WHOLE = frozenset(
    """
    approach brief briefly contribution contributions core detail details explain gist goal idea introduce introduced introduces
    line lines main method overview point propose proposed proposes purpose sentence sentences short shortly summarise
    summarize summary two three words
    """.split()
)


def asks_in_general(question: str, names: Sequence[str]) -> bool:
    """Whether a question names something and wants nothing in particular of it: "explain WRAP in two lines"."""
    named = {word for name in names for word in words(name)}
    return bool(named) and all(word in named or word in WHOLE for word in content_words(question))


def asks_figure(question: str) -> bool:
    """Whether the answer is a number: "how many ...", "what speed-up ..."."""
    return bool(_QUANTITY.search(question))


def thing_asked(question: str) -> str:
    """The words for what is wanted ("learning rate", "GPUs"), empty where no pattern tells."""
    return next((found[1].strip() for pattern in _THINGS if (found := pattern.search(question))), "")
