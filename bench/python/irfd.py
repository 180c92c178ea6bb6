"""The network and the training step of bench/speak.ts in PyTorch: IRFD with the repaired losses, written the ordinary way."""

import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from models import BasicBlock

FACTORS = ("identity", "emotion", "pose")


def bend(x):
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class Encoder(nn.Module):
    """torchvision's ResNet of one basic block a group."""

    def __init__(self, width, size):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for group in range(4):
            block = BasicBlock(inputs, width << group, 1 if group == 0 else 2)
            setattr(self, f"layer{group + 1}", nn.Sequential(block))
            inputs = width << group
        self.fc = nn.Linear(inputs, size)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean([2, 3]))


class Linear(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(o, i))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x):
        return F.linear(x, self.weight * (1 / math.sqrt(self.weight.shape[1])), self.bias)


class Smooth(nn.Module):
    """Zeros between the pixels, where there are any to be put, padding, and the filter."""

    def __init__(self, up, pad):
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", torch.outer(taps, taps) * 4, persistent=False)
        self.up, self.pad = up, pad

    def forward(self, x):
        b, c, h, w = x.shape
        if self.up > 1:
            x = F.pad(x.reshape(b, c, h, 1, w, 1), (0, self.up - 1, 0, 0, 0, self.up - 1))
            x = x.reshape(b, c, h * self.up, w * self.up)
        return F.conv2d(F.pad(x, self.pad), self.kernel.expand(c, 1, 4, 4), groups=c)


class Modulated(nn.Module):
    """The map is scaled in place of the weights: one convolution for the whole batch."""

    def __init__(self, i, o, k, style, up=False, demodulate=True):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(o, i, k, k))
        self.affine = Linear(style, i)
        self.up, self.demodulate = up, demodulate
        if up:
            self.smooth = Smooth(1, (1, 1, 1, 1))

    def forward(self, x, style):
        scale = self.affine(style)
        weight = self.weight * (1 / math.sqrt(self.weight[0].numel()))
        x = x * scale[:, :, None, None]
        if self.up:
            x = self.smooth(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        if not self.demodulate:
            return x
        size = F.linear(scale.square(), weight.square().sum([2, 3])).add(1e-8).rsqrt()
        return x * size[:, :, None, None]


class Layer(nn.Module):
    def __init__(self, i, o, style, side, up):
        super().__init__()
        self.conv = Modulated(i, o, 3, style, up)
        self.strength = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(o))
        self.register_buffer("noise", torch.zeros(1, 1, side, side))

    def forward(self, x, style):
        return bend(self.conv(x, style) + self.noise * self.strength + self.bias[:, None, None])


class Colours(nn.Module):
    def __init__(self, i, style):
        super().__init__()
        self.conv = Modulated(i, 3, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x, style):
        return self.conv(x, style) + self.bias[:, None, None]


class Synthesis(nn.Module):
    def __init__(self, size, style, channels, budget):
        super().__init__()
        sides = [4 << i for i in range(int(math.log2(size)) - 1)]
        widths = [max(1, min(channels, budget // side)) for side in sides]
        self.start = nn.Parameter(torch.zeros(1, widths[0], 4, 4))
        layers = [Layer(widths[0], widths[0], style, 4, False)]
        for before, width, side in zip(widths, widths[1:], sides[1:]):
            layers += [Layer(before, width, style, side, True), Layer(width, width, style, side, False)]
        self.layers = nn.ModuleList(layers)
        self.colours = nn.ModuleList([Colours(width, style) for width in widths])
        self.larger = Smooth(2, (2, 1, 2, 1))

    def forward(self, style):
        x = self.layers[0](self.start.expand(style.shape[0], -1, -1, -1), style)
        picture = self.colours[0](x, style)
        for i, colours in enumerate(self.colours[1:]):
            x = self.layers[2 * i + 2](self.layers[2 * i + 1](x, style), style)
            picture = self.larger(picture) + colours(x, style)
        return picture


class Mapping(nn.Module):
    def __init__(self, inputs, style, layers):
        super().__init__()
        self.layers = nn.ModuleList([Linear(inputs if i == 0 else style, style) for i in range(layers)])

    def forward(self, x):
        for layer in self.layers:
            x = bend(layer(x))
        return x


class Irfd(nn.Module):
    def __init__(self, shape):
        super().__init__()
        codes, width = shape["codes"], shape["encoder"]["width"]
        for name in FACTORS:
            setattr(self, name, Encoder(width, codes[name]))
        style = shape["style"]
        self.mapping = Mapping(sum(codes.values()), style, shape["mapping"]["layers"])
        self.synthesis = Synthesis(shape["size"], style, shape["channels"], shape["budget"])
        self.classifier = nn.Linear(codes["emotion"], shape["emotions"])

    def encode(self, pictures):
        codes = {name: getattr(self, name)(pictures) for name in FACTORS}
        codes["identity"] = F.normalize(codes["identity"]) * math.sqrt(codes["identity"].shape[1])
        return codes

    def decode(self, codes):
        return self.synthesis(self.mapping(torch.cat([codes[name] for name in FACTORS], 1)))


def swapped(rows):
    s, t = rows.chunk(2)
    return torch.cat([t, s])


def apart(a, b):
    return (a - b).flatten(1).square().sum(1).add(1e-12).sqrt()


class Step:
    """The model with its optimizer and one batch."""

    def __init__(self, path, shape, factor, alpha, weights, rates, foreach):
        arrays = {name: torch.from_numpy(value) for name, value in np.load(path).items()}
        self.model = Irfd(shape)
        own = {name[6:]: value for name, value in arrays.items() if name.startswith("model.")}
        self.model.load_state_dict(own)
        self.model.train()
        self.batch = {name: value for name, value in arrays.items() if not name.startswith("model.")}
        self.factor, self.alpha, self.weights = factor, alpha, weights
        named = list(self.model.named_parameters())
        decodes = [name.startswith(("mapping.", "synthesis.")) for name, _ in named]
        groups = [
            {"params": [p for (_, p), d in zip(named, decodes) if not d], "lr": rates[0]},
            {"params": [p for (_, p), d in zip(named, decodes) if d], "lr": rates[1]},
        ]
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99), foreach=foreach)
        self.trained = sum(p.numel() for p in self.model.parameters())

    def losses(self):
        model, factor = self.model, self.factor
        pictures, emotions = self.batch["pictures"], self.batch["emotions"]
        codes = model.encode(pictures)
        fake = {**codes, factor: swapped(codes[factor])}
        own, fakes = model.decode({name: torch.cat([codes[name], fake[name]]) for name in FACTORS}).chunk(2)
        again = model.encode(fakes)
        scale = 1 / math.sqrt(codes["identity"].shape[1])
        shown = (swapped(again["identity"]) if factor == "identity" else again["identity"]) * scale
        anchor = codes["identity"].detach() * scale
        near, far = apart(anchor, shown), apart(anchor, swapped(shown))
        same = self.batch["same"].bool()
        known = self.batch["known"][:, None, None, None]
        count = known.sum() * pictures[0].numel()
        labels = swapped(emotions) if factor == "emotion" else emotions
        weights = self.batch["weights"]
        placed = swapped(weights) if factor == "pose" else weights
        classify = model.classifier
        return {
            "self": ((own - pictures).abs() * weights).mean(),
            "exact": ((fakes - self.batch["truth"]).abs() * placed * known).sum() / count,
            "identity": torch.where(same, near, F.relu(near - far + self.alpha)).mean(),
            "emotion": apart(again["emotion"], fake["emotion"].detach()).mean(),
            "pose": apart(again["pose"], fake["pose"].detach()).mean(),
            "classification": F.cross_entropy(classify(codes["emotion"]), emotions, ignore_index=-1)
            + F.cross_entropy(classify(again["emotion"]), labels, ignore_index=-1),
        }

    def run(self):
        parts = self.losses()
        loss = sum(parts[name] * weight for name, weight in self.weights.items() if weight)
        told = loss.item()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        # What a training tells of itself.
        for part in parts.values():
            part.item()
        return told

    def seconds(self, count):
        start = time.perf_counter()
        for _ in range(count):
            self.run()
        return (time.perf_counter() - start) / count
