#!/usr/bin/env python3
"""Writes values for the tests of StyleGAN2's parts: style-layers.json, beside this file.

Run with any Python that has torch 1.13 or later:  python3 test/golden/make_style_golden.py
Written from the formulas of Karras et al. 2018 and 2020, the slow way: filters are sums over shifted pictures, and modulated
weights are made for every sample. Cases are recorded as in make_golden.py.
"""
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

from make_golden import case, layers, r, write


def filtered(x, taps, up=1, down=1, pad=(0, 0, 0, 0), gain=1.0):
    """y[n] = sum_k f[k] x[n - k], along both axes, of x with zeros between and around."""
    f = torch.tensor(taps, dtype=x.dtype)
    f = torch.outer(f, f) * gain if f.dim() == 1 else f * gain
    b, c, h, w = x.shape
    wide = x.new_zeros(b, c, h * up, w * up)
    wide[:, :, ::up, ::up] = x
    left, right, top, bottom = pad
    wide = F.pad(wide, (left, right, top, bottom))
    kh, kw = f.shape
    hh, ww = wide.shape[2] - kh + 1, wide.shape[3] - kw + 1
    out = 0
    for i in range(kh):
        for j in range(kw):
            out = out + f[i, j] * wide[:, :, kh - 1 - i:kh - 1 - i + hh, kw - 1 - j:kw - 1 - j + ww]
    return out[:, :, ::down, ::down]


SMOOTH = [v / 8 for v in (1, 3, 3, 1)]


class Linear(nn.Module):
    def __init__(self, i, o, bias=True, multiplier=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(o, i))
        if bias:
            self.bias = nn.Parameter(torch.zeros(o))
        self.multiplier = multiplier

    def forward(self, x):
        y = x @ (self.weight * self.multiplier / math.sqrt(self.weight.shape[1])).T
        return y + self.bias * self.multiplier if hasattr(self, "bias") else y


class Conv(nn.Module):
    def __init__(self, i, o, k, resample=None, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(o, i, k, k))
        if bias:
            self.bias = nn.Parameter(torch.zeros(o))
        self.resample, self.k = resample, k

    def forward(self, x):
        w = self.weight / math.sqrt(self.weight[0].numel())
        if self.resample == "up":
            # Zeros between, the kernel turned round, then the filter with all its paddings in one.
            h, width = x.shape[2:]
            stuffed = x.new_zeros(x.shape[0], x.shape[1], 2 * h - 1, 2 * width - 1)
            stuffed[:, :, ::2, ::2] = x
            y = F.conv2d(F.pad(stuffed, [self.k - 1] * 4), w.flip([2, 3]))
            side = (2 * h + 3 - y.shape[2])
            y = filtered(y, SMOOTH, pad=((side + 1) // 2, side // 2) * 2, gain=4)
        elif self.resample == "down":
            p = 2 + self.k - 1
            y = F.conv2d(filtered(x, SMOOTH, pad=((p + 1) // 2, p // 2) * 2), w, stride=2)
        else:
            y = F.conv2d(x, w, padding=self.k // 2)
        return y + self.bias[:, None, None] if hasattr(self, "bias") else y


class Modulated(nn.Module):
    def __init__(self, i, o, k, style, demodulate=True, up=False):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(o, i, k, k))
        self.affine = Linear(style, i)
        self.demodulate, self.up = demodulate, up

    def forward(self, x, style):
        out = []
        for sample, scale in zip(x, self.affine(style)):
            w = self.weight / math.sqrt(self.weight[0].numel()) * scale[None, :, None, None]
            if self.demodulate:
                w = w / torch.sqrt((w ** 2).sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
            if self.up:
                y = F.conv_transpose2d(sample[None], w.transpose(0, 1), stride=2)
                side = 2 * x.shape[2] + 3 - y.shape[2]
                y = filtered(y, SMOOTH, pad=((side + 1) // 2, side // 2) * 2, gain=4)
            else:
                y = F.conv2d(sample[None], w, padding=w.shape[2] // 2)
            out.append(y)
        return torch.cat(out)


def deviation(x, group, features):
    """A loop over groups: sample b belongs with those at a distance of batch / group."""
    batch, channels, h, w = x.shape
    each = channels // features
    rows = [None] * batch
    for first in range(batch // group):
        members = list(range(first, batch, batch // group))
        told = []
        for f in range(features):
            part = x[members, f * each:(f + 1) * each]
            told.append(torch.sqrt(((part - part.mean(0)) ** 2).mean(0) + 1e-8).mean())
        for m in members:
            rows[m] = torch.stack(told)
    return torch.cat([x, torch.stack(rows)[:, :, None, None].expand(batch, features, h, w)], 1)


class Judge(nn.Module):
    """A convolution, a bend, a sum: a discriminator small enough to write its derivative down."""

    def __init__(self):
        super().__init__()
        self.conv = Conv(2, 3, 3, "down")

    def forward(self, x):
        return F.softplus(self.conv(x)).sum(dim=(1, 2, 3))


def slopes(judge, x):
    """R1 by the chain rule, written out: the derivative of softplus is the sigmoid, that of a linear map its transpose."""
    inner = judge.conv(x)
    rows = []
    w = judge.conv.weight / math.sqrt(judge.conv.weight[0].numel())
    for one in torch.sigmoid(inner):
        back = F.conv_transpose2d(one[None], w, stride=2)
        back = filtered(back, SMOOTH[::-1], pad=(1, 1, 1, 1))
        rows.append((back[:, :, :x.shape[2], :x.shape[3]] ** 2).sum())
    return torch.stack(rows)


def lengths(m, x, style, noise):
    y = m(x, style)
    (slope,) = torch.autograd.grad((y * noise).sum() / math.sqrt(y.shape[2] * y.shape[3]), style, create_graph=True)
    return torch.sqrt((slope ** 2).sum(1))


def make():
    x = r(2, 3, 4, 6)
    case("fir, neither", None, x, call=lambda x: filtered(x, [1.0, -2.0, 0.5], pad=(1, 2, 0, 1), gain=0.7))
    case("fir, up 3", None, x, call=lambda x: filtered(x, [1.0, 3.0, 3.0, 1.0], up=3, pad=(2, 1, 3, 0)))
    case("fir, down 2, cut", None, x, call=lambda x: filtered(x, [[1.0, 2.0], [0.5, -1.0]], down=2, pad=(-1, 0, 1, 0)))
    case("fir, twice the size", None, x, call=lambda x: filtered(x, SMOOTH, up=2, pad=(2, 1, 2, 1), gain=4))
    case("fir, half the size", None, x, call=lambda x: filtered(x, SMOOTH, down=2, pad=(1, 1, 1, 1)))
    case("equalizedLinear", lambda: Linear(3, 4), r(2, 3))
    case("equalizedLinear, slow, no bias", lambda: Linear(3, 2, bias=False, multiplier=0.01), r(2, 5, 3))
    case("equalizedConv2d", lambda: Conv(3, 2, 3), x)
    for k in (1, 3):
        case(f"equalizedConv2d, down, {k}", lambda: Conv(3, 2, k, "down"), x)
        case(f"equalizedConv2d, up, {k}", lambda: Conv(3, 2, k, "up"), x)
    style = r(2, 5)
    case("modulatedConv2d", lambda: Modulated(3, 4, 3, 5), x, style)
    case("modulatedConv2d, up", lambda: Modulated(3, 2, 3, 5, up=True), x, style)
    case("modulatedConv2d, not demodulated", lambda: Modulated(3, 2, 1, 5, demodulate=False), x, style)
    case("minibatchStdDev", None, r(4, 3, 2, 2), call=lambda x: deviation(x, 2, 1))
    case("minibatchStdDev of 6 by 4, two features", None, r(6, 4, 2, 2), call=lambda x: deviation(x, 3, 2))
    case("pixelNorm", None, r(2, 3, 2, 2), call=lambda x: x / torch.sqrt((x ** 2).mean(1, keepdim=True) + 1e-8))
    case("r1", Judge, r(2, 2, 4, 4), call=slopes)
    case("pathLengths", lambda: Modulated(3, 2, 3, 5, up=True), x, style, r(2, 2, 8, 12), call=lengths)
    for record in layers.values():
        record.pop("repr", None)


if __name__ == "__main__":
    make()
    write("style-layers.json", {"torch": torch.__version__, "cases": layers})
    print(f"{len(layers)} layer cases", file=sys.stderr)
