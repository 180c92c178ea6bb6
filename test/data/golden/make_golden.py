#!/usr/bin/env python3
"""Writes golden.json, beside this file: PyTorch's random_split and weighted draws, and torchvision's transforms.

Run with any Python that has torch 1.13 or later:  python3 test/data/golden/make_golden.py
torchvision itself is not needed: its formulas (torchvision/transforms/functional_tensor.py and transforms.py, version 0.14)
are written out here image by image. Random parameters are drawn from a torch.Generator in the order that src/data documents:
one row of float64 uniforms for each image.
"""
import base64
import json
import math
import os

import torch
import torch.nn.functional as F
from torch.utils.data import random_split

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
golden = {}


def pack(t):
    kind = str(t.dtype).split(".")[1]
    return {"dtype": kind, "shape": list(t.shape), "data": base64.b64encode(t.contiguous().numpy().tobytes()).decode()}


def pixels(b, c, h, w):
    i = torch.arange(b * c * h * w)
    return ((i * 37 + (i >> 3) * 11 + (i * i >> 7)) % 256).to(torch.uint8).reshape(b, c, h, w)


# random_split and the weighted sampler -----------------------------------------------------------------------------

golden["randomSplit"] = [
    {
        "length": length, "lengths": lengths, "seed": seed,
        "parts": [list(p.indices) for p in random_split(range(length), lengths, torch.Generator().manual_seed(seed))],
    }
    for length, lengths, seed in [(10, [7, 3], 0), (11, [0.5, 0.3, 0.2], 5), (7, [0.34, 0.33, 0.33], 1), (5, [5], 2), (4, [0, 4], 3)]
]
# The seeds are deriveSeed(seed, 'shuffle', epoch), as printed by Headrace.
golden["weighted"] = [
    {
        "weights": weights, "numSamples": n, "replacement": r, "seed": seed, "epoch": epoch, "derived": derived,
        "order": torch.multinomial(torch.tensor(weights, dtype=torch.float64), n, r,
                                   generator=torch.Generator().manual_seed(derived)).tolist(),
    }
    for weights, n, r, seed, epoch, derived in [
        ([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 12, True, 0, 0, 2092005467734532),
        ([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 5, False, 0, 1, 1884778239042128),
        ([0, 2, 0, 1, 1], 3, False, 7, 4, 2140287325303679),
        ([1, 1000], 8, True, 3, 2, 857789890177134),
    ]
]


# torchvision's functions, on one image [C, H, W] --------------------------------------------------------------------

def cast_out(x, dtype):
    return torch.round(x).clamp(0, 255).to(dtype) if dtype == torch.uint8 else x.to(dtype)


def blend(a, b, ratio):
    bound = 1.0 if a.is_floating_point() else 255.0
    return (ratio * a + (1.0 - ratio) * b).clamp(0, bound).to(a.dtype)


def to_grey(img):
    r, g, b = img.unbind(-3)
    return (0.2989 * r + 0.587 * g + 0.114 * b).to(img.dtype).unsqueeze(-3)


def adjust_brightness(img, f):
    return blend(img, torch.zeros_like(img), f)


def adjust_contrast(img, f):
    dtype = img.dtype if img.is_floating_point() else torch.float32
    grey = to_grey(img) if img.shape[0] == 3 else img
    return blend(img, torch.mean(grey.to(dtype), dim=(-3, -2, -1), keepdim=True), f)


def adjust_saturation(img, f):
    return img if img.shape[0] == 1 else blend(img, to_grey(img), f)


def rgb2hsv(img):
    r, g, b = img.unbind(-3)
    maxc, minc = img.max(-3).values, img.min(-3).values
    eqc = maxc == minc
    cr = maxc - minc
    ones = torch.ones_like(maxc)
    s = cr / torch.where(eqc, ones, maxc)
    div = torch.where(eqc, ones, cr)
    rc, gc, bc = (maxc - r) / div, (maxc - g) / div, (maxc - b) / div
    hr = (maxc == r) * (bc - gc)
    hg = ((maxc == g) & (maxc != r)) * (2.0 + rc - bc)
    hb = ((maxc != g) & (maxc != r)) * (4.0 + gc - rc)
    return torch.stack((torch.fmod((hr + hg + hb) / 6.0 + 1.0, 1.0), s, maxc), dim=-3)


def hsv2rgb(img):
    h, s, v = img.unbind(-3)
    i = torch.floor(h * 6.0)
    f = h * 6.0 - i
    i = i.to(torch.int32) % 6
    p, q, t = (v * (1.0 - s)).clamp(0, 1), (v * (1.0 - s * f)).clamp(0, 1), (v * (1.0 - s * (1.0 - f))).clamp(0, 1)
    mask = i.unsqueeze(-3) == torch.arange(6).view(-1, 1, 1)
    a = torch.stack((torch.stack((v, q, p, p, t, v)), torch.stack((t, v, v, q, p, p)), torch.stack((p, p, t, v, v, q))))
    return torch.einsum("ijk,xijk->xjk", mask.to(img.dtype), a)


def adjust_hue(img, f):
    if img.shape[0] == 1:
        return img
    orig = img.dtype
    x = img if img.is_floating_point() else img.to(torch.float32) / 255
    h, s, v = rgb2hsv(x).unbind(-3)
    x = hsv2rgb(torch.stack(((h + f) % 1.0, s, v), dim=-3))
    return x if orig.is_floating_point else x.mul(255 + 1.0 - 1e-3).to(orig)


def adjust_sharpness(img, f):
    if img.shape[-1] <= 2 or img.shape[-2] <= 2:
        return img
    dtype = img.dtype if img.is_floating_point() else torch.float32
    kernel = torch.ones((3, 3), dtype=dtype)
    kernel[1, 1] = 5.0
    kernel = (kernel / kernel.sum()).expand(img.shape[0], 1, 3, 3)
    inner = cast_out(F.conv2d(img.to(dtype).unsqueeze(0), kernel, groups=img.shape[0])[0], img.dtype)
    blurred = img.clone()
    blurred[..., 1:-1, 1:-1] = inner
    return blend(img, blurred, f)


def inverse_matrix(center, angle, translate, scale, shear):
    rot, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    (cx, cy), (tx, ty) = center, translate
    a = math.cos(rot - sy) / math.cos(sy)
    b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
    c = math.sin(rot - sy) / math.cos(sy)
    d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
    m = [x / scale for x in [d, -b, 0.0, -c, a, 0.0]]
    m[2] += m[0] * (-cx - tx) + m[1] * (-cy - ty)
    m[5] += m[3] * (-cx - tx) + m[4] * (-cy - ty)
    m[2] += cx
    m[5] += cy
    return m


def affine_matrix_apply(img, matrix, mode, fill):
    c, h, w = img.shape
    theta = torch.tensor(matrix, dtype=torch.float32).reshape(1, 2, 3)
    d = 0.5
    base = torch.empty(1, h, w, 3)
    base[..., 0].copy_(torch.linspace(-w * 0.5 + d, w * 0.5 + d - 1, steps=w))
    base[..., 1].copy_(torch.linspace(-h * 0.5 + d, h * 0.5 + d - 1, steps=h).unsqueeze_(-1))
    base[..., 2].fill_(1)
    grid = base.view(1, h * w, 3).bmm(theta.transpose(1, 2) / torch.tensor([0.5 * w, 0.5 * h])).view(1, h, w, 2)
    x = img.to(torch.float32).unsqueeze(0)
    x = torch.cat((x, torch.ones(1, 1, h, w)), dim=1)
    x = F.grid_sample(x, grid, mode=mode, padding_mode="zeros", align_corners=False)
    mask = x[:, -1:].expand(-1, c, -1, -1)
    x = x[:, :-1]
    filled = torch.full_like(x, float(fill))
    if mode == "nearest":
        hole = mask < 0.5
        x[hole] = filled[hole]
    else:
        x = x * mask + (1.0 - mask) * filled
    return cast_out(x[0], img.dtype)


def affine(img, angle, translate, scale, shear, mode="nearest", fill=0, center=None):
    c = [0.0, 0.0] if center is None else [1.0 * (p - s * 0.5) for p, s in zip(center, [img.shape[-1], img.shape[-2]])]
    return affine_matrix_apply(img, inverse_matrix(c, angle, translate, scale, shear), mode, fill)


def rotate(img, angle, mode="nearest", fill=0):
    return affine_matrix_apply(img, inverse_matrix([0.0, 0.0], -angle, [0.0, 0.0], 1.0, [0.0, 0.0]), mode, fill)


def resize_to(img, size, mode="bilinear", antialias=True):
    if list(img.shape[-2:]) == list(size):
        return img
    x = img.to(torch.float32).unsqueeze(0)
    kw = {} if mode == "nearest" else {"align_corners": False, "antialias": antialias}
    x = F.interpolate(x, size=size, mode=mode, **kw)[0]
    return cast_out(x, img.dtype)


def resize(img, size, **kw):
    h, w = img.shape[-2:]
    if isinstance(size, int):
        short, long = (w, h) if w <= h else (h, w)
        new_short, new_long = size, int(size * long / short)
        size = [new_long, new_short] if w <= h else [new_short, new_long]
    return resize_to(img, size, **kw)


def center_crop(img, size):
    ch, cw = size
    h, w = img.shape[-2:]
    if cw > w or ch > h:
        pad = [(cw - w) // 2 if cw > w else 0, (cw - w + 1) // 2 if cw > w else 0,
               (ch - h) // 2 if ch > h else 0, (ch - h + 1) // 2 if ch > h else 0]
        img = F.pad(img, pad)
        h, w = img.shape[-2:]
        if (cw, ch) == (w, h):
            return img
    top, left = int(round((h - ch) / 2.0)), int(round((w - cw) / 2.0))
    return img[..., top:top + ch, left:left + cw]


def gaussian_blur(img, ksize, sigma):
    def kernel1d(k):
        half = (k - 1) * 0.5
        pdf = torch.exp(-0.5 * (torch.linspace(-half, half, steps=k) / sigma).pow(2))
        return pdf / pdf.sum()
    kernel = torch.mm(kernel1d(ksize[0])[:, None], kernel1d(ksize[1])[None, :]).expand(img.shape[0], 1, *ksize)
    x = F.pad(img.to(torch.float32).unsqueeze(0), [ksize[1] // 2] * 2 + [ksize[0] // 2] * 2, mode="reflect")
    return cast_out(F.conv2d(x, kernel, groups=img.shape[0])[0], img.dtype)


def posterize(img, bits):
    return img & (-int(2 ** (8 - bits)) & 255)


def solarize(img, threshold):
    return torch.where(img >= threshold, 255 - img, img)


def autocontrast(img):
    lo = img.amin(dim=(-2, -1), keepdim=True).to(torch.float32)
    hi = img.amax(dim=(-2, -1), keepdim=True).to(torch.float32)
    scale = 255.0 / (hi - lo)
    eq = torch.isfinite(scale).logical_not()
    lo[eq] = 0
    scale[eq] = 1
    return ((img - lo) * scale).clamp(0, 255).to(img.dtype)


def equalize(img):
    def channel(x):
        hist = torch.bincount(x.reshape(-1).long(), minlength=256)
        nonzero = hist[hist != 0]
        step = torch.div(nonzero[:-1].sum(), 255, rounding_mode="floor")
        if step == 0:
            return x
        lut = torch.div(torch.cumsum(hist, 0) + torch.div(step, 2, rounding_mode="floor"), step, rounding_mode="floor")
        lut = F.pad(lut, [1, 0])[:-1].clamp(0, 255)
        return lut[x.to(torch.int64)].to(torch.uint8)
    return torch.stack([channel(c) for c in img])


# The random transforms ----------------------------------------------------------------------------------------------

def rows(seed, n, k):
    return torch.rand([n, k], generator=torch.Generator().manual_seed(seed), dtype=torch.float64).tolist()


def between(u, lo, hi):
    return lo + u * (hi - lo)


def random_resized_crop(batch, seed, size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), **kw):
    h, w = batch.shape[-2:]
    out = []
    for img, row in zip(batch, rows(seed, len(batch), 40)):
        window = None
        for k in range(10):
            a, r, y, x = row[4 * k:4 * k + 4]
            area = h * w * between(a, *scale)
            aspect = math.exp(between(r, math.log(ratio[0]), math.log(ratio[1])))
            cw, ch = int(round(math.sqrt(area * aspect))), int(round(math.sqrt(area / aspect)))
            if 0 < cw <= w and 0 < ch <= h:
                window = (int(y * (h - ch + 1)), int(x * (w - cw + 1)), ch, cw)
                break
        if window is None:
            whole = w / h
            cw, ch = w, h
            if whole < min(ratio):
                ch = int(round(w / min(ratio)))
            elif whole > max(ratio):
                cw = int(round(h * max(ratio)))
            window = ((h - ch) // 2, (w - cw) // 2, ch, cw)
        top, left, ch, cw = window
        out.append(resize_to(img[:, top:top + ch, left:left + cw], list(size), **kw))
    return torch.stack(out)


def color_jitter(batch, seed, brightness, contrast, saturation, hue):
    functions = [adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue]
    ranges = [(max(0, 1 - brightness), 1 + brightness), (max(0, 1 - contrast), 1 + contrast),
              (max(0, 1 - saturation), 1 + saturation), (-hue, hue)]
    out = []
    for img, row in zip(batch, rows(seed, len(batch), 8)):
        for k in sorted(range(4), key=lambda i: row[i]):
            # factors are float32 there, one for each image
            img = functions[k](img, torch.tensor(between(row[4 + k], *ranges[k]), dtype=torch.float32))
        out.append(img)
    return torch.stack(out)


def random_affine(batch, seed, degrees, translate, scale, shear, mode, fill):
    h, w = batch.shape[-2:]
    out = []
    for img, (a, x, y, s, p, q) in zip(batch, rows(seed, len(batch), 6)):
        max_dx, max_dy = float(translate[0] * w), float(translate[1] * h)
        shift = [int(round(between(x, -max_dx, max_dx))), int(round(between(y, -max_dy, max_dy)))]
        shears = [between(p, *shear[:2]), between(q, *shear[2:])]
        out.append(affine(img, between(a, *degrees), shift, between(s, *scale), shears, mode, fill))
    return torch.stack(out)


def random_erasing(batch, seed, p, scale, ratio, value):
    h, w = batch.shape[-2:]
    out = batch.clone()
    for img, row in zip(out, rows(seed, len(batch), 41)):
        if row[0] >= p:
            continue
        for k in range(10):
            a, r, y, x = row[1 + 4 * k:5 + 4 * k]
            area = h * w * between(a, *scale)
            aspect = math.exp(between(r, math.log(ratio[0]), math.log(ratio[1])))
            eh, ew = int(round(math.sqrt(area * aspect))), int(round(math.sqrt(area / aspect)))
            if not (eh < h and ew < w):
                continue
            top, left = int(y * (h - eh + 1)), int(x * (w - ew + 1))
            img[:, top:top + eh, left:left + ew] = torch.tensor(value)[:, None, None]
            break
    return out


def rand_augment(batch, seed, num_ops, magnitude, bins=31):
    h, w = batch.shape[-2:]
    space = [
        ("Identity", None, False),
        ("ShearX", torch.linspace(0.0, 0.3, bins), True), ("ShearY", torch.linspace(0.0, 0.3, bins), True),
        ("TranslateX", torch.linspace(0.0, 150.0 / 331.0 * w, bins), True),
        ("TranslateY", torch.linspace(0.0, 150.0 / 331.0 * h, bins), True),
        ("Rotate", torch.linspace(0.0, 30.0, bins), True),
        ("Brightness", torch.linspace(0.0, 0.9, bins), True), ("Color", torch.linspace(0.0, 0.9, bins), True),
        ("Contrast", torch.linspace(0.0, 0.9, bins), True), ("Sharpness", torch.linspace(0.0, 0.9, bins), True),
        ("Posterize", 8 - (torch.arange(bins) / ((bins - 1) / 4)).round().int(), False),
        ("Solarize", torch.linspace(255.0, 0.0, bins), False),
        ("AutoContrast", None, False), ("Equalize", None, False),
    ]
    out = []
    for img, row in zip(batch, rows(seed, len(batch), 2 * num_ops)):
        for k in range(num_ops):
            name, magnitudes, signed = space[int(row[2 * k] * len(space))]
            m = 0.0 if magnitudes is None else float(magnitudes[magnitude].item())
            if signed and row[2 * k + 1] < 0.5:
                m *= -1.0
            f = torch.tensor(1.0 + m, dtype=torch.float32)
            if name == "ShearX":
                img = affine(img, 0.0, [0, 0], 1.0, [math.degrees(math.atan(m)), 0.0], center=[0, 0])
            elif name == "ShearY":
                img = affine(img, 0.0, [0, 0], 1.0, [0.0, math.degrees(math.atan(m))], center=[0, 0])
            elif name == "TranslateX":
                img = affine(img, 0.0, [int(m), 0], 1.0, [0.0, 0.0])
            elif name == "TranslateY":
                img = affine(img, 0.0, [0, int(m)], 1.0, [0.0, 0.0])
            elif name == "Rotate":
                img = rotate(img, m)
            elif name == "Posterize":
                img = posterize(img, int(m))
            elif name == "Solarize":
                img = solarize(img, m)
            elif name in ("AutoContrast", "Equalize"):
                img = {"AutoContrast": autocontrast, "Equalize": equalize}[name](img)
            elif name != "Identity":
                functions = {"Brightness": adjust_brightness, "Color": adjust_saturation,
                             "Contrast": adjust_contrast, "Sharpness": adjust_sharpness}
                img = functions[name](img, f)
        out.append(img)
    return torch.stack(out)


def mixed(kind, images, labels, seed, alpha, classes):
    g = torch.Generator().manual_seed(seed)
    lam = torch._sample_dirichlet(torch.tensor([alpha, alpha], dtype=torch.float64), generator=g)[0].item()
    hot = F.one_hot(labels, classes).to(torch.float32)
    if kind == "mixup":
        out = images.roll(1, 0) * (1 - lam) + images * lam
    else:
        h, w = images.shape[-2:]
        u, v = torch.rand([1, 2], generator=g, dtype=torch.float64)[0].tolist()
        x, y, r = int(u * w), int(v * h), 0.5 * math.sqrt(1 - lam)
        rw, rh = int(r * w), int(r * h)
        x1, y1, x2, y2 = max(x - rw, 0), max(y - rh, 0), min(x + rw, w), min(y + rh, h)
        out = images.clone()
        out[..., y1:y2, x1:x2] = images.roll(1, 0)[..., y1:y2, x1:x2]
        lam = 1.0 - (x2 - x1) * (y2 - y1) / (w * h)
    return {"images": pack(out), "labels": pack(hot.roll(1, 0) * (1 - lam) + hot * lam)}


bytes_ = pixels(6, 3, 13, 17)
floats = bytes_.to(torch.float32) / 255
each = lambda f, x: torch.stack([f(img) for img in x])
cases = []


def case(spec, seed, make):
    for kind, x in [("uint8", bytes_), ("float32", floats)]:
        cases.append({"spec": spec, "seed": seed, "input": kind, "output": pack(make(x))})


case({"kind": "resize", "size": 8}, 0, lambda x: each(lambda i: resize(i, 8), x))
case({"kind": "resize", "size": [20, 9]}, 0, lambda x: each(lambda i: resize(i, [20, 9]), x))
case({"kind": "resize", "size": [7, 30], "antialias": False}, 0, lambda x: each(lambda i: resize(i, [7, 30], antialias=False), x))
case({"kind": "resize", "size": [5, 6], "interpolation": "nearest"}, 0, lambda x: each(lambda i: resize(i, [5, 6], mode="nearest"), x))
case({"kind": "resize", "size": [6, 21], "interpolation": "bicubic"}, 0, lambda x: each(lambda i: resize(i, [6, 21], mode="bicubic"), x))
case({"kind": "centerCrop", "size": [8, 10]}, 0, lambda x: each(lambda i: center_crop(i, [8, 10]), x))
case({"kind": "centerCrop", "size": [16, 10]}, 0, lambda x: each(lambda i: center_crop(i, [16, 10]), x))
case({"kind": "centerCrop", "size": 20}, 0, lambda x: each(lambda i: center_crop(i, [20, 20]), x))
case({"kind": "randomResizedCrop", "size": 9}, 1, lambda x: random_resized_crop(x, 1, (9, 9)))
case({"kind": "randomResizedCrop", "size": [8, 12], "scale": [0.9, 1], "ratio": [0.2, 0.5]}, 2,
     lambda x: random_resized_crop(x, 2, (8, 12), (0.9, 1), (0.2, 0.5)))
case({"kind": "randomRotation", "degrees": 40}, 3,
     lambda x: torch.stack([rotate(i, between(u, -40, 40)) for i, (u,) in zip(x, rows(3, len(x), 1))]))
case({"kind": "randomRotation", "degrees": [10, 80], "interpolation": "bilinear", "fill": 0.5}, 4,
     lambda x: torch.stack([rotate(i, between(u, 10, 80), "bilinear", 0.5) for i, (u,) in zip(x, rows(4, len(x), 1))]))
case({"kind": "randomAffine", "degrees": 20, "translate": [0.2, 0.3], "scale": [0.7, 1.4], "shear": [-10, 10, -5, 15]}, 5,
     lambda x: random_affine(x, 5, (-20, 20), (0.2, 0.3), (0.7, 1.4), (-10, 10, -5, 15), "nearest", 0))
case({"kind": "randomAffine", "degrees": [0, 0], "shear": 12, "interpolation": "bilinear", "fill": 1}, 6,
     lambda x: random_affine(x, 6, (0, 0), (0, 0), (1, 1), (-12, 12, 0, 0), "bilinear", 1))
case({"kind": "colorJitter", "brightness": 0.4, "contrast": 0.5, "saturation": 0.6, "hue": 0.3}, 7,
     lambda x: color_jitter(x, 7, 0.4, 0.5, 0.6, 0.3))
case({"kind": "grayscale"}, 0, lambda x: each(to_grey, x))
case({"kind": "grayscale", "channels": 3}, 0, lambda x: each(lambda i: to_grey(i).expand(3, -1, -1), x))
case({"kind": "randomGrayscale", "probability": 0.5}, 8,
     lambda x: torch.stack([to_grey(i).expand(3, -1, -1) if u < 0.5 else i for i, (u,) in zip(x, rows(8, len(x), 1))]))
case({"kind": "gaussianBlur", "kernelSize": [3, 7]}, 9,
     lambda x: torch.stack([gaussian_blur(i, [3, 7], between(u, 0.1, 2.0)) for i, (u,) in zip(x, rows(9, len(x), 1))]))
case({"kind": "randomErasing", "probability": 0.7, "value": [1, 0, 1]}, 10,
     lambda x: random_erasing(x, 10, 0.7, (0.02, 0.33), (0.3, 3.3), [1, 0, 1]))

many = pixels(96, 3, 20, 24)
# Parts of the images have few levels, so that stretching and equalising have something to do.
many[::3] = many[::3] // 3 + 40
for magnitude, seed in [(9, 11), (20, 12)]:
    y = rand_augment(many, seed, 2, magnitude)
    cases.append({"spec": {"kind": "randAugment", "magnitude": magnitude}, "seed": seed, "input": "many", "output": pack(y[:24])})
golden["transforms"] = cases

labels = torch.tensor([0, 1, 2, 3, 1, 0])
golden["mixing"] = [
    dict(kind=kind, alpha=alpha, seed=seed, **mixed(kind, floats, labels, seed, alpha, 4))
    for kind, alpha, seed in [("mixup", 1.0, 1), ("mixup", 0.2, 2), ("cutmix", 1.0, 3), ("cutmix", 0.5, 4)]
]

with open(os.path.join(HERE, "golden.json"), "w") as f:
    json.dump(golden, f)
    f.write("\n")
