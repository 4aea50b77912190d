"""The commands as a user types them, in process, on a small zoo that was really trained."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import spaces
from harness.archives import open_archive, write_meta
from harness.cli.main import main
from harness.config import compose
from harness.datasets import Library, Normalisation
from harness.store import StoreRoot, open_store
from harness.zoo import Recipe, TrainTask, archive_folder, prepare_archive
from harness.zoo.sample import topology

VOLATILE = ["run_id", "seconds", "device"]


@pytest.fixture
def harness(overrides, tmp_path, capsys):
    """Run a command on the small zoo; returns exit code, standard output and standard error."""

    def call(command, *more, with_archives=True, first=()):
        archives = overrides if with_archives else []
        arguments = [*command.split(), *first, *archives, f"results={tmp_path}", *more]
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def frame(root):
    rows = open_store(str(root / "store")).measurements().df()
    return rows.drop(columns=VOLATILE).sort_values(list(rows.columns[:13])).reset_index(drop=True)


def test_plan_run_again_status_verify(harness, tmp_path):
    code, out, _ = harness("plan")
    assert code == 0
    assert "missing" in out
    assert not (tmp_path / "store").exists(), "plan changes nothing"

    code, out, _ = harness("run")
    assert code == 0
    rows = frame(tmp_path)
    # Four topologies and two sizes; 7 and 2 networks: NNN1NN, PPPPPP and NNNNNN are trained with two seeds.
    assert rows.groupby("space").size().to_dict() == {"sss": 4, "tss": 14}
    assert (rows["gate"] == "pass").all()

    code, out, _ = harness("run")
    assert (code, "nothing to do: no unit is missing, 9 units are done" in out) == (0, True)

    code, out, _ = harness("status")
    assert code == 0
    assert "absent: 3 units" in out
    assert "failed: none" in out

    code, out, _ = harness("verify")
    assert code == 0
    assert "the store is sound and complete" in out


def test_growing_a_study_makes_only_what_is_missing(harness, tmp_path):
    harness("run", "study.calibrators=[none]", "study.spaces=[sss]", "study.seeds=[777]")
    before = frame(tmp_path)
    first_files = set((tmp_path / "store").rglob("measurements/**/*.parquet"))
    harness("run", "study.calibrators=[none]", "study.seeds=[777]")
    grown = frame(tmp_path)
    assert len(before) == 2
    assert len(grown) == 6
    assert first_files < set((tmp_path / "store").rglob("measurements/**/*.parquet"))
    harness("run", "study.seeds=[777]")
    full = frame(tmp_path)
    assert len(full) == 12
    assert full[full["calibrator"] == "none"].reset_index(drop=True).equals(grown)


def test_parts_make_together_what_one_run_makes(harness, tmp_path):
    harness("run", f"results={tmp_path / 'whole'}")
    made = []
    for k in (1, 2, 3):
        code, out, _ = harness("run", f"part={k}/3")
        assert code == 0, out
        assert f"for part {k}/3" in out or "nothing to do" in out
        made.append(len(frame(tmp_path)))
    assert made[0] < made[-1], "each part adds its own"
    assert frame(tmp_path).equals(frame(tmp_path / "whole"))
    assert harness("verify")[0] == 0


def test_a_file_of_images_that_nobody_is_shown_is_named(harness):
    note = "image_files: mine is shown to no network: study.conditions lists no mine"
    code, out, _ = harness("plan", "image_files=[mine:/nowhere.npy]")
    assert (code, note in out) == (0, True)


def test_limit_takes_the_first_architectures_of_each_space(harness, tmp_path):
    harness("run", "limit=1", "study.seeds=[777]")
    assert frame(tmp_path).groupby("space")["arch_index"].nunique().to_dict() == {"sss": 1, "tss": 1}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["study.arch=0-9"], r"study.arch: did you mean study.archs"),
        (["nonsense=1"], r"nonsense: unknown key"),
        (["+study.colour=red"], "study.colour"),
        (["study.families=[nonsense]"], r"study.families: unknown value 'nonsense'; expected among study"),
        (["study.calibrators=[platt]"], r"unknown value 'platt'; expected among none, temperature, vector"),
        (["study.datasets=[mnist]"], r"unknown value 'mnist'; expected among digits"),
        (
            ["study.datasets=[CIFAR10]"],
            r"unknown value 'CIFAR10'; expected among .*; did you mean cifar10\?",
        ),
        (["study.conditions=[fogg]"], r"did you mean fog\?"),
        (["study.conditions=[fogg]"], r"study.conditions: unknown value 'fogg'; expected among unshifted, ood_uniform"),
        (["study.conditions=['ood_uniform:3']"], r"'ood_uniform:3': ood_uniform has no severities"),
        (["study.conditions=['unshifted:1']"], r"'unshifted:1': unshifted has no severities"),
        (["study.conditions=['fog:6']"], r"fog is for networks of cifar10.* none of which study.datasets lists"),
        (["study.conditions=['fog:6']", "study.datasets=[cifar10]"], r"'fog:6': fog has the severities 1, 2, 3, 4, 5"),
        (["study.conditions=[svhn]"], r"svhn is for networks of cifar10"),
        (["study.conditions=[ood_uniform,ood_uniform]"], r"listed twice"),
        (["study.protocols=[papers]"], r"unknown value 'papers'; expected among clean, paper"),
        (["study.protocols=[paper]", "study.split_seeds=[7]"], r"paper is defined for the split random20 with seed 42"),
        (
            ["study.protocols=[paper]", "study.seeds=[888]"],
            r"first stored seed of a network, which is 777",
        ),
        (["study.datasets=[cifar10]"], r"study.datasets: no archive has cifar10; the archives have digits"),
        (["image_files=[fog:/x.npy]"], r"image_files: 'fog' is taken: known conditions are unshifted, ood_uniform"),
        (["image_files=[a:/x.npy,a:/y.npy]"], r"image_files: 'a' is taken: it is listed twice"),
        (["image_files=[a/b:/x.npy]"], r"image_files: expected NAME:FILE, .* got 'a/b:/x.npy'"),
        (["image_files=[/x.npy]"], r"image_files: expected NAME:FILE, .* got '/x.npy'"),
        (["image_files=[mine:/nowhere.npy]", "study.conditions=[mine]"], r"/nowhere.npy"),
        (["study.seeds=[one]"], "could not be converted to Integer"),
        (["study.seeds=[]"], r"study.seeds: expected at least one value"),
        (["study.seeds=[777,777]"], r"777 is listed twice"),
        (["runner=[ray,local]"], r"runner is a group and takes one of local, ray"),
        (["runner=slurm"], "slurm"),
        (["runner.workers=0"], r"runner.workers: expected a positive number, got 0"),
        (["runner=ray", "runner.address=cluster"], r"runner.address: expected local, auto, HOST:PORT or ray://"),
        (["runner=ray", "runner.measurers=-1"], r"runner.measurers: expected 0 or more, got -1"),
        (["runner=ray", "runner.gpus_per_worker=1.5"], r"expected a fraction of a GPU or a whole number of them"),
        (["runner=ray", "runner.gpus_per_worker=0.5"], r"which runner.device=cuda uses; got runner.device=cpu"),
        (["runner=ray", "runner.address=auto", "runner.device=cuda"], r"such as runner.gpus_per_worker=1"),
        (["runner.device=tpu"], r"runner.device"),
        (["runner=ray", "runner.workers=null", "runner.device=cuda"], r"would put a worker per core on one GPU"),
        (["runner.device=cuda:99"], r"not available on this machine"),
        (["part=0/4"], r"part: expected K/N with 1 <= K <= N, such as 1/8, got '0/4'"),
        (["part=5/4"], r"part: expected K/N"),
        (["part=half"], r"part: expected K/N"),
        (["limit=0"], r"limit: expected a positive number, got 0"),
        (["study.archs=9-1"], r"the range '9-1' is empty"),
        (["study.archs=first"], r"cannot read 'first' in 'first'; expected all, representatives"),
        (["study.archs=99999"], r"has architectures 0\.\.\d+, got 99999"),
        (["study.archs=0"], r"holds no record of 1 listed architectures, the first is 0"),
        (["study.archs=sample:100:1"], r"expected a sample of 1\.\.\d held"),
        (["study.hps=['200','02']"], r"""no archive has 200; .* write for instance "study.hps=\['02'\]"$"""),
        (
            ["study.hps=['200']"],
            r"""no archive has 200; the archives have 02: write for instance "study.hps=\['02'\]"$""",
        ),
        (["archives.tss=/nowhere/at/all"], r"archives.tss: /nowhere/at/all: does not exist"),
        (["archives.tss=null"], r"archives.tss is null but study.spaces asks for tss"),
        (
            ["study.conditions=[[unshifted]]"],
            r"study.conditions: expected a list of names or numbers, got \['unshifted'\]",
        ),
        (["image_files=[[a]]"], r"image_files: expected a list of names"),
        (["data_root="], r"data_root: expected a folder, got an empty name"),
        (["experiment=papers"], r"experiment: expected one of cifar10_zoo, demo, paper"),
        (["results=/proc/nothing"], r"cannot write /proc/nothing"),
        (["study.archs=file:/nowhere"], r"cannot read /nowhere"),
        (["a=(b"], "in quotes a value with"),
        (["study.split_seeds=[-1]"], r"study.split_seeds: expected seeds in 0\.\.2147483647, got -1"),
        (["study.seeds=[99999999999]"], r"study.seeds: expected seeds in"),
        (["zoo.learning_rate=nan"], r"zoo.learning_rate: expected a positive number, got nan"),
        (["zoo.weight_decay=-1"], r"zoo.weight_decay: expected a number in"),
        (["results="], r"results: expected a folder, got an empty name"),
        (["~study"], r"study is needed and was removed"),
        (["runner=null"], r"must be a string or a list"),
        (["=3"], r"harness: error"),
        (["study.archs=file:/bin/ls"], r"cannot read /bin/ls as text"),
        (["store=" + "x" * 300], r"harness: error"),
    ],
)
def test_bad_input_is_refused_with_exit_code_2_before_anything_is_written(harness, tmp_path, more, message):
    code, _, err = harness("run", *more)
    assert code == 2
    assert re.search(message, err), err
    assert list(tmp_path.rglob("*.parquet")) == []


def test_an_untrained_zoo_is_refused_with_the_command_that_trains_it(harness):
    code, _, err = harness("run", "runner=local", with_archives=False)
    assert code == 2
    assert re.search(r"run `harness zoo train .*runner=local` first", err)


@pytest.mark.parametrize("archs", ["some", "99999", "7-3"])
def test_architectures_that_no_zoo_holds_are_refused_before_it_is_trained(harness, archs):
    code, _, err = harness("plan", f"study.archs={archs}", with_archives=False)
    assert code == 2
    assert "study.archs: " in err
    assert archs in err
    assert "zoo train" not in err


def test_a_zoo_in_training_without_a_record_yet_is_refused_and_the_command_that_fills_it_named(harness, tmp_path):
    settings = compose([f"results={tmp_path}"])
    folder = settings.archive_path(settings.archives[0])
    write_meta(folder, "tss")
    code, _, err = harness("run", "runner=local", "study.spaces=[tss]", with_archives=False)
    assert code == 2
    assert f"{folder} holds no record NNNNNN.pickle.pbz2, only its meta file is there: wait for the `harness zoo" in err


def test_a_store_of_another_schema_is_refused(harness, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.json").write_text(json.dumps({"schema_version": 0}))
    for command in ("plan", "run", "retry", "status", "verify"):
        code, _, err = harness(command)
        assert code == 2
        assert "schema version 0" in err


def test_an_archive_without_a_telling_name_needs_one(harness, zoo_root, recipe, tmp_path):
    shutil.copytree(archive_folder(zoo_root, recipe, "sss", Library()), tmp_path / "mine")
    arguments = ["study.spaces=[sss]", f"archives.sss={tmp_path / 'mine'}"]
    code, _, err = harness("run", *arguments)
    assert code == 2
    assert "archives.sss_source=NAME" in err
    code, _, _ = harness("run", *arguments, "archives.sss_source=mine")
    assert code == 0
    assert set(frame(tmp_path)["source"]) == {"mine"}


def damaged_archive(zoo_root, recipe, tmp_path, code, content):
    """A copy of the small topology archive in which the record of one architecture has other bytes."""
    folder = tmp_path / archive_folder(zoo_root, recipe, "tss", Library()).name
    shutil.copytree(archive_folder(zoo_root, recipe, "tss", Library()), folder)
    index = spaces.get("tss").arch_index(topology(code))
    path = folder / f"{index:06d}.pickle.pbz2"
    path.write_bytes(content(path.read_bytes()))
    return folder, index


def test_a_damaged_record_becomes_failure_rows_and_the_run_goes_on(harness, zoo_root, recipe, tmp_path):
    folder, index = damaged_archive(zoo_root, recipe, tmp_path, "PPPPPP", lambda content: content[:-100])
    arguments = ["study.spaces=[tss]", f"archives.tss={folder}"]
    # The archive's budgets are read from its first record, which is not the damaged one.
    code, out, _ = harness("run", *arguments)
    assert code == 1
    assert "2 units failed" in out
    message = rf"the stage archive: {folder}/{index:06d}.pickle.pbz2: truncated: the bz2 stream ends too early; fetch"
    assert re.search(rf"^all of them at {message}", out, flags=re.MULTILINE)
    failures = open_store(str(tmp_path / "store")).failures(kind="failed").df()
    assert set(failures["arch_index"]) == {index}
    assert set(failures["stage"]) == {"archive"}
    assert failures["message"].str.contains("truncated").all()
    assert set(frame(tmp_path)["arch_index"]).isdisjoint({index})

    code, out, _ = harness("run", *arguments)
    assert code == 1
    assert "no unit is missing" in out, "run leaves failed units alone"
    code, out, _ = harness("status")
    assert code == 1
    assert f"cause 1: {folder}/{index:06d}.pickle.pbz2: truncated: the bz2 stream ends too early; fetch" in out
    assert f"tss {index} digits hp 02 seed 777 clean unshifted" in out
    code, out, _ = harness("status", "study.split_seeds=[7]")
    assert (code, "truncated" in out, "2 of these failed under other settings" in out) == (0, True, True)
    code, out, _ = harness("verify", *arguments)
    assert code == 0, "a failure on record is no violation"
    assert "the store is sound; 2 of 8 wanted units failed" in out

    whole = archive_folder(zoo_root, recipe, "tss", Library()) / f"{index:06d}.pickle.pbz2"
    shutil.copy(whole, folder / whole.name)
    code, _, _ = harness("retry", *arguments)
    assert code == 0
    assert len(open_store(str(tmp_path / "store")).failures(kind="failed").df()) == 0
    assert index in set(frame(tmp_path)["arch_index"])


PAGES = (
    "index", "q1_generalisation", "q2_robustness", "q3_agreement", "q4_post_hoc", "q5_accuracy", "q6_bins", "q7_design",
    "q8_identity", "q9_noise", "q10_shift", "q11_calibrators", "q12_search", "models", "gate", "provenance",
)  # fmt: skip


def test_the_report_is_a_site_without_a_network(harness, tmp_path):
    harness("run")
    code, _, err = harness("report")
    assert code == 0, err
    folder = tmp_path / "report"
    assert sorted(path.stem for path in folder.glob("*.html")) == sorted(PAGES)
    for name in PAGES:
        page = (folder / f"{name}.html").read_text()
        assert "http://" not in page.replace("http://www.w3.org", "")
        assert "https://" not in page
        assert "Traceback" not in page
        for target in re.findall(r'(?:href|src)="(?!data:|#)([^"]+)"', page):
            assert (folder / target).is_file(), f"{name}.html leads to {target}"
    assert "figures/reliability-diagrams.png" in (folder / "index.html").read_text()
    assert "figures/q6_bins-error-and-bins.pdf" in (folder / "q6_bins.html").read_text()
    # One data set, and no corrupted images: these questions say what to run.
    for name in ("q1_generalisation", "q2_robustness"):
        assert "harness run study." in (folder / f"{name}.html").read_text()


@pytest.mark.parametrize(
    "study", [["study.calibrators=[none]"], ["study.calibrators=[temperature]"], ["study.seeds=[999]"]]
)
def test_a_report_on_a_store_with_gaps_says_what_is_missing(harness, tmp_path, study):
    harness("run", "limit=1", *study)
    code, out, _ = harness("report")
    assert code == 0, out
    for name in PAGES:
        page = (tmp_path / "report" / f"{name}.html").read_text()
        assert "Traceback" not in page
        assert "cannot be shown" not in page


def test_a_report_of_numbers_that_are_not_there_is_refused(harness, tmp_path):
    harness("run", "limit=1")
    code, _, err = harness("report --whose published")
    assert code == 2
    assert "whose numbers: expected clean, paper, got 'published'; `harness import published PATH`" in err
    assert not (tmp_path / "report").exists()


def measurement_files(root):
    return sorted((root / "store" / "measurements").rglob("*.parquet"))


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet", None])
def test_a_damaged_file_is_named_by_verify_and_refused_by_the_rest(harness, tmp_path, content):
    harness("run", "limit=1")
    path = measurement_files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    for command in ("status", "plan", "run", "report"):
        code, _, err = harness(command)
        assert code == 2
        assert "`harness verify` names each damaged file" in err
    code, out, _ = harness("verify")
    assert code == 1
    assert str(path) in out
    path.unlink()
    assert harness("run", "limit=1")[0] == 0
    assert harness("verify", "limit=1")[0] == 0


def test_an_edited_value_is_found(harness, tmp_path):
    harness("run", "limit=1")
    path = measurement_files(tmp_path)[0]
    table = pq.read_table(path)
    position = table.schema.get_field_index("ECE_15")
    edited = table.set_column(position, table.schema.field(position), pa.array([0.5] * len(table)))
    pq.write_table(edited, path, write_page_checksum=True)
    code, out, _ = harness("verify", "limit=1")
    assert code == 1
    assert "its bytes are not those that were written: damaged or edited" in out


def test_rows_of_one_network_from_two_sets_of_weights_are_found(harness, zoo_root, recipe, tmp_path):
    folder = tmp_path / archive_folder(zoo_root, recipe, "tss", Library()).name
    shutil.copytree(archive_folder(zoo_root, recipe, "tss", Library()), folder)
    arguments = ["study.spaces=[tss]", f"archives.tss={folder}", "study.seeds=[777]", "limit=1"]
    harness("run", *arguments, "study.calibrators=[none]")
    index = open_archive(folder).held[0]
    other = Recipe("digits", 2, 64, 0.05, 5e-4, 16, 1, 0, recipe.seeds)
    made = archive_folder(tmp_path / "other", other, "tss", Library())
    prepare_archive(made, "tss")
    TrainTask(other, {"tss": made}, Library()).start()(("tss", index))
    name = f"{index:06d}.pickle.pbz2"
    shutil.copy(made / name, folder / name)
    harness("run", *arguments)
    code, out, _ = harness("verify", *arguments)
    assert code == 1
    assert "rows come from different weights" in out


def test_a_store_whose_making_was_killed_is_made(harness, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.json.create.0.tmp").touch()
    assert harness("run", "limit=1")[0] == 0


def test_patterns_in_a_path_are_only_characters(harness, tmp_path):
    for name in ("a1b", "a[1]b"):
        assert harness("run", "limit=1", f"results='{tmp_path / name}'")[0] == 0
    rows = open_store(str(tmp_path / "a[1]b" / "store")).sql("SELECT DISTINCT filename FROM committed_measurements")
    assert all("a[1]b" in filename for (filename,) in rows.fetchall())


def test_a_damaged_heartbeat_does_not_matter(harness, tmp_path):
    harness("run", "limit=1")
    (tmp_path / "store" / "live" / "r").mkdir(parents=True)
    (tmp_path / "store" / "live" / "r" / "w.json").write_text("{}")
    assert harness("status")[0] == 0


def test_the_first_record_may_be_damaged(harness, zoo_root, recipe, tmp_path):
    first = open_archive(archive_folder(zoo_root, recipe, "tss", Library())).held[0]
    folder = tmp_path / archive_folder(zoo_root, recipe, "tss", Library()).name
    shutil.copytree(archive_folder(zoo_root, recipe, "tss", Library()), folder)
    (folder / f"{first:06d}.pickle.pbz2").write_bytes(b"BZh9")
    code, _, _ = harness("run", "study.spaces=[tss]", f"archives.tss={folder}")
    assert code == 1
    failed = open_store(str(tmp_path / "store")).failures(kind="failed").df()
    assert set(failed["arch_index"]) == {first}


def test_a_report_without_a_store_says_what_to_do(harness):
    code, _, err = harness("report")
    assert code == 2
    assert "`harness run` makes one" in err


def test_wrong_constants_fail_the_gate_of_the_run(harness, tmp_path, monkeypatch):
    wrong = Normalisation((0.9, 0.9, 0.9), (0.05, 0.05, 0.05))
    monkeypatch.setattr("harness.datasets.digits.NORMALISATION", wrong)
    code, out, _ = harness("run")
    assert code == 1
    assert "do not reproduce the accuracy that their archive recorded" in out
    store = open_store(str(tmp_path / "store"))
    shown, every = store.measurements().df(), store.measurements(with_gate_failures=True).df()
    assert len(every) == 18
    assert 0 < len(shown) < len(every), "the constant predictors pass, the others are hidden"
    assert set(shown["gate"]) <= {"pass", "warn"}
    code, out, _ = harness("verify")
    assert code == 1
    assert "gate: " in out
    assert " fail" in harness("status")[1]


def test_query_prints_writes_and_describes(harness, tmp_path):
    harness("run", "limit=1")
    sql = "SELECT space, count(*) AS n FROM measurements GROUP BY ALL ORDER BY ALL"
    code, out, _ = harness("query", with_archives=False, first=[sql])
    assert code == 0
    assert "sss" in out
    target = tmp_path / "answer.csv"
    code, _, _ = harness("query", with_archives=False, first=[sql, "--out", str(target)])
    assert code == 0
    assert target.read_text().splitlines()[0] == "space,n"
    code, _, err = harness("query", "--out", str(target), with_archives=False, first=[sql])
    assert (code, "is there already" in err) == (2, True)
    code, _, err = harness("query", with_archives=False, first=["SELECT nope FROM measurements"])
    assert (code, '"nope" not found' in err) == (2, True)
    code, _, err = harness("query", with_archives=False)
    assert (code, "expected a query" in err) == (2, True)
    for words, message in (
        (["SELEC 1"], "a query, which begins with SELECT, WITH or FROM, got 'SELEC 1'"),
        (["--describe", "ECE_15", "--out", str(target)], "--out writes the answer of a query"),
        (["--describe", "ECE15"], "no column ECE15; did you mean ECE_15"),
    ):
        code, _, err = harness("query", with_archives=False, first=words)
        assert (code, message in err) == (2, True), err
    assert harness("query", "--describe", "calibrator", with_archives=False)[0] == 0
    code, out, _ = harness("query", with_archives=False, first=["--describe", "calibrator", "ECE_15_low"])
    assert code == 0
    assert re.search(r"calibrator +string +post-hoc calibrator", out)
    assert "lower end of the 95 % pivot interval of ECE_15;" in out
    code, out, _ = harness("query", with_archives=False, first=["--describe", "ECE_15"])
    assert "Guo et al., On Calibration of Modern Neural Networks, ICML 2017" in out
    assert re.search(r"function +harness\.metrics\.top_label\.expected_calibration_error", out)
    code, out, _ = harness("query", "--describe", with_archives=False)
    assert code == 0
    assert re.search(r"cwCE_em_M +probability +\[0, 1\] +lower +gap between the probability of a class", out)
    assert "M = 5, 10, 15, 20, 25, 50, 100, 200, 500" in re.sub(r"\s+", " ", out)
    assert re.search(r"n_samples +int32 +images", out)
    assert "[label = k]" in out, "not taken for markup"


def test_times_of_a_zone_are_shown(harness, tmp_path):
    StoreRoot.create(tmp_path / "store")
    sql = "SELECT TIMESTAMPTZ '2020-01-02 03:04:05+00' AS t, 1 AS n, [t] AS l, 2 AS n"
    code, out, err = harness("query", with_archives=False, first=[sql])
    assert (code, err) == (0, "")
    time = r"(20[-+: \d]+\d)"  # in the zone of this machine
    found = re.search(rf"{time} +1 +\['{time}'\] +2", out)
    assert found, out
    assert pd.Timestamp(found[1]) == pd.Timestamp("2020-01-02 03:04:05+00")
    assert found[1] == found[2]


def test_a_query_is_shown_as_it_is_and_stands_anywhere(harness):
    harness("run", "limit=1")
    for first, more in ((["SELECT '[red]a[/x]'\n AS v"], []), (["data_root=/nowhere"], ["SELECT '[red]a[/x]' AS v"])):
        code, out, err = harness("query", *more, with_archives=False, first=first)
        assert code == 0, err
        assert "[red]a[/x]" in out
    code, _, err = harness("query", with_archives=False, first=["SELECT 1; SELECT 2"])
    assert (code, "expected one query, got 2" in err) == (2, True)


@pytest.mark.parametrize("more", [["experiment=paper"], ["runner.device=cuda"], ["data_root=/nowhere"]])
def test_reading_needs_the_store_alone(harness, more, few_notebooks):
    harness("run", "limit=1")
    for command in ("status", "report"):
        code, _, err = harness(command, *more, with_archives=False)
        assert code == 0, err
    code, out, _ = harness("query", *more, with_archives=False, first=["SELECT count(*) AS n FROM models"])
    assert (code, " n" in out) == (0, True)


def test_the_wide_layout_has_the_published_names_and_the_tidy_one_every_value(harness, tmp_path):
    harness("run")
    store = open_store(str(tmp_path / "store"))
    rows, wide = store.measurements().df(), store.wide().df()
    assert len(wide) == 9
    columns = list(wide.columns)
    assert columns[columns.index("config") :][:9] == [
        *("config", "acc", "correct_confidence", "incorrect_confidence", "arch"),
        *("pre_ECE_5", "post_ECE_5", "pre_ECE_10", "post_ECE_10"),
    ]
    assert columns[-4:] == ["pre_Brier", "post_Brier", "auc_cifar10c", "auc_svhn"]
    assert len([name for name in columns if name.startswith(("pre_", "post_"))]) == 100
    key = ["space", "arch_index", "seed"]
    for calibrator, phase in (("none", "pre"), ("temperature", "post")):
        values = rows[rows["calibrator"] == calibrator].set_index(key).sort_index()
        laid_out = wide.set_index(key).sort_index()
        assert laid_out[f"{phase}_ECE_15"].tolist() == values["ECE_15"].tolist()
        for space, name in (("tss", "cwACE_15"), ("sss", "cwCE_em_15")):
            assert laid_out.loc[space, f"{phase}_cwCE_em_15"].tolist() == values.loc[space, name].tolist()
    tidy = store.tidy(calibrator="none").df()
    ece = tidy[(tidy["metric"] == "ECE") & (tidy["n_bins"] == 15)].set_index(key)["value"].sort_index()
    assert ece.tolist() == rows[rows["calibrator"] == "none"].set_index(key)["ECE_15"].sort_index().tolist()
    assert tidy["n_bins"].isna().any()


def test_measure_prints_the_measurements_of_a_file(harness, tmp_path):
    probs = np.array([[0.75, 0.25], [0.75, 0.25]], dtype=np.float32)
    np.savez(tmp_path / "mine.npz", probs=probs, labels=np.array([0, 1]))
    code, out, _ = harness("measure", first=[str(tmp_path / "mine.npz")], with_archives=False)
    assert code == 0
    assert re.search(r"ECE_15 +0\.25 +probability", out)
    assert "takes two right predictions" in out, "why KDECE is undefined"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"logits": np.zeros((2, 3))},
            r"expected .* with probs .* it holds logits; .* harness.metrics.softmax\(logits\)",
        ),
        ({"probs": np.array([[3.0, -1.0]]), "labels": np.array([0])}, r"if these are logits"),
        ({"probs": np.array([[0.5, 0.4]]), "labels": np.array([0])}, "rows that sum to 1"),
        ({"probs": np.array([[0.5, 0.5]]), "labels": np.array([2])}, r"labels"),
        ({"probs": np.array([[0.5, 0.5]]), "labels": np.array([0, 1])}, r"labels"),
        ({"probs": np.array([[0.5, 0.5]]), "labels": np.array([0.0])}, r"labels: expected integers"),
        ({"probs": np.array([0.5, 0.5]), "labels": np.array([0])}, r"probs: expected floats \(images, classes\)"),
        ({"probs": np.array([None]), "labels": np.array([0])}, "allow_pickle=False"),
    ],
)
def test_predictions_that_cannot_be_measured_are_refused(harness, tmp_path, arrays, message):
    np.savez(tmp_path / "mine.npz", **arrays)
    code, _, err = harness("measure", first=[str(tmp_path / "mine.npz")], with_archives=False)
    assert code == 2
    assert "mine.npz" in err
    assert re.search(message, err), err


def test_a_file_that_is_no_npz_is_refused(harness, tmp_path):
    (tmp_path / "mine.npz").write_bytes(b"PK no zip")
    for name in ("mine.npz", "nothing.npz"):
        code, _, err = harness("measure", first=[str(tmp_path / name)], with_archives=False)
        assert (code, "expected a file of numpy.savez" in err) == (2, True)


def test_the_words_of_the_commands_come_without_what_carries_them_out():
    script = "import sys\nfrom harness.cli.parser import make_parser\nmake_parser().format_help()\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "hydra", "duckdb"} & set(done.stdout.split())


def test_output_that_nobody_reads_is_no_failure(tmp_path):
    words = f"{sys.executable} -m harness query --describe results={tmp_path} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
