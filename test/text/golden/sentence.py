"""Writes sentence.json: what a small sentence encoder gives, in the operations of the published graph, float64.

Run: python3 sentence.py   (PyTorch 1.13 or later; then format sentence.json with `npm run format`)
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)

CONFIG = {
    "model_type": "universal-sentence-encoder",
    "vocab_size": 20,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 12,
    "layer_norm_eps": 1e-6,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "pad_token_id": 0,
}
IDS = [[4, 9, 2, 17, 5], [3, 3, 11, 0, 0]]


def drawn(key, shape):
    """Numbers that follow from the key, as in bert.py."""
    state = 2166136261
    for byte in key.encode():
        state = ((state ^ byte) * 16777619) % 2**32
    out = []
    for _ in range(int(np.prod(shape))):
        state = (1664525 * state + 1013904223) % 2**32
        out.append(state / 2**32 - 0.5)
    return torch.tensor(np.array(out, dtype=np.float32).astype(np.float64).reshape(shape))


def linear(x, key, rows):
    return x @ drawn(f"{key}.weight", [rows, x.shape[-1]]).T + drawn(f"{key}.bias", [rows])


def norm(x, key):
    width = x.shape[-1]
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + 1e-6)
    return scaled * drawn(f"{key}.weight", [width]) + drawn(f"{key}.bias", [width])


def attention(x, key, width):
    """One text, without padding: no mask is needed."""
    query, keys, value = linear(x, f"{key}.qkv", 3 * x.shape[-1]).split(x.shape[-1], -1)
    heads = []
    for part in torch.arange(x.shape[-1]).split(x.shape[-1] // 2):
        scores = (query[:, part] * (x.shape[-1] // 2) ** -0.5) @ keys[:, part].T
        heads.append(scores.softmax(-1) @ value[:, part])
    return linear(torch.cat(heads, -1), f"{key}.out", width)


def encode(ids):
    table = drawn("embeddings.word_embeddings.weight", [20, 8])
    rates = [math.exp(-i * math.log(1e4) / 3) for i in range(4)]
    places = torch.tensor([[f(p * r) for f in (math.sin, math.cos) for r in rates] for p in range(len(ids))])
    x = table[ids] + places
    for n in range(2):
        key = f"layer.{n}"
        beside = linear(x, f"{key}.adjust", 16) if n == 0 else x
        x = attention(norm(x, f"{key}.norm"), key, 16) + beside
        x = x + linear(linear(norm(x, f"{key}.inner_norm"), f"{key}.inner", 24).relu(), f"{key}.outer", 16)
    return F.normalize(linear(x.mean(0, keepdim=True), "summary.dense", 16).tanh())[0]


vectors = [encode([i for i in ids if i != 0]) for ids in IDS]
out = {"config": CONFIG, "ids": IDS, "vectors": [v.tolist() for v in vectors]}
Path(__file__).with_name("sentence.json").write_text(json.dumps(out))
