#!/usr/bin/env python3
"""Writes stylegan.json: StyleGAN2's networks of the smallest size, from the layers of test/golden/make_style_golden.py.

Run: python3 test/talkinghead/golden/make_stylegan.py
"""
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "golden"))
from make_golden import case, layers, r  # noqa: E402
from make_style_golden import SMOOTH, Conv, Linear, Modulated, deviation, filtered  # noqa: E402


def bend(x):
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class Layer(nn.Module):
    def __init__(self, i, o, style, side, up):
        super().__init__()
        self.conv = Modulated(i, o, 3, style, up=up)
        self.strength = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(o))
        self.register_buffer("noise", torch.randn(1, 1, side, side))

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
    """8 pixels: 4 x 4 of 6 channels, doubled to 5 channels; every slot has a style of its own."""

    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, 6, 4, 4))
        self.layers = nn.ModuleList([Layer(6, 6, 5, 4, False), Layer(6, 5, 5, 8, True), Layer(5, 5, 5, 8, False)])
        self.colours = nn.ModuleList([Colours(6, 5), Colours(5, 5)])

    def forward(self, styles):
        x = self.layers[0](self.start.expand(styles.shape[0], -1, -1, -1), styles[:, 0])
        picture = self.colours[0](x, styles[:, 1])
        x = self.layers[1](x, styles[:, 1])
        x = self.layers[2](x, styles[:, 2])
        return filtered(picture, SMOOTH, up=2, pad=(2, 1, 2, 1), gain=4) + self.colours[1](x, styles[:, 3])


class Down(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv1 = Conv(i, i, 3)
        self.conv2 = Conv(i, o, 3, "down")
        self.skip = Conv(i, o, 1, "down", bias=False)

    def forward(self, x):
        return (bend(self.conv2(bend(self.conv1(x)))) + self.skip(x)) / math.sqrt(2)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.begin = Conv(3, 5, 1)
        self.blocks = nn.ModuleList([Down(5, 6)])
        self.conv = Conv(7, 6, 3)
        self.fc = Linear(6 * 16, 6)
        self.score = Linear(6, 1)

    def forward(self, x):
        y = self.blocks[0](bend(self.begin(x)))
        y = bend(self.conv(deviation(y, 4, 1)))
        return self.score(bend(self.fc(y.flatten(1))))


class Scores(nn.Module):
    def __init__(self):
        super().__init__()
        self.begin = Conv(6, 2, 3)
        self.layers = nn.ModuleList([Conv(2, 4, 3, "down"), Conv(4, 8, 3, "down")])
        self.score = Conv(8, 1, 3)

    def forward(self, x):
        y = bend(self.begin(x))
        for layer in self.layers:
            y = bend(layer(y))
        return self.score(y)


class Patches(nn.Module):
    """Two scales, of two layers each; a picture beside that of its person. All scores in one row."""

    def __init__(self):
        super().__init__()
        self.scales = nn.ModuleList([Scores(), Scores()])

    def forward(self, x, person):
        both = torch.cat([person, x], 1)
        half = (both[:, :, ::2, ::2] + both[:, :, 1::2, ::2] + both[:, :, ::2, 1::2] + both[:, :, 1::2, 1::2]) / 4
        return torch.cat([self.scales[0](both).flatten(1), self.scales[1](half).flatten(1)], 1)


class AdaIn(nn.Module):
    def __init__(self, width, code):
        super().__init__()
        self.affine = Linear(code, 2 * width)

    def forward(self, x, code):
        told = self.affine(code)
        scale, shift = told[:, :x.shape[1]], told[:, x.shape[1]:]
        mean = x.mean(1, keepdim=True)
        deviation = torch.sqrt(((x - mean) ** 2).mean(1, keepdim=True) + 1e-8)
        return (1 + scale) * (x - mean) / deviation + shift


class Level(nn.Module):
    def __init__(self, width, face):
        super().__init__()
        self.fc = Linear(width, width)
        self.strength = nn.Parameter(torch.zeros(1))
        self.norm = AdaIn(width, face)
        self.register_buffer("noise", torch.randn(width))

    def forward(self, x, face):
        return self.norm(F.leaky_relu(self.fc(x), 0.2) + self.strength * self.noise, face)


class Editing(nn.Module):
    """Sound of 3 numbers, emotion of 2, a face of 4, levels of 5."""

    def __init__(self):
        super().__init__()
        self.enter = Linear(5, 5)
        self.levels = nn.ModuleList([Level(5, 4) for _ in range(3)])

    def forward(self, sound, emotion, face):
        x = self.enter(torch.cat([sound, emotion], 1))
        told = []
        for level in self.levels:
            x = level(x, face)
            told.append(x)
        return torch.stack(told, 1)


if __name__ == "__main__":
    case("editing", Editing, r(2, 3), r(2, 2), r(2, 4))
    case("synthesis", Synthesis, r(2, 4, 5))
    case("discriminator", Discriminator, r(4, 3, 8, 8))
    case("patches", Patches, r(2, 3, 8, 8), r(2, 3, 8, 8))
    for record in layers.values():
        record.pop("repr")
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in layers.items())
    (HERE / "stylegan.json").write_text(f"{{\n{lines}\n}}\n")
