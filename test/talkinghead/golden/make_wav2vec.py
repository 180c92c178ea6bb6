#!/usr/bin/env python3
"""Writes wav2vec.json: a small wav2vec 2.0 by PyTorch's own functions, its keys those of Hugging Face's Wav2Vec2Model.

Attention is multi_head_attention_forward, the weight of the places is PyTorch's weight_norm. A second case interpolates the rows.
Run: python3 test/talkinghead/golden/make_wav2vec.py
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "golden"))
from make_golden import case, layers, r  # noqa: E402

CHANNELS, KERNELS, STRIDES, HIDDEN, HEADS, INNER, EPS = [4, 5], [5, 3], [3, 2], 6, 2, 7, 1e-5


def holder(**parts):
    module = nn.Module()
    for name, part in parts.items():
        setattr(module, name, part)
    return module


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        first = holder(conv=nn.Conv1d(1, 4, 5, 3, bias=False), layer_norm=nn.GroupNorm(4, 4))
        second = holder(conv=nn.Conv1d(4, 5, 3, 2, bias=False))
        self.feature_extractor = holder(conv_layers=nn.ModuleList([first, second]))
        self.feature_projection = holder(layer_norm=nn.LayerNorm(5, EPS), projection=nn.Linear(5, HIDDEN))
        places = nn.utils.weight_norm(nn.Conv1d(HIDDEN, HIDDEN, 4, padding=2, groups=2), dim=2)
        self.encoder = holder(pos_conv_embed=holder(conv=places), layer_norm=nn.LayerNorm(HIDDEN, EPS),
                              layers=nn.ModuleList([self.layer() for _ in range(2)]))

    @staticmethod
    def layer():
        linear = lambda i, o: nn.Linear(i, o)
        return holder(
            attention=holder(**{f"{k}_proj": linear(HIDDEN, HIDDEN) for k in ("k", "v", "q", "out")}),
            layer_norm=nn.LayerNorm(HIDDEN, EPS),
            feed_forward=holder(intermediate_dense=linear(HIDDEN, INNER), output_dense=linear(INNER, HIDDEN)),
            final_layer_norm=nn.LayerNorm(HIDDEN, EPS))

    def forward(self, sound, frames=None):
        x = torch.stack([(row - row.mean()) / torch.sqrt(row.var(unbiased=False) + 1e-7) for row in sound])[:, None]
        for layer in self.feature_extractor.conv_layers:
            x = layer.conv(x)
            if hasattr(layer, "layer_norm"):
                x = layer.layer_norm(x)
            x = F.gelu(x)
        if frames is not None:
            x = F.interpolate(x, size=frames, mode="linear", align_corners=True)
        x = self.feature_projection.projection(self.feature_projection.layer_norm(x.transpose(1, 2)))
        places = self.encoder.pos_conv_embed.conv(x.transpose(1, 2))[:, :, :-1]
        x = self.encoder.layer_norm(x + F.gelu(places).transpose(1, 2))
        for layer in self.encoder.layers:
            a = layer.attention
            y, _ = F.multi_head_attention_forward(
                *[x.transpose(0, 1)] * 3, HIDDEN, HEADS, None,
                torch.cat([a.q_proj.bias, a.k_proj.bias, a.v_proj.bias]), None, None, False, 0.0, a.out_proj.weight,
                a.out_proj.bias, use_separate_proj_weight=True, q_proj_weight=a.q_proj.weight,
                k_proj_weight=a.k_proj.weight, v_proj_weight=a.v_proj.weight)
            x = layer.layer_norm(x + y.transpose(0, 1))
            f = layer.feed_forward
            x = layer.final_layer_norm(x + f.output_dense(F.gelu(f.intermediate_dense(x))))
        return x


if __name__ == "__main__":
    case("rows", Model, r(2, 40))
    case("frames", Model, r(2, 40), call=lambda m, x: m(x, 9))
    for record in layers.values():
        record.pop("repr")
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in layers.items())
    (HERE / "wav2vec.json").write_text(f"{{\n{lines}\n}}\n")
