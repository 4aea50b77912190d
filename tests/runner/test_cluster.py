"""Placing work on a real Ray: everything is done once, dead workers are replaced, a culprit is isolated."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray

from harness.errors import StoreError
from harness.runner import local
from harness.runner.cluster import RayPlace, local_ray

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test module


@pytest.fixture(scope="module")
def running_ray():
    with local_ray(2):
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


def test_an_exception_of_the_task_is_raised_as_itself(running_ray):
    with pytest.raises(StoreError, match="the disk is full"):
        list(RayPlace(workers=2, attempts=2)(Squares(error_at=9), iter(ITEMS), halve))


def test_the_home_of_the_user_is_untouched(running_ray):
    home = Path.home()
    assert not str(home).startswith("/tmp/r")
    workers_home = ray.get(ray.remote(lambda: os.environ["HOME"]).remote())
    bootstrap = Path(workers_home) / "ray_bootstrap_config.yaml"
    assert bootstrap.read_text() == "provider: {type: local}\n", "Ray would ask a cloud's metadata address"
    assert workers_home != str(home)
