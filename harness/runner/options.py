"""How a run is carried out, as opposed to what it computes: none of this changes a number on one kind of device."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How parcels are placed and evaluated.

    Attributes:
        kind: ``ray`` (Ray actors) or ``local`` (this process, to which only batch size, device and threads matter).
        address: ``local`` for a Ray that we start on this machine, else the cluster to join, as ``ray.init`` takes it.
        patience_s: Seconds that a cluster may take to answer, and to have room for a first worker.
        workers: Number of workers that run networks; None for as many as there is room for.
        gpus_per_worker: GPUs that Ray gives to each of them: a fraction of one, or whole ones; 0 leaves it to
            ``device``, which is then the same for all workers of a machine.
        workers_on: The custom Ray resource of the nodes for workers; None for any node.
        measurers: Number of further workers, on CPUs, which read records, measure and commit, so that workers only run
            networks; with 0, workers do everything.
        measurers_on: The custom Ray resource of the nodes for measurers; None for any node.
        parcel_records: Archive records in one parcel.
        attempts: How often a parcel is tried whose worker dies, before it is halved.
        device: Torch device of the inference, such as ``cpu`` or ``cuda``.
        batch_size: Images per forward pass at most; None for as many as memory, on a CPU the cache, allows.
        min_batch_size: Where the memory of the device does not suffice, batches are halved, down to this size.
        threads: Threads, and so cores, of each worker.
        read_ahead: Records that each worker decompresses ahead of the one that it evaluates, with as many more threads.
    """

    kind: str
    address: str
    patience_s: float
    workers: int | None
    gpus_per_worker: float
    workers_on: str | None
    measurers: int
    measurers_on: str | None
    parcel_records: int
    attempts: int
    device: str
    batch_size: int | None
    min_batch_size: int
    threads: int
    read_ahead: int

    @property
    def memory_share(self) -> float:
        """Share of its device's memory that a worker may take, in (0, 1]."""
        if self.gpus_per_worker:
            return min(self.gpus_per_worker, 1.0)
        return 1.0 if self.kind == "local" else 1 / (self.workers or max(1, (os.cpu_count() or 1) // self.threads))

    @property
    def joins_cluster(self) -> bool:
        """Whether workers run on a cluster that somebody else has started."""
        return self.kind == "ray" and self.address != "local"
