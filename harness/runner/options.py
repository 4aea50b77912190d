"""How a run is carried out, as opposed to what it computes: none of this changes a number on one kind of device."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How parcels are placed and evaluated.

    Attributes:
        kind: ``ray`` (a Ray that we start on this machine) or ``local`` (this process).
        workers: Number of workers; ignored by ``local``.
        parcel_records: Archive records in one parcel.
        attempts: How often a parcel is tried whose worker dies, before it is halved.
        device: Torch device of the inference, such as ``cpu`` or ``cuda``.
        batch_size: Images per forward pass.
        threads: Torch threads per worker on a CPU.
    """

    kind: str
    workers: int
    parcel_records: int
    attempts: int
    device: str
    batch_size: int
    threads: int
