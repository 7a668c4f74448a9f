"""Papers encoded by a Ray cluster (Moritz et al., "Ray", 2018), one batch a task.

Tasks keep nothing: one whose machine dies is done again on another, also when only its result was lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag import __version__
from rag.config import Settings
from rag.errors import AttestError, IngestError, ModelError, UsageError
from rag.index.ahead import Ahead
from rag.index.embed import Embedder, Vectors, model_dir
from rag.index.encoding import PaperEncoder
from rag.index.shelf import NORMALISER, Shelf
from rag.index.stored import EncodedPaper
from rag.types import Paper

HERE = "local"  # in place of an address: a cluster of this machine's cores, for this ingest alone
ADDRESS = re.compile(r"local|auto|[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+")
# Machines that a task may lose before it is given up: many in a cluster of preemptible ones, not endlessly many for
# a batch that itself brings its process down.
LOST = 10
# Batches a core: one that it works on, one that waits for it.
AHEAD = 2
PATIENCE = 10  # seconds that the head of a cluster has to answer
GOES_ON = "what was stored before is kept; give the same command again"


@dataclass(frozen=True, slots=True)
class _Model:
    """What each machine must have alike. Without a folder, its own installed model is meant."""

    folder: str | None
    precision: Any
    cache_dir: Path
    weights: str
    version: str


class RayEncoders:
    """The encoders of a cluster (`rag.index.ahead.Encoders`); Ray is connected."""

    def __init__(self, settings: Settings, projection: Vectors, stop: NDArray[np.int64]) -> None:
        import ray

        self._ray = ray
        folder, weights = settings.embedding_model, _digest(model_dir(settings))
        self._model = _Model(folder, settings.embedding_precision, settings.cache_dir, weights, _version())
        self._shared = ray.put(np.array(projection)), ray.put(stop)
        self._encode = ray.remote(num_cpus=1, max_retries=LOST)(_encode)
        self._tickets: dict[Any, None] = {}

    def capacity(self) -> int:
        resources: dict[str, float] = self._ray.cluster_resources()  # type: ignore[no-untyped-call]
        return AHEAD * max(1, int(resources.get("CPU", 0)))

    def submit(self, papers: Sequence[Paper]) -> Any:
        ticket = self._encode.remote(self._model, *self._shared, list(papers))
        self._tickets[ticket] = None
        return ticket

    def result(self, ticket: Any) -> list[EncodedPaper]:
        """What a batch became.

        Raises:
            ModelError: a machine lacks the model, or has another one.
            IngestError: the batch could not be encoded.
        """
        try:
            found: list[EncodedPaper] = self._ray.get(ticket)
        except self._ray.exceptions.RayError as error:
            # What has ended must not be cancelled: Ray may not have put it away yet, and then ends this process.
            self._tickets.pop(ticket, None)
            cause = getattr(error, "cause", None)
            if isinstance(cause, AttestError):
                raise cause from None
            said = str(cause or error).strip().splitlines()[-1]
            hint = f"each machine needs attest {__version__} with Ray (pip install 'attest[ray]'); {GOES_ON}"
            raise IngestError(f"the Ray cluster cannot encode papers: {said}", hint=hint) from error
        self._tickets.pop(ticket, None)
        return found

    def cancel(self) -> None:
        """Give up what nobody waits for any more."""
        for ticket in self._tickets:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.cancel(ticket)


@contextlib.contextmanager
def on_cluster(shelf: Shelf, settings: Settings, address: str) -> Iterator[Ahead]:
    """The shelf as a store whose papers a Ray cluster encodes.

    Args:
        address: `local` (a cluster of this machine's cores, ended with the ingest), `auto` or `HOST:PORT`. Where this
            process is connected already, its connection is used and left open.

    Raises:
        UsageError: Ray is not installed, `address` is none, or the shelf's vectors come from an embedding.
        IngestError: there is no cluster.
        ModelError: as `rag.index.embed.model_dir`.
    """
    if not ADDRESS.fullmatch(address):
        hint = "--ray alone stands for this machine's cores; put it after the sources, or write --ray=ADDRESS"
        raise UsageError(f"{address!r} is no address of a Ray cluster: auto or HOST:PORT", hint=hint)
    if shelf.encoder is not shelf.embedder:
        hint = "ingest without Ray: the embedding has its own limits, which more machines do not lift"
        raise UsageError(f"Ray serves the built-in encoder, and this shelf is of {shelf.encoder.name}", hint=hint)
    with _connected(address, settings.threads):
        encoders = RayEncoders(settings, shelf.projection, shelf.stop_ids)
        try:
            yield Ahead(shelf, encoders)
        finally:
            encoders.cancel()


@contextlib.contextmanager
def _connected(address: str, threads: int) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would send figures to its makers
    if address == HERE:  # else Ray listens on the address that other machines see
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray warns of otherwise
    try:
        import ray
    except ImportError as error:
        raise UsageError("Ray is not installed", hint="pip install 'attest[ray]'") from error
    if ray.is_initialized():
        yield
        return
    here: dict[str, Any] = {"num_cpus": threads or None, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        if ":" in address:  # Ray itself tries for minutes
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **(here if address == HERE else {}))
    except Exception as error:  # whatever Ray raises
        hint = "start one with `ray start --head`, join it on each machine, this one included, with `ray start --address=HOST:PORT`, and give --ray that address or auto"
        raise IngestError(f"no Ray cluster at {address}: {error}", hint=hint) from error
    try:
        yield
    finally:
        ray.shutdown()


def _encode(model: _Model, projection: Vectors, stop: NDArray[np.int64], papers: list[Paper]) -> list[EncodedPaper]:
    """A batch on whichever machine this is."""
    try:
        embedder = _embedder(model)
    except AttestError as error:
        raise ModelError(f"{error} (on {platform.node()}, a machine of the Ray cluster)", hint=error.hint) from None
    return PaperEncoder(embedder, embedder, projection, stop).encode(papers)


@lru_cache(maxsize=1)
def _embedder(model: _Model) -> Embedder:
    """The encoder of this process, read once."""
    if model.version != _version():
        raise ModelError(f"attest is not {model.version}", hint="install the same attest on all machines")
    own = Settings(
        embedding_model=model.folder, embedding_precision=model.precision, cache_dir=model.cache_dir, threads=1
    )
    if _digest(folder := model_dir(own)) != model.weights:
        raise ModelError(f"another embedding model at {folder}", hint="install the same model on all machines")
    return Embedder.from_settings(own)


def _version() -> str:
    return f"{__version__}, normaliser {NORMALISER}"


def _digest(folder: Path) -> str:
    """Tells weights of one name apart; empty without weights, of which `Embedder.from_settings` speaks."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return ""
    with weights.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()
