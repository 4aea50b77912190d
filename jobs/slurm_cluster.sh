#!/usr/bin/env bash
# SLURM, one Ray over all nodes of one job: one run hands out the work, so that no node is idle while another has some
# left. All nodes must be free at the same time; where that takes long, slurm_array.sh starts sooner.
#
# Edit the #SBATCH lines. Submit from the root of the checkout, which all nodes see at the same path, as they see the
# archives, the data sets and the results. Say where these are; as many workers as there are GPUs come from null:
#   sbatch --nodes=4 jobs/slurm_cluster.sh archives.tss=/data/NATS-tss-v1_0-3ffb9-full \
#     archives.sss=/data/NATS-sss-v1_0-50262-full data_root=/data results=/scratch/study \
#     runner.device=cuda runner.workers=null runner.gpus_per_worker=1
# The campaign is jobs/paper.sh with all of its steps; CAMPAIGN=demo sbatch ... takes another script of jobs/.
#
# Look: `harness status results=/scratch/study` on any machine that sees the store; slurm-JOB.out holds what the
# steps printed, results/slurm-JOB-ray/ what Ray printed on each node, and what SLURM said of it.
# Resume: submit the same line again. When time runs out, the run commits what it has in hand and the job queues itself
# again; a preempted job is queued again by SLURM (--requeue), and so is a job of which a node dies. With #SBATCH
# --no-kill the others take over the parcels of a node that dies, and nothing is queued again; but if it is the first,
# which holds the run itself, the job stays idle until its time limit.
#
# Exit codes, as `sacct -j JOB` shows them: 0 done; 1 units failed or the audit found something; 2 a path or setting is
# wrong, nothing changed; 3 stopped early or Ray did not start, submit again.
#SBATCH --job-name=calibration
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --gpus-per-node=4
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=12:00:00
#SBATCH --output=slurm-%j.out
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-$(dirname "$0")/..}"  # SLURM runs a copy of this file from elsewhere
harness=${HARNESS:-.venv/bin/harness}
bin=$(dirname "$(command -v "$harness")")
source jobs/slurm_common.sh

# Without usage statistics, and open only to those who hold this job's secret, which srun hands to every node. Ray
# would use a home folder for a token and, at its start, ask the cloud's metadata address unless a file there says that
# this is no cloud.
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0  # when ended, end: nothing is being served
home=$PWD/results/slurm-$SLURM_JOB_ID-ray
mkdir -p "$home"
echo 'provider: {type: local}' >"$home/ray_bootstrap_config.yaml"

folder=/tmp/r$SLURM_JOB_ID  # of Ray, on each node; short, since the paths of its sockets have at most 107 bytes
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
address=$(srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --ip-address)
address=${address%% *}                   # of several, the first
port=$((20000 + SLURM_JOB_ID % 10000))   # apart from Ray's usual one, which another's Ray may hold
export RAY_ADDRESS=$address:$port        # what runner.address=auto finds

# Ray on one node, as a step of this job that lives until the step is ended.
start_ray() {
  local node=$1
  shift
  HOME=$home srun --nodes=1 --ntasks=1 --nodelist="$node" --output="$home/$node.log" \
    "$bin/ray" start --block --temp-dir="$folder" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" "$@" 2>>"$home/srun.log" &
  steps+=($!)
}

# The number of nodes that have joined; 0 while no Ray answers.
joined() {
  timeout 60 "$bin/python" - 2>"$home/joined.log" <<'END' || echo 0
import ray
ray.init("auto", logging_level="ERROR", log_to_driver=False)
print(sum(node["Alive"] for node in ray.nodes()))
END
}

wait_for_nodes() {
  local wanted=$1 patience=$((SECONDS + 300))
  until [ "$(joined)" -ge "$wanted" ]; do
    if [ "$SECONDS" -gt "$patience" ]; then
      echo "after 5 minutes not all of $wanted nodes run Ray; $home/*.log say why" >&2
      return 3
    fi
    sleep 1
  done
}

# Ray is ended through its steps: `ray stop` would end every Ray of these nodes.
end_ray() {
  kill "${steps[@]}" 2>/dev/null || true
  wait "${steps[@]}" || true
  for node in "${nodes[@]}"; do  # a dead one is not waited for
    srun --immediate=30 --nodes=1 --ntasks=1 --nodelist="$node" rm -rf "$folder" 2>>"$home/srun.log" || true
  done
}

steps=()
trap end_ray EXIT
start_ray "${nodes[0]}" --head --node-ip-address="$address" --port="$port" --include-dashboard=false
wait_for_nodes 1
for node in "${nodes[@]:1}"; do
  start_ray "$node" --address="$RAY_ADDRESS"
done
wait_for_nodes "${#nodes[@]}"

run_until_notice "jobs/${CAMPAIGN:-paper}.sh" runner.address=auto "$@"
