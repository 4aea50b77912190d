"""What the units to make will take: from units of the store that were measured before, else from a model.

docs/running.md describes the model and says where its figures come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from harness import spaces
from harness.datasets import UNSHIFTED, ImageSet, Library, ShiftedImages
from harness.runner.options import RunnerOptions
from harness.runner.plan import Plan
from harness.runner.protocols import PROTOCOLS
from harness.runner.selection import Selection
from harness.runner.wanted import Setting
from harness.store.reader import Store
from harness.store.schema import MEASUREMENT_TABLE

GPU_RATE = 1.3e13
"""Multiply-adds per second of plain modules on a GPU (H200): 10,000 images of the mean topology in 49 ms."""

CORE_RATE = 1.4e10
"""The same on one core of a CPU: 192 images of ten mean topologies and four mean sizes in 6.8 s on two."""

UNPACKING_RATE = 1.5e7
"""Bytes of a record, compressed, that one core reads and decodes in a second."""

CONVERTED_RATE = 5.2e8
"""Bytes of a converted record that one core reads and holds against their hashes in a second: 7.0 MB in 13.5 ms."""

_ROW_S = (1.0e-7, 1.15e-8)
"""Seconds to measure a row, per image: a part of its own, and one per class."""

_BYTES_PER_ROW = 1_500.0
"""Bytes of a row of the family study in a file of some hundred rows."""

_SAMPLE = 256
"""Architectures that stand for all of a space: evenly spaced."""


class Group(NamedTuple):
    """Units that take equally long: what tells them apart."""

    space: str
    dataset: str
    condition: str
    severity: int

    def setting(self, protocol: str) -> Setting:
        """Return the setting of those of a protocol."""
        return Setting(self.dataset, protocol, self.condition, self.severity)


class Seconds(NamedTuple):
    """What one unit takes: seconds of the worker that runs its network, and seconds of all workers together."""

    running: float
    total: float


class Records(NamedTuple):
    """The records to read: bytes of their files, and seconds in which one core reads them."""

    n_bytes: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the units to make will take.

    Attributes:
        gpu_hours: Hours for which workers hold GPUs; 0 on CPUs.
        core_hours: Hours for which workers hold cores.
        archive_gb: Gigabytes of archive records to read, each once.
        disk_gb: Gigabytes of rows to be written.
        n_measured: Units of the store, measured on the same kind of device, on which the hours rest.
        modelled: The share of the units to make that is like none of those, and is estimated from the model, in [0, 1].
        n_rows: Rows of the store on which the disk rests; 0 where it is the model's.
    """

    gpu_hours: float
    core_hours: float
    archive_gb: float
    disk_gb: float
    n_measured: int
    modelled: float
    n_rows: int


def estimate(
    plan: Plan, selections: Sequence[Selection], library: Library, store: Store | None, options: RunnerOptions
) -> Estimate:
    """Return what the units to make will take.

    Args:
        plan: The plan.
        selections: What the archives serve of the study.
        library: The data sets and conditions.
        store: The store as it stands; None if there is none yet.
        options: How the run is to be carried out.
    """
    kind = torch.device(options.device).type
    counts = _units_to_make(plan)
    measured, n_measured = _measured(store, kind)
    model = _Model(plan, {s.space: s for s in selections}, library, kind)
    running_s = total_s = 0.0
    n_modelled = n_rows_to_make = 0
    for (group, protocol), n_units in counts.items():
        n_rows = len(plan.wanted[group.setting(protocol)].rows)
        unit = measured.get((group, protocol)) or model.seconds(group, protocol, n_rows)
        n_modelled += 0 if (group, protocol) in measured else n_units
        running_s += n_units * (unit.running if options.measurers else unit.total)
        total_s += n_units * unit.total
        n_rows_to_make += n_units * n_rows
    modelled = n_modelled / max(len(plan), 1)
    records = _records(plan, selections)
    reading_s = records.seconds * modelled  # measured units have waited for theirs
    bytes_per_row, n_rows = _bytes_per_row(store)
    return Estimate(
        gpu_hours=0.0 if kind == "cpu" else running_s * _gpus(options) / 3600,
        core_hours=(total_s + reading_s) * options.threads / 3600,
        archive_gb=records.n_bytes / 1e9,
        disk_gb=n_rows_to_make * bytes_per_row / 1e9,
        n_measured=n_measured,
        modelled=modelled,
        n_rows=n_rows,
    )


def _gpus(options: RunnerOptions) -> float:
    """Return how much of a GPU a worker holds; where Ray gives none out, all workers share one."""
    return options.gpus_per_worker or 1 / (options.workers or 1)


def _units_to_make(plan: Plan) -> dict[tuple[Group, str], int]:
    """Return the number of units of each group and protocol."""
    columns = ["space", *Setting._fields]
    counted = plan.to_do.select([*columns, "seed"]).group_by(columns).aggregate([("seed", "count")])
    return {
        (Group(row["space"], row["dataset"], row["condition"], row["severity"]), row["protocol"]): row["seed_count"]
        for row in counted.to_pylist()
    }


def _measured(store: Store | None, kind: str) -> tuple[dict[tuple[Group, str], Seconds], int]:
    """Return the mean seconds of a unit of each group and protocol in the store, and of how many units."""
    if store is None:
        return {}, 0
    key = ", ".join(("space", *Setting._fields))
    found = store.sql(
        f"SELECT {key}, avg(seconds), count(*) FROM (SELECT {key}, any_value(seconds) AS seconds "
        f"FROM committed_measurements WHERE split_part(device, ':', 1) = '{kind}' "
        f"GROUP BY {key}, source, arch_index, hp, seed, run_id) GROUP BY {key}"
    ).fetchall()
    seconds = {
        (Group(space, dataset, condition, severity), protocol): Seconds(total, total)
        for space, dataset, protocol, condition, severity, total, _ in found
    }
    return seconds, sum(row[-1] for row in found)


def _bytes_per_row(store: Store | None) -> tuple[float, int]:
    """Return the mean size of a row in the files of the store, and of how many rows; without any, the model's."""
    if store is None:
        return _BYTES_PER_ROW, 0
    ((n_rows,),) = store.sql("SELECT count(*) FROM committed_measurements").fetchall()
    return (store.root.table_bytes(MEASUREMENT_TABLE.folder) / n_rows, n_rows) if n_rows else (_BYTES_PER_ROW, 0)


def _records(plan: Plan, selections: Sequence[Selection]) -> Records:
    """Return the size of the archive records to read, and how long the model takes them to be read."""
    records = (
        plan.to_do.group_by(["space", "arch_index"]).aggregate([]).group_by("space").aggregate([([], "count_all")])
    )
    n_records = {row["space"]: row["count_all"] for row in records.to_pylist()}
    sizes = [(n_records.get(s.space, 0) * s.record_bytes, s.is_converted) for s in selections]
    seconds = sum(size / (CONVERTED_RATE if is_converted else UNPACKING_RATE) for size, is_converted in sizes)
    return Records(sum(size for size, _ in sizes), seconds)


@dataclass(frozen=True, slots=True)
class _Model:
    """The model: multiply-adds of inference at the rate of the device, and a time for each image of a row.

    Attributes:
        plan: The plan.
        selections: What the archives serve of the study, by space.
        library: The data sets and conditions.
        kind: Kind of the device.
    """

    plan: Plan
    selections: Mapping[str, Selection]
    library: Library
    kind: str

    def seconds(self, group: Group, protocol: str, n_rows: int) -> Seconds:
        """Return the seconds of a unit; what the units of a network share is counted for each."""
        test = self.library.load(group.dataset, "test")
        shown = test if group.condition == UNSHIFTED else self.library.shifted(*group[1:])
        rate = CORE_RATE if self.kind == "cpu" else GPU_RATE
        work = self._inferences(group, protocol, test, shown) * len(shown.images)
        inference = work * self._multiply_adds(group, test) / rate
        of_image, of_class = _ROW_S
        return Seconds(inference, inference + n_rows * len(shown.images) * (of_image + of_class * test.n_classes))

    def _inferences(self, group: Group, protocol: str, test: ImageSet, shown: ImageSet | ShiftedImages) -> int:
        """Return how many times a unit has its images shown to the network: once for each set of constants."""
        variants = self.plan.wanted[group.setting(protocol)].rows
        rules = PROTOCOLS[protocol]
        constants = rules.normalisation if shown is test else rules.shifted_normalisation
        return len({constants(test, row.variant.calibrator) for row in variants})

    def _multiply_adds(self, group: Group, test: ImageSet) -> float:
        """Return the mean multiply-adds of the chosen architectures of a space for one image."""
        selection = self.selections[group.space]
        chosen = selection.arch_indices[:: max(1, len(selection.arch_indices) // _SAMPLE)]
        space, size = spaces.get(group.space), test.images.shape[-1]
        size -= size % 4  # the two reductions of every network need a multiple of four
        skeleton = dict(selection.skeleton)
        costs = space.costs(num_classes=test.n_classes, image_size=size, **skeleton)
        return float(costs.multiply_adds[chosen].mean())
