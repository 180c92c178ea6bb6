"""The network of bench/reader.ts in PyTorch: a BERT or a sentence encoder, and the heads that read its rows. Keys are Headrace's."""

import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def attend(q, k, v, keys, heads):
    """Attention of several heads; keys: bool [B, 1, 1, L], true for what is attended to."""
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)
    return (scores.masked_fill(~keys, -math.inf).softmax(-1) @ v).transpose(1, 2).flatten(2)


class BertEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config["hidden_size"]
        self.word_embeddings = nn.Embedding(config["vocab_size"], width)
        self.position_embeddings = nn.Embedding(config["max_position_embeddings"], width)
        self.token_type_embeddings = nn.Embedding(config["type_vocab_size"], width)
        self.LayerNorm = nn.LayerNorm(width, eps=config["layer_norm_eps"])

    def forward(self, ids):
        words = self.word_embeddings(ids) + self.token_type_embeddings(torch.zeros_like(ids))
        return self.LayerNorm(words + self.position_embeddings.weight[: ids.shape[1]])


class BertLayer(nn.Module):
    def __init__(self, config, _):
        super().__init__()
        width, eps = config["hidden_size"], config["layer_norm_eps"]
        self.heads = config["num_attention_heads"]
        self.attention = nn.ModuleDict(
            {
                "self": nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")}),
                "output": nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, eps=eps)}),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, config["intermediate_size"])})
        self.output = nn.ModuleDict(
            {"dense": nn.Linear(config["intermediate_size"], width), "LayerNorm": nn.LayerNorm(width, eps=eps)}
        )

    def forward(self, x, keys):
        own, out = self.attention["self"], self.attention["output"]
        read = attend(own["query"](x), own["key"](x), own["value"](x), keys, self.heads)
        x = out["LayerNorm"](out["dense"](read) + x)
        return self.output["LayerNorm"](self.output["dense"](F.gelu(self.intermediate["dense"](x))) + x)


class SentenceEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word_embeddings = nn.Embedding(config["vocab_size"], config["embedding_size"])

    def forward(self, ids):
        rows = self.word_embeddings(ids)
        half = rows.shape[2] // 2
        rates = torch.exp(torch.arange(half) * (-math.log(1e4) / (half - 1)))
        angles = torch.arange(ids.shape[1]).float().unsqueeze(1) * rates
        return rows + torch.cat([angles.sin(), angles.cos()], 1)


class SentenceLayer(nn.Module):
    def __init__(self, config, n):
        super().__init__()
        width, inner, eps = config["hidden_size"], config["intermediate_size"], config["layer_norm_eps"]
        start = config["embedding_size"] if n == 0 else width
        self.heads = config["num_attention_heads"]
        self.norm, self.inner_norm = nn.LayerNorm(start, eps=eps), nn.LayerNorm(width, eps=eps)
        self.qkv, self.out = nn.Linear(start, 3 * start), nn.Linear(start, width)
        self.adjust = None if start == width else nn.Linear(start, width)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x, keys):
        read = attend(*self.qkv(self.norm(x)).chunk(3, -1), keys, self.heads)
        x = self.out(read) + (x if self.adjust is None else self.adjust(x))
        return x + self.outer(self.inner(self.inner_norm(x)).relu())


class SentenceVector(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, rows, mask):
        kept = rows.masked_fill(~mask.unsqueeze(2), 0)
        return self.dense(kept.sum(1) / mask.sum(1).clamp_min(1).float().unsqueeze(1)).tanh()


class Heads(nn.Module):
    def __init__(self, width, piece_width, summary, hidden, filters, outputs):
        super().__init__()
        self.summary = summary
        self.pool = nn.ModuleDict({"score": nn.Linear(width, 1)})
        convs = [nn.Conv1d(piece_width, filters // 4, span, padding="same") for span in (1, 2, 3, 4)]
        self.filters = nn.ModuleDict({"convs": nn.ModuleList(convs)}) if filters else None
        self.norm = nn.LayerNorm(3 * width + filters)
        self.dense = nn.Linear(3 * width + filters, hidden)
        self.outputs = nn.Linear(hidden, outputs)

    def forward(self, rows, mask, pieces):
        hidden = ~mask.unsqueeze(2)
        weights = self.pool["score"](rows).masked_fill(hidden, -1e9).softmax(1)
        parts = [
            rows[:, 0] if self.summary is None else self.summary(rows, mask),
            (rows * weights).sum(1),
            rows.masked_fill(hidden, -1e9).amax(1),
        ]
        if self.filters is not None:
            columns = pieces.masked_fill(hidden, 0).transpose(1, 2)
            found = torch.cat([conv(columns) for conv in self.filters["convs"]], 1).relu().transpose(1, 2)
            parts.append(found.masked_fill(hidden, 0).amax(1))
        return self.outputs(F.gelu(self.dense(self.norm(torch.cat(parts, 1)))))


class Reader(nn.Module):
    def __init__(self, config, heads, outputs):
        super().__init__()
        sentence = config["model_type"] == "universal-sentence-encoder"
        width, piece_width = config["hidden_size"], config["embedding_size" if sentence else "hidden_size"]
        self.padding = config["pad_token_id"]
        embeddings, layer = (SentenceEmbeddings, SentenceLayer) if sentence else (BertEmbeddings, BertLayer)
        layers = nn.ModuleList([layer(config, n) for n in range(config["num_hidden_layers"])])
        parts = {"embeddings": embeddings(config)}
        parts.update({"layer": layers} if sentence else {"encoder": nn.ModuleDict({"layer": layers})})
        self.layers, self.name = [layers], "encoder" if sentence else "bert"
        self.add_module(self.name, nn.ModuleDict(parts))
        summary = SentenceVector(width) if sentence else None
        self.reader = Heads(width, piece_width, summary, heads["hidden"], heads["filters"], outputs)

    def forward(self, ids):
        mask = ids != self.padding
        keys = mask.unsqueeze(1).unsqueeze(1)
        pieces = rows = getattr(self, self.name)["embeddings"](ids)
        for layer in self.layers[0]:
            rows = layer(rows, keys)
        return self.reader(rows, mask, pieces)


class Reading:
    """The network with given weights, and the batches that it reads."""

    def __init__(self, config, heads, weights, ids):
        given = {key: torch.from_numpy(value) for key, value in np.load(weights).items()}
        self.model = Reader(config, heads, len(given["reader.outputs.bias"])).eval()
        self.model.load_state_dict(given)
        arrays = np.load(ids)
        self.batches = [torch.from_numpy(arrays[str(i)]) for i in range(len(arrays.files))]

    @torch.inference_mode()
    def output(self):
        return self.model(self.batches[0]).tolist()

    @torch.inference_mode()
    def seconds(self, count):
        start = time.perf_counter()
        for _ in range(count):
            for batch in self.batches:
                self.model(batch).tolist()
        return time.perf_counter() - start
