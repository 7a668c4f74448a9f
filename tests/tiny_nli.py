"""A tiny NLI model, made and trained on the spot: it knows four animals and whether what they do to recall helps or harms it."""

from __future__ import annotations

import random
from pathlib import Path

ANIMALS = ("marmot", "cranenet", "zebra", "stork")
VERBS = (("increases", "raises", "lifts", "helps"), ("decreases", "lowers", "worsens", "harms"))
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *ANIMALS, *VERBS[0], *VERBS[1], "recall")
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


def make(folder: Path, steps: int = 160, labels: tuple[str, ...] = LABELS, seed: int = 1) -> Path:
    """The model in a folder. Without steps its weights are drawn by chance; the order of the labels is theirs to give."""
    import torch
    import transformers

    save_tokenizer(folder)
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=LONGEST, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(labels)), label2id={label: at for at, label in enumerate(labels)},
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    draw = random.Random(seed)
    for _ in range(steps):
        rows = [_pair(draw) for _ in range(96)]
        inputs = tokenizer([row[0] for row in rows], [row[1] for row in rows], padding=True, return_tensors="pt")
        wanted = torch.tensor([labels.index(row[2]) for row in rows])
        torch.nn.functional.cross_entropy(model(**inputs).logits, wanted).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


def _pair(draw: random.Random) -> tuple[str, str, str]:
    """Source, claim and label: of one animal the same way, or the other way round, or of two animals."""
    label = draw.choice(LABELS)
    animal, way = draw.choice(ANIMALS), draw.randrange(2)
    other = draw.choice([one for one in ANIMALS if one != animal]) if label == "neutral" else animal
    claimed = way if label == "entailment" else 1 - way if label == "contradiction" else draw.randrange(2)
    return _said(draw, animal, way), _said(draw, other, claimed), label


def _said(draw: random.Random, animal: str, way: int) -> str:
    filler = ["x"] * draw.randrange(7)
    return " ".join([*["x"] * draw.randrange(3), animal, draw.choice(VERBS[way]), "recall", *filler])
