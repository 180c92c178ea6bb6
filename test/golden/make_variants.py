#!/usr/bin/env python3
"""Writes PyTorch's values for options and changes on the way: variants.json, beside this file.

Run with any Python that has torch 1.13 or later:  python3 test/golden/make_variants.py
Everything is float64. Inputs are drawn per case; cases of functions are compared with their gradients, whose loss is
sum(output * w), w = linspace(0.5, 1.5) over the output's elements.
"""
import copy
import itertools
import json
import os
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from make_golden import pack, weighed, write

warnings.simplefilter("ignore")
torch.set_default_dtype(torch.float64)
cases = {}


def case(name, call, *inputs):
    """Records a function of tensors: inputs, outputs and gradients."""
    torch.manual_seed(sum(name.encode()))
    inputs = [x() if callable(x) else x for x in inputs]
    leaves = [x.clone().requires_grad_() if torch.is_floating_point(x) else x for x in inputs]
    out = call(*leaves)
    outputs = list(out) if isinstance(out, (tuple, list)) else [out]
    floats = [o for o in outputs if torch.is_floating_point(o) and o.requires_grad]
    weighed(floats).backward()
    cases[name] = {
        "inputs": [pack(x) for x in inputs],
        "outputs": [pack(o) for o in outputs],
        "inputGrads": [pack(x.grad) if x.grad is not None else None for x in leaves],
    }


def r(*shape):
    return lambda: torch.randn(*shape)


def positive(*shape):
    return lambda: torch.rand(*shape) + 0.1


def make_losses():
    classes = lambda: torch.tensor([0, 3, 1, 1, 2])
    weight = torch.tensor([0.5, 1.0, 2.0, 0.25])
    signs = lambda: torch.tensor([1, -1, 1])
    for red in ("none", "mean", "sum"):
        case(f"crossEntropy {red}", lambda x, t: F.cross_entropy(x, t, reduction=red), r(5, 4), classes)
        case(f"crossEntropy weighted ignoring {red}", lambda x, t: F.cross_entropy(x, t, weight, ignore_index=1, reduction=red), r(5, 4), classes)
        case(f"crossEntropy smoothed {red}", lambda x, t: F.cross_entropy(x, t, weight, ignore_index=3, label_smoothing=0.2, reduction=red), r(5, 4), classes)
        case(f"crossEntropy of probabilities smoothed {red}", lambda x, t: F.cross_entropy(x, t.softmax(1), weight, label_smoothing=0.3, reduction=red), r(5, 4), r(5, 4))
        case(f"nllLoss {red}", lambda x, t: F.nll_loss(x.log_softmax(1), t, weight, ignore_index=2, reduction=red), r(5, 4), classes)
        case(f"mseLoss {red}", lambda x, t: F.mse_loss(x, t, reduction=red), r(3, 4), r(3, 4))
        case(f"l1Loss {red}", lambda x, t: F.l1_loss(x, t, reduction=red), r(3, 4), r(3, 4))
        case(f"smoothL1Loss {red}", lambda x, t: F.smooth_l1_loss(x, t, reduction=red, beta=0.5), r(3, 4), r(3, 4))
        case(f"smoothL1Loss of beta 0 {red}", lambda x, t: F.smooth_l1_loss(x, t, reduction=red, beta=0.0), r(3, 4), r(3, 4))
        case(f"huberLoss {red}", lambda x, t: F.huber_loss(x, t, reduction=red, delta=0.7), r(3, 4), r(3, 4))
        case(f"bce {red}", lambda x, t, w: F.binary_cross_entropy(x.sigmoid(), t.detach(), w.detach(), reduction=red), r(3, 4), lambda: torch.rand(3, 4), positive(4))
        case(f"bceWithLogits {red}", lambda x, t, w, p: F.binary_cross_entropy_with_logits(x, t.detach(), w.detach(), reduction=red, pos_weight=p.detach()), r(3, 4), lambda: torch.rand(3, 4), positive(3, 1), positive(4))
        case(f"klDiv {red}", lambda x, t: F.kl_div(x.log_softmax(1), t.softmax(1), reduction=red), r(3, 4), r(3, 4))
        case(f"klDiv of logarithms {red}", lambda x, t: F.kl_div(x.log_softmax(1), t.log_softmax(1), reduction=red, log_target=True), r(3, 4), r(3, 4))
        case(f"cosineEmbedding {red}", lambda a, b, t: F.cosine_embedding_loss(a, b, t, margin=0.2, reduction=red), r(3, 4), r(3, 4), signs)
        case(f"marginRanking {red}", lambda a, b, t: F.margin_ranking_loss(a, b, t, margin=0.5, reduction=red), r(3), r(3), signs)
        case(f"hingeEmbedding {red}", lambda x, t: F.hinge_embedding_loss(x, t, margin=0.8, reduction=red), r(3), signs)
        case(f"softMargin {red}", lambda x, t: F.soft_margin_loss(x, t, reduction=red), r(3), signs)
        case(f"tripletMargin {red}", lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=0.8, p=1, eps=1e-3, swap=True, reduction=red), r(3, 4), r(3, 4), r(3, 4))
        case(f"gaussianNll {red}", lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True, reduction=red), r(3, 4), r(3, 4), positive(3, 4))
        case(f"gaussianNll of a variance per row {red}", lambda x, t, v: F.gaussian_nll_loss(x, t, v, reduction=red), r(3, 4), r(3, 4), positive(3))
        case(f"gaussianNll of a variance per row, kept {red}", lambda x, t, v: F.gaussian_nll_loss(x, t, v, reduction=red), r(3, 4), r(3, 4), positive(3, 1))
        case(f"gaussianNll of small variances {red}", lambda x, t, v: F.gaussian_nll_loss(x, t, v, eps=0.5, reduction=red), r(3, 4), r(3, 4), positive(3, 4))
        case(f"poissonNll {red}", lambda x, t: F.poisson_nll_loss(x, t.detach(), reduction=red), r(3, 4), positive(3, 4))
        case(f"poissonNll full {red}", lambda x, t: F.poisson_nll_loss(x.exp(), t.detach() * 3, log_input=False, full=True, eps=1e-4, reduction=red), r(3, 4), positive(3, 4))
        case(f"ctc {red}", lambda x, t: F.ctc_loss(x.log_softmax(2), t, (6, 5), (3, 2), blank=1, reduction=red, zero_infinity=True), r(6, 2, 4), lambda: torch.tensor([[0, 2, 3], [2, 2, 0]]))
    case("klDiv batchmean", lambda x, t: F.kl_div(x.log_softmax(1), t.softmax(1), reduction="batchmean"), r(3, 4), r(3, 4))


def make_convolutions():
    for n, f in ((1, F.conv1d), (2, F.conv2d), (3, F.conv3d)):
        size = (5, 6, 5)[:n]
        for pad, kernel, dilation in itertools.product(("same", "valid"), (3, 2), (1, 2)):
            case(f"conv{n}d {pad} kernel {kernel} dilation {dilation}",
                 lambda x, w, b: f(x, w, b, padding=pad, dilation=dilation), r(2, 3, *size), r(4, 3, *([kernel] * n)), r(4))
    case("conv2d same grouped", lambda x, w: F.conv2d(x, w, padding="same", groups=2, dilation=(2, 1)), r(1, 4, 5, 6), r(4, 2, 4, 3))
    for mode in ("zeros", "reflect", "replicate", "circular"):
        def layer(x, w, b, mode=mode):
            made = nn.Conv2d(2, 3, (4, 3), padding="same", dilation=(1, 2), padding_mode=mode)
            return torch.nn.utils.stateless.functional_call(made, {"weight": w, "bias": b}, (x,))
        case(f"Conv2d same {mode}", layer, r(1, 2, 6, 7), r(3, 2, 4, 3), r(3))


def make_attention():
    torch.manual_seed(11)
    state = {k: torch.randn_like(v) * 0.5 for k, v in nn.MultiheadAttention(6, 2).state_dict().items()}
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0)
    layer_state = {k: torch.randn_like(v) * 0.5 for k, v in layer.state_dict().items()}
    pad = torch.tensor([[False, False, False, True], [False, False, True, True]])
    pairs = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
    each = torch.randn(4, 4, 4)
    scores = torch.randn(4, 4)
    masks = {"none": None, "bool": pairs, "float": scores, "per head": each, "bool per head": each > 0.5}
    pads = {"none": None, "bool": pad, "float": torch.randn(2, 4)}
    for (a, attn), (k, keys) in itertools.product(masks.items(), pads.items()):
        m = nn.MultiheadAttention(6, 2)
        m.load_state_dict(state)
        # A float mask together with a boolean one: as PyTorch 2 adds them.
        added = keys if keys is None or keys.dtype != torch.bool else torch.zeros(2, 4).masked_fill(keys, -1e30)
        full = attn
        if attn is not None and attn.dtype == torch.bool:
            full = torch.zeros(attn.shape).masked_fill(attn, -1e30)
        if added is not None:
            full = (torch.zeros(4, 4) if full is None else full)
            full = (full if full.dim() == 3 else full.expand(4, 4, 4)) + added.repeat_interleave(2, 0).unsqueeze(1)
        case(f"attention {a} {k}", lambda x: m(x, x, x, attn_mask=full), r(4, 2, 6))
    m = nn.MultiheadAttention(6, 2)
    m.load_state_dict(state)
    case("attention of one sequence", lambda x: m(x, x, x, key_padding_mask=pad[0], attn_mask=pairs), r(4, 6))
    case("attention of one sequence and others", lambda x, y: m(x, y, y, attn_mask=each[:2, :3]), r(3, 6), r(4, 6))
    layer.load_state_dict(layer_state)
    stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    case("encoder masked", lambda x: stack(x, mask=pairs, src_key_padding_mask=pad), r(4, 2, 6))
    case("encoder layer of one sequence", lambda x: layer(x, src_mask=scores), r(4, 6))
    return {
        "attention": {k: pack(v) for k, v in state.items()}, "layer": {k: pack(v) for k, v in layer_state.items()},
        "pad": pack(pad), "floatPad": pack(pads["float"]), "pairs": pack(pairs), "each": pack(each), "scores": pack(scores),
        "boolEach": pack(each > 0.5),
    }


def make_pooling():
    for n, f, un in ((1, F.max_pool1d, F.max_unpool1d), (2, F.max_pool2d, F.max_unpool2d), (3, F.max_pool3d, F.max_unpool3d)):
        size = (7, 6, 5)[:n]
        case(f"maxPool{n}d with indices", lambda x: f(x, 2, return_indices=True), r(2, 3, *size))
        case(f"maxPool{n}d padded with indices", lambda x: f(x, 3, stride=2, padding=1, ceil_mode=True, return_indices=True), r(1, 2, *size))
        case(f"maxUnpool{n}d", lambda x: un(*f(x, 2, return_indices=True), 2), r(2, 3, *(8, 6, 4)[:n]))
        case(f"maxUnpool{n}d of a size", lambda x: un(*f(x, 2, return_indices=True), 2, output_size=x.shape), r(2, 3, *size))
    for n, f in ((1, F.adaptive_max_pool1d), (2, F.adaptive_max_pool2d), (3, F.adaptive_max_pool3d)):
        case(f"adaptiveMaxPool{n}d with indices", lambda x: f(x, 2, return_indices=True), r(2, 3, *(7, 6, 5)[:n]))


def make_activations():
    for name, f in {
        "ELU": nn.ELU(2.0), "CELU": nn.CELU(0.5), "LeakyReLU": nn.LeakyReLU(0.3), "Softplus": nn.Softplus(2.0, 3.0),
        "Hardtanh": nn.Hardtanh(-0.5, 2.0), "Hardshrink": nn.Hardshrink(0.7), "Softshrink": nn.Softshrink(0.7),
        "GELU": nn.GELU(approximate="tanh"), "GLU": nn.GLU(0), "SELU": nn.SELU(), "Mish": nn.Mish(), "Hardsigmoid": nn.Hardsigmoid(),
        "Threshold": nn.Threshold(0.2, -3.0),
    }.items():
        case(f"activation {name}", lambda x: f(x * 2), r(4, 6))


def make_embeddings():
    rows = lambda: torch.tensor([[0, 2, 5], [2, 2, 1]])
    case("embedding of short rows", lambda i, w: F.embedding(i, w.clone(), max_norm=0.8, norm_type=1.0), rows, r(6, 3))
    case("embedding scaled by frequency", lambda i, w: F.embedding(i, w, padding_idx=-1, scale_grad_by_freq=True), rows, r(6, 3))


START = [torch.randn(3, generator=torch.Generator().manual_seed(1)), torch.randn(2, 2, generator=torch.Generator().manual_seed(2))]
STEPS = 12


def make_optimizers():
    g = torch.Generator().manual_seed(3)
    grads = [[torch.randn(t.shape, generator=g) for t in START] for _ in range(STEPS)]
    O = torch.optim
    # Before which step a group takes which values; "save" makes a new optimizer of the saved state.
    runs = {
        "SGD, momentum later": (lambda p: O.SGD(p, lr=0.1), {3: {"momentum": 0.5}, 7: {"momentum": 0.9, "weight_decay": 0.1}, 9: "save"}),
        "SGD, damped momentum later": (lambda p: O.SGD(p, lr=0.1, dampening=0.4), {2: {"momentum": 0.5}, 5: "save", 8: {"lr": 0.01}}),
        "SGD, momentum off and on": (lambda p: O.SGD(p, lr=0.1, momentum=0.9), {3: {"momentum": 0.0}, 6: "save", 7: {"momentum": 0.8}}),
        "SGD, nesterov later": (lambda p: O.SGD(p, lr=0.1), {1: {"momentum": 0.5}, 4: {"nesterov": True}, 6: "save"}),
        "SGD, saved before momentum": (lambda p: O.SGD(p, lr=0.1), {4: "save", 5: {"momentum": 0.5}}),
        "Adam, changed": (lambda p: O.Adam(p, lr=0.01), {3: {"betas": (0.5, 0.9)}, 5: "save", 6: {"lr": 0.1, "weight_decay": 0.2}, 9: {"eps": 1e-2}}),
        "Adam, amsgrad": (lambda p: O.Adam(p, lr=0.01, amsgrad=True), {4: "save", 6: {"lr": 0.1}, 8: {"amsgrad": False}, 10: {"amsgrad": True}}),
        "AdamW, changed": (lambda p: O.AdamW(p, lr=0.01, amsgrad=True), {3: {"weight_decay": 0.0}, 5: "save", 6: {"betas": (0.8, 0.8)}}),
        "RMSprop, centered with momentum": (lambda p: O.RMSprop(p, lr=0.01, momentum=0.9, centered=True), {4: "save", 6: {"momentum": 0.0}, 9: {"momentum": 0.5, "alpha": 0.5}}),
        "RMSprop, plain": (lambda p: O.RMSprop(p, lr=0.01, weight_decay=0.1), {4: "save", 6: {"lr": 0.1, "eps": 1e-2}}),
    }
    stored = {}
    for name, (make, changes) in runs.items():
        params = [t.clone().requires_grad_() for t in START]
        optimizer = make(params)
        after, saved = [], None
        for step in range(STEPS):
            change = changes.get(step)
            if change == "save":
                state = copy.deepcopy(optimizer.state_dict())
                saved = {
                    "param_groups": state["param_groups"],
                    "state": {str(i): {k: pack(v) if torch.is_tensor(v) else v for k, v in s.items()} for i, s in state["state"].items()},
                }
                optimizer = make(params)
                optimizer.load_state_dict(state)
            elif change:
                optimizer.param_groups[0].update(change)
            for i, (p, grad) in enumerate(zip(params, grads[step])):
                p.grad = None if i == 1 and step < 2 else grad.clone()
            optimizer.step()
            after.append([pack(p) for p in params])
        stored[name] = {"changes": {str(k): v for k, v in changes.items()}, "after": after, "saved": saved}
    return {"start": [pack(t) for t in START], "grads": [[pack(x) for x in gs] for gs in grads], "runs": stored}


def make_schedules():
    S = torch.optim.lr_scheduler
    found = {}

    def rates(name, make, n, metrics=None, lr=0.5, momentum=False):
        p = nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([p], lr=lr, momentum=0.9)
        scheduler = make(optimizer)
        row = lambda: [optimizer.param_groups[0]["lr"]] + ([optimizer.param_groups[0]["momentum"]] if momentum else [])
        seen = [row()]
        for step in range(n):
            optimizer.step()
            scheduler.step(*([metrics[step]] if metrics else []))
            seen.append(row())
        found[name] = seen

    rates("LinearLR of no steps", lambda o: S.LinearLR(o, 0.5, 1.0, 0), 4)
    rates("ConstantLR of no steps", lambda o: S.ConstantLR(o, 0.5, 0), 4)
    rates("PolynomialLR of no steps", lambda o: S.PolynomialLR(o, 0), 4)
    rates("CosineAnnealingLR past its end", lambda o: S.CosineAnnealingLR(o, 3, 0.1), 10)
    rates("MultiStepLR twice at once", lambda o: S.MultiStepLR(o, [2, 2, 3], 0.5), 5)
    for total, options in {5: {}, 10: {"three_phase": True}, 4: {"anneal_strategy": "linear"}, 1: {}, 3: {"pct_start": 0.0}}.items():
        rates(f"OneCycleLR of {total} steps, all of them", lambda o: S.OneCycleLR(o, 1.0, total_steps=total, **options), total, momentum=True)
    rates("OneCycleLR of epochs", lambda o: S.OneCycleLR(o, 1.0, epochs=2, steps_per_epoch=3), 6, momentum=True)
    series = {
        "falling": [-1.0, -1.00005, -1.01, -1.5, -1.5, -1.49, -1.4, -1.3, -2.0, -2.0, -2.0, -2.1],
        "around zero": [0.5, 0.1, 0.0, -1e-5, -1e-3, -0.1, -0.1, -0.1, 0.0, 0.0, -0.2, -0.2],
        "with gaps": [1.0, float("nan"), 0.5, float("inf"), 0.6, 0.6, 0.4, float("nan"), float("nan"), float("nan"), 0.1, 0.1],
    }
    for (kind, metrics), mode, how in itertools.product(series.items(), ("min", "max"), ("rel", "abs")):
        rates(f"plateau {kind} {mode} {how}", lambda o: S.ReduceLROnPlateau(o, mode, 0.5, 1, 0.01, how, cooldown=1), len(metrics), metrics)
    return {"rates": found, "series": {k: [str(m) for m in v] for k, v in series.items()}}


if __name__ == "__main__":
    make_losses()
    make_convolutions()
    make_pooling()
    make_activations()
    make_embeddings()
    masks = make_attention()
    write("variants.json", {"torch": torch.__version__, "cases": cases, "masks": masks, "optimizers": make_optimizers(),
                            "schedules": make_schedules()})
