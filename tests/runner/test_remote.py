"""Networks run by another worker: the rows are the same, what a server lacks is sent, and its death is no failure."""

import numpy as np
import pytest
import torch

from harness.archives import open_archive
from harness.cli.session import selections
from harness.config import compose
from harness.errors import WorkerLostError
from harness.networks import is_out_of_memory
from harness.runner import local
from harness.runner.evaluate import Context, evaluate
from harness.runner.inference import Inference
from harness.runner.plan import halve, make_plan
from harness.runner.remote import InferenceTask, RemoteInference
from harness.values import FailureKind

CONDITIONS = ["study.conditions=[unshifted,ood_uniform]", "study.protocols=[clean,paper]"]


@pytest.fixture(scope="module")
def settings(overrides):
    return compose([*overrides, *CONDITIONS, "study.spaces=[tss]"])


@pytest.fixture(scope="module")
def parcel(settings):
    (parcel,) = make_plan(settings.study, selections(settings), settings.library, None).parcels(64)
    return parcel


def evaluated(settings, parcel, inference):
    (archive,) = settings.archives
    archives = {"tss": open_archive(settings.archive_path(archive))}
    return evaluate(parcel, Context(archives, inference, settings.library))


def numbers(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


class CountingServer:
    """A server in this process that counts, and loses everything after every so many requests."""

    def __init__(self, forgets_after=None):
        self.forgets_after, self.requests, self.networks, self.pixels = forgets_after, 0, 0, 0
        self._answer = InferenceTask(Inference("cpu", 500), 1).start()

    def __call__(self, request):
        if self.forgets_after and self.requests % self.forgets_after == 0:
            self._answer = InferenceTask(Inference("cpu", 500), 1).start()
        self.requests += 1
        self.networks += request.network is not None
        self.pixels += request.pixels is not None
        return self._answer(request)


@pytest.mark.parametrize("forgets_after", [None, 3])
def test_rows_are_those_of_one_worker(settings, parcel, forgets_after):
    server = CountingServer(forgets_after)
    inference = RemoteInference("cpu", "float32", server)
    here, there = evaluated(settings, parcel, Inference("cpu", 500)), evaluated(settings, parcel, inference)
    assert len(here.rows) > 20
    np.testing.assert_equal(numbers(there.rows), numbers(here.rows))
    assert [f.unit for f in there.failures] == [f.unit for f in here.failures]
    assert inference.clock.seconds > 0
    if forgets_after is None:
        assert (server.networks, server.pixels) == (7 + 2, 2), "each travels once, networks again with new images"


def test_a_server_keeps_a_bounded_number_of_networks(settings):
    test = settings.library.load("digits", "test")
    server = InferenceTask(Inference("cpu", 500), 1).start()
    inference = RemoteInference("cpu", "float32", server)
    networks = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(test.images[0].numel(), 10)) for _ in range(70)]
    first = [inference.logits(network, test, test.normalisation) for network in networks]
    again = [inference.logits(network, test, test.normalisation) for network in networks]
    assert all(torch.equal(a.logits, b.logits) for a, b in zip(first, again, strict=True))
    assert len(server.__self__.networks) == 64


def test_the_death_of_a_server_is_no_failure_of_a_unit(settings, parcel):
    def dead(_):
        raise WorkerLostError("the worker that runs the networks died")

    with pytest.raises(WorkerLostError):
        evaluated(settings, parcel, RemoteInference("cpu", "float32", dead))


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_want_of_memory_is_no_failure_of_a_unit(settings, parcel, error):
    def short(_):
        raise error

    assert is_out_of_memory(error)
    with pytest.raises(MemoryError, match="out of memory at stage inference"):
        evaluated(settings, parcel, RemoteInference("cpu", "float32", short))


def test_any_other_exception_of_a_server_is(settings, parcel):
    def broken(_):
        raise RuntimeError("the device is on fire")

    failures = evaluated(settings, parcel, RemoteInference("cpu", "float32", broken)).failures
    of_server = [f for f in failures if f.kind is FailureKind.FAILED]
    assert {(f.stage, f.type, f.message) for f in of_server} == {("inference", "RuntimeError", "the device is on fire")}
    assert len(failures) == len(parcel.units)


def test_without_workers_want_of_memory_loses_the_culprit_alone(parcel):
    culprit = parcel.units[5]

    class Greedy:
        def start(self):
            return self.work

        def work(self, part):
            if culprit in part.units:
                raise MemoryError("no room")
            return len(part.units)

    outcomes = list(local.place(Greedy(), [parcel], halve))
    (lost,) = [outcome for outcome in outcomes if outcome.result is None]
    assert (lost.item.units, lost.lost) == ((culprit,), "no room")
    assert sum(outcome.result or 0 for outcome in outcomes) == len(parcel.units) - 1
    assert [unit for outcome in outcomes for unit in outcome.item.units] == list(parcel.units)
