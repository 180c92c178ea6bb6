#!/usr/bin/env python3
"""Writes PyTorch's values for the tests of torch: printing.jsonl and indexing.jsonl, beside this file.

Run with any Python that has torch 1.13 or later:  python3 test/torch/golden/make_golden.py
Each line holds a Python expression and what PyTorch makes of it; the tests pair it with the same in TypeScript.
"""
import json
import os

import torch
from torch import tensor

HERE = os.path.dirname(os.path.abspath(__file__))
inf, nan = float("inf"), float("nan")

PRINTED = [
    # floats: all integers, decimals, padding, signs
    "tensor(3.)",
    "tensor(-0.25)",
    "tensor([1., 2., 3.])",
    "tensor([1., -20., 300.])",
    "tensor([0.5, -12.25, 3.])",
    "tensor([0., -0.])",
    "tensor([0., -0., 0.5])",
    "tensor([[0.1, 0.2], [10.5, -3.25]])",
    # exact halves round to the even digit
    "tensor([0.03125, 0.09375, -0.03125])",
    "tensor([100005., 1000150.]) * 1000",
    # scientific: by the greatest, by the least, by their ratio
    "tensor([1e10, 2.5])",
    "tensor([0.00001, 0.5])",
    "tensor([0.0001, 0.05])",
    "tensor([1., 10000.])",
    "tensor([1., 1000.])",
    "tensor([123456789.])",
    "tensor(1e-20)",
    "tensor([1e-40, 3e38])",
    "tensor([1e-300, 1e300], dtype=torch.float64)",
    "tensor([0.000123456])",
    # not finite
    "tensor([nan, inf, -inf])",
    "tensor([nan, 1., -inf])",
    "tensor([0.5, nan, -inf])",
    "tensor([1e-6, inf, 1.])",
    # other dtypes
    "tensor([1, -20, 300])",
    "tensor(7)",
    "tensor([9223372036854775807, -9223372036854775808])",
    "tensor([True, False])",
    "tensor(True)",
    "tensor([[True, True], [False, True]])",
    "tensor([1.5, 2.], dtype=torch.float64)",
    "tensor([1.5, 2.], dtype=torch.float16)",
    "tensor([1.1, 2.], dtype=torch.bfloat16)",
    "tensor([1, 200], dtype=torch.uint8)",
    "tensor([1, -2], dtype=torch.int8)",
    "tensor([1, -2], dtype=torch.int16)",
    "tensor([1, -2], dtype=torch.int32)",
    "torch.complex(tensor([1., -2.]), tensor([-1., 0.5]))",
    "torch.complex(tensor([1.5, 2.], dtype=torch.float64), tensor([0., 3.], dtype=torch.float64))",
    # empty
    "tensor([])",
    "torch.zeros(0, 3)",
    "torch.zeros(2, 0, 3)",
    "torch.zeros(0, dtype=torch.int64)",
    "torch.zeros(0, 2, dtype=torch.bool)",
    # nesting, line breaks
    "torch.arange(24).view(2, 3, 4)",
    "torch.arange(8.).view(1, 2, 2, 2)",
    "torch.arange(40)",
    "torch.arange(30) * 0.5",
    "torch.arange(60).view(2, 30)",
    "torch.arange(1000.)",
    # summaries
    "torch.arange(1001)",
    "torch.arange(2000.) - 1000",
    "torch.arange(1200).view(40, 30)",
    "torch.arange(1200).view(300, 4) * 0.25",
    "torch.arange(1200).view(4, 300)",
    "torch.arange(1210).view(10, 11, 11)",
    "torch.arange(1400).view(7, 2, 100)",
    "torch.zeros(1001, 2) == 0",
    "torch.arange(1001, dtype=torch.float64) / 1000 - 1",
    "torch.complex(torch.arange(1001.), -torch.arange(1001.))",
    # autograd, devices
    "tensor([1., 2.], requires_grad=True)",
    "tensor([1., 2.], requires_grad=True).exp()",
    "tensor([1., 2.], requires_grad=True).clone()[0]",
    "tensor([1., 2.], dtype=torch.float64, requires_grad=True)",
    "torch.arange(12.).view(1, 12).clone().requires_grad_()",
    "torch.arange(11.).view(1, 11).mul(0.5).requires_grad_()",
    "torch.zeros(2, 3, device='meta')",
    "torch.zeros(2, dtype=torch.int64, device='meta')",
]

x = torch.arange(24).view(2, 3, 4)
v = torch.arange(10)
mask = x % 3 == 0
rows = tensor([[True, False, True], [False, True, False]])
empty = tensor([], dtype=torch.int64)

INDEXED = [
    "x[1]",
    "x[-1]",
    "x[1, 2]",
    "x[1, -1, 3]",
    "x[:, 1]",
    "x[:, :, -1]",
    "x[..., 0]",
    "x[0, ...]",
    "x[0, ..., 1]",
    "x[...]",
    "x[None]",
    "x[:, None]",
    "x[..., None]",
    "x[None, 1, None, ..., None]",
    "v[2:5]",
    "v[:3]",
    "v[-3:]",
    "v[:-2]",
    "v[1:9:3]",
    "v[::4]",
    "v[5:2]",
    "v[20:]",
    "v[-100:2]",
    "x[:, 1:, ::2]",
    "x[1, :2, 1:3]",
    "x[..., 1:3]",
    "v[tensor([3, 1, 1])]",
    "v[tensor([-1, 0])]",
    "v[tensor([[0, 1], [2, 3]])]",
    "v[tensor(3)]",
    "v[empty]",
    "x[tensor([1, 0])]",
    "x[:, tensor([2, 0])]",
    "x[..., tensor([3, 3, 0])]",
    "x[tensor([0, 1]), tensor([2, 1])]",
    "x[tensor([0, 1]), :, tensor([2, 1])]",
    "x[tensor([[0], [1]]), tensor([0, 2])]",
    "x[0, :, tensor([0, 1])]",
    "x[tensor(1), :, tensor([0, 1])]",
    "x[:, tensor([0, 1]), 1:3]",
    "x[tensor([0, 1]), None, 1]",
    "x[tensor([1]), ..., None]",
    "x[1:, tensor([0, 2]), ::3]",
    "v[v > 6]",
    "v[v > 100]",
    "x[mask]",
    "x[rows]",
    "x[rows, tensor([0, 1, 2])]",
    "x[tensor([True, False])]",
    "x[:, tensor([True, False, True])]",
    "x[..., tensor([True, False, False, True])]",
    "x[1, tensor([True, False, True]), 1:]",
    "x[tensor([False, True]), :, tensor([3])]",
    "x[tensor(True)]",
    "x[tensor(False)]",
    "x[:, tensor(True), 1]",
    "x[tensor([1, 0], dtype=torch.uint8)]",
]


def write(name, records):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record) + "\n")


write("printing.jsonl", [{"python": text, "text": str(eval(text))} for text in PRINTED])
write(
    "indexing.jsonl",
    [{"python": text, "shape": list(eval(text).shape), "values": eval(text).flatten().tolist()} for text in INDEXED],
)
