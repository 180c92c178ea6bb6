#!/bin/bash
# A run over the tasks of a job, a stage in each:
#   sbatch slurm.sh resnet32 --data cifar10:data/cifar10 --stages 2 --out runs/r32
# Two minutes before its time is up, or when it is asked to end, the run makes a checkpoint, and the job is queued again to go
# on from it. Where a node fails, Slurm does so itself.
#SBATCH --job-name=headrace
#SBATCH --ntasks=2
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=B:SIGTERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

srun --kill-on-bad-exit=1 headrace train "$@" --checkpoint-every 500 --auto-resume &
ranks=$!
asked=
trap 'asked=1; kill -TERM "$ranks"' TERM # srun passes it on to its tasks
wait "$ranks"
code=$?
if [ "$asked" ]; then
  wait "$ranks" # the signal has broken off the first wait
  code=$?
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
