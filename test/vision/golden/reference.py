"""An independent PyTorch side for the tests of image models: python3 reference.py MODEL IN OUT

IN holds a model's state dict, `input` and `labels`; OUT gets `eval` (logits in evaluation), then, of one training step's
forward and backward with cross-entropy: `train` (logits), `grad.KEY` of every parameter and `after.KEY` of every buffer.
Exits with 77 where PyTorch is missing. Both files are safetensors, read and written here by hand. MODEL is resnet32, bottleneck (torchvision's, with a mean and no
classifier, so `input` has its channels) or vit:HEADS.
"""
import json
import struct
import sys

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    if sys.argv[1] == "bottleneck":
        from torchvision.models.resnet import Bottleneck
except ImportError:
    sys.exit(77)

DTYPES = {"F32": torch.float32, "I64": torch.int64}


def read(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    tensors = {}
    for key, entry in header.items():
        if key == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        raw = bytearray(data[start:end])
        tensors[key] = torch.frombuffer(raw, dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def write(path, tensors):
    header, parts, offset = {}, [], 0
    for key, value in tensors.items():
        raw = value.detach().contiguous().float().numpy().tobytes()
        header[key] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + len(raw)]}
        parts.append(raw)
        offset += len(raw)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


class Residual(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if stride > 1 or before != width:
            self.downsample = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet32(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        before = 16
        for group, width in enumerate([16, 32, 64]):
            blocks = []
            for block in range(5):
                blocks.append(Residual(before, width, 2 if group > 0 and block == 0 else 1))
                before = width
            setattr(self, f"layer{group + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class MeanOf(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x).mean((2, 3))


def bottleneck(state):
    width, before = state["conv1.weight"].shape[:2]
    down = nn.Sequential(nn.Conv2d(before, 4 * width, 1, 2, bias=False), nn.BatchNorm2d(4 * width))
    return Bottleneck(before, width, 2, down)


class Transformer(nn.Module):
    """The whole thing token by token, with the state dict's own tensors as parameters."""

    def __init__(self, state, heads):
        super().__init__()
        self.heads = heads
        self.depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
        self.w = {key: nn.Parameter(value.clone()) for key, value in state.items()}

    def named(self):
        return self.w.items()

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"], 1e-6)

    def linear(self, x, name):
        return x @ self.w[f"{name}.weight"].t() + self.w[f"{name}.bias"]

    def attention(self, x, name):
        outputs = []
        q, k, v = self.linear(x, f"{name}.qkv").chunk(3, -1)
        for head in zip(*(part.chunk(self.heads, -1) for part in (q, k, v))):
            scores = head[0] @ head[1].transpose(1, 2) / head[0].shape[-1] ** 0.5
            outputs.append(scores.softmax(-1) @ head[2])
        return self.linear(torch.cat(outputs, -1), f"{name}.proj")

    def forward(self, images):
        weight = self.w["patch_embed.proj.weight"]
        patches = F.conv2d(images, weight, self.w["patch_embed.proj.bias"], stride=weight.shape[-1])
        x = patches.flatten(2).transpose(1, 2)
        x = torch.cat([self.w["cls_token"].expand(len(x), -1, -1), x], 1) + self.w["pos_embed"]
        for i in range(self.depth):
            x = x + self.attention(self.norm(x, f"blocks.{i}.norm1"), f"blocks.{i}.attn")
            y = self.linear(self.norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.mlp.fc1")
            x = x + self.linear(F.gelu(y), f"blocks.{i}.mlp.fc2")
        return self.linear(self.norm(x, "norm")[:, 0], "head")


def main(name, source, target):
    torch.set_num_threads(1)
    state = read(source)
    images, labels = state.pop("input"), state.pop("labels")
    if name.startswith("vit:"):
        run = model = Transformer(state, int(name[4:]))
        parameters = model.named()
    else:
        model = ResNet32(state["fc.bias"].shape[0]) if name == "resnet32" else bottleneck(state)
        model.load_state_dict(state)
        run = model if name == "resnet32" else MeanOf(model)
        parameters = list(model.named_parameters())
    out = {}
    with torch.no_grad():
        out["eval"] = run.eval()(images)
    logits = run.train()(images)
    F.cross_entropy(logits, labels).backward()
    out["train"] = logits
    out.update({f"grad.{key}": value.grad for key, value in parameters})
    out.update({f"after.{key}": value for key, value in model.named_buffers()})
    write(target, out)


main(*sys.argv[1:])
