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


if __name__ == "__main__":
    make_recurrent()
    make_transformers()
    make_bags()
    write("more-layers.json", {"torch": torch.__version__, "cases": layers})
    print(f"{len(layers)} layer cases", file=sys.stderr)
