#!/usr/bin/env bash
# An existing Ray cluster, through its job server: the campaign runs on the cluster, and this command shows its output.
#
# The harness must be installed on every node of the cluster at the same path, with the cluster's versions of Python
# and Ray, and every node must see the archives, the data sets and the results at the same path. Here, and on the head
# node, Ray needs its job server: pip install 'ray[default]'. Give the server, and the secret if it asks for one:
#   export RAY_API_SERVER_ADDRESS=http://head:8265 RAY_AUTH_MODE=token RAY_AUTH_TOKEN=...
#   jobs/ray_job_submit.sh archives.tss=/data/NATS-tss-v1_0-3ffb9-full archives.sss=/data/NATS-sss-v1_0-50262-full \
#     data_root=/data results=/scratch/study runner.device=cuda runner.workers=null runner.gpus_per_worker=1
# The campaign is jobs/paper.sh with all of its steps; CAMPAIGN=demo jobs/ray_job_submit.sh ... takes another script of
# jobs/. ROOT names the checkout on the cluster where its path differs from this one.
#
# Look: `harness status results=/scratch/study` on any machine that sees the store; `ray job logs ID` for the output.
# Ctrl-C here ends the showing, not the job. `ray job stop ID` ends the job: it has two minutes to commit what it has
# in hand.
# Resume: submit the same line again.
#
# Exit codes: 0 done, or stopped by `ray job stop`; 1 the job ended with another code, which its last lines name:
# 1 units failed or the audit found something, 2 a path or setting is wrong, 3 stopped early.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${ROOT:-$PWD}
ray=${RAY:-.venv/bin/ray}

# An interrupt instead of a termination, and time to obey it, on `ray job stop`.
environment='{"env_vars": {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": "120"}}'

"$ray" job submit --runtime-env-json "$environment" -- \
  "$root/jobs/${CAMPAIGN:-paper}.sh" runner.address=auto "$@"
