"""What a run was made with: enough to tell whether another run may be compared with it, or go on where it stopped."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from eval.hashing import ROOT, hash_code, hash_file, hash_files, hash_named, hash_values
from eval.intervals import SEED
from eval.suites.options import STARTER, Options
from rag import __version__
from rag.answer import prompts
from rag.config import Settings, settings
from rag.index.embed import endpoint_model, model_dir
from rag.index.shelf import open_ledger
from rag.verify.network import WEIGHTS

PACKAGES = ("chromadb", "numpy", "onnxruntime", "PyStemmer", "rapidfuzz", "tokenizers")
_PROMPTS = ("again", "answer", "judge", "judge_again", "repair")
# What makes no difference to any answer, or must not be written down.
_LEFT_OUT = {"shelf", "cache_dir", "openai_api_key", "lock_wait", "threads", "embedding_model", "checker"}


def make(suites: Sequence[str], options: Options) -> dict[str, Any]:
    """The manifest. `made_with` decides the results, and `fingerprint` is its hash; the rest tells where they come from.

    Raises:
        ShelfMissing, ShelfLocked: the shelf given cannot be read.
    """
    config = settings()
    made_with = {
        "attest": __version__,
        "code": hash_code("rag", "eval", "prompts"),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "models": _models(config),
        "prompts": {name: prompts.load(name).hash for name in _PROMPTS},
        "settings": config.model_dump(mode="json", exclude=_LEFT_OUT),
        "shelf": _shelf(options.shelf, config) if options.shelf else hash_file(STARTER),
        "data": _data(options),
        "writer": _writer(options, config),
        "checker": hash_named(config.checker),
        "judge": {"name": options.judged.name, "identity": options.judged.identity},
        "seed": SEED,
    }
    return {
        "suites": list(suites),
        "fingerprint": hash_values(made_with),
        "made_with": made_with,
        **_commit(),
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
    }


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The parts of `made_with` in which two manifests differ, as `code`, `settings.llm`, ..."""
    found = []
    for name in sorted({*one, *other}):
        first, second = one.get(name), other.get(name)
        if isinstance(first, dict) and isinstance(second, dict):
            found += [f"{name}.{part}" for part in differences(first, second)]
        elif first != second:
            found.append(name)
    return found


def _models(config: Settings) -> dict[str, str]:
    files = sorted(path for path in model_dir(config).glob("*") if path.suffix in (".json", ".safetensors"))
    beside = {"endpoint": model} if (model := endpoint_model(config)) else {}
    return {**beside, "embedding": hash_files(files), "support": hash_file(WEIGHTS)}


def _shelf(shelf: str | Path, config: Settings) -> str:
    """Of the papers on the shelf, whatever order they came in."""
    with open_ledger(shelf, config) as ledger:
        return hash_values(sorted(hash_values(paper.to_dict()) for _, paper in ledger.all_papers()))


def _data(options: Options) -> str | None:
    """Of the files a data folder holds; None without one. Questions are not part of it: each has a hash of its own."""
    if options.data is None:
        return None
    found = [options.data] if options.data.is_file() else sorted(options.data.rglob("*.jsonl"))
    return hash_files(path for path in found if path.is_file())


def _writer(options: Options, config: Settings) -> str:
    """The language model by name, which for an endpoint is all there is to know, and the files of one in a folder."""
    wanted = options.llm or config.llm
    if wanted is None:
        return "extractive"
    if not isinstance(wanted, str):
        return wanted.name
    return hash_named(wanted)


def _commit() -> dict[str, Any]:
    """The commit of the program and whether files differ from it; None where it is no checkout."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    commit, changed = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return {"commit": commit.strip() if commit else None, "dirty": None if changed is None else bool(changed.strip())}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
