"""Writes models.json: the arithmetic of the baseline models in PyTorch, float64, in code of its own.

Run: python3 models.py   (PyTorch; then format models.json with `npm run format`)
"""

import json
import math
from itertools import product
from pathlib import Path

import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240512)


def draw(*shape):
    return torch.randn(*shape).mul(1000).round().div(1000)


def listed(value):
    if isinstance(value, torch.Tensor):
        return value.detach().tolist()
    if isinstance(value, dict):
        return {key: listed(item) for key, item in value.items()}
    return [listed(item) for item in value] if isinstance(value, (list, tuple)) else value


def gradients(loss, inputs):
    return list(torch.autograd.grad(loss, inputs))


def vectors():
    return {"text": draw(2, 3), "audio": draw(2, 2), "vision": draw(2, 2)}


def tensor_fusion():
    """Products one by one, by their indices."""
    given = vectors()
    ones = [torch.cat([torch.ones(2, 1), v], 1) for v in given.values()]

    def fused(parts):
        places = list(product(*[range(p.shape[1]) for p in parts]))
        return [[math.prod(float(p[row, i]) for p, i in zip(parts, place)) for place in places] for row in range(2)]

    return {"vectors": given, "three": fused(ones), "two": fused(ones[:2])}


def low_rank_fusion():
    """Through the whole tensor of weights, [text, audio, vision, outputs]."""
    given = {name: v.requires_grad_() for name, v in vectors().items()}
    rank, outputs = 3, 2
    factors = {name: draw(rank, v.shape[1] + 1, outputs).requires_grad_() for name, v in given.items()}
    weights, bias = draw(1, rank).requires_grad_(), draw(1, outputs).requires_grad_()
    t, a, v = factors.values()
    whole = torch.einsum("r,rio,rjo,rko->ijko", weights[0], t, a, v)
    ones = [torch.cat([torch.ones(2, 1), x], 1) for x in given.values()]
    output = torch.einsum("bi,bj,bk,ijko->bo", *ones, whole) + bias
    pull = draw(2, outputs)
    grads = gradients((output * pull).sum(), [*given.values(), *factors.values(), weights])
    state = {f"{name}_factor": f for name, f in factors.items()} | {"fusion_weights": weights, "fusion_bias": bias}
    names = [*given, *(f"{name}_factor" for name in factors), "fusion_weights"]
    return {"vectors": given, "state": state, "output": output, "pull": pull, "gradients": dict(zip(names, grads))}


def misa_losses():
    a, b = torch.sigmoid(draw(5, 3)).requires_grad_(), torch.sigmoid(draw(5, 3)).requires_grad_()
    c = draw(5, 4).requires_grad_()

    def moment(x, order):
        return torch.stack([((row - x.mean(0)) ** order) for row in x]).mean(0)

    cmd = torch.linalg.norm(a.mean(0) - b.mean(0))
    for order in range(2, 6):
        cmd = cmd + torch.linalg.norm(moment(a, order) - moment(b, order))

    def unit(x):
        centred = [row - x.mean(0) for row in x]
        return [row / (math.sqrt(float((row**2).sum())) + 1e-6) for row in centred]

    total = 0
    left, right = unit(a), unit(c)
    for i in range(3):
        for j in range(4):
            total = total + sum(left[n][i] * right[n][j] for n in range(5)) ** 2
    difference = total / 12
    return {
        "a": a,
        "b": b,
        "c": c,
        "cmd": cmd,
        "cmdGradients": gradients(cmd, [a, b]),
        "difference": difference,
        "differenceGradients": gradients(difference, [a, c]),
    }


def positions(length, width):
    table = torch.zeros(length, width)
    half = width // 2
    for place, i in product(range(length), range(half)):
        angle = (place + 1) * math.exp(-math.log(10000) * i / (half - 1))
        table[place, i], table[place, half + i] = math.sin(angle), math.cos(angle)
    return table


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.layer_norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, x, source, mask):
        query = self.layer_norms[0](x)
        keys = query if source is None else self.layer_norms[0](source)
        x = x + self.self_attn(query[:, None], keys[:, None], keys[:, None], attn_mask=mask)[0][:, 0]
        return x + self.fc2(torch.relu(self.fc1(self.layer_norms[1](x))))


class Transformer(nn.Module):
    """Of one utterance without padding: [T, width]."""

    def __init__(self, width, heads, layers):
        super().__init__()
        self.layers = nn.ModuleList([Layer(width, heads) for _ in range(layers)])
        self.layer_norm = nn.LayerNorm(width)
        self.width = width

    def placed(self, x):
        return x * math.sqrt(self.width) + positions(len(x), self.width)

    def forward(self, target, source, causal):
        x, seen = self.placed(target), None if source is None else self.placed(source)
        t, s = len(target), len(target if source is None else source)
        hidden = [[causal and j > i + abs(s - t) for j in range(s)] for i in range(t)]
        for layer in self.layers:
            x = layer(x, seen, torch.tensor(hidden))
        return self.layer_norm(x)


def crossmodal():
    model = Transformer(6, 2, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(draw(*parameter.shape) * 0.5)
    targets = [draw(3, 6).requires_grad_(), draw(4, 6).requires_grad_(), draw(1, 6).requires_grad_()]
    sources = [draw(5, 6).requires_grad_(), draw(2, 6).requires_grad_(), draw(3, 6).requires_grad_()]
    pulls = [draw(*t.shape) for t in targets]
    cases = {}
    for name, given, causal in [("causal", sources, True), ("whole", sources, False), ("self", [None] * 3, True)]:
        outputs = [model(t, s, causal) for t, s in zip(targets, given)]
        loss = sum((o * p).sum() for o, p in zip(outputs, pulls))
        grads = gradients(loss, targets + [s for s in given if s is not None])
        weight = model.layers[0].self_attn.in_proj_weight
        loss = sum((model(t, s, causal) * p).sum() for t, s, p in zip(targets, given, pulls))
        cases[name] = {
            "outputs": outputs,
            "targetGradients": grads[:3],
            "sourceGradients": grads[3:],
            "weightGradient": gradients(loss, [weight])[0],
        }
    return {"state": model.state_dict(), "targets": targets, "sources": sources, "pulls": pulls, "cases": cases}


golden = {
    "tensorFusion": tensor_fusion(),
    "lowRankFusion": low_rank_fusion(),
    "misa": misa_losses(),
    "crossmodal": crossmodal(),
}
Path(__file__).with_name("models.json").write_text(json.dumps(listed(golden)))
