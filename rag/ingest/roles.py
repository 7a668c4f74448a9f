"""What part a sentence plays in its abstract, by cue words and place: problem, method, data, result, resource.

The parts follow the zones of Teufel and Moens, "Summarizing Scientific Articles" (2002), with the release of code
and data as one of its own. Each part scores a point for each of its cues; the place settles what cues leave open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.types import Role

_CUES: dict[Role, tuple[tuple[float, str], ...]] = {
    Role.RESOURCE: (
        (2.5, r"\b(?:code|models?|weights|data(?:set)?s?|implementation|checkpoints?|demo)\b[^.]{0,60}\b(?:is|are|will be|were|has been|have been)?\s?(?:made )?(?:publicly |openly |freely )?(?:available|released|public|open[- ]sourced?)\b"),
        (2.5, r"\b(?:we|and) (?:also )?(?:publicly |openly )?(?:release|open[- ]source|make (?:our|the|all)[^.]{0,40}available)\b|https?://|github\.com|\bis (?:open|public)\b"),
    ),
    Role.RESULT: (
        (1.5, r"\b(?:outperform\w*|achiev\w*|attain\w*|surpass\w*|exceed\w*|improv\w*|reduc\w*|increas\w*|gains?|state[- ]of[- ]the[- ]art|sota|competitive|on par|matche?s|beats?|better than|faster|smaller|fewer|cuts?|drops?|saves?|speed-?ups?)\b"),
        (1.5, r"\b(?:results?|experiments?|evaluations?|findings?|analysis|ablations?)\b[^.]{0,40}\b(?:show|demonstrat|indicat|reveal|suggest|confirm)|\b(?:we|authors) (?:also )?(?:find|found|show|observe|demonstrate|report|discover|conclude)|\bit (?:turns|turned) out\b"),
        (1.0, r"\d+(?:\.\d+)?\s?(?:%|\\%|x\b|×|times|points|-fold)|\b(?:accuracy|perplexity|f1|bleu|score)\b"),
    ),
    Role.DATA: (
        (1.5, r"\b(?:trained|pre-?trained|fine-?tuned|evaluated|tested|validated|conducted|experiments?)\b[^.]{0,60}\bon\b"),
        (1.5, r"\b(?:dataset|corpus|corpora|benchmark|annotated|collected|comprising|consist(?:s|ing) of|contain(?:s|ing)|curated|test set)\b"),
        (0.8, r"\b\d[\d,.]*\s?(?:k|m|b|million|billion|thousand|trillion)?\s(?:\w+ )?(?:examples|samples|documents|sentences|tokens|words|papers|questions|pairs|clips|images|languages|problems|instances|molecules|compounds)\b"),
    ),
    Role.METHOD: (
        (2.0, r"\b(?:we|this (?:paper|work|study|article|survey)|the (?:paper|authors|survey|work))\b[^.]{0,30}\b(?:propos\w*|introduc\w*|present\w*|develop\w*|design\w*|describ\w*|explor\w*|investigat\w*|study|studies|studied|examin\w*|review\w*|survey\w*|ask\w*|compar\w*|build\w*|train\w*|use\w*)\b"),
        (1.2, r"\b(?:novel|new (?:method|approach|framework|architecture|model|technique)|our (?:method|approach|model|framework|system)|called|named|dubbed|based on|consists? of|leverag\w*|employ\w*|works? by|combin\w*|replac\w*|first,|then,|specifically|to this end|to do so)\b"),
    ),
    Role.PROBLEM: (
        (1.5, r"\b(?:however|despite|although|challeng\w*|remains?|limit(?:ed|ation|ations|s)?|difficult\w*|costly|expensive|suffer\w*|struggle\w*|lack\w*|problem|hinder\w*|bottleneck|under-?explored|unclear|prohibitive\w*|existing|previous|prior|current|conventional|traditional\w*)\b"),
        (1.0, r"^(?:(?:pre-?trained |large )?(?:language|transformer|deep|neural|vision)[\w -]* (?:models?|networks?|transformers?) (?:\([A-Za-z]+\) )?(?:have|are|can|has)|recent(?:ly)?|in recent years|in the (?:field|era))"),
    ),
}  # fmt: skip
_COMPILED = {role: [(points, re.compile(cue, re.IGNORECASE)) for points, cue in cues] for role, cues in _CUES.items()}
_FIRST = {Role.RESOURCE: 0.0, Role.RESULT: 0.0, Role.DATA: 0.0, Role.METHOD: 0.3, Role.PROBLEM: 1.2}
_LAST = {Role.RESOURCE: 0.3, Role.RESULT: 1.0, Role.DATA: 0.2, Role.METHOD: 0.3, Role.PROBLEM: 0.0}
# Once a paper speaks of its own work it seldom goes back to the problem.
_OWN = re.compile(
    r"\b(?:we|our|this (?:paper|work|study|article|thesis|survey)|the (?:paper|authors))\b", re.IGNORECASE
)
_BEGUN = {Role.RESOURCE: 0.0, Role.RESULT: 0.0, Role.DATA: 0.0, Role.METHOD: 0.5, Role.PROBLEM: -2.0}


def role(sentence: str, place: float, begun: bool) -> Role:
    """The part of a sentence.

    Args:
        sentence: as it reads.
        place: of the sentence in its abstract, from 0 (first) to 1 (last).
        begun: whether the abstract speaks of its own work by now.
    """
    scores = {
        part: (1 - place) * _FIRST[part]
        + place * _LAST[part]
        + begun * _BEGUN[part]
        + sum(points for points, cue in cues if cue.search(sentence))
        for part, cues in _COMPILED.items()
    }
    return max(scores, key=scores.__getitem__)


def roles(sentences: Sequence[str]) -> list[Role]:
    """The part of each sentence of an abstract, in order."""
    last, begun, found = max(len(sentences) - 1, 1), False, []
    for at, sentence in enumerate(sentences):
        begun = begun or bool(_OWN.search(sentence))
        found.append(role(sentence, at / last, begun))
    return found
