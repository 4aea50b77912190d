#!/usr/bin/env bash
# SLURM, an array of one-node runs: each takes its part of the architectures and writes to the one store. No node
# talks to another, and the tasks start whenever a node is free; prefer this unless one Ray over all nodes is needed.
#
# Edit the #SBATCH lines. Submit from the root of the checkout, which all nodes see at the same path, as they see the
# archives, the data sets and the results. Say where these are:
#   sbatch --array=1-8 jobs/slurm_array.sh archives.tss=/data/NATS-tss-v1_0-3ffb9-full \
#     archives.sss=/data/NATS-sss-v1_0-50262-full data_root=/data results=/scratch/study runner.device=cuda
# The number of tasks is the number of parts: count from 1 and leave none out. The campaign is that of
# conf/experiment/paper.yaml; CAMPAIGN=demo sbatch ... takes another.
#
# Afterwards, once, for the whole study: `harness verify experiment=paper ...` with the same places and without a part
# says whether all parts are complete and sound, `harness report experiment=paper ...` builds the report.
#
# Look: `harness status results=/scratch/study` on any machine that sees the store; slurm-JOB_TASK.out holds what a
# task printed.
# Resume: submit the same line again; what is done is found done in seconds. For single tasks name the number of parts:
#   PARTS=8 sbatch --array=3,5 jobs/slurm_array.sh ...
# A task whose time runs out commits what it has in hand and queues itself again; a preempted one is queued again by
# SLURM (--requeue). Do not submit the same part twice at a time: nothing breaks, but work is done twice.
#
# Exit codes, as `sacct -j JOB` shows them: 0 done; 1 units of the part failed (`harness status` says why, `harness
# retry` tries again); 2 a path or setting is wrong, nothing changed; 3 stopped early, submit again.
#SBATCH --job-name=calibration
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --mem=64G
#SBATCH --time=12:00:00
#SBATCH --output=slurm-%A_%a.out
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-$(dirname "$0")/..}"  # SLURM runs a copy of this file from elsewhere
harness=${HARNESS:-.venv/bin/harness}
source jobs/slurm_common.sh

part=${SLURM_ARRAY_TASK_ID:?submit with --array=1-N}
parts=${PARTS:-$SLURM_ARRAY_TASK_COUNT}
if [ "$part" -lt 1 ] || [ "$part" -gt "$parts" ]; then
  echo "task $part of $parts parts: submit with --array=1-N, or name the number of parts: PARTS=N sbatch ..." >&2
  exit 2
fi

run_until_notice "$harness" run experiment="${CAMPAIGN:-paper}" part="$part/$parts" "$@"
