"""What each worker of a kind takes of its node, and how many such workers fit on the nodes that there are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Demand:
    """What each worker of a kind takes of its node.

    Attributes:
        cores: Cores, to which its threads are limited.
        gpus: GPUs: a fraction of one that it shares with others, or whole ones.
        on: The custom Ray resource that its node must have; None for any node.
        sets_threads: Whether its process must be told its number of threads, for which a new one is started; those of
            a Ray of ours know it, so that one of those that Ray holds ready is taken.
    """

    cores: int = 1
    gpus: float = 0.0
    on: str | None = None
    sets_threads: bool = True

    def options(self) -> dict[str, Any]:
        """Return it as options of a Ray actor."""
        options = {
            "num_cpus": self.cores,
            "num_gpus": self.gpus,
            "resources": {} if self.on is None else {self.on: 0.0001},  # Ray's smallest share: a mark, not a quantity
        }
        return options | ({"runtime_env": {"env_vars": threads_environment(self.cores)}} if self.sets_threads else {})

    def room(self, resources: dict[str, float]) -> int:
        """Return how many such workers fit on a node of these resources that has nothing else to do.

        Example:
            >>> Demand(cores=2, gpus=0.5).room({"CPU": 16.0, "GPU": 3.0})
            6
        """
        if self.on is not None and self.on not in resources:
            return 0
        by_cores = int(resources.get("CPU", 0)) // self.cores
        if not self.gpus:
            return by_cores
        gpus = int(resources.get("GPU", 0))
        slack = 1e-9  # 1 / 0.1 must be ten
        of_gpus = gpus * math.floor(1 / self.gpus + slack) if self.gpus < 1 else math.floor(gpus / self.gpus + slack)
        return min(by_cores, of_gpus)


def threads_environment(threads: int) -> dict[str, str]:
    """Return the environment that limits the threads of a process."""
    return {"OMP_NUM_THREADS": str(threads)}


def require_room(demand: Demand, nodes: Sequence[dict[str, float]], key: str, wanted: int | None) -> int:
    """Return how many workers of a demand fit on the nodes of a cluster.

    Args:
        demand: What each of them takes.
        nodes: The resources of each node.
        key: The key of the configuration that asks for them.
        wanted: How many there must be room for; None for at least one.

    Raises:
        ConfigError: There is no room for so many.
    """
    room = sum(demand.room(node) for node in nodes)
    if room < (1 if wanted is None else wanted):
        cores, gpus = (int(sum(node.get(kind, 0) for node in nodes)) for kind in ("CPU", "GPU"))
        on = f" on nodes with the resource {demand.on}" if demand.on else ""
        raise ConfigError(
            f"{key}: {'at least one' if wanted is None else wanted} with {demand.cores} cores and {demand.gpus:g} GPUs "
            f"each{on}: there is room for {room} ({len(nodes)} nodes, {cores} cores, {gpus} GPUs); give fewer, "
            "runner.threads or runner.gpus_per_worker less, or runner.workers=null for as many as fit"
        )
    return room
