"""A PyTorch process that the benchmark takes turns with: a JSON request a line on stdin, a JSON reply a line on stdout."""

import ctypes
import json
import os
import statistics
import sys
import time


def tune_allocator():
    """The settings of glibc's allocator that Headrace uses (native/system.cpp), before torch allocates anything."""
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
from sentiment import Training  # noqa: E402


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


def call_of(name):
    if name == "add":
        a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
        return lambda: torch.add(a, b)
    if name == "view":
        a = torch.tensor([1.0, 2.0, 3.0])
        return lambda: a.view(3, 1)
    x, weight = torch.ones(1, 4, 4, 4), torch.ones(4, 4, 1, 1)
    return lambda: torch.conv2d(x, weight)


def seconds_per_call(name, count):
    call = call_of(name)
    with torch.no_grad():
        start = time.perf_counter()
        for _ in range(count):
            call()
        return (time.perf_counter() - start) / count


def main():
    torch.set_num_threads(int(sys.argv[1]))
    if sys.argv[2] == "no-onednn" and int(torch.__version__.split(".")[0]) >= 2:
        torch.backends.mkldnn.set_flags(False)
    say({"torch": torch.__version__, "threads": torch.get_num_threads(), "allocatorTuned": TUNED})
    step, training = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "build":
            step = Step(request["model"], request["batch"], request["channelsLast"], request["foreach"])
            say({})
        elif request["do"] == "steps":
            say({"seconds": [step.run() for _ in range(request["count"])]})
        elif request["do"] == "buildSentiment":
            given = (request[name] for name in ("path", "shape", "rates", "batch", "foreach"))
            training = Training(*given)
            say({"trained": training.trained})
        elif request["do"] == "sentimentEpochs":
            say({"speed": statistics.median(training.epoch() for _ in range(request["count"]))})
        else:
            say({"seconds": seconds_per_call(request["name"], request["count"])})


def say(reply):
    print(json.dumps(reply), flush=True)


main()
