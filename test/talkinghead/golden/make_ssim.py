"""Writes ssim.json: PSNR and SSIM of made-up pictures by numpy alone, in double precision, from the formulas of Wang, Bovik,
Sheikh and Simoncelli 2004: the window is laid on every place where it fits, without separating it into rows and columns.

Run: python3 test/talkinghead/golden/make_ssim.py
"""
import json
import pathlib
import numpy as np


def picture(width, height, a, b):
    """The picture of evaluate.test.ts: whole numbers from 0 to 255."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return (x * a + y * b + x * y * (c + 1) + 40 * c) % 256


def psnr(p, q):
    return 10 * np.log10(255.0**2 / np.mean((p.astype(float) - q) ** 2))


def ssim(p, q):
    r = np.arange(-5, 6)
    window = np.exp(-(r[:, None] ** 2 + r[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    total = []
    for c in range(3):
        x, y = p[..., c].astype(float), q[..., c].astype(float)
        for top in range(x.shape[0] - 10):
            for left in range(x.shape[1] - 10):
                u, v = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
                mu, mv = (window * u).sum(), (window * v).sum()
                su, sv = (window * (u - mu) ** 2).sum(), (window * (v - mv) ** 2).sum()
                cov = (window * (u - mu) * (v - mv)).sum()
                total.append(((2 * mu * mv + c1) * (2 * cov + c2)) / ((mu**2 + mv**2 + c1) * (su + sv + c2)))
    return np.mean(total)


cases = []
for width, height, a, b in [(16, 13, (3, 5), (3, 6)), (24, 20, (1, 2), (1, 2)), (11, 11, (7, 1), (2, 9)), (32, 18, (5, 5), (5, 7))]:
    p = picture(width, height, *a)
    q = picture(width, height, *b)
    if a == b:
        q = np.clip(q + 10, 0, 255)  # brighter
    cases.append({"width": width, "height": height, "a": a, "b": b, "psnr": psnr(p, q), "ssim": ssim(p, q)})
pathlib.Path(__file__).with_name("ssim.json").write_text(json.dumps(cases) + "\n")
