"""What a question wants to know: the thing asked for, and whether the answer is a figure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.index.lexical import words
from rag.ingest.names import GENERAL, WORD, key, looks_like_name
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
        rf"\b(?:number|amount|share|percentage|proportion|fraction) of ((?:{_WORD} ?){{1,3}})",
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


# Details that an abstract states in these words if it states them at all: what to call one, how a question asks for it,
# and what the abstract must have. A paper that is nearest in every other respect answers no such question without.
_DETAILS = tuple(
    (name, re.compile(asked, re.IGNORECASE), re.compile(stated, re.IGNORECASE))
    for name, asked, stated in (
        ("a learning rate", r"\blearning[- ]rates?\b", r"\blearning[- ]rate|\blr\b"),
        ("a batch size", r"\bbatch[- ]sizes?\b", r"\bbatch"),
        ("how many epochs", r"\b(?:how many|number of) epochs\b", r"\bepochs?\b"),
        ("random seeds", r"\b(?:random )?seeds?\b", r"\bseeds?\b"),
        ("an optimiser", r"\b(?:which|what) optimi[sz]er\b", r"\boptimi[sz]er|\badam\w*\b|\bsgd\b|\bmuon\b"),
        ("the hardware", r"\b(?:how many|number of|which|what) (?:\w+ )?(?:[gt]pus?|accelerators?|chips?|machines|nodes)\b|\b[gt]pu[- ](?:hours?|days?)\b", r"\b[gt]pus?\b|\bh100|\ba100|\bv100|\bchips?\b|\baccelerators?\b|\bmachines?\b"),
        ("a running time", r"\bhow many (?:\w+ )?(?:(?:milli)?seconds|minutes|hours|days|weeks|months)\b|\bhow long did (?:it|the|they|this|its)\b.*\b(?:take|train|run)\b", r"\b(?:milli)?seconds?\b|\bminutes?\b|\bhours?\b|\bdays?\b|\bweeks?\b|\bmonths?\b|\d ?m?s\b"),
        ("a price", r"\bdollars?\b|\beuros?\b|\busd\b|\bhow much did it cost\b|\bwhat did it cost\b|\bhow much (?:was|were|did) .*\bpa(?:y|id)\b|\bhourly (?:rate|pay|wage)", r"[$€£]|\bdollars?\b|\beuros?\b|\busd\b"),
        ("a licence", r"\blicen[cs]e", r"\blicen[cs]e"),
        ("a vocabulary", r"\bvocab(?:ulary)? size|\b(?:size of|how (?:big|large)) .*\bvocabulary\b", r"\bvocab"),
        ("a context length", r"\bcontext (?:length|window|size)\b", r"\bcontext (?:length|window|size)|\blong[- ]context|\d ?[km]\b|\bsequence length|\bcontext\b.*\btokens\b"),
        ("agreement between annotators", r"\b(?:annotators?|raters?|coders?|judges?)\b[\w' -]*\bagree|\bkappa\b", r"\bagreement\b|\bkappa\b"),
        ("layers", r"\b(?:how many|number of) (?:\w+ )?layers\b", r"\blayers?\b"),
        ("attention heads", r"\b(?:how many|number of) (?:\w+ )?heads\b", r"\bheads?\b"),
        ("a size on disk or in memory", r"\b(?:tera|giga|mega)bytes?\b|\bhow many [tgm]i?b\b|\bdisk (?:space|size)", r"\d ?[tgm]i?b\b|\b(?:tera|giga|mega)bytes?\b"),
        ("emissions", r"\bco2\b|\bcarbon (?:footprint|emission)|\btonnes?\b|\bemissions\b", r"\bco2\b|\bcarbon\b|\bemissions?\b|\btonnes?\b"),
        ("energy in watts", r"\bwatts?\b|\bkwh\b|\bkilowatt|\bjoules?\b", r"\bwatts?\b|\bkwh\b|\bkilowatt|\bjoules?\b"),
        ("a word error rate", r"\bword error rate|\bwer\b", r"\bword error rate|\bwer\b"),
        ("a BLEU score", r"\bbleu\b", r"\bbleu\b"),
        ("a ROUGE score", r"\brouge\b", r"\brouge\b"),
        ("an F1 score", r"\bf1\b", r"\bf[-_ {]*1\b|\bf-?(?:score|measure)|\bf1"),
        ("a perplexity", r"\b(?:what|which) (?:\w+ ){0,3}perplexity\b", r"\bperplexit|\bppl\b"),
        ("an average precision", r"\bm?ap (?:on|score)\b|\bmean average precision", r"\baverage precision|\bmap\b"),
        ("funding", r"\bfund(?:ed|ing)\b|\bsponsor|\bgrants?\b", r"\bfund|\bsponsor|\bgrants?\b"),
        ("a temperature", r"\b(?:sampling |softmax |what |which )temperature\b", r"\btemperature"),
        ("a backbone", r"\b(?:which|what) (?:\w+ )?(?:backbone|checkpoint)\b", r"\bbackbone|\binitiali[sz]|\bcheckpoint|\bbased on\b|\bbuilt on\b|\bfine-?tun"),
    )
)  # fmt: skip


def unstated(question: str, abstract: str) -> str | None:
    """What the question wants that no such abstract holds, in words: "a learning rate"; None when nothing is missed.

    Args:
        question: what is asked.
        abstract: title and abstract as they read.
    """
    for name, asked, stated in _DETAILS:
        if asked.search(question) and not stated.search(abstract):
            return name
    return None


def strange_names(question: str, known: Sequence[str], text: str) -> list[str]:
    """Names in a question (data sets, models: BEIR, GPT-4) that are none of the known ones and not in the text."""
    held = key(text)
    own = {part for name in known for part in (key(name), *map(key, re.split(r"[\s-]", name)))}
    return [
        name
        for word in WORD.findall(question)
        if looks_like_name(name := re.sub(r"(?:['’]s|-(?:like|based|style|type|level|sized?|class))$", "", word))
        and (found := key(name)) not in own
        and found.removesuffix("s") not in GENERAL
        and found not in held
        and not all(part in GENERAL or (len(part) > 2 and part in held) for part in map(key, name.split("-")))
    ]


def asks_in_general(question: str, names: Sequence[str]) -> bool:
    """Whether a question names something and wants nothing in particular of it: "explain WRAP in two lines"."""
    named = {word for name in names for word in words(name)}
    return bool(named) and all(word in named or word in WHOLE for word in content_words(question))


# What sort of sentence answers, by words of the question.
_SORTS = {
    sort: re.compile(pattern, re.IGNORECASE)
    for sort, pattern in (
        ("data", r"\b(?:data|datasets?|corpus|corpora|trained on|benchmarks?|languages?|tested on|evaluated on)\b"),
        ("how", r"\bhow (?:do|does|did|is|are|was|were|can)\b|\bwhat (?:is|are) (?:the )?(?:idea|method|approach)\b|\b(?:propose|works?|mechanism|instead)\b"),
        ("why", r"\bwhy\b|\bproblem\b|\bblame|\breason\b"),
        ("release", r"\b(?:code|public|available|releas\w+|open)\b"),
        ("which", r"\b(?:which|best|better|outperform\w*|as good|top|won|gain\w*|improve\w*|compare\w*)\b"),
    )
}  # fmt: skip


def sorts_asked(question: str) -> frozenset[str]:
    """What sorts of answer a question may want: figure, data, how, why, release, which."""
    found = {sort for sort, pattern in _SORTS.items() if pattern.search(question)}
    return frozenset(found | ({"figure"} if asks_figure(question) else set()))


def asks_figure(question: str) -> bool:
    """Whether the answer is a number: "how many ...", "what speed-up ..."."""
    return bool(_QUANTITY.search(question))


def thing_asked(question: str) -> str:
    """The words for what is wanted ("learning rate", "GPUs"), empty where no pattern tells."""
    return next((found[1].strip() for pattern in _THINGS if (found := pattern.search(question))), "")
