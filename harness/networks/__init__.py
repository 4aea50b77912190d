"""Networks of the search spaces as torch modules: building them, loading NATS-Bench weights, inferring logits."""

from harness.networks.fast import fast
from harness.networks.faults import is_device_lost, is_out_of_device_memory, is_out_of_memory, try_device
from harness.networks.inference import infer, pass_size
from harness.networks.network import Cell, Network, build
from harness.networks.precision import FLOAT32, PRECISIONS, arithmetic, cast
from harness.networks.weights import load_weights

__all__ = [
    "FLOAT32",
    "PRECISIONS",
    "Cell",
    "Network",
    "arithmetic",
    "build",
    "cast",
    "fast",
    "infer",
    "is_device_lost",
    "is_out_of_device_memory",
    "is_out_of_memory",
    "load_weights",
    "pass_size",
    "try_device",
]
