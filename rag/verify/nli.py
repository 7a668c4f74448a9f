"""A natural language inference model of transformers: does the source entail the claim, or contradict it?"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from rag.errors import ModelError
from rag.verify.opinion import Opinion

# Word pieces read at once of claim and source together, and rows at once: such models are trained on short texts.
LONGEST, BATCH = 512, 16
_ENTAILED = ("entail", "support", "consistent")
_CONTRADICTED = ("contradict", "refut")


class NliModel:
    """A model for sequence classification with a label for entailment, in a folder or by its name on the hub.

    A source that is too long for the model is read in overlapping parts, and the part that speaks clearest counts.
    """

    def __init__(self, path: str) -> None:
        """
        Raises:
            ModelError: the labels of the model in the folder do not tell which is entailment.
        """
        folder = Path(path)
        self.name = f"nli:{folder.name if folder.is_dir() else path}"
        self._path = path
        self._loading, self._busy = threading.Lock(), threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        if (config := folder / "config.json").is_file():
            entailment(_labels_of(config))

    def ask(self, pairs: Sequence[tuple[str, str]]) -> list[Opinion]:
        """As `Backend.ask`; all pairs go through the model together."""
        tokenizer, model = self._load()
        try:
            with self._busy:  # a tokenizer of theirs must not be used by two threads at once
                return _opinions(tokenizer, model, pairs, self.name)
        except Exception as error:  # whatever torch and tokenizers raise: no memory left, most of all
            why = " ".join(str(error).split())[:200] or type(error).__name__
            return [Opinion.none(f"{self.name} failed: {why}")] * len(pairs)

    def _load(self) -> tuple[Any, Any]:
        with self._loading:
            if self._loaded is None:
                self._loaded = _loaded_from(self._path)
            return self._loaded


@lru_cache(maxsize=4)
def open_nli(path: str) -> NliModel:
    """The model of this folder or name, which all of the process share; its weights are read when it is first asked."""
    return NliModel(path)


def _loaded_from(path: str) -> tuple[Any, Any]:
    """Tokenizer and model.

    Raises:
        ModelError: they cannot be loaded, or are not what is needed.
    """
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            path, dtype=torch.float32, output_loading_info=True, trust_remote_code=False
        )
    except Exception as error:  # two libraries, the hub, and whatever lies in the folder
        why = " ".join(str(error).split())[:200]
        raise ModelError(
            f"no NLI model can be loaded from {path!r}: {why}",
            hint="nli: takes a folder with a transformers model for sequence classification, or the name of one that the hub has or that was fetched before",
        ) from error
    wrong = ""
    if missing := sorted(report["missing_keys"]):  # transformers would go on with weights drawn by chance
        wrong = f"lacks weights ({', '.join(missing)[:200]})"
    elif not tokenizer.is_fast:
        wrong = "has a tokenizer that cannot cut long sources"
    if wrong:
        raise ModelError(f"the NLI model in {path!r} {wrong}", hint="give one that was trained on NLI, whole")
    entailment(model.config.id2label)
    return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def entailment(labels: Mapping[int, str]) -> int:
    """Which output says that the source entails the claim.

    Raises:
        ModelError: no label, or more than one, says so: guessing the order of labels turns every verdict round.
    """
    found = _outputs(labels, _ENTAILED)
    if len(found) != 1:
        raise ModelError(
            f"no label of the NLI model is entailment for certain: {', '.join(labels.values())}",
            hint="id2label in its config.json must name one label 'entailment'",
        )
    return found[0]


def _outputs(labels: Mapping[int, str], beginnings: Sequence[str]) -> list[int]:
    return [int(key) for key, label in labels.items() if label.casefold().startswith(tuple(beginnings))]


def _labels_of(config: Path) -> dict[int, str]:
    try:
        named = json.loads(config.read_text(encoding="utf-8")).get("id2label")
        return {int(key): str(label) for key, label in named.items()} if named else {0: "none is named"}
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{config} cannot be read: {error}", hint="it must be the config.json of a model") from error


def _opinions(tokenizer: Any, model: Any, pairs: Sequence[tuple[str, str]], name: str) -> list[Opinion]:
    limits = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None))
    longest = min(LONGEST, *(limit for limit in limits if limit and limit > 0))
    claims = tokenizer([claim for claim, _ in pairs], add_special_tokens=False)["input_ids"] if pairs else []
    fitting = [at for at, pieces in enumerate(claims) if len(pieces) <= longest // 2]
    opinions = [Opinion.none(f"the sentence is too long for {name}")] * len(pairs)
    yes = entailment(model.config.id2label)
    no = _outputs(model.config.id2label, _CONTRADICTED)
    parts: dict[int, list[list[float]]] = {at: [] for at in fitting}
    for row, probabilities in _parts(tokenizer, model, [pairs[at] for at in fitting], longest):
        parts[fitting[row]].append(probabilities)
    for at, read in parts.items():
        if all(math.isfinite(value) for part in read for value in part):
            opposed = max((part[one] for part in read for one in no), default=0.0)
            opinions[at] = Opinion(max(part[yes] for part in read), opposed)
        else:
            opinions[at] = Opinion.none(f"{name} gave no number")
    return opinions


def _parts(
    tokenizer: Any, model: Any, pairs: Sequence[tuple[str, str]], longest: int
) -> Iterator[tuple[int, list[float]]]:
    """The row of each part of a source, and the probability of each label."""
    import torch

    if not pairs:
        return
    encoded = tokenizer(
        [source for _, source in pairs], [claim for claim, _ in pairs], truncation="only_first", max_length=longest,
        stride=longest // 8, return_overflowing_tokens=True, padding=True, return_tensors="pt",
    )  # fmt: skip
    rows = encoded.pop("overflow_to_sample_mapping").tolist()
    for at in range(0, len(rows), BATCH):
        batch = {key: values[at : at + BATCH].to(model.device) for key, values in encoded.items()}
        with torch.inference_mode():
            probabilities = model(**batch).logits.float().softmax(-1)
        yield from zip(rows[at : at + BATCH], probabilities.tolist(), strict=True)
