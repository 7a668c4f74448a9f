"""Words that say the opposite of each other, by what they speak of, and what each says where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from rag.verify.alignment import Words, stem

# One pole of what a line speaks of, and the other. A word may stand in several lines.
_LINES = """
increase raise grow growth rise rose risen grew boost climb expand enlarge gain higher highest larger largest greater greatest more most bigger above over exceed high large great double triple multiply / decrease reduce reduction lower lowest drop fall fell fallen decline shrink shrank diminish cut lessen smaller smallest less least fewer fewest below under low small halve rarer
longer longest lengthen extend long / shorter shortest shorten short brief
improve improvement better best enhance outperform surpass beat strengthen stronger strongest superior ahead win won lead excel benefit help good well gain advantage succeed success / degrade degradation worse worst worsen deteriorate hurt harm damage impair weaken weaker weakest inferior behind underperform lag trail lose lost suffer poor poorly bad badly fail failure hinder hamper disadvantage drawback
faster fastest quicker fast quick quickly speed speedup accelerate rapid rapidly / slower slowest slow slowly slowdown decelerate delay
always all every each entire whole invariably everywhere everything everyone both / never rarely seldom hardly few
often frequent frequently common commonly usual usually widespread mostly / rare rarely seldom uncommon infrequent infrequently occasionally
easy easier easiest easily simple simpler simplest simply straightforward effortless / hard harder hardest difficult difficulty complex intricate complicated challenging
before prior earlier previously precede first beforehand early / after afterwards following later subsequently follow last late
until / from since after
cheap cheaper inexpensive affordable economical save saving / expensive costly costlier pricey
stable stability steady robust robustness robustly reliable reliably / unstable instability fragile brittle sensitive unreliable erratic
sufficient sufficiently enough adequate adequately suffice / insufficient insufficiently inadequate lacking scarce
with including include contain / without excluding exclude omit lack lacking absent absence except
equal equally match alike par comparable differed / than outperform beat beaten exceed better worse surpass lag trail behind ahead lead
same identical equal equally alike similar similarly equivalent match par comparable unchanged / different differently differ difference distinct dissimilar unequal vary
can able capable possible enable allow permit / cannot unable incapable impossible prevent prohibit forbid preclude
open public publicly available release published publish openly accessible / closed withheld withhold unavailable private privately proprietary secret
keep kept retain preserve maintain remain survive stay / lose lost discard drop forget forgotten abandon vanish disappear remove
significant significantly substantial substantially considerable considerably large marked markedly strongly dramatically widely clearly far / slight slightly minor negligible negligibly small marginal marginally modest modestly barely
trainable learnable tuned updated / frozen fixed untrained untouched
linear linearly subquadratic / quadratic quadratically square exponential exponentially cubic
agree confirm consistent consistently support align / contradict disagree inconsistent inconsistently refute conflict
positive positively / negative negatively
strong / weak weakly
known understood understand clear / unknown unclear uncertain
automatic automatically automated machine / manual manually human handwritten
global / local
dense / sparse
supervised / unsupervised
monolingual / multilingual crosslingual
sequential sequentially serial autoregressive / parallel simultaneously
encoder / decoder
input / output
upper top / lower bottom
explicit explicitly / implicit implicitly
theoretical theoretically theory / empirical empirically
synthetic artificial simulated / real natural genuine
training train / inference testing
pretraining / finetuning
accept approve / reject
correct correctly right true accurate accurately accuracy / incorrect incorrectly wrong wrongly false inaccurate inaccurately error
start begin beginning onset / stop end cease finish
appear emerge arise / disappear vanish fade
alone single sole solely only exclusively / together jointly combined multiple several various many
online / offline
internal internally inside within / external externally outside
new newly novel / old existing traditional
depend dependent rely / independent independently
many much numerous plenty abundant abundance majority most / few little minority scarce scarcity
day daytime morning / night evening nocturnal
men male boys / women female girls
left / right
shallow / deep
static / dynamic
coarse / fine
general generic / specific specialised
cause causal / correlate correlation
wide wider widen broad broader / narrow narrower restrict
expert professional / novice lay amateur
overexpression upregulation / knockdown knockout downregulation
heavy heavier / light lighter lightweight
hot hotter warm warmer / cold colder cool cooler
rich richer / poor poorer
young younger children / old older elderly adults
urban / rural
overestimate / underestimate
prefer preferred like liked / dislike avoid
succeed work worked / fail failed
grant award / deny refuse withhold
proven prove proved established demonstrated / conjecture conjectured unproven hypothesised assumed
""".strip().splitlines()  # fmt: skip
# Words of which one in the place of another says something else.
_RIVALS = """
second minute hour day week month year decade century
first second third fourth fifth sixth seventh eighth ninth tenth last
mother father sister brother son daughter
monday tuesday wednesday thursday friday saturday sunday
january february march april june july august september october november december
spring summer autumn winter
physics chemistry biology medicine economics psychology linguistics mathematics law history philosophy
audio video image text speech
millisecond microsecond nanosecond
kilobyte megabyte gigabyte terabyte
centimetre metre kilometre mile
north south east west northern southern eastern western
red green blue yellow black white orange purple
encoder decoder
precision recall accuracy specificity sensitivity
train validation test
sadness anger fear joy disgust surprise
""".strip().splitlines()
NEGATIONS = frozenset(
    """
    not no never neither nor none nothing without cannot can't won't hardly fail fails failed unable lack lacks nobody
    """.split()
)
NO_ONE = frozenset("none neither nobody no".split())
# Words that say nearly the same as a "not": "before any tuning", "little is known".
WANTING = frozenset(
    "before little hardly barely scarcely rarely seldom scarce miss misses missing avoid avoids".split()
)
# After a "not" or "no" these deny how much, not whether.
DENIES_NOTHING = re.compile(
    r"\bwhether or not\b|\bnot (?=(?:only|just|merely|always|all|every|necessarily|simply|alone)\b)"
    r"|\bno (?=(?:more|less|fewer|later|earlier|greater|worse) than\b)",
    re.IGNORECASE,
)
# Words behind a "not" that it denies at most.
_REACH = 4


@cache
def _opposites() -> dict[str, tuple[tuple[int, int], ...]]:
    found: dict[str, set[tuple[int, int]]] = {}
    for line, text in enumerate(_LINES):
        for sign, words in zip((1, -1), text.split(" / "), strict=True):
            for word in words.split():
                found.setdefault(stem(word), set()).add((line, sign))
    return {own: tuple(sorted(places)) for own, places in found.items()}


@cache
def _sets() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, text in enumerate(_RIVALS):
        for word in text.split():
            found.setdefault(stem(word), set()).add(number)
    return {own: frozenset(numbers) for own, numbers in found.items()}


def are_rivals(own: str, other: str) -> bool:
    """Whether two stems name things of one kind, of which one is not the other: hours and days, first and second."""
    sets = _sets()
    return own != other and not sets.get(own, frozenset()).isdisjoint(sets.get(other, frozenset()))


@dataclass(frozen=True, slots=True)
class Pole:
    """A word of a text at one end (`sign`, 1 or -1, turned where a "not" denies it) of what a line of opposites speaks of."""

    row: int
    line: int
    sign: int
    denied: bool


def follows(row: int, places: Iterable[int], reach: int) -> bool:
    """Whether a word stands at most so many words behind one of the places."""
    return any(0 < row - at <= reach for at in places)


def negations(text: Words) -> list[int]:
    """The words that deny what follows them."""
    idle = [match.span() for match in DENIES_NOTHING.finditer(text.text)]
    return [
        row
        for row, word in enumerate(text.words)
        if (word in NEGATIONS or word.endswith("n't"))
        and not any(start <= text.spans[row][0] < end for start, end in idle)
    ]


def poles(text: Words) -> Iterator[Pole]:
    """The words of a text that have an opposite."""
    denying, opposites = negations(text), _opposites()
    for row, own in enumerate(text.stems):
        if own in opposites and not _idle(text, row):
            before = [at for at in denying if 0 < row - at <= _REACH and text.clauses[at] == text.clauses[row]]
            denied = len(before) % 2 == 1
            yield from (Pole(row, line, -sign if denied else sign, denied) for line, sign in opposites[own])


def _idle(text: Words, row: int) -> bool:
    """Whether a word is none of the opposites it looks like: "at most", "compared with" (but "comparable to" is one)."""
    word = text.words[row]
    return (word.startswith("compar") and not word.startswith("comparabl")) or (
        word in ("most", "least") and row > 0 and text.words[row - 1] == "at"
    )


def sign_of(own: str) -> int:
    """1 for a stem that says more or better in any line, -1 for less or worse, 0 for neither."""
    places = _opposites().get(own)
    return places[0][1] if places else 0
