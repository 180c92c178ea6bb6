#!/usr/bin/env python3
"""Writes PyTorch's values for more tests of nn and optim: more-layers.json, more-optim.json, beside this file.

Run with any Python that has torch 1.13 or later:  python3 test/golden/make_more_golden.py
Cases are recorded as in make_golden.py.
"""
import sys

import torch
import torch.nn.functional as F
from torch import nn

from make_golden import SHAPES, case, flat_lstm, ints, layers, pack, packed, r, write


def make_recurrent():
    case("rnn", lambda: nn.RNN(3, 4), r(5, 2, 3))
    case("rnn of relu, two layers, both ways", lambda: nn.RNN(3, 4, num_layers=2, nonlinearity="relu", bidirectional=True,
         batch_first=True), r(2, 5, 3), r(4, 2, 4))
    case("rnn no bias", lambda: nn.RNN(3, 2, bias=False), r(4, 1, 3))
    case("rnn of lengths", lambda: nn.RNN(3, 2, bidirectional=True, batch_first=True), r(3, 4, 3), r(2, 3, 2),
         call=lambda m, x, h: packed(m, x, [3, 1, 4], h))
    case("rnnCell", lambda: nn.RNNCell(3, 4), r(2, 3))
    case("rnnCell of relu", lambda: nn.RNNCell(3, 4, nonlinearity="relu"), r(2, 3), r(2, 4))
    case("rnnCell no bias, one row", lambda: nn.RNNCell(3, 4, bias=False), r(3), r(4))
    case("lstmCell", lambda: nn.LSTMCell(3, 4), r(2, 3))
    case("lstmCell with states", lambda: nn.LSTMCell(3, 4, bias=False), r(2, 3), r(2, 4), r(2, 4),
         call=lambda m, x, h, c: m(x, (h, c)))
    case("lstmCell, one row", lambda: nn.LSTMCell(3, 4), r(3), r(4), r(4), call=lambda m, x, h, c: m(x, (h, c)))
    case("gruCell", lambda: nn.GRUCell(3, 4), r(2, 3))
    case("gruCell with a state", lambda: nn.GRUCell(3, 4, bias=False), r(2, 3), r(2, 4))


def make_transformers():
    causal = lambda n: (lambda: nn.Transformer.generate_square_subsequent_mask(n))
    pad = lambda: torch.tensor([[False, False, False, True], [False, False, True, True]])
    across = lambda: torch.tensor([[False, True, False], [False, False, False], [True, False, False], [False, False, True]])
    memory_pad = lambda: torch.tensor([[False, False, True], [False, False, False]])
    layer = lambda **o: nn.TransformerDecoderLayer(6, 2, 8, dropout=0.0, **o)
    case("decoder layer", lambda: layer(), r(4, 2, 6), r(3, 2, 6))
    case("decoder layer, masked", lambda: layer(activation="gelu", batch_first=True, norm_first=True),
         r(2, 4, 6), r(2, 3, 6), causal(4), across, pad, memory_pad,
         call=lambda m, x, y, a, b, c, d: m(x, y, tgt_mask=a, memory_mask=b, tgt_key_padding_mask=c,
                                            memory_key_padding_mask=d))
    case("decoder", lambda: nn.TransformerDecoder(layer(), 2, nn.LayerNorm(6)), r(4, 2, 6), r(3, 2, 6), causal(4),
         call=lambda m, x, y, a: m(x, y, tgt_mask=a))
    case("transformer", lambda: nn.Transformer(6, 2, 1, 2, 8, dropout=0.0), r(3, 2, 6), r(4, 2, 6), causal(4),
         call=lambda m, x, y, a: m(x, y, tgt_mask=a))
    case("transformer, batch first", lambda: nn.Transformer(6, 2, 1, 1, 8, dropout=0.0, batch_first=True, norm_first=True),
         r(2, 3, 6), r(2, 4, 6), memory_pad, causal(4), memory_pad,
         call=lambda m, x, y, a, b, c: m(x, y, src_key_padding_mask=a, tgt_mask=b, memory_key_padding_mask=c))


def make_bags():
    flat = lambda: torch.tensor([0, 2, 6, 2, 1, 1, 5])
    offsets = lambda: torch.tensor([0, 3, 3, 4])
    for mode in ("sum", "mean", "max"):
        bag = lambda **o: nn.EmbeddingBag(7, 3, mode=mode, **o)
        case(f"embeddingBag, {mode}", lambda: bag(), ints(7, 3, 4))
        case(f"embeddingBag of offsets, {mode}", lambda: bag(), flat, offsets)
        case(f"embeddingBag with padding, {mode}", lambda: bag(padding_idx=2), flat, offsets)
        case(f"embeddingBag with the last offset, {mode}", lambda: bag(include_last_offset=True), flat,
             lambda: torch.tensor([0, 3, 3, 4, 7]))
    case("embeddingBag, weighed", lambda: nn.EmbeddingBag(7, 3, mode="sum", padding_idx=-1), flat, offsets, r(7),
         call=lambda m, i, o, w: m(i, o, per_sample_weights=w))
    case("embeddingBag of rows, weighed", lambda: nn.EmbeddingBag(7, 3, mode="sum"), ints(7, 3, 4), r(3, 4),
         call=lambda m, i, w: m(i, per_sample_weights=w))


def shuffled(module, x):
    """The operator has no derivative in 1.13."""
    out = x.unflatten(1, (2, 3)).transpose(1, 2).flatten(1, 2)
    assert torch.equal(out, module(x))
    return out


def make_small():
    case("channelShuffle", lambda: nn.ChannelShuffle(2), r(2, 6, 2, 2), call=shuffled)
    case("lpPool1d", lambda: nn.LPPool1d(3, 2, stride=1), r(1, 2, 6, scale=0.3, shift=2))
    case("lpPool2d", lambda: nn.LPPool2d(2, (2, 3), ceil_mode=True), r(1, 2, 5, 6))
    case("localResponseNorm", lambda: nn.LocalResponseNorm(3, alpha=0.5, beta=0.6, k=2.0), r(2, 5, 4))
    case("localResponseNorm of volumes", lambda: nn.LocalResponseNorm(2), r(1, 5, 2, 2, 3))
    case("softmax2d", lambda: nn.Softmax2d(), r(2, 3, 2, 2))
    case("rrelu", lambda: nn.RReLU(0.1, 0.3), r(3, 4), eval_mode=True)
    case("reflectionPad3d", lambda: nn.ReflectionPad3d((1, 0, 1, 1, 0, 1)), r(1, 2, 2, 3, 3))
    case("replicationPad3d", lambda: nn.ReplicationPad3d(1), r(1, 1, 2, 2, 3))
    case("constantPad3d", lambda: nn.ConstantPad3d((1, 0, 0, 2, -1, 1), 0.5), r(1, 2, 2, 2, 3))
    weight = lambda: torch.tensor([0.5, 1.0, 2.0, 0.25])
    classes = ints(4, 5)
    case("multiMargin", lambda: nn.MultiMarginLoss(), r(5, 4), classes)
    case("multiMargin squared, weighted", lambda: nn.MultiMarginLoss(p=2, margin=0.5, weight=weight(), reduction="sum"),
         r(5, 4), classes)
    labels = lambda: torch.tensor([[1, 3, -1, 0], [0, -1, 2, 1]])
    case("multiLabelMargin", lambda: nn.MultiLabelMarginLoss(), r(2, 4), labels)
    case("multiLabelMargin, each", lambda: nn.MultiLabelMarginLoss(reduction="none"), r(2, 4), labels)
    case("multiLabelSoftMargin", lambda: nn.MultiLabelSoftMarginLoss(), r(3, 4), lambda: torch.randint(2, (3, 4)).double())
    case("multiLabelSoftMargin, weighted", lambda: nn.MultiLabelSoftMarginLoss(weight=weight(), reduction="sum"), r(3, 4),
         lambda: torch.randint(2, (3, 4)).double())
    case("tripletMarginWithDistance", lambda: nn.TripletMarginWithDistanceLoss(margin=0.7, swap=True), r(3, 4), r(3, 4), r(3, 4))
    case("tripletMarginWithDistance of cosines", lambda: nn.TripletMarginWithDistanceLoss(reduction="none",
         distance_function=lambda a, b: 1 - F.cosine_similarity(a, b)), r(3, 4), r(3, 4), r(3, 4))
    for shape, groups in {(3, 4, 3): 1, (4, 2, 3, 2): 2, (2, 3, 1, 3, 3): 1}.items():
        case(f"dirac {list(shape)}", None, r(*shape), call=lambda x: nn.init.dirac_(x.detach().clone(), groups) * x)


STEPS = 12


def make_optimizers():
    torch.manual_seed(11)
    start = [torch.randn(*s, dtype=torch.float32) for s in SHAPES]
    grads = [[torch.randn(*s, dtype=torch.float32) for s in SHAPES] for _ in range(STEPS)]
    O = torch.optim
    made = {
        "adagrad": lambda p: O.Adagrad(p),
        "adagrad decayed": lambda p: O.Adagrad(p, lr=0.1, lr_decay=0.05, weight_decay=0.1, initial_accumulator_value=0.2),
        "adadelta": lambda p: O.Adadelta(p),
        "adadelta decayed": lambda p: O.Adadelta(p, lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.1),
        "adamax": lambda p: O.Adamax(p),
        "adamax decayed": lambda p: O.Adamax(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1),
        # The loop of 1.13 has one factor too many, which later versions do not; the list form is right.
        "nadam": lambda p: O.NAdam(p, foreach=True),
        "nadam decayed": lambda p: O.NAdam(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, momentum_decay=0.05, foreach=True),
        "radam": lambda p: O.RAdam(p),
        "radam decayed": lambda p: O.RAdam(p, lr=0.01, betas=(0.8, 0.9), weight_decay=0.1),
        "rprop": lambda p: O.Rprop(p),
        "rprop bounded": lambda p: O.Rprop(p, lr=0.05, etas=(0.6, 1.5), step_sizes=(0.01, 0.1)),
        "asgd": lambda p: O.ASGD(p),
        "asgd averaged": lambda p: O.ASGD(p, lr=0.1, lambd=0.01, alpha=0.6, t0=3, weight_decay=0.1),
    }
    runs, states = {}, {}
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
        states[name] = {k: pack(v.to(torch.float32) if torch.is_tensor(v) else torch.tensor(v))
                        for k, v in optimizer.state_dict()["state"][0].items()}
    return {"start": [pack(t) for t in start], "grads": [[pack(g) for g in gs] for gs in grads], "runs": runs,
            "states": states}


def make_lbfgs():
    """A small nonlinear least squares: the parameters, the losses returned and the calls of the closure."""
    made = {
        "plain": dict(lr=0.1),
        "short history": dict(lr=0.5, max_iter=6, history_size=2),
        "few evaluations": dict(lr=0.2, max_iter=10, max_eval=4),
        "strong wolfe": dict(line_search_fn="strong_wolfe"),
        "strong wolfe, short": dict(lr=3.0, max_iter=4, history_size=3, line_search_fn="strong_wolfe"),
        "strong wolfe, loose": dict(lr=0.01, max_iter=5, tolerance_change=1e-3, line_search_fn="strong_wolfe"),
    }
    torch.manual_seed(5)
    x, y = torch.randn(20, 3), torch.randn(20, 2)
    start = [torch.randn(4, 3), torch.randn(4), torch.randn(2, 4)]
    result = {"x": pack(x), "y": pack(y), "start": [pack(t) for t in start], "runs": {}}
    for name, options in made.items():
        w, b, v = params = [t.clone().requires_grad_() for t in start]
        optimizer = torch.optim.LBFGS(params, **options)

        def closure():
            optimizer.zero_grad()
            loss = ((torch.tanh(x @ w.T + b) @ v.T - y) ** 2).mean()
            loss.backward()
            return loss

        steps = []
        for _ in range(6):
            loss = optimizer.step(closure)
            state = optimizer.state[params[0]]
            steps.append({"loss": float(loss), "params": [pack(p) for p in params], "evaluations": state["func_evals"],
                          "iterations": state["n_iter"]})
        result["runs"][name] = {"options": options, "steps": steps, "keys": sorted(k for k in state if k != "al")}
    return result


def make_averages():
    torch.manual_seed(9)
    result = {}
    models = [nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)) for _ in range(4)]
    for m in models:
        m(torch.randn(5, 2) * 2 + 1)
    result["models"] = [{k: pack(t) for k, t in m.state_dict().items()} for m in models]
    ema = lambda a, m, n: 0.9 * a + 0.1 * m
    for name, options in {"swa": {}, "ema": {"avg_fn": ema}, "swa of buffers": {"use_buffers": True}}.items():
        averaged = torch.optim.swa_utils.AveragedModel(models[0], **options)
        for m in models:
            averaged.update_parameters(m)
        result[name] = {k: pack(t) for k, t in averaged.state_dict().items()}
    return result


if __name__ == "__main__":
    make_recurrent()
    make_transformers()
    make_bags()
    make_small()
    write("more-layers.json", {"torch": torch.__version__, "cases": layers})
    write("more-optim.json", {"torch": torch.__version__, "optimizers": make_optimizers(), "lbfgs": make_lbfgs(),
                              "averages": make_averages()})
    print(f"{len(layers)} layer cases", file=sys.stderr)
