#!/usr/bin/env bash
# The published study: 117,702 networks of NATS-Bench, as it was done and as it should have been done.
# Give the downloaded archives and data sets, and where results go; overrides apply to each step:
#   jobs/paper.sh archives.tss=/data/NATS-tss-v1_0-3ffb9-full archives.sss=/data/NATS-sss-v1_0-50262-full \
#     data_root=/data results=/scratch/study runner.device=cuda runner.workers=1
# Every step can be run again: the check looks, the run resumes, the audit proves.
set -euo pipefail
cd "$(dirname "$0")/.."
harness=${HARNESS:-.venv/bin/harness}

"$harness" check experiment=paper "$@"
"$harness" plan experiment=paper "$@"
"$harness" run experiment=paper "$@"
"$harness" verify experiment=paper "$@"
"$harness" report experiment=paper "$@"
