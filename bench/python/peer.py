"""A PyTorch process that the benchmark takes turns with: a JSON request a line on stdin, a JSON reply a line on stdout."""

import json
import statistics
import sys
import time

from step import TUNED, Step  # first: it sets the allocator before torch allocates anything

import torch  # noqa: E402

from irfd import Step as IrfdStep  # noqa: E402
from reader import Reading  # noqa: E402
from sentiment import Training  # noqa: E402


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
    step, training, reading, irfd = None, None, None, None
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
        elif request["do"] == "buildIrfd":
            given = (request[name] for name in ("path", "shape", "factor", "alpha", "weights", "rates", "foreach"))
            irfd = IrfdStep(*given)
            say({"loss": irfd.run(), "trained": irfd.trained})
        elif request["do"] == "irfdSteps":
            say({"seconds": irfd.seconds(request["count"])})
        elif request["do"] == "buildReader":
            reading = Reading(*(request[name] for name in ("config", "heads", "weights", "ids")))
            say({"output": reading.output()})
        elif request["do"] == "readerPasses":
            say({"seconds": reading.seconds(request["count"])})
        else:
            say({"seconds": seconds_per_call(request["name"], request["count"])})


def say(reply):
    print(json.dumps(reply), flush=True)


main()
