"""From options to a place: a Ray is started or joined, and as many workers are taken as are asked for and fit."""

import contextlib
import os
from collections.abc import Iterator

import ray

from harness.errors import ConfigError
from harness.runner.cluster.connection import joined_ray, local_ray
from harness.runner.cluster.demand import Demand, require_room
from harness.runner.cluster.pool import RayPlace
from harness.runner.options import RunnerOptions


@contextlib.contextmanager
def ray_place(options: RunnerOptions, gpus_here: int = 0) -> Iterator[RayPlace]:
    """Start or join a Ray, and give the function that places work on it as the options ask.

    Args:
        options: How to run.
        gpus_here: GPUs of this machine, for a Ray that is started on it.

    Raises:
        ConfigError: The cluster does not answer, or has not the room that is asked for.
        StoppedEarlyError: Our own Ray does not start.
    """
    with _ray(options, gpus_here):
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        is_joined = options.joins_cluster
        demand = Demand(options.threads, options.gpus_per_worker, options.workers_on, sets_threads=is_joined)
        measurer_demand = Demand(options.threads, 0.0, options.measurers_on, sets_threads=is_joined)
        most = require_room(demand, nodes, "runner.workers", options.workers)
        if options.measurers:
            require_room(measurer_demand, nodes, "runner.measurers", options.measurers)
            most = min(most, require_room(Demand(options.threads), nodes, "runner.workers", None) - options.measurers)
        workers = most if options.workers is None else options.workers
        if workers > most or workers < 1:
            raise ConfigError(
                f"runner.workers: {workers} workers and {options.measurers} measurers are asked for, there is room for "
                f"{max(most, 0)} workers beside these measurers; give fewer"
            )
        yield RayPlace(
            workers, options.attempts, options.measurers, demand, measurer_demand, patience_s=options.patience_s
        )


def _ray(options: RunnerOptions, gpus_here: int) -> contextlib.AbstractContextManager[None]:
    if options.joins_cluster:
        return joined_ray(options.address, options.patience_s)
    workers = options.workers
    if workers is None:
        alone = Demand(options.threads, options.gpus_per_worker)
        workers = max(1, alone.room({"CPU": os.cpu_count() or 1, "GPU": gpus_here}))
    return local_ray((workers + options.measurers) * options.threads, gpus_here, options.threads)
