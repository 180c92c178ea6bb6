#!/usr/bin/python3
"""Writes files of torch.save, and what Python reads from them: python3 make_torch_files.py (torch 1.13.0, numpy 1.24.2).

Each line of torch-files.jsonl: name, file (base64), value as `spell` writes it.
"""
import base64
import collections
import io
import json
import pathlib

import numpy
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent


def spell(value):
    """Tensors as [dtype, shape, values]; dicts as lists of pairs, since keys may be numbers."""
    if isinstance(value, torch.Tensor):
        plain = value.detach()
        if plain.is_complex():
            plain = torch.view_as_real(plain)  # real and imaginary parts in turn
        if plain.dtype == torch.bfloat16 or plain.dtype == torch.float16:
            plain = plain.float()
        dtype = str(value.dtype).split(".")[1]
        return {"tensor": [dtype, list(value.shape), plain.reshape(-1).tolist(), value.requires_grad]}
    if isinstance(value, (torch.dtype, torch.device)):
        return str(value).replace("torch.", "")
    if isinstance(value, numpy.ndarray):
        return {"tensor": [str(value.dtype), list(value.shape), value.reshape(-1).tolist(), False]}
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, dict):
        return {"dict": [[spell(key), spell(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [spell(item) for item in value]
    assert value is None or isinstance(value, (bool, int, float, str)), type(value)
    return value


torch.manual_seed(0)
base = torch.arange(24, dtype=torch.float32)
net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
adam = torch.optim.Adam(net.parameters(), lr=0.125)
net(torch.randn(4, 3)).sum().backward()
adam.step()
kinds = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]

values = {
    "every dtype": {kind: torch.tensor([0, 1, 3]).to(getattr(torch, kind)) for kind in kinds}
    | {"complex64": torch.tensor([1 + 2j, -3j]), "complex128": torch.tensor([1.5 - 2j], dtype=torch.complex128)},
    "views of one storage": {
        "whole": base,
        "matrix": base.view(4, 6),
        "transposed": base.view(4, 6).t(),
        "part": base[5:9],
        "steps": base[1::4],
        "expanded": base[3:4].expand(2, 3),
        "scalar": base[7],
        "empty": base[:0].view(0, 3),
        "channels": torch.arange(16.0).view(1, 2, 2, 4).contiguous(memory_format=torch.channels_last),
    },
    "state dict": net.state_dict(),
    "parameters": {"weight": net[0].weight, "list": [nn.Parameter(torch.ones(2), requires_grad=False)]},
    "checkpoint": {
        "model": net.state_dict(),
        "optimizer": adam.state_dict(),
        "epoch": 7,
        "best": numpy.float64(0.75),
        "name": "größe",
        "history": [0.5, (1, None, True), {"a": -1}],
        "counts": collections.Counter("aab"),
        "array": numpy.arange(6, dtype=numpy.int32).reshape(2, 3),
        "size": torch.Size([2, 3]),
        "dtype": torch.float16,
        "device": torch.device("cuda", 1),
        "big": 2**40,
    },
    "one tensor": torch.tensor([[1.5, -2.0]]),
    "nothing": {},
}

with open(HERE / "torch-files.jsonl", "w", encoding="utf-8") as out:
    for name, value in values.items():
        for zipped in (True, False):
            file = io.BytesIO()
            torch.save(value, file, _use_new_zipfile_serialization=zipped)
            layout = "zip" if zipped else "legacy"
            content = base64.b64encode(file.getvalue()).decode()
            line = {"name": f"{name}, {layout}", "file": content, "value": spell(value)}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")

    # What is refused: quantised and sparse tensors, whole modules, TorchScript.
    refused = {
        "quantised": {"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)},
        "sparse": {"s": torch.eye(2).to_sparse()},
        "module": net,
        "generator": {"f": print},
    }
    for name, value in refused.items():
        file = io.BytesIO()
        torch.save(value, file)
        out.write(json.dumps({"name": name, "file": base64.b64encode(file.getvalue()).decode()}) + "\n")
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), file)
    out.write(json.dumps({"name": "script", "file": base64.b64encode(file.getvalue()).decode()}) + "\n")

# The checkpoint of docs/saving.md.
torch.manual_seed(0)
small = nn.Linear(4, 2)
optimizer = torch.optim.Adam(small.parameters(), lr=0.001)
small(torch.ones(1, 4)).sum().backward()
optimizer.step()
torch.save({"model": small.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 7}, HERE / "checkpoint.pt")
