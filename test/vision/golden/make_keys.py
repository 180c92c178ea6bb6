"""Writes the lists of state-dict keys and shapes that the tests compare with: python3 test/vision/golden/make_keys.py

resnet18.json and resnet50.json come from torchvision itself. timm is not at hand, so vit_b_p16.json is written out from
the layout of its vit_base_patch16_224, as published: width 768, 12 blocks, patches of 16 in 224 pixels, 1000 classes.
"""
import json
import pathlib

import torchvision

HERE = pathlib.Path(__file__).parent


def write(name, keys):
    lines = ",\n".join(f"  {json.dumps([key, list(shape)])}" for key, shape in keys)
    (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n")


def vit_base():
    width, patches = 768, (224 // 16) ** 2
    yield "cls_token", (1, 1, width)
    yield "pos_embed", (1, patches + 1, width)
    yield "patch_embed.proj.weight", (width, 3, 16, 16)
    yield "patch_embed.proj.bias", (width,)
    for block in range(12):
        for name, shape in [
            ("norm1", (width,)),
            ("attn.qkv", (3 * width, width)),
            ("attn.proj", (width, width)),
            ("norm2", (width,)),
            ("mlp.fc1", (4 * width, width)),
            ("mlp.fc2", (width, 4 * width)),
        ]:
            yield f"blocks.{block}.{name}.weight", shape
            yield f"blocks.{block}.{name}.bias", shape[:1]
    yield "norm.weight", (width,)
    yield "norm.bias", (width,)
    yield "head.weight", (1000, width)
    yield "head.bias", (1000,)


for name in ["resnet18", "resnet50"]:
    state = getattr(torchvision.models, name)(weights=None).state_dict()
    write(name, [(key, value.shape) for key, value in state.items()])
write("vit_b_p16", vit_base())
