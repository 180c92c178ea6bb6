#!/bin/sh
# A run over processes that torchrun starts, and starts again when one has failed: on each machine, with its number,
#   NODES=2 NODE_RANK=0 MASTER=node1 sh torchrun.sh resnet32 --data cifar10:data/cifar10 --stages 4 --out runs/r32
# Torchrun of PyTorch 1.13 cannot read its own defaults under Python 3.11 (Debian 12): OPTIONS="--tee 1 --redirects 1" says them.
exec "${TORCHRUN:-torchrun}" ${OPTIONS:-} --nnodes "${NODES:-1}" --node_rank "${NODE_RANK:-0}" --nproc_per_node "${PROCESSES:-2}" \
  --master_addr "${MASTER:-127.0.0.1}" --master_port "${PORT:-29500}" --max_restarts "${RESTARTS:-3}" \
  --no_python headrace train "$@" --checkpoint-every "${EVERY:-500}"
