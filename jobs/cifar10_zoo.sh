#!/usr/bin/env bash
# Without the archives: train 32 networks of both spaces on CIFAR-10 and measure them on test images and OoD sets.
# Give the folder of the data set; a night on a GPU, and on a CPU cut short for a first look:
#   jobs/cifar10_zoo.sh data_root=/data runner.device=cuda
#   jobs/cifar10_zoo.sh data_root=/data limit=1 zoo.epochs=1 zoo.cells=1 study.hps=['01'] study.seeds=[777]
set -euo pipefail
cd "$(dirname "$0")/.."
harness=${HARNESS:-.venv/bin/harness}

"$harness" zoo train experiment=cifar10_zoo "$@"
"$harness" check experiment=cifar10_zoo "$@"
"$harness" run experiment=cifar10_zoo "$@"
"$harness" verify experiment=cifar10_zoo "$@"
"$harness" report experiment=cifar10_zoo "$@"
