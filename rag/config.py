"""Settings: values only, and the only reader of the environment."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

# How a language model is shown the passages: in the order of the search (a comparison's as it names them), the best first or
# last; "twice": passages and question are repeated, which helps models that read in one direction with a small memory.
Layout = Literal["found", "best-first", "best-last", "found-twice", "best-first-twice", "best-last-twice"]


class Settings(BaseSettings):
    """Everything that can be set, by argument or by environment variable (`ATTEST_` + the name).

    An empty variable counts as absent. Each field's description is the documentation of the setting.
    """

    model_config = SettingsConfigDict(env_prefix="ATTEST_", env_ignore_empty=True, frozen=True, extra="forbid")

    shelf: Path = Field(Path("shelf"), description="folder of the shelf")
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("attest"), description="where the exported embedding model is kept"
    )
    embedding_model: str | None = Field(
        None, description="folder of a BERT-family sentence encoder; the installed all-MiniLM-L6-v2 when unset"
    )
    embedding_precision: Literal["int8", "fp32"] = Field(
        "int8", description="weights of the embedding model: int8 is twice as fast, fp32 exact"
    )
    threads: int = Field(
        0, ge=0, description="encoder calls at once, one thread each; 0 takes every core the process may use"
    )
    chroma_text: bool = Field(
        True,
        description="store passage text in Chroma too, so that any Chroma client can read it (about 8 kB a passage)",
    )
    lock_wait: float = Field(5.0, ge=0, description="seconds to wait for another process to let go of the shelf")
    page_year: int | None = Field(
        None, ge=1990, le=2100, description="year of saved pages whose dates have none; inferred when unset"
    )
    services: dict[Literal["arxiv", "openalex", "s2", "hf"], str] = Field(
        default_factory=dict,
        description='addresses of services of papers in place of their own, as JSON: {"arxiv": "http://..."}',
    )
    llm: str | None = Field(
        None,
        description="language model that writes answers, as openai:MODEL or hf:PATH; the extractive writer when unset",
    )
    llm_timeout: float = Field(
        60.0, gt=0, description="seconds without a word from the language model before it is given up"
    )
    llm_layout: Layout = Field(
        "found",
        description="order of the passages that the language model is shown, and whether they are repeated after the question",
    )
    strict: bool = Field(False, description="remove sentences of a language model that their papers do not support")
    openai_api_key: str | None = Field(
        None,
        validation_alias=AliasChoices("ATTEST_OPENAI_API_KEY", "OPENAI_API_KEY", "openai_api_key"),
        repr=False,
        description="key of the endpoint",
    )
    openai_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("ATTEST_OPENAI_BASE_URL", "OPENAI_BASE_URL", "openai_base_url"),
        description="address of the endpoint",
    )


@cache
def settings() -> Settings:
    """The settings of this process, read from the environment once."""
    return Settings()
