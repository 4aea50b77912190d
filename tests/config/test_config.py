"""Every YAML composes and converts, every key is explained, and values are frozen."""

import itertools
import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from harness.config import compose
from harness.config.compose import CONF, groups
from harness.datasets import Library
from harness.errors import ConfigError
from harness.zoo import archive_folder

NATS = ["archives.tss=/data/NATS-tss-v1_0-3ffb9-full", "archives.sss=/data/NATS-sss-v1_0-50262-full"]


@pytest.mark.parametrize("choice", [f"{group}={option}" for group, options in groups().items() for option in options])
def test_every_yaml_composes_and_converts(choice):
    settings = compose([choice, *(NATS if choice in ("archives=nats", "experiment=paper") else [])])
    assert json.loads(settings.as_json)["study"]["spaces"] == list(settings.study.spaces)


def test_every_combination_of_options_composes():
    named = [[f"{group}={option}" for option in options] for group, options in groups().items() if options]
    for choices in itertools.product(*named):
        compose([*choices, *NATS])


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_yaml_and_every_key_has_a_comment(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    structure = ("defaults:", "study:", "- schema", "- _self_")
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    uncommented = [key for key in keys if " #" not in key and key not in structure]
    assert uncommented == []


def test_the_default_is_the_embedded_zoo():
    settings = compose([])
    for setting in settings.archives:
        assert setting.is_zoo
        expected = archive_folder(settings.zoo_root, settings.recipe, setting.space, Library())
        assert settings.archive_path(setting) == expected
    assert settings.store == Path("results/store").absolute()


def test_results_moves_everything_that_is_written():
    settings = compose(["results=/elsewhere"])
    for path in (settings.store, settings.report, settings.zoo_root):
        assert path.is_relative_to("/elsewhere")


@pytest.mark.parametrize("name", ["ergebnisü", "zwei ü", "a(b)=c", "it's ü", "back\\slash ü\\", "a#b"])
def test_a_path_is_written_as_it_is(name):
    assert compose([f"results=/elsewhere/{name}"]).report == Path("/elsewhere", name, "report")
    assert compose(["results=/elsewhere", f"report=${{results}}/{name}"]).report == Path("/elsewhere", name)


def test_settings_are_frozen_values():
    settings = compose([])
    with pytest.raises(FrozenInstanceError):
        settings.study.archs = "0"


def test_a_path_is_named_where_it_is_needed_and_no_earlier():
    settings = compose(["archives=nats", "runner.device=cuda", "data_root=/nowhere", "image_files=[mine:/nowhere.npy]"])
    with pytest.raises(ConfigError, match=r"archives.tss is null but study.spaces asks for tss: give its folder"):
        settings.archive_path(settings.archives[0])


def test_only_the_archives_of_the_wanted_spaces_are_needed():
    settings = compose(["archives=nats", NATS[0], "archives.sss=null", "study.spaces=[tss]"])
    assert [setting.space for setting in settings.archives] == ["tss"]


def test_a_missing_conf_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match="runs from a checkout"):
        compose([], tmp_path)


@pytest.mark.parametrize("archs", ["3,7,11", "sample:8:7", "0-99", "'3,7'", "file:/tmp/a=b.txt"])
def test_architectures_are_written_as_they_are_documented(archs):
    assert compose([f"study.archs={archs}"]).study.archs == archs.strip("'")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("study.datasets=cifar10", r"study.datasets: expected a list; write study.datasets=\[cifar10\];"),
        ("study.seeds=777", r"study.seeds: expected a list; write study.seeds=\[777\];"),
        ("zoo.seeds=1,2", r"zoo.seeds: expected a list; write zoo.seeds=\[1,2\];"),
        ("limit=1,2", "Ambiguous value for argument 'limit=1,2'"),
        ("cifar10", "expected KEY=VALUE, got 'cifar10'"),
    ],
)
def test_what_is_missing_of_an_override_is_said(override, message):
    with pytest.raises(ConfigError, match=message):
        compose([override])


def test_hints_repeat_the_overrides():
    settings = compose(["results=/tmp/a b", "zoo.epochs=1", "study.hps=['01']"])
    assert settings.command("zoo train") == "`harness zoo train 'results=/tmp/a b' zoo.epochs=1 \"study.hps=['01']\"`"
