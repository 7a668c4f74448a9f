"""Settings: values only, and the only reader of the environment."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_cache_path
from pydantic import AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from rag.address import to_address, without_password
from rag.errors import UsageError

# How a language model is shown the passages: in the order of the search (a comparison's as it names them), the best first or
# last; "twice": passages and question are repeated, which helps models that read in one direction with a small memory.
Layout = Literal["found", "best-first", "best-last", "found-twice", "best-first-twice", "best-last-twice"]

# Defaults that are not the same on every machine.
_DEFAULTS = {"cache_dir": "the user's cache folder"}


class Settings(BaseSettings):
    """Everything that can be set, by argument or by environment variable (`ATTEST_` + the name).

    An empty variable counts as absent. Each field's description is the documentation of the setting.
    """

    model_config = SettingsConfigDict(env_prefix="ATTEST_", env_ignore_empty=True, frozen=True, extra="forbid")

    shelf: Annotated[str | Path, BeforeValidator(to_address)] = Field(
        Path("shelf"),
        description="folder of the shelf, or a PostgreSQL database with pgvector that several processes share (postgresql://...)",
    )
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("attest"),
        description="where the exported embedding model is kept, and what this machine makes of shelves in databases",
    )
    embedding_model: str | None = Field(
        None,
        description="folder of a BERT-family sentence encoder, or openai:MODEL for the embeddings of the endpoint; the installed all-MiniLM-L6-v2 when unset",
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
    vectors: str | None = Field(
        None,
        description="address of a Chroma server (http://HOST:PORT) or of a PostgreSQL database with pgvector (postgresql://...) that holds the passage vectors of a shelf in a folder; they are there too when unset",
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
    checker: str = Field(
        "own",
        pattern=r"^(own|llm|nli:.*\S.*)$",
        description="what decides whether words support a statement: own (the support checker), nli:FOLDER_OR_HUB_NAME (an NLI model of transformers) or llm (the language model of ATTEST_LLM as judge)",
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


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it stands: what to print of its value (never a key), and where that came from."""

    name: str
    variables: tuple[str, ...]
    default: str
    meaning: str
    value: str
    origin: str


@cache
def settings() -> Settings:
    """The settings of this process, read from the environment once.

    Raises:
        UsageError: a variable does not hold what its setting can be.
    """
    try:
        return Settings()
    except ValidationError as error:  # its own text shows the value, which may be a key
        first = error.errors(include_input=False)[0]
        name, why = str(first["loc"][0]).lower().removeprefix("attest_"), first["msg"]
    except SettingsError:
        name, why = "services", "this is no JSON"
    meaning = Settings.model_fields[name].description
    raise UsageError(f"{_variables(name)[-1]} will not do: {why}", hint=f"it is the setting: {meaning}; or unset it")


def described(config: Settings, arguments: Collection[str] = ()) -> Iterator[Setting]:
    """Every setting in the order of its definition.

    Args:
        config: made of the environment and arguments.
        arguments: names of the settings that an argument gave.
    """
    given = _environment()
    for name, field in Settings.model_fields.items():
        variables = _variables(name)
        variable = next((one for one in variables if one in given), None)
        origin = "argument" if name in arguments else f"environment variable {variable}" if variable else "default"
        default = _DEFAULTS.get(name) or _shown(field.get_default(call_default_factory=True, validated_data={}))
        yield Setting(
            name,
            variables,
            default,
            field.description or "",
            _shown(getattr(config, name), secret=not field.repr),
            origin,
        )


def unknown_variables() -> list[str]:
    """Variables named `ATTEST_...` that are no setting: a slip of the keyboard is not read, and should be told."""
    known = {variable for name in Settings.model_fields for variable in _variables(name)}
    return sorted(name for name in _environment() if name.startswith("ATTEST_") and name not in known)


def _variables(name: str) -> tuple[str, ...]:
    """The environment variables that are read for a setting, the first that is set before the others."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices if str(choice).isupper())
    return (f"ATTEST_{name.upper()}",)


def _environment() -> set[str]:
    """The names of all environment variables that hold something."""
    return {name.upper() for name in EnvSettingsSource(Settings).env_vars}


def _shown(value: Any, *, secret: bool = False) -> str:
    if value is None or value == {}:
        return "not set"
    if secret:
        return "set"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return without_password(text)
