"""Which language model is meant: a name, a LlamaIndex object, or an object that is one already."""

from __future__ import annotations

from typing import Any

from rag.answer.language_model import LanguageModel
from rag.config import Settings
from rag.errors import UsageError

POSSIBLE = "openai:MODEL (an OpenAI-compatible endpoint) or hf:PATH (a transformers model: folder or hub name)"


def open_model(llm: str | LanguageModel | Any, settings: Settings) -> LanguageModel:
    """The model of a name or object. Libraries and weights are loaded when it is first asked.

    Raises:
        UsageError: there is no such kind of model.
    """
    if isinstance(llm, str):
        kind, _, name = llm.partition(":")
        if kind == "openai" and name.strip():
            from rag.answer.openai_model import OpenAIModel

            return OpenAIModel(name.strip(), settings)
        if kind == "hf" and name.strip():
            from rag.answer.transformers_model import TransformersModel

            return TransformersModel(name.strip())
        raise UsageError(f"{llm!r} names no language model", hint=f"give {POSSIBLE}")
    if isinstance(llm, LanguageModel):
        return llm
    if hasattr(llm, "stream_chat") and hasattr(llm, "metadata"):
        from rag.answer.llama_index_model import LlamaIndexModel

        return LlamaIndexModel(llm)
    raise UsageError(
        f"a {type(llm).__name__} is no language model", hint=f"give {POSSIBLE}, or an LLM object of LlamaIndex"
    )
