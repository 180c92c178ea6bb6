"""Data parallelism by PyTorch itself: a rank of DistributedDataParallel over Gloo, of one thread.

ddp.py MODEL BATCH WARM-UP STEPS FORMAT OPTIMIZER: rank 0 prints the seconds of each step as JSON. The ranks share BATCH.
"""

import json
import os
import sys

from step import Step  # first: it sets the allocator before torch allocates anything

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402

model, batch, warm_up, steps, layout, optimizer = sys.argv[1:]
torch.set_num_threads(1)
if os.environ.get("NO_ONEDNN") and int(torch.__version__.split(".")[0]) >= 2:
    torch.backends.mkldnn.set_flags(False)
dist.init_process_group("gloo")
step = Step(model, int(batch) // dist.get_world_size(), layout == "channels_last", optimizer == "foreach")
step.model = torch.nn.parallel.DistributedDataParallel(step.model)
for _ in range(int(warm_up)):
    step.run()
dist.barrier()
seconds = [step.run() for _ in range(int(steps))]
dist.barrier()
if dist.get_rank() == 0:
    print(json.dumps(seconds), flush=True)
