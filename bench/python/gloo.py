"""A rank that sends tensors over torch.distributed's Gloo: gloo.py FLOATS MESSAGES ROUNDS. Rank 0 prints seconds a message."""

import json
import sys
import time

import torch
import torch.distributed as dist

floats, messages, rounds = (int(text) for text in sys.argv[1:])
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank = dist.get_rank()
CAPACITY = 4  # at each end, hence eight messages under way, as many as the border beside it holds
buffers = [torch.ones(floats) for _ in range(CAPACITY)]
none = torch.zeros(1)
found = []
for _ in range(rounds):
    start = time.perf_counter()
    waiting = []
    for i in range(messages):
        if len(waiting) == CAPACITY:
            waiting.pop(0).wait()
        buffer = buffers[i % CAPACITY]
        waiting.append(dist.isend(buffer, 1) if rank == 0 else dist.irecv(buffer, 0))
    for work in waiting:
        work.wait()
    if rank == 0:
        dist.recv(none, 1)
    else:
        dist.send(none, 0)
    found.append((time.perf_counter() - start) / messages)
if rank == 0:
    print(json.dumps(found), flush=True)
dist.barrier()
