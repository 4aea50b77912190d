import math
import os
import shutil

import nats_bench
import pytest
import torch

from harness.archives import record_dict, write_meta, write_record
from harness.errors import DataError


@pytest.mark.parametrize(
    ("space", "hp", "config"),
    [
        ("tss", "12", {"name": "infer.tiny", "C": 4, "N": 1, "num_classes": 10}),
        ("sss", "12", {"name": "infer.shape.tiny", "channels": "8:8:8:16:40", "num_classes": 10}),
    ],
)
def test_the_official_api_reads_it(empty_archives, tmp_path, make_trial, state_dict, space, hp, config):
    folder = shutil.copytree(empty_archives[space], tmp_path / space)
    trials = [make_trial(), make_trial(seed=888, accuracies={"ori-test": 0.25}, weights=None)]
    write_record(folder, 12, record_dict(space, 12, {hp: trials}))

    api = nats_bench.create(str(folder), space, fast_mode=True, verbose=False)
    read = api.get_net_config(12, "digits")
    assert {key: read[key] for key in config} == config
    weights = api.get_net_param(12, "digits", 777, hp=hp)
    assert all(torch.equal(weights[name], tensor) for name, tensor in state_dict.items())
    info = api.get_more_info(12, "digits", hp=hp, is_random=777)
    assert (info["train-loss"], info["train-accuracy"], info["train-all-time"]) == (0.75, 75.0, 4.0)
    assert (info["valtest-accuracy"], info["valtest-loss"], info["valtest-all-time"]) == (62.5, 1.25, 1.0)
    assert api.get_more_info(12, "digits", hp=hp, is_random=888)["valtest-accuracy"] == 25.0
    cost = api.get_cost_info(12, "digits", hp=hp)
    assert (cost["params"], cost["flops"], cost["latency"]) == (0.001234, 0.005678, 0.25)


def test_the_layout_is_that_of_a_real_record(nats, folder, record):
    """Same keys and, but for numpy's float64, the same types as in a record of NATS-Bench itself."""
    real = record(nats / "NATS-tss-v1_0-3ffb9-simple" / "000011.pickle.pbz2")["12"]
    ours = record(folder / "000012.pickle.pbz2")["12"]
    real_trial, our_trial = (next(iter(budget["all_results"].values())) for budget in (real, ours))
    assert {key: type(value) for key, value in ours.items()} == {key: type(value) for key, value in real.items()}
    assert list(our_trial) == list(real_trial)
    for key in set(real_trial) - {"train_acc5es", "net_state_dict"}:
        assert issubclass(type(real_trial[key]), type(our_trial[key])), key
    assert our_trial["arch_config"].keys() == real_trial["arch_config"].keys()


@pytest.mark.parametrize("space", ["tss", "sss"])
def test_meta_is_that_of_nats_bench(nats, empty_archives, record, space):
    (real,) = nats.glob(f"NATS-{space}-*/meta.pickle.pbz2")
    assert record(empty_archives[space] / "meta.pickle.pbz2") == record(real)


def test_what_is_there_is_kept_unless_told_otherwise(folder, archive, make_trial):
    record = record_dict("tss", 12, {"12": [make_trial(seed=888)]})
    with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: is there already"):
        write_record(folder, 12, record)
    assert archive.record(12).info.keys() == {("digits", 777, "12")}
    write_record(folder, 12, record, overwrite=True)
    assert archive.record(12).info.keys() == {("digits", 888, "12")}


def test_an_interrupted_write_leaves_nothing(folder, make_trial, monkeypatch):
    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    before = sorted(folder.iterdir())
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(DataError, match=r"000013\.pickle\.pbz2: cannot be written: .*No space left"):
        write_record(folder, 13, record_dict("tss", 13, {"12": [make_trial()]}))
    assert sorted(folder.iterdir()) == before


def test_two_budgets_and_seeds(folder, archive, make_trial):
    trials = {"12": [make_trial(seed=888), make_trial()], "200": [make_trial(dataset="cifar10")]}
    write_record(folder, 13, record_dict("tss", 13, trials))
    expected = {("digits", 888, "12"), ("digits", 777, "12"), ("cifar10", 777, "200")}
    assert archive.record(13).info.keys() == expected


def test_record_of_another_architecture_is_not_written(tmp_path, make_trial):
    with pytest.raises(ValueError, match=r"record: expected one of architecture 13, got one of \[12\]"):
        write_record(tmp_path, 13, record_dict("tss", 12, {"12": [make_trial()]}))


def test_two_runs_of_one_seed(make_trial):
    with pytest.raises(ValueError, match="expected one run per data set and seed, got 2 for 1"):
        record_dict("tss", 12, {"12": [make_trial(), make_trial()]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_accuracies": ()}, "expected one value of each per epoch, got 0 and 2"),
        ({"train_losses": (1.0,)}, "expected one value of each per epoch, got 2 and 1"),
        ({"accuracies": {"ori-test": 62.5}}, r"expected a fraction in \[0, 1\], got 62.5"),
        ({"accuracies": {"ori-test": math.nan}}, r"expected a fraction in \[0, 1\], got nan"),
        ({"train_accuracies": (0.5, -0.5)}, r"expected a fraction in \[0, 1\], got -0.5"),
        ({"losses": {}}, r"losses: expected those of \['ori-test'\], got those of \[\]"),
    ],
)
def test_run_that_is_none(make_trial, changes, message):
    with pytest.raises(ValueError, match=message):
        make_trial(**changes)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_meta(tmp_path / "file" / "archive", "tss")
