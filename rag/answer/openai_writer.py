"""A language model behind an OpenAI-compatible endpoint as writer."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rag.answer import prompts
from rag.answer.draft import DraftBuilder
from rag.errors import WriterError
from rag.index.lexical import terms
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.types import Draft, Evidence, Query

if TYPE_CHECKING:
    from rag.config import Settings

# Sentences of each paper that the model sees, best first in the search, told in their order.
SENTENCES = 6
MARKER = re.compile(r"[\[【]\s*(\d{1,9}(?:\s*[,–-]\s*\d{1,9})*)\s*[\]】]")
# A line goes on in the next one when that begins in lower case.
_LINE = re.compile(r"(?:[^\n]|\n(?=[ \t]*[a-z]))+")
_BULLET = re.compile(r"[ \t]*(?:(?:[-*+•]|\d{1,3}[.)])[ \t]+)?")
NOT_ON_THE_SHELF = "NOT ON THE SHELF"
MAX_TOKENS = 800
# Said here because the client would take an empty OPENAI_BASE_URL for an address.
OPENAI_URL = "https://api.openai.com/v1"


class OpenAIWriter:
    """Asks once, at temperature 0; the client repeats a failed request at most once."""

    def __init__(self, settings: Settings) -> None:
        """Raises WriterError when no model, key or client is there."""
        self.model = (settings.llm or "").removeprefix("openai:")
        if not self.model:
            raise WriterError("no language model is named", hint="give --llm openai:MODEL, or set ATTEST_LLM")
        if not settings.openai_api_key:
            raise WriterError(
                "no key for the language model",
                hint="set OPENAI_API_KEY (any text will do for a local server), and OPENAI_BASE_URL for an endpoint of your own",
            )
        try:
            import openai
        except ImportError as error:
            raise WriterError("the openai package is not installed", hint="pip install 'attest[llm]'") from error
        self._prompt = prompts.load("answer")
        self._client = openai.OpenAI(
            api_key=settings.openai_api_key,
            base_url=settings.openai_base_url or OPENAI_URL,
            timeout=settings.llm_timeout,
            max_retries=1,
        )
        self._failures = (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError)

    def write(self, query: Query, evidence: Sequence[Evidence]) -> Draft | None:
        """A cited draft, or None when the model says that the evidence does not answer.

        Raises:
            WriterError: no answer, or one that is not whole.
        """
        passages = [(item, sorted(item.spans[:SENTENCES], key=lambda span: span.start)) for item in evidence]
        fence = f"=== {secrets.token_hex(8)} ==="
        listed = "\n\n".join(
            f"[{number}] {_line(item.paper.title)}\n{_line(' '.join(item.paper.abstract[span.start : span.end] for span in spans))}"
            for number, (item, spans) in enumerate(passages, 1)
        )
        text, usage = self._ask(self._prompt.render(fence=fence, passages=listed, question=_line(query.question)))
        if text.strip().strip(".").upper() == NOT_ON_THE_SHELF:
            return None
        draft = _cited(text, evidence)
        return Draft(draft.text, draft.claims, draft.citations, "openai", self.model, usage, self._prompt.hash)

    def _ask(self, prompt: str) -> tuple[str, dict[str, int]]:
        try:
            reply: Any = self._client.chat.completions.create(
                model=self.model, messages=[{"role": "user", "content": prompt}], temperature=0, max_tokens=MAX_TOKENS
            )
            choice = reply.choices[0]
            text, finish = choice.message.content or "", choice.finish_reason
            if not isinstance(text, str):
                raise TypeError(f"text is needed, not {type(text).__name__}")
            usage = (
                {"input_tokens": reply.usage.prompt_tokens, "output_tokens": reply.usage.completion_tokens}
                if reply.usage
                else {}
            )
        except self._failures as error:
            raise WriterError(
                f"the language model {self.model} did not answer: {str(error)[:300]}",
                hint="check OPENAI_BASE_URL, the key and the model's name",
            ) from error
        if finish != "stop":
            raise WriterError(f"the language model {self.model} stopped early ({finish})")
        if not text.strip():
            raise WriterError(f"the language model {self.model} gave an empty answer")
        return text, usage


def _line(text: str) -> str:
    return " ".join(readable(text).split())


def _cited(text: str, evidence: Sequence[Evidence]) -> Draft:
    """Each sentence a claim, its passage numbers turned into citations of the sentences that come nearest."""
    builder = DraftBuilder()
    at = 0
    for start, end in _sentences(text):
        builder.say(text[at:start])
        at = end
        sentence = text[start:end]
        said = re.sub(r"\s+([.,;!?])", r"\1", " ".join(MARKER.sub("", sentence).split()))
        said = re.sub(r"[,;]+([.!?])$", r"\1", said)
        numbers = [number for found in MARKER.finditer(sentence) for number in _numbers(found[1])]
        known = [
            builder.cite(evidence[number - 1].paper, *_nearest(said, evidence[number - 1]))
            for number in numbers
            if 0 < number <= len(evidence)
        ]
        unknown = [number for number in numbers if not 0 < number <= len(evidence)]
        builder.claim(said, tuple(dict.fromkeys(known)))
        markers = [f"[{number}]" for number in dict.fromkeys(known)] + [
            f"[{number}: no such passage]" for number in unknown
        ]
        builder.say("".join(f" {marker}" for marker in markers))
    builder.say(text[at:])
    return builder.build("openai")


def _sentences(text: str) -> list[tuple[int, int]]:
    """Sentences, line by line and without bullets, each with the markers that follow its full stop."""
    bare = MARKER.sub(lambda marker: " " * len(marker[0]), text)
    spans: list[tuple[int, int]] = []
    for line in _LINE.finditer(text):
        bullet = _BULLET.match(text, line.start(), line.end())
        begin, stop = bullet.end() if bullet else line.start(), line.start() + len(line[0].rstrip())
        found = [
            (start, end)
            for start, end in split_sentences(bare[begin:stop])
            if re.search(r"\w", bare[begin + start : begin + end])
        ]
        if found:
            starts = [begin, *(begin + start for start, _ in found[1:]), stop]
            spans += [(at, at + len(text[at:end].rstrip())) for at, end in itertools.pairwise(starts)]
        elif spans and begin < stop and not bare[begin:stop].strip():  # markers on a line of their own
            spans[-1] = (spans[-1][0], stop)
    return spans


def _numbers(listed: str) -> list[int]:
    """`1`, `1, 2` and `1-3` as numbers."""
    found: list[int] = []
    for part in listed.split(","):
        ends = [int(number) for number in re.findall(r"\d+", part)]
        first, last = min(ends), max(ends)
        found += range(first, min(last, first + 20) + 1)
    return found


def _nearest(claim: str, item: Evidence) -> tuple[int, int]:
    """The sentence of the paper that shares most words with the claim."""

    wanted = set(terms(claim))
    spans = split_sentences(item.paper.abstract)
    return max(spans, key=lambda span: len(wanted & set(terms(item.paper.abstract[slice(*span)]))))
