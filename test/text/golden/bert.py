"""Writes bert.json: outputs and gradients of a small BERT, made of PyTorch's own transformer layers, float64.

Run: python3 bert.py   (PyTorch 1.13 or later; then format bert.json with `npm run format`)
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.stateless import functional_call

torch.set_default_dtype(torch.float64)
CONFIG = {
    "model_type": "bert",
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
ACTIVATIONS = {"gelu": F.gelu, "gelu_new": lambda x: F.gelu(x, approximate="tanh"), "relu": F.relu}


def values(key, shape):
    """Numbers that follow from the key, a float32 each: FNV-1a of it starts a linear congruential generator."""
    state = 2166136261
    for byte in key.encode():
        state = ((state ^ byte) * 16777619) % 2**32
    out = []
    for _ in range(int(np.prod(shape))):
        state = (1664525 * state + 1013904223) % 2**32
        out.append(state / 2**32 - 0.5)
    base = 1.0 if key.endswith("LayerNorm.weight") else 0.0
    return torch.tensor(np.array(out, dtype=np.float32).astype(np.float64).reshape(shape) + base)


def weights():
    width, wide = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": [CONFIG["vocab_size"], width],
        "embeddings.position_embeddings.weight": [CONFIG["max_position_embeddings"], width],
        "embeddings.token_type_embeddings.weight": [CONFIG["type_vocab_size"], width],
        "embeddings.LayerNorm.weight": [width],
        "embeddings.LayerNorm.bias": [width],
    }
    for i in range(CONFIG["num_hidden_layers"]):
        for name, (rows, columns) in {
            "attention.self.query": (width, width),
            "attention.self.key": (width, width),
            "attention.self.value": (width, width),
            "attention.output.dense": (width, width),
            "intermediate.dense": (wide, width),
            "output.dense": (width, wide),
        }.items():
            shapes[f"encoder.layer.{i}.{name}.weight"] = [rows, columns]
            shapes[f"encoder.layer.{i}.{name}.bias"] = [rows]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{i}.{name}.weight"] = [width]
            shapes[f"encoder.layer.{i}.{name}.bias"] = [width]
    shapes["pooler.dense.weight"] = [width, width]
    shapes["pooler.dense.bias"] = [width]
    return {key: values(key, shape).requires_grad_() for key, shape in shapes.items()}


def bert(w, ids, mask, segments, activation):
    width, eps = CONFIG["hidden_size"], CONFIG["layer_norm_eps"]

    def norm(x, name):
        return F.layer_norm(x, [width], w[f"{name}.weight"], w[f"{name}.bias"], eps)

    x = F.embedding(ids, w["embeddings.word_embeddings.weight"], padding_idx=CONFIG["pad_token_id"])
    x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = x + F.embedding(segments, w["embeddings.token_type_embeddings.weight"])
    x = norm(x, "embeddings.LayerNorm")
    layer = nn.TransformerEncoderLayer(
        width, CONFIG["num_attention_heads"], CONFIG["intermediate_size"], dropout=0.0,
        activation=ACTIVATIONS[activation], layer_norm_eps=eps, batch_first=True,
    )
    for i in range(CONFIG["num_hidden_layers"]):
        at = f"encoder.layer.{i}."
        both = {}
        for kind in ("weight", "bias"):
            parts = [w[f"{at}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            both[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
            both[f"self_attn.out_proj.{kind}"] = w[f"{at}attention.output.dense.{kind}"]
            both[f"norm1.{kind}"] = w[f"{at}attention.output.LayerNorm.{kind}"]
            both[f"linear1.{kind}"] = w[f"{at}intermediate.dense.{kind}"]
            both[f"linear2.{kind}"] = w[f"{at}output.dense.{kind}"]
            both[f"norm2.{kind}"] = w[f"{at}output.LayerNorm.{kind}"]
        x = functional_call(layer, both, x, {"src_key_padding_mask": ~mask.bool()})
    return x, torch.tanh(F.linear(x[:, 0], w["pooler.dense.weight"], w["pooler.dense.bias"]))


def rounded(x):
    return np.round(x.detach().numpy(), 8).tolist()


ids = torch.tensor([[2, 7, 19, 33, 11, 3, 8], [2, 21, 39, 3, 0, 0, 0], [2, 5, 5, 30, 3, 0, 0]])
mask = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0]])
segments = torch.tensor([[0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0]])
w = weights()
sequence, pooled = bert(w, ids, mask, segments, "gelu")
# A loss that no two elements share.
loss = (sequence * torch.linspace(0.5, 1.5, sequence.numel()).reshape(sequence.shape)).sum() + (pooled ** 2).sum()
loss.backward()
gradients = {key: float((x.grad * torch.linspace(0.5, 1.5, x.numel()).reshape(x.shape)).sum()) for key, x in w.items()}
golden = {
    "config": CONFIG,
    "shapes": {key: list(x.shape) for key, x in w.items()},
    "ids": ids.tolist(),
    "mask": mask.tolist(),
    "segments": segments.tolist(),
    "sequence": rounded(sequence),
    "pooled": rounded(pooled),
    "first": {name: rounded(bert(w, ids, mask, segments, name)[0][:, 0]) for name in ("gelu_new", "relu")},
    "gradients": gradients,
}
Path(__file__).with_name("bert.json").write_text(json.dumps(golden))
