"""Vectors from an OpenAI-compatible endpoint (Embeddings)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.config import Settings
from rag.errors import ModelError

# Passages a request: servers of one's own take few at once.
BATCH = 64


class OpenAIEmbedding:
    """Asks for plain numbers, which every server gives. Busy servers are asked again twice."""

    def __init__(self, model: str, settings: Settings) -> None:
        """Raises ModelError when the model has no name, or key or library are missing."""
        self.name = f"openai:{model}"
        try:
            import openai
        except ImportError as error:
            raise ModelError("the openai package is not installed", hint="pip install 'attest[llm]'") from error
        if not model or not settings.openai_api_key:
            raise ModelError(
                "no key for the embedding model" if model else "openai: names no embedding model",
                hint="set OPENAI_API_KEY (any text will do for a local server), and OPENAI_BASE_URL for an endpoint of your own",
            )
        self._model = model
        self._client = openai.OpenAI(
            api_key=settings.openai_api_key,
            base_url=settings.openai_base_url,
            timeout=settings.llm_timeout,
            max_retries=2,
        )

    def texts(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [vector for at in range(0, len(texts), BATCH) for vector in self._asked(list(texts[at : at + BATCH]))]

    def question(self, text: str) -> Sequence[float]:
        return self.texts([text])[0]

    def _asked(self, texts: list[str]) -> list[list[float]]:
        answer: Any = self._client.embeddings.create(model=self._model, input=texts, encoding_format="float")
        return [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
