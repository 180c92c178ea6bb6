"""The network and the training of bench/sentiment.ts in PyTorch: Self-MM's procedure with a small text encoder."""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

MODALITIES = ("text", "audio", "vision")


class WordEncoder(nn.Module):
    def __init__(self, vocabulary, dims, width, heads, dropout, word_dropout):
        super().__init__()
        self.word_dropout = word_dropout
        self.embedding = nn.Embedding(vocabulary, dims, padding_idx=0)
        self.input = nn.Linear(dims, width)
        self.position = nn.Parameter(torch.randn(128, width) * 0.02)
        self.layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.score = nn.Linear(width, 1)
        self.norm = nn.LayerNorm(2 * width)
        self.output = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids, mask):
        if self.training:
            hidden = torch.rand(ids.shape) < self.word_dropout
            ids = ids.masked_fill(hidden & (ids != 0), 1)
        x = self.input(self.dropout(self.embedding(ids))) + self.position[: ids.shape[1]]
        x = self.layer(x, src_key_padding_mask=~mask)
        absent = ~mask.unsqueeze(2)
        weights = self.score(x).masked_fill(absent, -1e9).softmax(1)
        pooled = torch.cat([(x * weights).sum(1), x.masked_fill(absent, -1e9).amax(1)], 1)
        return F.gelu(self.output(self.dropout(self.norm(pooled))))


class SequenceEncoder(nn.Module):
    def __init__(self, rows, hidden, out, dropout):
        super().__init__()
        self.rnn = nn.LSTM(rows, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.linear_1 = nn.Linear(hidden, out)

    def forward(self, values, lengths):
        packed = pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.rnn(packed)
        return self.linear_1(self.dropout(last.squeeze(0)))


class Head(nn.Module):
    def __init__(self, width, hidden, dropout):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.layer_1 = nn.Linear(width, hidden)
        self.layer_2 = nn.Linear(hidden, hidden)
        self.layer_3 = nn.Linear(hidden, 1)

    def forward(self, features):
        hidden = F.relu(self.layer_1(self.dropout(features)))
        return hidden, self.layer_3(F.relu(self.layer_2(hidden))).squeeze(1)


class SelfMM(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width = shape["width"]
        self.text = WordEncoder(
            shape["vocabulary"], shape["dims"], width, shape["heads"], shape["dropout"], shape["wordDropout"]
        )
        self.audio = SequenceEncoder(shape["audio"], 16, 16, 0.1)
        self.vision = SequenceEncoder(shape["vision"], 32, 32, 0.0)
        self.heads = nn.ModuleDict(
            {"text": Head(width, 32, 0.1), "audio": Head(16, 16, 0.1), "vision": Head(32, 32, 0.0)}
        )
        self.fusion = Head(width + 48, 128, 0.0)

    def forward(self, batch):
        features = {
            "text": self.text(batch["ids"], batch["mask"]),
            "audio": self.audio(batch["audio"], batch["audioLengths"]),
            "vision": self.vision(batch["vision"], batch["visionLengths"]),
        }
        results = {name: self.heads[name](features[name]) for name in MODALITIES}
        results["multimodal"] = self.fusion(torch.cat([features[name] for name in MODALITIES], 1))
        return results


class Labels:
    """Self-MM's label generator: labels, features and centres of every head."""

    def __init__(self, labels, widths):
        self.labels = {name: labels.clone() for name in widths}
        self.features = {name: torch.zeros(len(labels), width) for name, width in widths.items()}
        self.centres = {name: torch.zeros(2, width) for name, width in widths.items()}

    def update(self, index, hidden, epoch):
        if epoch > 1:
            alpha = {name: self.distance(name, value) for name, value in hidden.items()}
            whole, original = alpha["multimodal"], self.labels["multimodal"][index]
            for name in MODALITIES:
                new = 0.5 * (alpha[name] / (whole + 1e-8)) * original + 0.5 * (original + alpha[name] - whole)
                new = new.clamp(-3, 3)
                old = self.labels[name][index]
                self.labels[name][index] = (epoch - 1) / (epoch + 1) * old + 2 / (epoch + 1) * new
        for name, value in hidden.items():
            self.features[name][index] = value
            signs = torch.stack([self.labels[name] > 0, self.labels[name] < 0]).float()
            self.centres[name] = signs @ self.features[name] / signs.sum(1, keepdim=True).clamp_min(1)

    def distance(self, name, hidden):
        positive, negative = ((hidden - centre).norm(dim=1) for centre in self.centres[name])
        return (negative - positive) / (positive + 1e-8)


class Training:
    """Epochs over the arrays of a file."""

    def __init__(self, path, shape, rates, batch, foreach):
        torch.manual_seed(0)
        arrays = {name: torch.from_numpy(value) for name, value in np.load(path).items()}
        self.data, self.batch = arrays, batch
        self.model = SelfMM(shape)
        widths = {"text": 32, "audio": 16, "vision": 32, "multimodal": 128}
        self.labels = Labels(arrays["label"], widths)
        self.trained = sum(p.numel() for p in self.model.parameters())
        self.optimizer = torch.optim.Adam(self.groups(rates), foreach=foreach)
        self.number = 0

    def groups(self, rates):
        """The parameters by rate and decay; those of text that are biases, norms or word vectors do not decay."""
        found = {}
        for name, parameter in self.model.named_parameters():
            first = name.split(".")[0]
            part = first if first in MODALITIES else "other"
            bare = part == "text" and (parameter.ndim < 2 or "embedding" in name)
            options = {"lr": rates[part]["lr"], "weight_decay": 0.0 if bare else rates[part]["weightDecay"]}
            found.setdefault((part, bare), {"params": [], **options})["params"].append(parameter)
        return list(found.values())

    def take(self, index):
        """A batch, as long as its longest sequences."""
        batch = {"index": index}
        tokens = self.data["tokens"][index]
        longest = int(tokens[:, 1].sum(1).max())
        batch["ids"], batch["mask"] = tokens[:, 0, :longest], tokens[:, 1, :longest] != 0
        for name in ("audio", "vision"):
            lengths = self.data[f"{name}Lengths"][index]
            batch[f"{name}Lengths"] = lengths
            batch[name] = self.data[name][index, : int(lengths.max())]
        return batch

    def epoch(self):
        self.number += 1
        self.model.train()
        start = time.perf_counter()
        for index in torch.randperm(len(self.data["label"])).split(self.batch):
            results = self.model(self.take(index))
            labels = {name: table[index] for name, table in self.labels.labels.items()}
            loss = (results["multimodal"][1] - labels["multimodal"]).abs().mean()
            for name in MODALITIES:
                weight = (labels[name] - labels["multimodal"]).abs().tanh()
                loss = loss + (weight * (results[name][1] - labels[name]).abs()).mean()
            loss.backward()
            loss.item()
            with torch.no_grad():
                hidden = {name: result[0].detach() for name, result in results.items()}
                self.labels.update(index, hidden, self.number)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return len(self.data["label"]) / (time.perf_counter() - start)
