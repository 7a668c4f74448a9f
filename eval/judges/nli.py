"""A natural language inference model as judge: does the source entail the claim?"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from eval.hashing import hash_files
from eval.judges.judge import Grade
from rag.errors import ModelError, UsageError

THRESHOLD = 0.5
_ENTAILED = ("entail", "support", "consistent")


class NliJudge:
    """A transformers model for sequence classification in a folder, with a label for entailment.

    The score is the probability of that label. Pairs longer than the model takes are cut at the end of the source.
    """

    kept = True

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            UsageError: there is no model in the folder.
        """
        files = sorted(path for path in folder.glob("*") if path.is_file())
        if not any(path.name == "config.json" for path in files):
            raise UsageError(
                f"there is no model in {folder}", hint="give --judge nli:FOLDER with config.json and weights"
            )
        self.name = f"nli:{folder.name}"
        self.identity = hash_files(files)
        self._folder = folder
        self._loading = threading.Lock()
        self._loaded: tuple[Any, Any, int] | None = None

    def grade(self, claim: str, source: str) -> Grade:
        """Supported from a probability of one half on."""
        import torch

        tokenizer, model, entailed = self._load()
        longest = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512))
        inputs = tokenizer(source, claim, truncation="only_first", max_length=longest, return_tensors="pt")
        with torch.no_grad():
            score = float(model(**inputs).logits[0].softmax(-1)[entailed])
        return Grade(score, score >= THRESHOLD)

    def _load(self) -> tuple[Any, Any, int]:
        with self._loading:
            if self._loaded is None:
                try:
                    from transformers import AutoModelForSequenceClassification, AutoTokenizer
                except ImportError as error:
                    raise ModelError(
                        f"the judge {self.name} cannot start: {error}", hint="pip install 'attest[hf]'"
                    ) from error
                try:
                    model = AutoModelForSequenceClassification.from_pretrained(
                        self._folder, local_files_only=True
                    ).eval()
                    tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
                except (OSError, ValueError) as error:
                    raise ModelError(f"the judge {self.name} cannot be read: {error}") from error
                self._loaded = tokenizer, model, entailment(model.config.id2label)
            return self._loaded


def entailment(labels: dict[int, str]) -> int:
    """Which output says that the source entails the claim.

    Raises:
        ModelError: no label, or more than one, says so: guessing the order of labels turns every grade round.
    """
    found = [int(key) for key, label in labels.items() if any(label.casefold().startswith(word) for word in _ENTAILED)]
    if len(found) != 1:
        raise ModelError(
            f"no label of the judge is entailment for certain: {', '.join(labels.values())}",
            hint="id2label in its config.json must name one label 'entailment'",
        )
    return found[0]
