"""Networks of the search spaces as torch modules: building them, loading NATS-Bench weights, inferring logits."""

from harness.networks.inference import infer
from harness.networks.network import Cell, Network, build
from harness.networks.weights import load_weights

__all__ = ["Cell", "Network", "build", "infer", "load_weights"]
