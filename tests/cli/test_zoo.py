"""``harness zoo train`` as a user types it: what it trains, what it says, what it refuses, what it resumes."""

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import spaces
from harness.archives import open_archive, weights_hash
from harness.cli.main import main

ROOT = Path(__file__).parents[2]
QUICK = ["runner=local", "zoo.epochs=1", "zoo.train_images=128", "zoo.seeds=[777]"]
SMALL = ["study.spaces=[sss]", "zoo.archs=0-2"]


@pytest.fixture
def train(tmp_path, capsys):
    """Train in this process; returns exit code, standard output and standard error."""

    def call(*more):
        code = main(["zoo", "train", f"results={tmp_path}", *QUICK, *more])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def archives(root):
    return {archive.space: archive for archive in map(open_archive, sorted((root / "zoo").glob("zoo-*")))}


def test_it_trains_what_is_listed_says_how_good_it_is_and_resumes(train, tmp_path):
    code, out, _ = train(*SMALL)
    assert code == 0
    assert "training 3 architectures, 3 networks, on 128 images of digits, 1 epoch, into " in out
    assert re.search(r"1/3 architectures, .* left, sss 0: \d+\.\d % accurate", out)
    assert re.search(r"trained 3 networks: test accuracy \d+\.\d% on average \(.* to .*\), \d+ s per network", out)
    assert archives(tmp_path)["sss"].held == (0, 1, 2)

    code, out, _ = train(*SMALL)
    assert (code, "nothing to do: nothing is left to train" in out) == (0, True)

    code, out, _ = train("study.spaces=[sss]", "zoo.archs=0-3,7")
    assert (code, "training 2 architectures" in out) == (0, True)
    assert len(archives(tmp_path)) == 1, "more architectures are the same zoo"
    assert archives(tmp_path)["sss"].held == (0, 1, 2, 3, 7)


def test_the_next_step_that_it_names_works(train, capsys):
    _, out, _ = train(*SMALL)
    command = re.search(r"next: `harness (run .*)` measures", out)[1]
    assert main(shlex.split(command)) == 0
    out = capsys.readouterr().out
    assert main(shlex.split(re.search(r"next: `harness (verify .*)` audits", out)[1])) == 0
    assert "accuracy gate: 3 pass" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (["zoo.seeds=[5,777]"], "study.seeds=[5,777]"),
        (["zoo.seeds=[5,777]", "study.seeds=[777]"], "study.seeds=[777]"),
        (["zoo.seeds=[5,6]", "study.seeds=[777]"], "study.seeds=[5,6]"),
    ],
)
def test_the_next_step_keeps_seeds_that_were_given(train, given, asked):
    _, out, _ = train(*SMALL, "limit=1", *given)
    command = shlex.split(re.search(r"next: `harness (run .*)` measures", out)[1])
    assert [word for word in command if word.startswith("study.seeds=")][-1] == asked


def test_the_next_step_asks_for_the_seeds_of_the_zoo(train, capsys):
    _, out, _ = train(*SMALL, "zoo.seeds=[5]")
    command = shlex.split(re.search(r"next: `harness (run .*)` measures", out)[1])
    assert "study.seeds=[5]" in command
    assert main([word for word in command if word != "study.seeds=[5]"]) == 0
    out = capsys.readouterr().out
    assert "sss: the first record has seed 5 first (digits, hp 01), which study.seeds leaves out" in out
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "leaves out" not in out
    assert re.search(r"sss +digits +clean +3 +3 +0 +0 +0", out)


@pytest.mark.parametrize(
    ("archs", "expected"),
    [("sample:2:3", 2), ("representatives", 3), ("all", 3), ("1,5", 2), ("5-9", 3), ("sample", 3)],
)
def test_architectures_are_named_as_those_of_a_study(train, tmp_path, archs, expected):
    code, *_ = train("zoo.spaces=[sss]", f"zoo.archs={archs}", "limit=3")
    assert code == 0
    assert len(archives(tmp_path)["sss"].held) == expected


def test_strings_in_a_file_and_every_seed(train, tmp_path):
    listed = tmp_path / "mine.txt"
    listed.write_text(f"8:8:8:8:16\n{spaces.get('sss').arch_str(4)}\n0\n")
    code, out, _ = train("zoo.spaces=[sss]", f"zoo.archs=file:{listed}", "zoo.seeds=[1,2]", "zoo.every_seed=true")
    assert (code, "training 3 architectures, 6 networks" in out) == (0, True)
    archive = archives(tmp_path)["sss"]
    assert archive.held == (0, 1, 4)
    assert archive.record(4).seeds["digits", "01"] == (1, 2)


def test_parts_share_the_work(train, tmp_path):
    held = []
    for k in (1, 2):
        code, *_ = train("zoo.spaces=[sss]", "zoo.archs=0-5", f"part={k}/2")
        assert code == 0
        held.append(archives(tmp_path)["sss"].held)
    assert 0 < len(held[0]) < 6
    assert held[1] == tuple(range(6))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("zoo.epochs=0", "zoo.epochs: expected a positive number, got 0"),
        ("zoo.optimiser=adam", "zoo.optimiser: unknown value 'adam'; expected among sgd, adamw"),
        ("zoo.schedule=step", "zoo.schedule: unknown value 'step'; expected among one_cycle, cosine"),
        ("zoo.precision=half", "zoo.precision: unknown value 'half'; expected among float32, tf32, bfloat16, float16"),
        ("zoo.precision=bfloat16", "zoo.precision=bfloat16 is for training on a GPU, got runner.device=cpu"),
        ("zoo.learning_rate=nan", "zoo.learning_rate: expected a positive number, got nan"),
        ("zoo.weight_decay=1.5", r"zoo.weight_decay: expected a number in \[0, 1\), got 1.5"),
        ("zoo.label_smoothing=1.5", r"zoo.label_smoothing: expected a number in \[0, 1\), got 1.5"),
        ("zoo.mixup=-1", "zoo.mixup: expected 0 or more, got -1.0"),
        ("zoo.crop=-1", "zoo.crop: expected 0 or more, got -1"),
        ("zoo.crop=8", "zoo.crop: expected less than the 8 pixels of digits/train, got 8"),
        ("zoo.flip=often", "Value 'often' is not a valid bool"),
        ("zoo.train_images=5000", "zoo.train_images: expected at most the 897 images of digits/train, got 5000"),
        ("zoo.train_images=0", "zoo.train_images: expected a positive number, got 0"),
        ("zoo.seeds=[]", "zoo.seeds: expected at least one value, got none"),
        ("zoo.seeds=[7,7]", "zoo.seeds: 7 is listed twice"),
        ("zoo.seeds=[-1]", r"zoo.seeds: expected seeds in 0\.\."),
        ("zoo.channels=0", "zoo.channels: expected a positive number, got 0"),
        ("zoo.budget_key=12", "zoo.budget_key: expected null or a name, got '12'; a number is taken for the epochs"),
        ("zoo.budget_key='../x'", "zoo.budget_key: expected letters, digits, _ and -, got '../x'"),
        ("zoo.spaces=[nb101]", "zoo.spaces: unknown value 'nb101'; expected among tss, sss"),
        ("zoo.spaces=tss", r"expected a list; write zoo.spaces=\[tss\]"),
        ("zoo.spaces=[]", "zoo.spaces: expected at least one value, got none"),
        ("zoo.archs=20000", r"zoo.archs: tss has architectures 0\.\.15624, got 20000"),
        ("zoo.archs=first", "zoo.archs: cannot read 'first' in 'first'; expected all, .*; or sample, the fixed one"),
        ("zoo.archs=file:/nowhere", "zoo.archs: cannot read /nowhere as text"),
        ("zoo.augment=true", "zoo.augment"),
    ],
)
def test_a_wrong_recipe_is_refused_by_its_key_before_anything_is_written(train, tmp_path, override, message):
    code, _, err = train(override)
    assert code == 2
    assert re.search(message, err), err
    assert list(tmp_path.iterdir()) == []


def test_what_diverges_is_told_noted_and_not_tried_again_unasked(train, tmp_path):
    wild = [*SMALL, "zoo.learning_rate=1e6"]
    code, out, _ = train(*wild)
    assert code == 1
    assert out.count("diverged: sss") == 3
    assert re.search(r"diverged: sss 2, seed 777: .* (is nan|no finite numbers)", out)
    assert "next:" not in out, "there is nothing to measure"
    assert archives(tmp_path)["sss"].held == ()
    notes = sorted(tmp_path.glob("zoo/zoo-*/diverged/*.json"))
    assert [note.name for note in notes] == ["000000.json", "000001.json", "000002.json"]
    before = [note.stat().st_mtime_ns for note in notes]

    code, out, _ = train(*wild)
    assert (code, "nothing is left to train" in out, out.count("diverged: sss")) == (1, True, 3)
    assert [note.stat().st_mtime_ns for note in notes] == before

    code, out, _ = train("--diverged", *wild)
    assert (code, "training 3 architectures" in out) == (1, True)
    assert all(note.stat().st_mtime_ns > old for note, old in zip(notes, before, strict=True))


def test_a_space_that_the_zoo_lacks_is_named(train, tmp_path, capsys):
    train("zoo.spaces=[sss]", "zoo.archs=0")
    code = main(["run", f"results={tmp_path}", *QUICK, "zoo.spaces=[sss]", "study.hps=['01']"])
    assert code == 2
    assert (
        "study.spaces asks for tss, of which the zoo has no networks: zoo.spaces lists sss" in capsys.readouterr().err
    )


def test_a_killed_training_leaves_no_half_record_and_the_next_trains_the_rest(train, tmp_path):
    more = ["zoo.spaces=[sss]", "zoo.archs=0-7"]
    command = [sys.executable, "-m", "harness", "zoo", "train", f"results={tmp_path / 'killed'}", *QUICK, *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("killed/zoo/zoo-*/*.pickle.pbz2")) and process.poll() is None:
            time.sleep(0.02)
        while not list(tmp_path.glob("killed/zoo/zoo-*/0*.pickle.pbz2")) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    survivors = archives(tmp_path / "killed")["sss"]
    assert 0 < len(survivors.held) < 8
    for index in survivors.held:
        survivors.record(index).weights("digits", 777, "01")

    code, out, _ = train(*more, f"results={tmp_path / 'killed'}")
    assert code == 0
    assert f"training {8 - len(survivors.held)} architecture" in out
    train(*more, f"results={tmp_path / 'whole'}")
    resumed, whole = (archives(tmp_path / name)["sss"] for name in ("killed", "whole"))
    assert resumed.held == whole.held == tuple(range(8))
    for index in whole.held:
        one, other = (archive.record(index).weights("digits", 777, "01") for archive in (resumed, whole))
        assert weights_hash(one) == weights_hash(other)


def test_a_killed_training_goes_on_with_the_next_seed(train, tmp_path):
    more = ["zoo.spaces=[sss]", "zoo.archs=0", "zoo.seeds=[1,2,3,4]", "zoo.every_seed=true"]
    command = [sys.executable, "-m", "harness", "zoo", "train", f"results={tmp_path / 'killed'}", *QUICK, *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("killed/zoo/zoo-*/unfinished/*.npz")) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    waiting = list(tmp_path.glob("killed/zoo/zoo-*/unfinished/*.npz"))
    assert 0 < len(waiting) < 4
    assert archives(tmp_path / "killed")["sss"].held == ()

    code, out, _ = train(*more, f"results={tmp_path / 'killed'}")
    assert (code, f"training 1 architecture, {4 - len(waiting)} network" in out) == (0, True), out
    assert f"trained {4 - len(waiting)} network" in out, out
    assert not list(tmp_path.glob("killed/zoo/zoo-*/unfinished/*"))
    train(*more, f"results={tmp_path / 'whole'}")
    resumed, whole = (archives(tmp_path / name)["sss"].record(0) for name in ("killed", "whole"))
    assert resumed.seeds == whole.seeds == {("digits", "01"): (1, 2, 3, 4)}
    for key in whole.info:
        assert resumed.info[key] == whole.info[key]
        assert weights_hash(resumed.load(key)) == weights_hash(whole.load(key))
