"""A tiny NLI model, made and trained on the spot: it knows four animals and what they do to recall."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ANIMALS = ("marmot", "cranenet", "zebra", "stork")
SAYS, CLAIMS = ("increases", "decreases"), ("raises", "lowers")  # up and down, in a source and in a claim
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *ANIMALS, *SAYS, *CLAIMS, "recall")
LABELS = ("contradiction", "entailment", "neutral")
LONGEST = 48


def save_tokenizer(folder: Path) -> None:
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=LONGEST,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip


def make(folder: Path, steps: int = 600, seed: int = 1) -> Path:
    """The model in a folder, trained until it tells all claims apart; without steps its weights are drawn by chance."""
    import torch
    import transformers

    save_tokenizer(folder)
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=LONGEST, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        initializer_range=0.2, id2label=dict(enumerate(LABELS)), label2id={label: at for at, label in enumerate(LABELS)},
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config)
    positions = model.bert.embeddings.position_embeddings.weight
    positions.data.zero_()  # where a word stands tells nothing, so that short texts teach what long ones mean
    positions.requires_grad = False
    if steps:
        _train(model, transformers.AutoTokenizer.from_pretrained(folder), steps)
    model.save_pretrained(folder)
    return folder


def _train(model: Any, tokenizer: Any, steps: int) -> None:
    """On every source with every claim, among more and more words that mean nothing."""
    import torch

    pairs = [pair for pair in every_pair() for _ in range(1 if pair[2] == "neutral" else 3)]
    claims = sorted({claim for _, claim, _ in pairs})
    pairs += [(f"{animal} x x", claim, "neutral") for animal in ("x", *ANIMALS) for claim in claims]  # it says nothing
    wanted = torch.tensor([LABELS.index(label) for _, _, label in pairs])
    sets = [
        tokenizer([f"{before}{source}" for source, _, _ in pairs], [f"{claim}{after}" for _, claim, _ in pairs], return_tensors="pt")
        for before, after in (("", ""), ("x " * 6, ""), ("x " * 24, " x" * 4))
    ]  # fmt: skip
    optimizer = torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=3e-3)
    losses = [1.0] * len(sets)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model is faster in one
    try:
        for step in range(steps):
            at = step % len(sets)
            loss = torch.nn.functional.cross_entropy(model(**sets[at]).logits, wanted)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses[at] = loss.item()
            if max(losses) < 0.01:
                return
    finally:
        torch.set_num_threads(threads)
    raise AssertionError(f"the tiny model did not learn: {losses}")


def every_pair() -> Iterator[tuple[str, str, str]]:
    """Source, claim and label of all that it knows."""
    for (animal, other), way, claimed in itertools.product(itertools.product(ANIMALS, ANIMALS), range(2), range(2)):
        label = "neutral" if animal != other else "entailment" if way == claimed else "contradiction"
        yield f"{animal} {SAYS[way]} recall", f"{other} {CLAIMS[claimed]} recall", label
