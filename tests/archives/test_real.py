"""The real archives of NATS-Bench, weights stripped."""

import pandas as pd
import pytest

from harness import spaces
from harness.archives import open_archive
from harness.errors import DataError

NAMES = {"tss": "NATS-tss-v1_0-3ffb9-simple", "sss": "NATS-sss-v1_0-50262-simple"}


@pytest.mark.parametrize("space", NAMES)
def test_it_opens(nats, space):
    archive = open_archive(nats / NAMES[space])
    assert (archive.space, archive.source, archive.held) == (space, NAMES[space], (0, 11))


@pytest.mark.parametrize(
    ("space", "i", "parameters", "multiply_adds"),
    [
        ("tss", 0, 129_306, 15_647_370),
        ("tss", 11, 802_426, 113_951_370),
        ("sss", 0, 11_714, 4_481_114),
        ("sss", 11, 49_202, 6_840_650),
    ],
)
def test_records_are_read(nats, space, i, parameters, multiply_adds):
    record = open_archive(nats / NAMES[space]).record(i)
    hp, n_trials = {"tss": ("200", 17), "sss": ("90", 20)}[space]
    trial = record.trial("cifar10", 777, hp)
    assert record.arch_str == spaces.get(space).arch_str(i)
    assert len(record.info) == n_trials
    assert (trial.parameters, trial.multiply_adds) == (parameters, multiply_adds)
    assert (trial.channels, trial.cells) == ((16, 5) if space == "tss" else (None, None))
    assert all(t.recorded.accuracy is not None and not t.has_weights for t in record.info.values())
    with pytest.raises(DataError, match=r"cifar10, seed 777, .* were stripped; .*'-full'"):
        record.weights("cifar10", 777, hp)


@pytest.mark.parametrize("i", [0, 11])
@pytest.mark.parametrize(
    ("dataset", "evaluation_set", "column"),
    [
        ("cifar10", "ori-test", "nats_c10_test_200e_mean"),
        ("cifar100", "x-test", "nats_c100_test_200e_mean"),
        ("ImageNet16-120", "x-test", "nats_in16_test_200e_mean"),
    ],
)
def test_accuracies_are_the_published_ones(nats, i, dataset, evaluation_set, column):
    table = pd.read_parquet(nats.parent / "nas" / "tss_table.parquet")
    record = open_archive(nats / NAMES["tss"]).record(i)
    trials = [trial for key, trial in record.info.items() if (key.dataset, key.hp) == (dataset, "200")]
    published = table.set_index("arch_index").loc[i]
    assert len(trials) == 3
    mean = sum(trial.accuracies[evaluation_set] for trial in trials) / len(trials)
    assert 100 * mean == pytest.approx(published[column], abs=1e-4)
    assert record.arch_str == published["arch_str"]


@pytest.mark.parametrize("i", [0, 11])
def test_recorded_is_the_mean_of_the_test_halves(nats, i):
    """NATS-Bench's ``ori-test`` of these data sets is its ``x-valid`` and ``x-test`` together."""
    for key, trial in open_archive(nats / NAMES["tss"]).record(i).info.items():
        if key.dataset in ("cifar100", "ImageNet16-120"):
            halves = (trial.accuracies["x-valid"] + trial.accuracies["x-test"]) / 2
            assert trial.recorded.accuracy == pytest.approx(halves, abs=1e-6)
