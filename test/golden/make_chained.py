#!/usr/bin/env python3
"""Writes PyTorch's rates under several schedulers, and where a program changes a rate: chained.json, beside this file.

Run with any Python that has torch 1.13 or later:  python3 test/golden/make_chained.py
"""
import json
import os

import torch
from torch.optim import lr_scheduler as S

STEPS = 30
METRICS = [[1.0, 0.5, 0.7][step % 3] for step in range(STEPS)]

chains = {
    "linear, exponential": [(S.LinearLR, {"start_factor": 0.1, "total_iters": 5}), (S.ExponentialLR, {"gamma": 0.9})],
    "constant, cosine, multiStep": [
        (S.ConstantLR, {"factor": 0.5, "total_iters": 4}),
        (S.CosineAnnealingLR, {"T_max": 6, "eta_min": 0.001}),
        (S.MultiStepLR, {"milestones": [3, 3, 9], "gamma": 0.5}),
    ],
    "polynomial, step": [(S.PolynomialLR, {"total_iters": 40, "power": 2}), (S.StepLR, {"step_size": 6, "gamma": 0.3})],
    "linear, plateau": [
        (S.LinearLR, {"start_factor": 0.5, "total_iters": 3}),
        (S.ReduceLROnPlateau, {"factor": 0.5, "patience": 4}),
    ],
    "plateau, constant": [
        (S.ReduceLROnPlateau, {"factor": 0.1, "patience": 2}),
        (S.ConstantLR, {"factor": 0.1, "total_iters": 9}),
    ],
}
changed = {
    "step": (S.StepLR, {"step_size": 4, "gamma": 0.5}),
    "multiStep": (S.MultiStepLR, {"milestones": [5, 20], "gamma": 0.1}),
    "constant": (S.ConstantLR, {"factor": 0.25, "total_iters": 12}),
    "linear": (S.LinearLR, {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 20}),
    "exponential": (S.ExponentialLR, {"gamma": 0.93}),
    "polynomial": (S.PolynomialLR, {"total_iters": 25, "power": 2}),
    "cosine": (S.CosineAnnealingLR, {"T_max": 8, "eta_min": 0.001}),
    "restarts": (S.CosineAnnealingWarmRestarts, {"T_0": 8}),
}


def rates(parts, change):
    """The rates of two groups at each step; `change` sets them anew before some."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(2)]
    groups[1]["lr"] = 0.02
    optimizer = torch.optim.SGD(groups, lr=0.1)
    schedulers = [make(optimizer, **options) for make, options in parts]
    rows = [[group["lr"] for group in optimizer.param_groups]]
    for step in range(STEPS):
        if step in change:
            for group in optimizer.param_groups:
                group["lr"] *= change[step]
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step(METRICS[step]) if isinstance(scheduler, S.ReduceLROnPlateau) else scheduler.step()
        rows.append([group["lr"] for group in optimizer.param_groups])
    return rows


def main():
    result = {
        "metrics": METRICS,
        "chained": {name: rates(parts, {}) for name, parts in chains.items()},
        "changed": {name: rates([part], {6: 0.5, 17: 3.0}) for name, part in changed.items()},
    }
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "chained.json"), "w") as file:
        json.dump(result, file)
        file.write("\n")


main()
