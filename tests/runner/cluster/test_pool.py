"""Placing work on a real Ray: everything is done once, dead workers are replaced, a culprit is isolated."""

import contextlib
import itertools
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray

from harness.errors import StoppedEarlyError, StoreError, WorkerLostError
from harness.runner import local
from harness.runner.cluster import Demand, RayPlace, local_ray
from harness.runner.cluster.worker import Worker

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test module


@pytest.fixture(scope="module")
def running_ray():
    with local_ray(4, gpus=2):
        yield


@dataclass(frozen=True)
class Squares:
    """Squares the numbers of a list; dies on poison, and once on a number that has a file to say so."""

    poison: int | None = None
    once: tuple[int, str] | None = None
    error_at: int | None = None

    def start(self) -> Callable[[list[int]], list[int]]:
        return self._work

    def _work(self, numbers: list[int]) -> list[int]:
        if self.once is not None and self.once[0] in numbers and not Path(self.once[1]).exists():
            Path(self.once[1]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.poison in numbers:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.error_at in numbers:
            raise StoreError("the disk is full")
        return [n * n for n in numbers]


def halve(numbers):
    return [numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]] if len(numbers) > 1 else [numbers]


ITEMS = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11], [12]]
ALL = sorted(n * n for item in ITEMS for n in item)


def squares(outcomes):
    return sorted(n for outcome in outcomes if outcome.result is not None for n in outcome.result)


def test_the_local_and_the_ray_runner_give_the_same(running_ray):
    for place in (local.place, RayPlace(workers=2, attempts=2)):
        outcomes = list(place(Squares(), iter(ITEMS), halve))
        assert squares(outcomes) == ALL
        assert sorted(outcome.item for outcome in outcomes) == ITEMS


def test_items_are_pulled_as_they_are_needed(running_ray):
    pulled = []

    def items():
        for item in ITEMS:
            pulled.append(item)
            yield item

    outcomes = RayPlace(workers=1, attempts=2)(Squares(), items(), halve)
    next(outcomes)
    assert len(pulled) < len(ITEMS)
    outcomes.close()


def test_an_item_whose_worker_dies_once_is_done_by_another(running_ray, tmp_path):
    outcomes = list(RayPlace(workers=2, attempts=2)(Squares(once=(6, str(tmp_path / "died"))), iter(ITEMS), halve))
    assert (tmp_path / "died").exists()
    assert squares(outcomes) == ALL
    assert len(outcomes) == len(ITEMS), "nothing was halved"


def test_a_poisoned_item_is_halved_until_the_culprit_is_alone(running_ray):
    outcomes = list(RayPlace(workers=2, attempts=2)(Squares(poison=7), iter(ITEMS), halve))
    (lost,) = [outcome for outcome in outcomes if outcome.lost is not None]
    assert lost.item == [7]
    assert "died 2 times" in lost.lost
    assert squares(outcomes) == [n for n in ALL if n != 49]


@dataclass(frozen=True)
class OnABadDevice:
    """Squares the numbers of a list; of all its workers only those of some places in the order of starts can start."""

    folder: str
    good: tuple[int, ...]
    delay_s: float = 0.0

    def start(self) -> Callable[[list[int]], list[int]]:
        time.sleep(self.delay_s)
        for place in itertools.count():
            with contextlib.suppress(FileExistsError):
                (Path(self.folder) / str(place)).touch(exist_ok=False)
                if place in self.good:
                    return lambda numbers: [n * n for n in numbers]
                raise WorkerLostError("the device cuda cannot be used: No CUDA GPUs are available")
        raise AssertionError


@dataclass(frozen=True)
class OnABadServer:
    """Has the numbers of a list squared by a server."""

    server: OnABadDevice
    has_archives: bool = True

    def start(self) -> Callable[[list[int]], list[int]]:
        raise AssertionError

    def service(self) -> OnABadDevice:
        return self.server

    def start_with(self, ask: Callable[[list[int]], list[int]]) -> Callable[[list[int]], list[int]]:
        if not self.has_archives:
            raise WorkerLostError("the archive is not there")
        return ask


@pytest.mark.parametrize("good", [(1, 2), (0,), (5,)])
def test_workers_whose_device_cannot_be_used_are_done_without(running_ray, tmp_path, good):
    outcomes = list(RayPlace(workers=2, attempts=2)(OnABadDevice(str(tmp_path), good), iter(ITEMS), halve))
    assert squares(outcomes) == ALL


def test_a_run_without_any_device_that_works_stops(running_ray, tmp_path):
    with pytest.raises(StoppedEarlyError, match=r"workers do not start: .*No CUDA GPUs are available"):
        list(RayPlace(workers=2, attempts=2)(OnABadDevice(str(tmp_path), ()), iter(ITEMS), halve))
    assert len(list(tmp_path.iterdir())) < 10


def test_a_run_whose_only_server_has_no_device_stops_though_measurers_start(running_ray, tmp_path):
    place = RayPlace(workers=1, attempts=2, measurers=2)
    with pytest.raises(StoppedEarlyError, match=r"workers do not start: .*No CUDA GPUs are available"):
        list(place(OnABadServer(OnABadDevice(str(tmp_path), ())), iter(ITEMS), halve))


def test_a_run_whose_measurers_do_not_start_stops_though_its_server_is_still_starting(running_ray, tmp_path):
    place = RayPlace(workers=1, attempts=2, measurers=1)
    with pytest.raises(StoppedEarlyError, match=r"workers do not start: .*the archive is not there"):
        list(place(OnABadServer(OnABadDevice(str(tmp_path), (0,), delay_s=20), has_archives=False), iter(ITEMS), halve))


def test_an_exception_of_the_task_is_raised_as_itself(running_ray):
    with pytest.raises(StoreError, match="the disk is full"):
        list(RayPlace(workers=2, attempts=2)(Squares(error_at=9), iter(ITEMS), halve))


def all_cores_are_free():
    """Whether they soon are."""
    for _ in range(300):
        if ray.available_resources().get("CPU") == 4:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("measurers", [0, 2])
def test_a_run_that_fails_gives_its_room_back_though_its_exception_is_kept(running_ray, measurers):
    task = Split(error_at=9) if measurers else Squares(error_at=9)
    with pytest.raises(StoreError, match="the disk is full") as kept:
        list(RayPlace(workers=2, attempts=2, measurers=measurers)(task, iter(ITEMS), halve))
    assert all_cores_are_free(), kept


def test_a_run_that_is_left_gives_its_room_back(running_ray):
    outcomes = RayPlace(workers=4, attempts=2)(Squares(), iter(ITEMS), halve)
    next(outcomes)
    outcomes.close()
    assert all_cores_are_free()


def test_the_home_of_the_user_is_untouched(running_ray):
    home = Path.home()
    assert not str(home).startswith("/tmp/r")
    workers_home = ray.get(ray.remote(lambda: os.environ["HOME"]).remote())
    bootstrap = Path(workers_home) / "ray_bootstrap_config.yaml"
    assert bootstrap.read_text() == "provider: {type: local}\n", "Ray would ask a cloud's metadata address"
    assert workers_home != str(home)


@dataclass(frozen=True)
class Greedy(Squares):
    """Takes more memory for the poison than its process may have."""

    def _work(self, numbers: list[int]) -> list[int]:
        if self.poison in numbers:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, resource.RLIM_INFINITY))
            return [len(bytearray(2**30))]
        return [n * n for n in numbers]


def test_want_of_memory_is_a_death(running_ray):
    outcomes = list(RayPlace(workers=2, attempts=2)(Greedy(poison=7), iter(ITEMS), halve))
    (lost,) = [outcome for outcome in outcomes if outcome.lost is not None]
    assert lost.item == [7]
    assert "MemoryError" in lost.lost
    assert squares(outcomes) == [n for n in ALL if n != 49]


@dataclass(frozen=True)
class Split:
    """Has a server square numbers; the server dies of poison, and fails at a number."""

    poison: int | None = None
    error_at: int | None = None

    def start(self) -> Callable[[list[int]], list[int]]:
        raise AssertionError("the workers should be of two kinds")

    def service(self) -> Squares:
        return Squares(self.poison, error_at=self.error_at)

    def start_with(self, ask: Callable[[list[int]], list[int]]) -> Callable[[list[int]], list[tuple[int, int]]]:
        return lambda numbers: [(os.getpid(), square) for number in numbers for square in ask([number])]


def test_a_task_of_two_kinds_of_workers(running_ray):
    outcomes = list(RayPlace(workers=1, attempts=2, measurers=3)(Split(), iter(ITEMS), halve))
    pairs = [pair for outcome in outcomes for pair in outcome.result]
    assert sorted(square for _, square in pairs) == ALL
    assert os.getpid() not in {pid for pid, _ in pairs}


def test_the_death_of_a_server_is_held_against_the_culprit_alone(running_ray):
    items = [[n] for n in range(12)]
    outcomes = list(RayPlace(workers=1, attempts=2, measurers=3)(Split(poison=5), iter(items), halve))
    (lost,) = [outcome for outcome in outcomes if outcome.lost is not None]
    assert lost.item == [5]
    assert "the worker that runs the networks died" in lost.lost
    squared = sorted(square for outcome in outcomes if outcome.result for _, square in outcome.result)
    assert squared == [n * n for n in range(12) if n != 5]


def test_a_server_that_is_asked_before_it_was_told_to_start_starts():
    assert Worker(Squares()).work([3]) == [9]


@dataclass(frozen=True)
class Surroundings:
    """Says what Ray gave to the worker."""

    names: tuple[str, ...]

    def start(self) -> Callable[[int], list[str | None]]:
        return lambda _: [str(os.getpid()), *(os.environ.get(name) for name in self.names)]


def test_workers_share_gpus_and_take_their_threads(running_ray):
    place = RayPlace(workers=2, attempts=2, demand=Demand(cores=2, gpus=0.5))
    results = [o.result for o in place(Surroundings(("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")), range(8), halve)]
    assert {device for _, device, _ in results} <= {"0", "1"}
    assert {threads for _, _, threads in results} == {"2"}
    place = RayPlace(workers=2, attempts=2, demand=Demand(gpus=1.0))
    devices = {pid: device for pid, device in (o.result for o in place(Slow(), range(8), halve))}
    assert len(set(devices.values())) == len(devices), "each has its own"


@dataclass(frozen=True)
class Slow(Surroundings):
    """So slow that each worker has something to do."""

    names: tuple[str, ...] = ("CUDA_VISIBLE_DEVICES",)

    def start(self) -> Callable[[int], list[str | None]]:
        say = super().start()
        return lambda item: (time.sleep(0.5), say(item))[1]


@pytest.mark.parametrize(
    ("demand", "node", "room"),
    [
        (Demand(), {"CPU": 4.0}, 4),
        (Demand(cores=3), {"CPU": 8.0}, 2),
        (Demand(gpus=0.1), {"CPU": 99.0, "GPU": 2.0}, 20),
        (Demand(gpus=0.6), {"CPU": 99.0, "GPU": 2.0}, 2),
        (Demand(gpus=2.0), {"CPU": 99.0, "GPU": 5.0}, 2),
        (Demand(gpus=0.5), {"CPU": 3.0, "GPU": 4.0}, 3),
        (Demand(gpus=1.0), {"CPU": 3.0}, 0),
        (Demand(on="fast"), {"CPU": 3.0}, 0),
        (Demand(on="fast"), {"CPU": 3.0, "fast": 1.0}, 3),
    ],
)
def test_room_on_a_node(demand, node, room):
    assert demand.room(node) == room
