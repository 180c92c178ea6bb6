#!/usr/bin/env python3
"""Writes PyTorch's values for the tests of nn and optim: layers.json, optim.json, beside this file.

Run with any Python that has torch 1.13 or later:  python3 test/golden/make_golden.py
Everything is float64. The loss of each case is sum(output * w), w = linspace(0.5, 1.5) over the output's elements.
"""
import base64
import json
import math
import os
import sys

import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def pack(t):
    t = t.detach().contiguous()
    kind = {torch.float64: "float64", torch.float32: "float32", torch.int64: "int64", torch.bool: "bool"}[t.dtype]
    return {"dtype": kind, "shape": list(t.shape), "data": base64.b64encode(t.numpy().tobytes()).decode()}


def weighed(outputs):
    total = 0
    for out in outputs:
        total = total + (out * torch.linspace(0.5, 1.5, out.numel()).reshape(out.shape)).sum()
    return total


layers = {}


def case(name, make, *inputs, call=None, eval_mode=False, grad=True, keep_state=False):
    """Records one module or function: its state, inputs, outputs, gradients, printed form."""
    torch.manual_seed(sum(name.encode()))
    module = make() if make else None
    if module is not None:
        with torch.no_grad():
            for key, p in module.named_parameters():
                if keep_state:
                    continue
                p.copy_(torch.randn_like(p) * 0.5)
        if eval_mode:
            module.eval()
    # A generator makes the inputs of the case, so that they do not depend on the layer's own draws.
    inputs = [x() if callable(x) else x for x in inputs]
    leaves = [x.clone().requires_grad_() if torch.is_floating_point(x) and grad else x for x in inputs]
    record = {"inputs": [pack(x) for x in inputs]}
    if module is not None:
        record["repr"] = repr(module)
        record["state"] = {k: pack(v.clone()) for k, v in module.state_dict().items()}
    run = call or (lambda m, *a: m(*a))
    out = run(module, *leaves) if module is not None else run(*leaves)
    outputs = [o for o in (out if isinstance(out, (tuple, list)) else [out]) if o is not None]
    record["outputs"] = [pack(o) for o in outputs]
    if grad:
        weighed(outputs).backward()
        record["inputGrads"] = [pack(x.grad) if torch.is_tensor(x) and x.grad is not None else None for x in leaves]
        if module is not None:
            record["grads"] = {k: pack(p.grad) for k, p in module.named_parameters() if p.grad is not None}
    if module is not None:
        record["stateAfter"] = {k: pack(v) for k, v in module.state_dict().items() if k in dict(module.named_buffers())}
    layers[name] = record


def r(*shape, scale=1.0, shift=0.0):
    return lambda: torch.randn(*shape) * scale + shift


def ints(high, *shape):
    return lambda: torch.randint(high, shape)


def make_layers():
    case("linear", lambda: nn.Linear(5, 3), r(2, 4, 5))
    case("linear no bias", lambda: nn.Linear(5, 3, bias=False), r(4, 5))
    case("bilinear", lambda: nn.Bilinear(3, 4, 2), r(5, 3), r(5, 4))
    case("conv1d", lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), r(2, 4, 9))
    case("conv2d", lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), r(2, 4, 7, 6))
    case("conv2d dilated grouped", lambda: nn.Conv2d(4, 4, (3, 2), padding=(2, 1), dilation=2, groups=4, bias=False), r(1, 4, 6, 7))
    case("conv2d same", lambda: nn.Conv2d(2, 3, 4, padding="same"), r(1, 2, 5, 6))
    case("conv2d reflect", lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), r(1, 2, 5, 4))
    case("conv2d circular", lambda: nn.Conv2d(2, 3, (3, 5), padding=(1, 2), padding_mode="circular"), r(1, 2, 5, 4))
    case("conv3d", lambda: nn.Conv3d(2, 3, 2, stride=(1, 2, 1)), r(1, 2, 3, 4, 3))
    case("convTranspose1d", lambda: nn.ConvTranspose1d(3, 2, 4, stride=2, padding=1), r(2, 3, 5))
    case("convTranspose2d", lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), r(1, 4, 3, 4))
    case("convTranspose3d", lambda: nn.ConvTranspose3d(2, 2, 2, stride=2), r(1, 2, 2, 1, 2))

    case("batchNorm1d", lambda: nn.BatchNorm1d(4), r(6, 4, scale=2, shift=1))
    case("batchNorm2d", lambda: nn.BatchNorm2d(3), r(4, 3, 2, 3, scale=2, shift=1))
    case("batchNorm2d cumulative", lambda: nn.BatchNorm2d(3, momentum=None), r(4, 3, 2, 3),
         call=lambda m, x: (m(x), m(x * 2))[1])
    case("batchNorm2d eval", lambda: nn.BatchNorm2d(3), r(4, 3, 2, 3),
         call=lambda m, x: (m(x.detach() * 3 + 1), m.eval(), m(x))[2])
    case("batchNorm2d plain", lambda: nn.BatchNorm2d(3, affine=False, track_running_stats=False), r(4, 3, 2, 3))
    case("instanceNorm2d", lambda: nn.InstanceNorm2d(3), r(2, 3, 4, 3))
    case("instanceNorm1d", lambda: nn.InstanceNorm1d(3, affine=True), r(2, 3, 5))
    case("instanceNorm3d", lambda: nn.InstanceNorm3d(2), r(2, 2, 2, 3, 2))
    case("instanceNorm2d affine tracked", lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), r(2, 3, 4, 3))
    case("layerNorm", lambda: nn.LayerNorm(5), r(2, 3, 5))
    case("layerNorm two dims", lambda: nn.LayerNorm([3, 4], eps=1e-3, elementwise_affine=False), r(2, 3, 4))
    case("groupNorm", lambda: nn.GroupNorm(2, 6), r(2, 6, 3, 2))
    case("embedding", lambda: nn.Embedding(7, 3, padding_idx=2), lambda: torch.tensor([[0, 2, 6], [2, 1, 1]]))

    case("lstm", lambda: nn.LSTM(3, 4), r(5, 2, 3), call=lambda m, x: flat_lstm(m(x)))
    case("lstm two layers, both ways", lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True),
         r(2, 5, 3), r(4, 2, 4), r(4, 2, 4), call=lambda m, x, h, c: flat_lstm(m(x, (h, c))))
    case("lstm no bias", lambda: nn.LSTM(3, 2, bias=False), r(4, 1, 3), call=lambda m, x: flat_lstm(m(x)))
    case("lstm of lengths", lambda: nn.LSTM(3, 2, num_layers=2, bidirectional=True, batch_first=True), r(3, 4, 3),
         r(4, 3, 2), r(4, 3, 2), call=lambda m, x, h, c: packed(m, x, [2, 4, 1], (h, c)))
    case("gru of lengths", lambda: nn.GRU(3, 2, bidirectional=True, batch_first=True), r(3, 4, 3),
         call=lambda m, x: packed(m, x, [3, 1, 4], None))
    case("gru", lambda: nn.GRU(3, 4, num_layers=2, bidirectional=True), r(5, 2, 3))

    pad = lambda: torch.tensor([[False, False, False, True], [False, False, True, True]])
    causal = lambda: torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
    case("attention", lambda: nn.MultiheadAttention(6, 2), r(4, 2, 6), call=lambda m, x: m(x, x, x))
    case("attention masked", lambda: nn.MultiheadAttention(6, 2, batch_first=True), r(2, 4, 6), pad, causal,
         call=lambda m, x, p, a: m(x, x, x, key_padding_mask=p, attn_mask=a))
    case("attention without weights", lambda: nn.MultiheadAttention(6, 2, batch_first=True), r(2, 4, 6), r(4, 4),
         call=lambda m, x, a: m(x, x, x, attn_mask=a, need_weights=False)[0])
    case("attention of other widths", lambda: nn.MultiheadAttention(6, 3, kdim=5, vdim=4, batch_first=True),
         r(2, 3, 6), r(2, 4, 5), r(2, 4, 4),
         call=lambda m, q, k, v: m(q, k, v, average_attn_weights=False))
    case("attention across", lambda: nn.MultiheadAttention(6, 3, bias=False), r(3, 2, 6), r(5, 2, 6),
         call=lambda m, q, k: m(q, k, k))
    case("encoder layer", lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0), r(4, 2, 6))
    case("encoder layer, norm first", lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation="gelu",
         batch_first=True, norm_first=True), r(2, 4, 6), causal, pad,
         call=lambda m, x, a, p: m(x, src_mask=a, src_key_padding_mask=p))
    case("encoder", lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0), 2, nn.LayerNorm(6)), r(3, 2, 6))

    for name, make in {
        "relu": nn.ReLU, "relu6": nn.ReLU6, "silu": nn.SiLU, "hardswish": nn.Hardswish, "leakyRelu": nn.LeakyReLU,
        "elu": nn.ELU, "selu": nn.SELU, "celu": lambda: nn.CELU(0.7), "gelu": nn.GELU,
        "gelu tanh": lambda: nn.GELU(approximate="tanh"), "mish": nn.Mish, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
        "logSigmoid": nn.LogSigmoid, "hardsigmoid": nn.Hardsigmoid, "hardtanh": nn.Hardtanh, "softplus": nn.Softplus,
        "softsign": nn.Softsign, "hardshrink": nn.Hardshrink, "softshrink": lambda: nn.Softshrink(0.8), "tanhshrink": nn.Tanhshrink, "threshold": lambda: nn.Threshold(0.1, -2.0),
        "glu": nn.GLU, "softmax": lambda: nn.Softmax(dim=1), "softmin": lambda: nn.Softmin(dim=1),
        "logSoftmax": lambda: nn.LogSoftmax(dim=-1), "prelu": lambda: nn.PReLU(4),
    }.items():
        case(name, make, r(3, 4, 2, scale=3))

    case("maxPool1d", lambda: nn.MaxPool1d(3, stride=2, padding=1), r(1, 2, 7))
    case("maxPool2d", lambda: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), r(1, 2, 6, 5))
    case("avgPool1d", lambda: nn.AvgPool1d(2), r(1, 2, 6))
    case("avgPool2d", lambda: nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), r(1, 2, 6, 5))
    case("adaptiveAvgPool1d", lambda: nn.AdaptiveAvgPool1d(2), r(1, 2, 5))
    case("adaptiveAvgPool2d", lambda: nn.AdaptiveAvgPool2d((2, None)), r(1, 2, 5, 3))
    case("adaptiveMaxPool2d", lambda: nn.AdaptiveMaxPool2d(2), r(1, 2, 5, 3))
    case("maxPool3d", lambda: nn.MaxPool3d(2), r(1, 2, 4, 2, 4))
    case("avgPool3d", lambda: nn.AvgPool3d(2, stride=1), r(1, 1, 3, 2, 3))
    case("adaptiveAvgPool3d", lambda: nn.AdaptiveAvgPool3d((1, 2, None)), r(1, 2, 3, 3, 2))
    case("adaptiveMaxPool1d", lambda: nn.AdaptiveMaxPool1d(2), r(1, 2, 5))
    for mode, shape in {"nearest": (1, 2, 3, 4), "bilinear": (1, 2, 3, 4), "bicubic": (1, 2, 4, 4), "linear": (1, 2, 5),
                        "trilinear": (1, 1, 2, 3, 2), "nearest-exact": (1, 2, 3)}.items():
        case(f"upsample {mode}", lambda: nn.Upsample(scale_factor=2, mode=mode), r(*shape))
    case("upsample aligned", lambda: nn.Upsample(size=(5, 7), mode="bilinear", align_corners=True), r(1, 2, 3, 4))
    case("interpolate area", None, r(1, 2, 4, 6), call=lambda x: F.interpolate(x, size=(2, 3), mode="area"))
    case("interpolate antialias", None, r(1, 1, 6, 8),
         call=lambda x: F.interpolate(x, size=(3, 4), mode="bilinear", antialias=True))
    case("pixelShuffle", lambda: nn.PixelShuffle(2), r(1, 8, 2, 3))
    case("pixelUnshuffle", lambda: nn.PixelUnshuffle(2), r(1, 2, 4, 6))
    case("reflectionPad2d", lambda: nn.ReflectionPad2d((1, 2, 0, 1)), r(1, 2, 3, 4))
    case("replicationPad2d", lambda: nn.ReplicationPad2d(1), r(1, 2, 3, 4))
    case("zeroPad2d", lambda: nn.ZeroPad2d((1, 0, -1, 2)), r(1, 2, 3, 4))
    case("reflectionPad1d", lambda: nn.ReflectionPad1d(2), r(1, 2, 4))
    case("replicationPad1d", lambda: nn.ReplicationPad1d((1, 2)), r(1, 2, 4))
    case("constantPad1d", lambda: nn.ConstantPad1d(1, 2.5), r(1, 2, 4))
    case("constantPad2d", lambda: nn.ConstantPad2d(1, 0.5), r(1, 2, 3, 4))
    case("unfold", lambda: nn.Unfold(2, stride=2, padding=1), r(1, 2, 4, 4))
    case("fold", lambda: nn.Fold((4, 4), 2, padding=1, stride=2), r(1, 8, 9))
    case("flatten", lambda: nn.Flatten(1, 2), r(2, 3, 2, 2))
    case("unflatten", lambda: nn.Unflatten(1, (2, 3)), r(2, 6, 2))
    case("gridSample", None, r(1, 2, 4, 5), lambda: torch.rand(1, 3, 3, 2) * 2.4 - 1.2,
         call=lambda x, g: F.grid_sample(x, g, mode="bilinear", padding_mode="border", align_corners=False))
    case("affineGrid", None, r(1, 2, 3), call=lambda t: F.affine_grid(t, [1, 1, 3, 4], align_corners=False))
    case("spectral norm", lambda: nn.utils.spectral_norm(nn.Linear(4, 3)), r(2, 4),
         call=lambda m, x: (m(x.detach()), m(x))[1], keep_state=True)
    case("spectral norm, transposed", lambda: nn.utils.spectral_norm(nn.ConvTranspose2d(3, 2, 2)), r(1, 3, 2, 2), keep_state=True)

    case("weight norm", lambda: nn.utils.weight_norm(nn.Conv1d(2, 3, 2)), r(1, 2, 4))
    case("weight norm by position", lambda: nn.utils.weight_norm(nn.Conv1d(2, 3, 2), dim=2), r(1, 2, 4))
    case("normalize", None, r(3, 4), call=lambda x: F.normalize(x, dim=-1))
    case("cosineSimilarity", lambda: nn.CosineSimilarity(), r(3, 4), r(3, 4))
    case("pairwiseDistance", lambda: nn.PairwiseDistance(p=3, keepdim=True), r(3, 4), r(3, 4))
    case("attention function", None, r(2, 2, 3, 4), r(2, 2, 5, 4), r(2, 2, 5, 2),
         call=lambda q, k, v: (q @ k.transpose(-2, -1) / 2).softmax(-1) @ v)
    case("attention function, causal", None, r(2, 4, 4), r(2, 4, 4), r(2, 4, 4), call=causal_attention)


def flat_lstm(result):
    out, (h, c) = result
    return out, h, c


def packed(module, x, lengths, state):
    sequence = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    out, ends = module(sequence, state)
    padded, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return (padded, *(ends if isinstance(ends, tuple) else (ends,)))


def causal_attention(q, k, v):
    blocked = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
    return (q @ k.transpose(-2, -1) / 2).masked_fill(blocked, -math.inf).softmax(-1) @ v


def make_losses():
    classes = ints(4, 5)
    weight = lambda: torch.tensor([0.5, 1.0, 2.0, 0.25])
    fixed = lambda *shape: (lambda: torch.rand(*shape))
    case("crossEntropy", lambda: nn.CrossEntropyLoss(), r(5, 4), classes)
    case("crossEntropy smoothed, weighted", lambda: nn.CrossEntropyLoss(weight=weight(), label_smoothing=0.1, ignore_index=1),
         r(5, 4), classes)
    case("crossEntropy of probabilities", lambda: nn.CrossEntropyLoss(reduction="sum"), r(5, 4), lambda: torch.rand(5, 4).softmax(1))
    case("crossEntropy of maps", lambda: nn.CrossEntropyLoss(reduction="none"), r(2, 4, 2, 3), ints(4, 2, 2, 3))
    case("nllLoss", lambda: nn.NLLLoss(weight=weight()), r(5, 4), classes, call=lambda m, x, t: m(x.log_softmax(1), t))
    case("mseLoss", lambda: nn.MSELoss(), r(3, 4), r(3, 4))
    case("l1Loss", lambda: nn.L1Loss(reduction="sum"), r(3, 4), r(3, 4))
    case("smoothL1Loss", lambda: nn.SmoothL1Loss(beta=0.5), r(3, 4), r(3, 4))
    case("huberLoss", lambda: nn.HuberLoss(delta=0.7, reduction="none"), r(3, 4), r(3, 4))
    case("bceLoss", lambda: nn.BCELoss(), r(3, 4), fixed(3, 4), call=lambda m, x, t: m(x.sigmoid(), t))
    case("bceWithLogits", lambda: nn.BCEWithLogitsLoss(pos_weight=weight()), r(3, 4), fixed(3, 4))
    case("klDiv", lambda: nn.KLDivLoss(reduction="batchmean"), r(3, 4), r(3, 4),
         call=lambda m, x, t: m(x.log_softmax(1), t.softmax(1)))
    case("klDiv of logarithms", lambda: nn.KLDivLoss(reduction="sum", log_target=True), r(3, 4), r(3, 4),
         call=lambda m, x, t: m(x.log_softmax(1), t.log_softmax(1)))
    signs = lambda: torch.tensor([1, -1, 1])
    case("cosineEmbedding", lambda: nn.CosineEmbeddingLoss(margin=0.2), r(3, 4), r(3, 4), signs)
    case("marginRanking", lambda: nn.MarginRankingLoss(margin=0.5), r(3), r(3), signs)
    case("hingeEmbedding", lambda: nn.HingeEmbeddingLoss(), r(3), signs)
    case("softMargin", lambda: nn.SoftMarginLoss(), r(3), signs)
    case("tripletMargin", lambda: nn.TripletMarginLoss(margin=0.8, swap=True), r(3, 4), r(3, 4), r(3, 4))
    case("gaussianNll", lambda: nn.GaussianNLLLoss(full=True), r(3, 4), r(3, 4), fixed(3, 4))
    case("poissonNll", lambda: nn.PoissonNLLLoss(), r(3, 4), fixed(3, 4))
    case("ctc", lambda: nn.CTCLoss(), r(6, 2, 4), lambda: torch.tensor([[1, 2, 3], [2, 2, 1]]),
         lambda: torch.tensor([6, 5]), lambda: torch.tensor([3, 2]),
         call=lambda m, x, t, a, b: m(x.log_softmax(2), t, a, b))


def make_printed():
    block = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
    model = nn.Sequential()
    model.add_module("stem", block)
    model.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model.add_module("heads", nn.ModuleList([nn.Linear(8, 2), nn.Identity()]))
    model.add_module("named", nn.ModuleDict({"a": nn.Dropout(0.25), "b": nn.Embedding(3, 2, padding_idx=0)}))
    model.add_module("lstm", nn.LSTM(3, 4, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True))
    return repr(model)


SHAPES = [(3, 4), (5,)]
STEPS = 20


def make_optimizers():
    torch.manual_seed(7)
    start = [torch.randn(*s, dtype=torch.float32) for s in SHAPES]
    grads = [[torch.randn(*s, dtype=torch.float32) for s in SHAPES] for _ in range(STEPS)]
    made = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
        "sgd momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=5e-4),
        "sgd damped": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, dampening=0.3),
        "sgd nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=0.01, foreach=False),
        "adam decayed": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, foreach=False),
        "adam amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, foreach=False),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.05, foreach=False),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, foreach=False),
        "rmsprop centered": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True, weight_decay=0.1, foreach=False),
    }
    runs = {}
    for name, make in made.items():
        params = [t.clone().requires_grad_() for t in start]
        optimizer = make(params)
        after = {}
        for step in range(STEPS):
            for i, (p, g) in enumerate(zip(params, grads[step])):
                # The second parameter joins at the third step, so that step counts differ.
                p.grad = None if i == 1 and step < 2 else g.clone()
            optimizer.step()
            if step + 1 in (1, 2, 5, STEPS):
                after[str(step + 1)] = [pack(p) for p in params]
        runs[name] = after
    return {"start": [pack(t) for t in start], "grads": [[pack(g) for g in gs] for gs in grads], "runs": runs}


def make_schedules():
    S = torch.optim.lr_scheduler

    def rates(make, n=30, metric=None, momentum=False):
        a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.02}], lr=0.1, momentum=0.9)
        scheduler = make(optimizer)
        seen = []
        for step in range(n):
            row = [group["lr"] for group in optimizer.param_groups]
            if momentum:
                row.append(optimizer.param_groups[0]["momentum"])
            seen.append(row)
            optimizer.step()
            if step + 1 < n:
                scheduler.step(*([metric(step)] if metric else []))
        return seen

    return {
        "lambda": rates(lambda o: S.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (1 + e)])),
        "step": rates(lambda o: S.StepLR(o, 7, 0.3)),
        "multiStep": rates(lambda o: S.MultiStepLR(o, [4, 11, 12, 25], 0.5)),
        "constant": rates(lambda o: S.ConstantLR(o, 0.25, 6)),
        "linear": rates(lambda o: S.LinearLR(o, 0.1, 1.0, 10)),
        "exponential": rates(lambda o: S.ExponentialLR(o, 0.93)),
        "polynomial": rates(lambda o: S.PolynomialLR(o, 20, 2.0)),
        "cosine": rates(lambda o: S.CosineAnnealingLR(o, 12, 0.001)),
        "restarts": rates(lambda o: S.CosineAnnealingWarmRestarts(o, 4, 2, 0.001)),
        "sequential": rates(lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, 1.0, 5), S.CosineAnnealingLR(o, 25)], [5])),
        "oneCycle": rates(lambda o: S.OneCycleLR(o, max_lr=[0.5, 0.1], total_steps=30), momentum=True),
        "oneCycle linear, three phases": rates(
            lambda o: S.OneCycleLR(o, max_lr=0.5, total_steps=30, pct_start=0.4, anneal_strategy="linear",
                                   three_phase=True, div_factor=10.0), momentum=True),
        "plateau": rates(lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1),
                         metric=lambda i: max(1.0 - 0.1 * i, 0.5)),
    }


def make_clips():
    torch.manual_seed(3)
    grads = [torch.randn(3, 4), torch.randn(5)]
    result = {"grads": [pack(g) for g in grads]}
    for name, kind, limit in (("l2", 2.0, 1.5), ("inf", math.inf, 0.5), ("loose", 2.0, 100.0)):
        params = [nn.Parameter(torch.zeros_like(g)) for g in grads]
        for p, g in zip(params, grads):
            p.grad = g.clone()
        norm = nn.utils.clip_grad_norm_(params, limit, norm_type=kind)
        result[name] = {"norm": pack(norm), "clipped": [pack(p.grad) for p in params]}
    return result


def write(name, value):
    """One entry of each section on a line, so that a difference shows which."""
    sections = []
    for key, section in value.items():
        if isinstance(section, dict):
            lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in section.items())
            sections.append(f"{json.dumps(key)}: {{\n{lines}\n}}")
        else:
            sections.append(f"{json.dumps(key)}: {json.dumps(section)}")
    with open(os.path.join(HERE, name), "w") as f:
        f.write("{\n" + ",\n".join(sections) + "\n}\n")


if __name__ == "__main__":
    make_layers()
    make_losses()
    write("layers.json", {"torch": torch.__version__, "printed": make_printed(), "cases": layers})
    write("optim.json", {"torch": torch.__version__, "optimizers": make_optimizers(), "schedules": make_schedules(),
                         "clip": make_clips()})
    print(f"{len(layers)} layer cases", file=sys.stderr)
