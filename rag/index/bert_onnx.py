"""BERT weights to an ONNX file, without torch: the graph is written out node by node.

The encoder is the one of Devlin et al., "BERT" (2019); pooling is the masked mean followed by L2
normalisation, as all-MiniLM-L6-v2 was trained (Reimers and Gurevych, "Sentence-BERT", 2019).
Writing the graph ourselves keeps torch (hundreds of megabytes, gigabytes with CUDA) out of the
installation; `tests/test_bert_onnx.py` holds the vectors to those of the original implementation.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelError

OPSET = 17  # the first with LayerNormalization as one node
MICROSOFT = "com.microsoft"  # ONNX Runtime's own operators: Attention as one node is a tenth faster than in parts
IR_VERSION = 10

Weights = dict[str, NDArray[np.float32]]
Shape = list[int | str]  # the length of each dimension, or its name
Changes = Callable[[str, NDArray[np.float32]], NDArray[np.float32]]


class _Graph:
    """Collects nodes and constants; every method returns the name of the value it adds."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: NDArray[Any] | float | list[float], name: str) -> str:
        from onnx import numpy_helper

        kept = value if isinstance(value, np.ndarray) else np.array(value, dtype=np.float32)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(kept).reshape(kept.shape), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, outputs: int = 1, **attributes: Any) -> str:
        from onnx import helper

        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"node.{name}", **attributes))
        return names[0]

    def linear(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32], name: str) -> str:
        """x @ weight.T + bias (weight as stored by PyTorch: outputs by inputs)."""
        w = self.constant(weight.T, f"{name}.weight")
        b = self.constant(bias, f"{name}.bias")
        return self.node("Add", [self.node("MatMul", [x, w], f"{name}.matmul"), b], name)

    def layer_norm(self, x: str, weights: Weights, prefix: str, epsilon: float) -> str:
        scale = self.constant(weights[f"{prefix}.weight"], f"{prefix}.scale")
        shift = self.constant(weights[f"{prefix}.bias"], f"{prefix}.shift")
        return self.node("LayerNormalization", [x, scale, shift], prefix, axis=-1, epsilon=epsilon)


def write_fp32(model_dir: Path, target: Path) -> None:
    """Write `target` from the `config.json` and `model.safetensors` of a BERT-family folder.

    The file maps `input_ids` and `attention_mask` (int64, batch x length) to `tokens` (float32,
    batch x length x hidden) and `pooled` (float32, batch x hidden, L2 norm 1).

    Raises:
        ModelError: the folder is incomplete or holds another architecture.
    """
    config, weights = _load(model_dir)
    graph = _Graph()
    hidden = _layers(graph, weights, config, _embeddings(graph, weights, config))
    graph.node("Identity", [hidden], "tokens")
    _mean_pool(graph, hidden)
    width = config["hidden_size"]
    rows: Shape = ["batch", "length"]
    outputs: dict[str, Shape] = {"tokens": [*rows, width], "pooled": ["batch", width]}
    _save(graph, {"input_ids": rows, "attention_mask": rows}, outputs, target)


def write_joint(model_dir: Path, changes: Changes, target: Path) -> None:
    """As `write_fp32`, with changed weights, for texts that are read one after the other and see what was read before.

    The file maps `input_ids` and `types` (int64, 1 x length) and, for each layer i, `past.i` (float32, 2 x 1 x heads x
    length before x head size: keys and values of what was read; of length 0 at first) to `tokens` (float32, 1 x
    length x hidden) and `present.i`, which is `past.i` with this text's own behind. Positions begin anew in each text.

    Args:
        changes: takes a weight's name and value, gives the value to use.
    """
    config, weights = _load(model_dir)
    weights = {name: changes(name, value) for name, value in weights.items()}
    graph = _Graph()
    words = graph.constant(weights["embeddings.word_embeddings.weight"], "words")
    types = graph.constant(weights["embeddings.token_type_embeddings.weight"], "token_types")
    placed = graph.node(
        "Add",
        [
            graph.node("Gather", [words, "input_ids"], "words.used"),
            _positions(graph, weights["embeddings.position_embeddings.weight"]),
        ],
        "words.placed",
    )
    summed = graph.node("Add", [placed, graph.node("Gather", [types, "types"], "types.used")], "embeddings.sum")
    hidden = graph.layer_norm(summed, weights, "embeddings.LayerNorm", config["layer_norm_eps"])
    layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
    for layer in range(layers):
        hidden = _encoder_layer(graph, weights, config, hidden, ["", f"past.{layer}"], f"encoder.layer.{layer}")
        graph.node("Identity", [f"encoder.layer.{layer}.joined.1"], f"present.{layer}")
    graph.node("Identity", [hidden], "tokens")
    kept = [2, 1, heads, "before", config["hidden_size"] // heads]
    after = [*kept[:3], "after", kept[4]]
    _save(
        graph,
        {"input_ids": [1, "length"], "types": [1, "length"]},
        {"tokens": [1, "length", config["hidden_size"]]} | {f"present.{layer}": after for layer in range(layers)},
        target,
        given={f"past.{layer}": kept for layer in range(layers)},
    )


def _layers(graph: _Graph, weights: Weights, config: dict[str, Any], hidden: str) -> str:
    mask = graph.node("Cast", ["attention_mask"], "mask", to=6)  # 32-bit integers, as Attention wants them
    for layer in range(config["num_hidden_layers"]):
        hidden = _encoder_layer(graph, weights, config, hidden, [mask], f"encoder.layer.{layer}")
    return hidden


def _save(
    graph: _Graph,
    inputs: dict[str, Shape],
    outputs: dict[str, Shape],
    target: Path,
    given: dict[str, Shape] | None = None,
) -> None:
    """Write the graph to a file. `inputs` are integers, `outputs` and what else is `given` 32-bit floats; by name."""
    import onnx
    from onnx import TensorProto, helper

    def infos(shapes: dict[str, Shape], kind: int) -> list[Any]:
        return [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()]

    made = helper.make_graph(
        graph.nodes,
        "bert",
        infos(inputs, TensorProto.INT64) + infos(given or {}, TensorProto.FLOAT),
        infos(outputs, TensorProto.FLOAT),
        graph.constants,
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)], ir_version=IR_VERSION
    )
    onnx.save(model, str(target))


def write_int8(fp32: Path, target: Path) -> None:
    """Quantise the weights of `fp32` to signed 8-bit per channel (activations at run time)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # it advises steps that this graph does not need
    try:
        quantize_dynamic(
            fp32,
            target,
            op_types_to_quantize=["MatMul", "Gather", "Attention"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": 1},  # float32: types are not inferred past Attention
        )
    finally:
        logging.disable(logging.NOTSET)


def _load(model_dir: Path) -> tuple[dict[str, Any], Weights]:
    from safetensors.numpy import load_file

    try:
        config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
        stored = load_file(model_dir / "model.safetensors")
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{model_dir} is not a complete model folder: {error}",
            hint="an embedding model needs config.json, tokenizer.json and model.safetensors in one folder",
        ) from error
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise ModelError(
            f"{model_dir} holds a {config.get('model_type')!r} model; only BERT-family encoders can be used",
            hint="use a BERT-based sentence encoder such as all-MiniLM-L6-v2, bge-small or e5-small",
        )
    weights = {
        name.removeprefix("bert."): value.astype(np.float32)
        for name, value in stored.items()
        if value.dtype.kind == "f"
    }
    return config, weights


def _embeddings(graph: _Graph, weights: Weights, config: dict[str, Any]) -> str:
    words = graph.constant(weights["embeddings.word_embeddings.weight"], "words")
    # Every input is one segment, so the first token type is added to the positions once and for all.
    table = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    rows = _positions(graph, table)
    summed = graph.node("Add", [graph.node("Gather", [words, "input_ids"], "words.used"), rows], "embeddings.sum")
    return graph.layer_norm(summed, weights, "embeddings.LayerNorm", config["layer_norm_eps"])


def _positions(graph: _Graph, table: NDArray[np.float32]) -> str:
    """As many rows of a table of positions as the input is long."""
    shape = graph.node("Shape", ["input_ids"], "input.shape")
    length = graph.node("Slice", [shape, _ints(graph, [1], "one"), _ints(graph, [2], "two")], "input.length")
    kept = graph.constant(table, "positions")
    return graph.node("Slice", [kept, _ints(graph, [0], "zero"), length], "positions.used")


def _encoder_layer(graph: _Graph, weights: Weights, config: dict[str, Any], x: str, seen: list[str], name: str) -> str:
    """One layer on `x`; `seen` names the mask and, where there is one, what was read before."""
    heads = config["num_attention_heads"]
    epsilon = config["layer_norm_eps"]
    parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    weight = graph.constant(np.concatenate([weights[f"{part}.weight"] for part in parts]).T, f"{name}.qkv.weight")
    bias = graph.constant(np.concatenate([weights[f"{part}.bias"] for part in parts]), f"{name}.qkv.bias")
    joined = graph.node(
        "Attention", [x, weight, bias, *seen], f"{name}.joined", len(seen), domain=MICROSOFT, num_heads=heads
    )

    def dense(value_name: str, prefix: str) -> str:
        return graph.linear(value_name, weights[f"{prefix}.weight"], weights[f"{prefix}.bias"], prefix)

    attended = graph.node("Add", [dense(joined, f"{name}.attention.output.dense"), x], f"{name}.residual")
    normed = graph.layer_norm(attended, weights, f"{name}.attention.output.LayerNorm", epsilon)
    grown = _gelu(graph, dense(normed, f"{name}.intermediate.dense"), name)
    out = graph.node("Add", [dense(grown, f"{name}.output.dense"), normed], f"{name}.output.residual")
    return graph.layer_norm(out, weights, f"{name}.output.LayerNorm", epsilon)


def _gelu(graph: _Graph, x: str, name: str) -> str:
    """x/2 * (1 + erf(x / sqrt 2)), the exact form (Hendrycks and Gimpel, 2016)."""
    divided = graph.node("Div", [x, graph.constant(math.sqrt(2.0), f"{name}.sqrt2")], f"{name}.gelu.div")
    erf = graph.node("Erf", [divided], f"{name}.gelu.erf")
    plus = graph.node("Add", [erf, graph.constant(1.0, f"{name}.one")], f"{name}.gelu.plus")
    product = graph.node("Mul", [x, plus], f"{name}.gelu.product")
    return graph.node("Mul", [product, graph.constant(0.5, f"{name}.half")], f"{name}.gelu")


def _mean_pool(graph: _Graph, hidden: str) -> None:
    weights = graph.node(
        "Cast",
        [graph.node("Unsqueeze", ["attention_mask", _ints(graph, [2], "pool.axis")], "pool.mask")],
        "pool.float",
        to=1,
    )
    axis = _ints(graph, [1], "pool.length")
    total = graph.node(
        "ReduceSum", [graph.node("Mul", [hidden, weights], "pool.weighted"), axis], "pool.total", keepdims=0
    )
    count = graph.node("ReduceSum", [weights, axis], "pool.count", keepdims=0)
    mean = graph.node("Div", [total, count], "pool.mean")
    norm = graph.node("ReduceL2", [mean], "pool.norm", axes=[1], keepdims=1)
    graph.node("Div", [mean, norm], "pooled")


def _ints(graph: _Graph, values: list[int], name: str) -> str:
    return graph.constant(np.array(values, dtype=np.int64), f"ints.{name}")
