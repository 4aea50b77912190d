#!/usr/bin/env bash
# The demo campaign: train the embedded zoo, measure every network of it, audit the store, build the report.
# Overrides apply to each step: jobs/demo.sh results=/scratch/demo runner.workers=8
set -euo pipefail
cd "$(dirname "$0")/.."
harness=${HARNESS:-.venv/bin/harness}

"$harness" zoo train experiment=demo "$@"
"$harness" run experiment=demo "$@"
"$harness" verify experiment=demo "$@"
"$harness" report experiment=demo "$@"
