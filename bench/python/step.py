"""A training step of one model, and the allocator that Headrace has."""

import ctypes
import os
import sys
import time


def tune_allocator():
    """Makes glibc keep freed memory, as Headrace's allocator does (native/blocks.cpp), before torch allocates anything."""
    if os.environ.get("HEADRACE_MALLOC") == "system" or not sys.platform.startswith("linux"):
        return False
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    return all([libc.mallopt(mmap_max, 0), libc.mallopt(trim_threshold, -1), libc.mallopt(top_pad, 64 << 20)])


TUNED = tune_allocator()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from models import MODELS  # noqa: E402


class Step:
    """One model with its optimizer and a fixed random batch."""

    def __init__(self, model, batch, channels_last, foreach):
        torch.manual_seed(0)
        self.model = MODELS[model]()
        self.images = torch.randn(batch, 3, 32, 32)
        self.labels = torch.randint(10, (batch,))
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
            self.images = self.images.contiguous(memory_format=torch.channels_last)
        self.optimizer = (self.sgd if model == "resnet32" else self.adamw)(foreach)

    def sgd(self, foreach):
        options = dict(lr=0.001, momentum=0.9, weight_decay=5e-4, nesterov=True, foreach=foreach)
        return torch.optim.SGD(self.model.parameters(), **options)

    def adamw(self, foreach):
        named = list(self.model.parameters())
        groups = [
            {"params": [p for p in named if p.ndim > 1], "weight_decay": 0.05},
            {"params": [p for p in named if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=1e-4, foreach=foreach)

    def run(self):
        start = time.perf_counter()
        loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        loss.item()
        return time.perf_counter() - start
